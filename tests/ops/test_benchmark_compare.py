"""What has moved since another report: a program made slower by a fifth is seen, noise is not."""

import io
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from providers import crypto
from tests.ops.test_reports import complaints
from vidgenie.management.benchmarks import comparison, results, suites
from vidgenie.management.benchmarks.comparison import Movement
from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.benchmarks.suites import Suite
from vidgenie.management.commands import benchmark

NOISE = 0.02  # of a run, and as much again of a measurement


def measured(seed: int, slower: float = 1.0, runs: int = 10) -> dict[str, Any]:
    """A report's figures of a program that takes 100 ms, measured twice."""
    chance = random.Random(seed)

    def once(base: float) -> list[float]:
        drift = chance.gauss(1, NOISE)
        return [base * drift * chance.gauss(1, NOISE) for _ in range(runs)]

    found = {}
    for number in range(6):
        figure = Figure.of("x", once(100 * slower), unit="ms")
        found[f"suite.{number}"] = results.raw(figure) | {"again": once(100 * slower)}
    return found


def quiet(figures: dict[str, Any], others: float = 0.1, again: float = 0.1) -> dict[str, Any]:
    """A report's details, of a machine of which others took so much."""
    times = [{"seconds": 5.0, "cpu": {"others": share}} for share in (others, again)]
    return {"figures": figures, "suites": {"suite": {**times[0], "again": times[1]}}}


def movements(slower: float, seeds: range) -> list[Movement]:
    found = []
    for seed in seeds:
        new = measured(1000 + seed, slower)
        found += [one.movement for one in comparison.compared(quiet(measured(seed)), quiet(new)).values()]
    return found


def test_the_same_program_measured_again_is_not_flagged() -> None:
    assert set(movements(1.0, range(6))) == {Movement.SAME}


def test_a_program_made_slower_by_a_fifth_is_seen() -> None:
    found = movements(1.2, range(6))
    assert set(found) <= {Movement.WORSE, Movement.SAME}
    assert found.count(Movement.WORSE) > 0.9 * len(found)


def test_a_program_made_faster_by_a_fifth_is_better() -> None:
    found = movements(0.8, range(3))
    assert Movement.WORSE not in found
    assert found.count(Movement.BETTER) > 0.9 * len(found)


def figure(runs: list[float], again: list[float] | None = None, **more: Any) -> dict[str, Any]:
    return results.raw(Figure.of("x", runs, **more)) | ({} if again is None else {"again": again})


STEADY = [100.0, 101, 99, 100.5, 99.5, 100.2, 99.8]


@pytest.mark.parametrize(
    ("more", "movement"), [({"unit": "ms"}, Movement.WORSE), ({"unit": "runs/s"}, Movement.BETTER)]
)
def test_more_is_worse_of_times_and_better_of_rates(more: dict[str, str], movement: Movement) -> None:
    slower = [1.2 * value for value in STEADY]
    assert comparison.moved(figure(STEADY, STEADY, **more), figure(slower, slower, **more), None).movement == movement


def test_what_is_within_the_noise_of_the_suite_has_not_moved() -> None:
    slower = [1.2 * value for value in STEADY]
    one = comparison.moved(figure(STEADY, STEADY), figure(slower, slower), 0.2)
    assert (one.movement, round(one.change or 0, 3), round(one.noise or 0, 3)) == (Movement.SAME, 0.2, 0.122)


def test_a_change_that_is_sure_and_small_is_nobodys_concern() -> None:
    slower = [1.03 * value for value in STEADY]
    assert comparison.moved(figure(STEADY, STEADY), figure(slower, slower), None).movement == Movement.SAME


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (None, figure(STEADY), "not measured then"),
        (figure([1.0, 2]), figure(STEADY, STEADY), "takes 5 runs"),
        (figure([0.0] * 5, [0.0] * 5), figure(STEADY, STEADY), "not above zero"),
        (figure(STEADY), figure(STEADY), "noise is not known"),
        (results.raw(Figure("x", 3)), results.raw(Figure("x", 9)), "takes 5 runs"),
    ],
)
def test_what_cannot_be_told_is_unknown(old: dict[str, Any] | None, new: dict[str, Any], why: str) -> None:
    one = comparison.moved(old, new, None)
    assert (one.movement, why in one.why) == (Movement.UNKNOWN, True)


