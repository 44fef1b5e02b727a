"""What is measured is the real code; that a measurement says something, not what it says, is tested here."""

import math
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from django.core.management import CommandError, call_command

from credits import audit
from providers import overhead as adapters
from providers.adapters import ADAPTERS, vertex
from providers.models import ProviderCall
from vidgenie.management.benchmarks import encryption, inflight, overhead, past, recovery, statements, throughput
from vidgenie.management.benchmarks.figures import Figure, percentile
from vidgenie.management.benchmarks.rig import rig, unfinished, wait
from workflows import books
from workflows.models import Attempt, Step, Workflow


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "ROUNDS", 1)
    monkeypatch.setattr(adapters, "CALLS", 1)
    monkeypatch.setattr(adapters, "WARM_UP", 1)
    monkeypatch.setattr(encryption, "ROUNDS", 1)


def test_every_adapter_is_measured_and_leaves_nothing_behind(db: None) -> None:
    tokens = dict(vertex._TOKENS)
    *lines, method, verdict = adapters.report()
    assert {line.split()[0] for line in lines} == ADAPTERS.keys() - {"sandbox"}
    assert [line.split()[1] for line in lines].count("fetch") == 5
    assert "median of" in method
    assert verdict.startswith("slowest ")
    assert ProviderCall.objects.count() == 0
    assert tokens == vertex._TOKENS


def test_a_bar_that_is_missed_is_called_so(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "BAR", 0.0)
    assert list(adapters.report())[-1].endswith("bar 0 ms: MISSED")


def test_sealing_and_opening_are_measured_with_rings_of_one_and_five() -> None:
    lines = list(encryption.report())
    assert [line.strip().partition("  ")[0] for line in lines[:2]] == ["seal", "open, ring of 1"]
    assert lines[2].startswith("  open, ring of 5 (the last opens) ")
    assert lines[-1].startswith("slowest opening ")


def test_a_figure_says_what_was_promised_and_whether_it_is_kept() -> None:
    assert (Figure("x", 20, "/s", at_least=20).verdict, Figure("x", 19.9, "/s", at_least=20).verdict) == (
        "met",
        "MISSED",
    )
    assert [Figure("x", value, "s", at_most=60).verdict for value in (60, 60.1)] == ["met", "MISSED"]
    assert (Figure("x", math.nan, at_most=1).verdict, Figure("x", 1).verdict) == ("MISSED", "")
    assert " ".join(str(Figure("noticed", 1234.5, "s", at_most=60)).split()) == "noticed 1,234 s at most 60 s: MISSED"


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
    renders = [inflight.Render(seconds=100, lag=lag, looks=3) for lag in (1.0, 6.0)]
    late, _, looks, _ = inflight._noticing(inflight.Pass(renders, 2, 1.0, 1.0, 1.0), 6, judged=True)
    assert isinstance(late, Figure)
    assert isinstance(looks, Figure)
    assert (late.value, late.verdict, looks.value, looks.verdict) == (1.2, "MISSED", 3, "met")


# The real thing, small: that there are rows, not what they say.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("suite", "names"),
    [
        (
            lambda: throughput.report(4),
            {"complete runs a second, started to settled", "CPU of a run, long history to short"},
        ),
        (lambda: recovery.report(4), {"after SIGKILL 6 s on, all is moving again"}),
        (lambda: inflight.report(4, hurry=60), {"renders in flight at once", "looks a render, the most"}),
        (
            lambda: overhead.report(2),
            {"one run takes longer than its providers by (median)", "2 at once take longer by (p95)"},
        ),
    ],
    ids=["throughput", "recovery", "inflight", "overhead"],
)
def test_a_suite_runs_small(
    suite: Callable[[], Iterator[Figure | str]],
    names: set[str],
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
    figures = [line for line in suite() if isinstance(line, Figure)]
    assert names <= {figure.name for figure in figures}
    assert not [figure for figure in figures if figure.verdict and math.isnan(figure.value)]
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


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("benchmark", "--suite", "nonsense")
