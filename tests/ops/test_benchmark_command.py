"""The command: what it measures when, what it writes, how it leaves, and that nothing is spent unasked."""

import io
import json
import math
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from credits import ledger
from providers import gateway
from providers.models import ProviderCall
from tests.ops.test_reports import complaints
from vidgenie.management.benchmarks import real, rig, suites
from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.benchmarks.suites import QUICK, SUITES, USUAL, Suite
from vidgenie.management.commands import benchmark
from vidgenie.reports import read

GOOD = Figure.of("a call takes", [1.0, 2, 3, 4, 5], unit="ms", at_most=3, id="call")


@pytest.fixture(autouse=True)
def here(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have every suite find these lines, and remember what each was asked for."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def find(*lines: Figure | str | Exception) -> list[tuple[str, dict[str, Any]]]:
        def report(name: str, given: dict[str, Any]) -> Iterator[Figure | str]:
            asked.append((name, given))
            for line in lines:
                if isinstance(line, Exception):
                    raise line
                yield line

        def each(names: list[str], quick: bool) -> Iterator[tuple[Suite, None]]:
            for name in names:
                yield Suite(name, "", lambda at, name=name, **given: report(name, given), "By hand.", 1), None

        monkeypatch.setattr(benchmark, "each", each)
        return asked

    return find


def run(*arguments: str) -> tuple[str, int]:
    """What was printed, and the exit code."""
    said = io.StringIO()
    try:
        call_command("benchmark", *arguments, stdout=said, stderr=said)
    except SystemExit as left:
        return said.getvalue(), left.code
    return said.getvalue(), 0


def report() -> Any:
    return json.loads(Path("benchmark-report.json").read_text())


def test_a_kept_target_is_a_row_with_all_its_runs(finding: Any) -> None:
    finding(GOOD, "told beside it")
    code = run("--suite", "ledger")[1]
    whole = report()
    assert (code, complaints(whole, "benchmark")) == (0, [])
    row = whole["rows"][0]
    assert (row["id"], row["verdict"], row["target"], row["measured"]) == ("ledger.call", "pass", "at most 3 ms", 3)
    assert row["evidence"] == "median of 5 runs, 1 to 5 ms"
    assert whole["details"]["figures"]["ledger.call"]["runs"] == [1, 2, 3, 4, 5]
    suite = whole["details"]["suites"]["ledger"]
    assert (suite["sentences"], suite["method"]) == (["told beside it"], "By hand.")
    assert suite["database_bytes"] > 1_000_000
    assert 0 <= suite["cpu"]["generator"] <= suite["cpu"]["machine"] <= 1
    assert whole["details"]["settings"]["fsync"] in ("on", "off")


@pytest.mark.parametrize(
    ("figure", "code"),
    [
        (Figure("x", 4.0, "ms", at_most=3), 1),
        (Figure("x", math.nan, "ms", at_most=3), 3),
        (Figure.of("x", [1.0, 1, 1, 1], unit="ms", at_most=3), 3),
        (Figure("x", 4.0, "ms"), 3),
    ],
)
def test_a_missed_target_is_1_and_what_was_not_shown_is_3(finding: Any, figure: Figure, code: int) -> None:
    finding(figure)
    assert run("--suite", "ledger")[1] == code
    assert read(Path("benchmark-report.json"), "benchmark").outcome == {1: "fail", 3: "unknown"}[code]


def test_a_suite_that_breaks_off_is_unknown_and_the_others_are_measured(finding: Any) -> None:
    asked = finding(GOOD, CommandError("3 of 9 runs did not succeed"))
    code = run("--suite", "ledger", "--suite", "api")[1]
    assert (code, [name for name, _ in asked]) == (3, ["ledger", "api"])
    unknown = [row for row in report()["rows"] if row["verdict"] == "unknown"]
    assert [row["id"] for row in unknown] == ["ledger.came-to-its-end", "api.came-to-its-end"]
    assert unknown[0]["evidence"] == "3 of 9 runs did not succeed"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], USUAL),
        (["--quick"], QUICK),
        (["--suite", "all"], tuple(SUITES)),
        (["--suite", "api", "--suite", "ledger"], ("ledger", "api")),
    ],
)
def test_what_is_measured_when(finding: Any, arguments: list[str], names: tuple[str, ...]) -> None:
    asked = finding(GOOD)
    assert run(*arguments)[1] == 0
    assert tuple(name for name, _ in asked) == names


