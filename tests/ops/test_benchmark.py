"""What is measured is the real code; that a measurement says something, not what it says, is tested here."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pytest

from credits import audit
from providers import overhead as calls
from providers.adapters import ADAPTERS, vertex
from providers.models import ProviderCall
from vidgenie.management.benchmarks import (
    adapters,
    encryption,
    inflight,
    overhead,
    past,
    recovery,
    statements,
    throughput,
)
from vidgenie.management.benchmarks.figures import Figure, percentile
from vidgenie.management.benchmarks.rig import rig, unfinished, wait
from workflows import books
from workflows.models import Attempt, Step, Workflow


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALLS", 1)
    monkeypatch.setattr(calls, "WARM_UP", 1)
    monkeypatch.setattr(encryption, "TIMES", 1)


def figures(lines: Iterable[Figure | str]) -> list[Figure]:
    return [line for line in lines if isinstance(line, Figure)]


def test_every_adapter_is_measured_and_leaves_nothing_behind(db: None) -> None:
    tokens = dict(vertex._TOKENS)
    found = figures(adapters.report(1))
    assert {figure.slug.split("-")[0] for figure in found} == ADAPTERS.keys() - {"sandbox"}
    assert [figure.name.split()[1] for figure in found].count("fetch") == 5
    assert ProviderCall.objects.count() == 0
    assert tokens == vertex._TOKENS


def test_sealing_and_opening_are_measured_with_rings_of_one_and_five() -> None:
    found = list(encryption.report(5))
    assert [(figure.slug, figure.bar, len(figure.runs)) for figure in found] == [
        ("seal", None, 5),
        ("open-1", 50, 5),
        ("open-5", 50, 5),
    ]


def test_a_figure_says_what_was_promised_and_whether_it_is_kept() -> None:
    kept = [Figure("x", value, "/s", at_least=20).verdict for value in (20, 19.9)]
    within = [Figure("x", value, "s", at_most=60).verdict for value in (60, 60.1)]
    assert kept == within == ["pass", "fail"]
    assert [Figure("x", value, at_most=1, strictly=True).verdict for value in (0.9, 1)] == ["pass", "fail"]
    assert [Figure("x", value, at_least=1, strictly=True).verdict for value in (1.1, 1)] == ["pass", "fail"]
    assert " ".join(str(Figure("noticed", 1234.5, "s", at_most=60)).split()) == "noticed 1,234 s at most 60 s: fail"
    assert (Figure("x", 1, "s", at_most=2, strictly=True).target, Figure("x", 1).target) == ("under 2 s", "")


def test_what_was_not_measured_or_too_seldom_is_unknown() -> None:
    assert (Figure("x", math.nan, at_most=1).verdict, Figure("x", 1).verdict) == ("unknown", "noted")
    assert [Figure.of("x", [1.0] * runs, at_most=2).verdict for runs in (0, 4, 5)] == ["unknown", "unknown", "pass"]
    assert Figure.of("x", [3.0], at_most=2).verdict == "fail"


def test_a_figure_is_what_its_runs_come_to() -> None:
    values = {of: Figure.of("x", [4, 1, 2, 9], of).value for of in ("median", "mean", "p95", "min", "max")}
    assert values == {"median": 3, "mean": 4, "p95": 9, "min": 1, "max": 9}


def test_the_id_is_the_name_unless_it_has_one() -> None:
    assert (Figure("CPU of a run (µs)", 1).slug, Figure("x", 1, id="cpu").slug) == ("cpu-of-a-run-s", "cpu")


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([3, 1, 2, 4], share) for share in (0.5, 0.75, 0.95, 1)] == [2, 3, 4, 4]
    assert math.isnan(percentile([], 0.5))


def test_a_run_costs_what_worker_and_database_took_for_it() -> None:
    cost = throughput.Cost(100, wall=5, steady=25, started=4, worker=3, database=1, simulator=1, itself=1)
    assert cost.milliseconds == 40


def test_statements_are_counted_by_kind_whatever_their_values_are() -> None:
    told = {
        statements._shape("UPDATE t SET a = 'a fox' WHERE id IN (1, 2, 3)"),
        statements._shape("UPDATE t SET a = 'it''s' WHERE id IN (4, 50, 600)"),
    }
    assert told == {"UPDATE t SET a = ? WHERE id IN (…)"}
    assert statements.split(Counter({told.pop(): 2, "BEGIN": 3, "SAVEPOINT x": 1})) == (2, 4)


def test_a_trial_makes_renders_shorter_and_leaves_their_spread() -> None:
    assert (inflight._hurried("600:0.1", 10).median, inflight._hurried("600:0.1", 10).sigma) == (60, 0.1)


def test_shares_of_what_is_bearable_are_judged_and_so_are_looks() -> None:
    renders = [inflight.Render(seconds=100, lag=lag, delivered=lag + 1, looks=3) for lag in (1.0, 6.0)]
    late, looks = figures(inflight._noticing(inflight.Pass(renders, 2, 1.0, 1.0), 6, "warm", judged=True))
    assert (late.value, late.verdict, looks.value, looks.runs) == (1.2, "fail", 3, (3, 3))


# The real thing, small: that there are rows, not what they say.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("suite", "ids"),
    [
        (lambda: throughput.report(4), {"short-rate", "long-steady", "growth", "naive-cpu"}),
        (lambda: recovery.report(4), {"after-6-s"}),
        (lambda: inflight.report(4, hurry=60), {"in-flight", "warm-noticed", "many-looks"}),
        (lambda: overhead.report(2), {"fal-alone", "fal-among", "runway-alone"}),
    ],
    ids=["throughput", "recovery", "inflight", "overhead"],
)
def test_a_suite_runs_small(
    suite: Callable[[], Iterator[Figure | str]],
    ids: set[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if not request.config.getoption("--soak"):
        pytest.skip("each takes a minute or two, with processes of its own. Run them with --soak")
    monkeypatch.setattr(throughput, "LONG", 40)
    monkeypatch.setattr(recovery, "KILLS", (6.0,))
    monkeypatch.setattr(recovery, "SPEED", 20.0)
    monkeypatch.setattr(inflight, "NAIVE_SECONDS", 1.0)
    monkeypatch.setattr(overhead, "HURRY", 40.0)
    monkeypatch.setattr(overhead, "USUAL", 10.0)
    monkeypatch.setattr(overhead, "SINGLES", 1)
    found = figures(suite())
    assert ids <= {figure.slug for figure in found}
    assert len({figure.slug for figure in found}) == len(found)
    assert not [figure for figure in found if figure.bar is not None and math.isnan(figure.value)]
    assert unfinished() == 0


@pytest.mark.django_db(transaction=True)
def test_a_history_is_a_sound_one() -> None:
    with rig() as on, on.worker():
        on.start(1, on.quote())
        wait(lambda: not unfinished(), 120, "the run is not settled")
        past.copy(Workflow.objects.get(), 1, 3)
    assert (Workflow.objects.count(), Step.objects.count(), Attempt.objects.count()) == (4, 12, 12)
    with audit.snapshot():
        assert audit.run([*audit.CHECKS, *books.CHECKS]) == []