@pytest.mark.parametrize("shares", [(0.3, 0.1), (0.1, 0.3)])
def test_nothing_is_said_of_what_was_measured_on_a_busy_machine(shares: tuple[float, float]) -> None:
    for old, new in (((0.1, 0.1), shares), (shares, (0.1, 0.1))):
        found = comparison.compared(quiet(measured(1), *old), quiet(measured(2, 1.5), *new))
        assert {(one.movement, one.why) for one in found.values()} == {(Movement.UNKNOWN, comparison.BUSY)}
        assert comparison.row(found, "old.json", True).verdict == "unknown"


def beside(slower: float, machine: float, others: float = 0.9) -> dict[str, Any]:
    """A report's details of a figure that was measured beside fixed work, on a machine that is so much slower."""
    runs = [machine * value for value in STEADY]
    found = Figure.of("x", [slower * run for run in runs], unit="µs", beside=[2 * run for run in runs])
    return quiet({"suite.x": results.raw(found) | results.again(found)}, others)


@pytest.mark.parametrize(("slower", "movement"), [(1.0, Movement.SAME), (1.2, Movement.WORSE), (0.8, Movement.BETTER)])
def test_what_was_measured_beside_fixed_work_is_told_on_a_machine_that_is_slow_and_busy(
    slower: float, movement: Movement
) -> None:
    one = comparison.compared(beside(1.0, 1.0), beside(slower, 1.7))["suite.x"]
    assert (one.before, one.now, one.movement) == (0.5, pytest.approx(slower / 2), movement)


def test_what_only_one_report_has_measured_beside_fixed_work_is_compared_as_it_is() -> None:
    for others, movement in ((0.1, Movement.WORSE), (0.9, Movement.UNKNOWN)):
        old, new = beside(1.0, 1.0, others), beside(1.0, 1.7, others)
        del old["figures"]["suite.x"]["relative"]
        one = comparison.compared(old, new)["suite.x"]
        assert (one.before, one.now, one.movement) == (pytest.approx(100), pytest.approx(170), movement)


# Through the command, with a suite whose time the test decides