def test_the_short_form_has_every_target_of_the_product() -> None:
    assert {"enhance", "image", "video", "pipeline", "ledger", "encryption", "throughput"} == set(QUICK)


def test_what_has_no_short_form_is_refused(finding: Any) -> None:
    asked = finding(GOOD)
    with pytest.raises(CommandError, match="--quick: there is no short form of inflight"):
        run("--quick", "--suite", "inflight")
    assert asked == []


@pytest.mark.parametrize("runs", ["0", "-1", "many"])
def test_a_number_of_runs_that_makes_no_sense_is_refused(finding: Any, runs: str) -> None:
    asked = finding(GOOD)
    with pytest.raises(CommandError, match="whole number of 1 or more"):
        run("--runs", runs)
    assert asked == []


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        run("--suite", "nonsense")


def test_runs_and_hurry_reach_the_suites_that_take_them() -> None:
    given: dict[str, Any] = {}
    one = Suite("x", "", lambda at, **more: given.update(more) or iter(()), "", 1, hurried=True)
    list(one.lines(None, runs=7, quick=False, hurry=2.0))  # type: ignore[arg-type]
    assert given == {"runs": 7, "hurry": 2.0}


def test_of_very_many_runs_a_thousand_are_kept_from_the_least_to_the_most(finding: Any) -> None:
    finding(Figure.of("x", range(1, 10_001), "p95", at_most=9_600, id="x"))
    run("--suite", "ledger")
    kept = report()["details"]["figures"]["ledger.x"]
    assert (len(kept["runs"]), kept["runs"][0], kept["runs"][-1], kept["runs_measured"]) == (1000, 1, 10_000, 10_000)


# The page


def test_the_page_shows_every_row_and_needs_nothing_else(finding: Any) -> None:
    finding(GOOD, Figure("<b>odd</b>", 4.0, "/s", at_least=5), Figure("none", math.nan, "s", at_most=1))
    text, code = run("--suite", "ledger", "--html", "page.html")
    page = Path("page.html").read_text()
    assert (code, "Page: page.html" in text) == (1, True)
    assert page.count("<svg") == page.count("<table") == 3
    assert page.count('<circle class="dot"') == 5
    assert "&lt;b&gt;odd&lt;/b&gt;" in page
    assert all(row["evidence"] in page and row["verdict"] in page for row in report()["rows"])
    assert not any(outside in page for outside in ("<script", "http://", "https://", "<link", "url(", "@import"))


def test_a_comparison_is_on_the_page(finding: Any) -> None:
    finding(GOOD)
    run("--suite", "ledger", "--report", "old.json")
    run("--suite", "ledger", "--compare", "old.json", "--html", "page.html")
    page = Path("page.html").read_text()
    assert "What has moved" in page
    assert 'aria-label="Changes: ledger.call: +0.0%, within the noise"' in page


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(finding: Any) -> None:
    asked = finding(GOOD)
    with pytest.raises(CommandError, match=r"^--html: missing/page.html cannot be written: No such file"):
        run("--html", "missing/page.html")
    assert asked == []