@pytest.fixture
def planted(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the command measure a program that takes as long as `planted.slower` says; its runs differ by chance."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(comparison, "MOST_FOR_OTHERS", 2.0)  # what is planted takes as long on a busy machine

    class Planted:
        slower, seed = 1.0, 1

        def lines(self, at: object, **given: Any) -> Iterator[Figure | str]:
            self.seed += 1
            chance = random.Random(self.seed)
            runs = [10 * self.slower * chance.gauss(1, NOISE) for _ in range(10)]
            yield Figure.of("a call takes", runs, unit="ms", at_most=50, id="call")

    found = Planted()
    suite = Suite("encryption", "a planted one", found.lines, "By chance.", 0.1, found.lines)

    def each(names: list[str], quick: bool) -> Iterator[tuple[Suite, None]]:
        yield suite, None

    monkeypatch.setattr(benchmark, "each", each)
    return found


def run(*arguments: str) -> tuple[str, int]:
    """What was printed, and the exit code."""
    said = io.StringIO()
    try:
        call_command("benchmark", "--suite", "encryption", *arguments, stdout=said, stderr=said)
    except SystemExit as left:
        return said.getvalue(), left.code
    return said.getvalue(), 0


def test_a_benchmark_slowed_by_a_fifth_is_seen_and_the_exit_code_stays_about_targets(planted: Any) -> None:
    assert run("--report", "old.json")[1] == 0
    planted.slower = 1.2
    text, code = run("--compare", "old.json")
    assert code == 0
    assert " worse" in next(line for line in text.splitlines() if line.startswith("encryption.call"))
    assert run("--compare", "old.json", "--fail-on-slower")[1] == 1


def test_an_aa_run_is_not_flagged(planted: Any) -> None:
    run("--report", "old.json")
    text, code = run("--compare", "old.json", "--fail-on-slower")
    assert code == 0
    assert next(line for line in text.splitlines() if line.startswith("encryption.call")).endswith("within the noise")


def test_the_comparison_is_in_the_report_as_its_schema_says(planted: Any) -> None:
    run("--report", "old.json")
    run("--compare", "old.json")
    whole = json.loads(Path("benchmark-report.json").read_text())
    assert complaints(whole, "benchmark") == []
    assert whole["details"]["compared"]["figures"]["encryption.call"]["movement"] == "within the noise"
    assert len(whole["details"]["figures"]["encryption.call"]["again"]) == 10
    assert [row["id"] for row in whole["rows"]] == ["encryption.call", "compare.nothing-worse"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is no such file"),
        ("nonsense", "no whole JSON"),
        ('{"kind": "performance"}', "no report of the kind benchmark"),
        ("quick", "measured without --quick: do the same"),
        ("damaged", "something in it is missing or wrong"),
    ],
)
def test_what_cannot_be_compared_with_is_refused_before_anything_is_measured(
    planted: Any, text: str | None, complaint: str
) -> None:
    more = ["--quick"] if text == "quick" else []
    run("--report", "old.json")
    if text == "damaged":
        whole = json.loads(Path("old.json").read_text())
        whole["details"]["figures"]["encryption.call"]["runs"] = ["many"]
        Path("old.json").write_text(json.dumps(whole))
    elif text != "quick":
        Path("old.json").write_text(text) if text else Path("old.json").unlink()
    before = planted.seed
    with pytest.raises(CommandError, match=f"--compare: old.json: .*{complaint}"):
        run("--compare", "old.json", *more)
    assert planted.seed == before
    assert not Path("benchmark-report.json").exists()


def test_failing_on_slower_needs_something_to_compare_with(planted: Any) -> None:
    with pytest.raises(CommandError, match="needs --compare"):
        run("--fail-on-slower")
    assert planted.seed == 1


@pytest.fixture
def only_sealing(planted: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Have the command measure what sealing and opening really takes, and nothing else."""
    if not request.config.getoption("--soak"):
        pytest.skip("it measures time, and a machine may be very busy. Run it with --soak")
    monkeypatch.setattr(comparison, "MOST_FOR_OTHERS", 0.25)
    monkeypatch.setattr(benchmark, "each", lambda names, quick: ((suites.SUITES[name], None) for name in names))


def slowed(act: Any, by: int) -> Any:
    """The same, with every fifth call done so many times more."""
    calls = itertools.count()

    def slow(*given: Any, **more: Any) -> Any:
        for _ in range(by if next(calls) % 5 == 0 else 0):
            act(*given, **more)
        return act(*given, **more)

    return slow


def test_real_code_slowed_by_a_fifth_is_seen_and_the_same_code_is_not(
    only_sealing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = crypto.Ring.open
    monkeypatch.setattr(crypto.Ring, "open", slowed(once, 0))  # counting takes time too
    run("--report", "old.json", "--twice")
    assert run("--compare", "old.json", "--fail-on-slower")[1] == 0
    monkeypatch.setattr(crypto.Ring, "open", slowed(once, 1))
    text, code = run("--compare", "old.json", "--fail-on-slower")
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("encryption.")}
    ends = {name: line.split("%")[-1].strip() for name, line in lines.items()}
    assert ends == {
        "encryption.open-1": "worse",
        "encryption.open-5": "worse",
        "encryption.seal": "within the noise",
    }, text
    assert code == 1