def test_a_page_that_cannot_be_written_any_more_fails_and_the_report_stays(
    finding: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding(GOOD)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(benchmark, "write", full)
    assert run("--suite", "ledger", "--html", "page.html")[1] == 1
    assert [(row["id"], row["verdict"]) for row in report()["rows"]] == [("ledger.call", "pass"), ("page", "fail")]


# One at a time


def test_a_second_benchmark_is_turned_away(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    with rig._alone("x"):
        with pytest.raises(CommandError, match="Another benchmark is under way"), rig._alone("x"):
            pytest.fail("it was let in")
        with rig._alone("another"):
            pass
    with rig._alone("x"):
        pass


def test_a_database_that_cannot_be_made_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        sys.stdout.write("Got an error creating the test database: permission denied\n")
        raise SystemExit(2)

    monkeypatch.setattr(rig.connection.creation, "create_test_db", refuse)
    with pytest.raises(CommandError, match=r"cannot be made: Got an error .* permission denied"):
        rig._create()


# Real providers


@pytest.fixture
def paying(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A site with a key, whose every call would be noted; no call is to be made."""
    settings.PROVIDER_MODE = "real"
    settings.PROVIDER_KEYS = {"openai": "sk-planted-0123456789"}
    settings.VAR_DIR = tmp_path
    called: list[str] = []
    monkeypatch.setattr(real, "own_database", nullcontext)
    monkeypatch.setattr(real, "database", nullcontext)
    monkeypatch.setattr(real.Spending, "report", lambda self: called.append("report") or iter([GOOD]))
    monkeypatch.setattr(gateway, "submit", lambda *_, **__: called.append("submit"))
    return called


def test_real_providers_are_not_called_when_nobody_can_be_asked(paying: list[str]) -> None:
    with pytest.raises(CommandError, match="Nobody can be asked here: nothing was called"):
        run("--providers", "real", "--max-credits", "1000")
    assert (paying, ProviderCall.objects.count(), Path("benchmark-report.json").exists()) == ([], 0, False)


@pytest.mark.parametrize("answer", ["", "no", "y", "YES"])
def test_real_providers_are_not_called_without_a_whole_yes(
    paying: list[str], answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    with pytest.raises(CommandError, match="Nothing was called"):
        run("--providers", "real", "--max-credits", "1000")
    assert paying == []


@pytest.mark.parametrize(("more", "limit"), [([], 10), (["--max-credits", "11"], 11)])
def test_real_providers_are_not_called_above_the_limit(
    paying: list[str], settings: Any, more: list[str], limit: int
) -> None:
    settings.MAX_TEST_CREDITS_PER_RUN = 10
    with pytest.raises(CommandError, match=rf"The limit is {limit} \(--max-credits\)\. Nothing was called"):
        run("--providers", "real", "--yes", *more)
    assert paying == []


def test_a_yes_within_the_limit_is_told_its_price_and_measured(
    paying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    text, code = run("--providers", "real", "--max-credits", "1000")
    assert (code, paying) == (0, ["report"])
    assert "5 runs and one to warm up by REAL providers: enhance by openai/" in text
    assert report()["details"]["providers"] == "real"
    assert "sk-planted" not in text + Path("benchmark-report.json").read_text()


def test_not_even_the_ledger_would_let_more_be_spent(paying: list[str]) -> None:
    with real.prepared(1, 500) as spending:
        assert ledger.balance(spending.user) == ledger.Balance(500, 0)


def test_real_providers_take_a_key_and_the_real_mode(paying: list[str], settings: Any) -> None:
    settings.PROVIDER_KEYS = {}
    with pytest.raises(CommandError, match="there is no key to any provider here"):
        run("--providers", "real", "--yes")
    settings.PROVIDER_MODE = "simulated"
    with pytest.raises(CommandError, match="VIDGENIE_PROVIDER_MODE is simulated"):
        run("--providers", "real", "--yes")
    assert paying == []


def test_suites_are_never_run_by_real_providers(paying: list[str]) -> None:
    for more in (["--suite", "ledger"], ["--quick"], ["--twice"]):
        with pytest.raises(CommandError, match="takes no --suite"):
            run("--providers", "real", "--yes", *more)
    assert paying == []


def test_what_is_simulated_is_the_default() -> None:
    given = benchmark.Command().create_parser("manage.py", "benchmark").parse_args([])
    assert (given.providers, given.yes, given.max_credits) == ("simulated", False, None)


def test_every_suite_says_how_it_measures() -> None:
    assert all(suite.method.endswith(".") and suite.minutes > 0 for suite in suites.SUITES.values())
