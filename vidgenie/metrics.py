"""The numbers of the site for Prometheus, read from the tables when they are asked for.

No process keeps any of them, so it does not matter which process on which machine is asked. What grows for ever comes
from `tallies.py`. No label holds a user, a workflow or anything else of which there are ever more.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from credits.models import Verdict
from providers.storage import WholeFiles
from vidgenie import memory, tallies
from workflows import tasks
from workflows.workers import SILENCE

Row = tuple[Any, ...]


class Tables:
    """What Prometheus' client calls a collector."""

    def collect(self) -> Iterator[Metric]:
        """Every number; raises DatabaseError."""
        start = time.monotonic()
        for part in (_runs, _attempts, _calls, _money, _queue, _workers, _books, _disk):
            yield from part()
        yield _gauge(
            "scrape_duration_seconds", "What it took to read these numbers.", [], [(time.monotonic() - start,)]
        )


# --- Runs --------------------------------------------------------------------------------------------------


def _runs() -> Iterator[Metric]:
    yield _gauge(
        "workflows_unfinished",
        "Workflows that go on now.",
        ["type", "status"],
        _rows("SELECT type, status, count(*) FROM workflows_workflow WHERE finished IS NULL GROUP BY 1, 2"),
    )
    ended = tallies.total(tallies.WORKFLOWS)
    labels = ["type", "status", "reason"]
    yield _counter("workflows_finished", "Workflows that ended, each time they did.", labels, ended)
    lasted = _only(ended, labels, status="succeeded")
    yield _histogram("workflow_duration_seconds", "From start to success.", ["type"], lasted, tallies.STEP_BUCKETS)
    steps, labels = tallies.total(tallies.STEPS), ["stage", "provider", "status", "reason"]
    yield _counter("steps_finished", "Steps of workflows that ended.", labels, steps)
    made = _only(steps, labels, status="succeeded")
    about = "From the begin of a step to its result in our storage."
    yield _histogram("step_duration_seconds", about, ["stage", "provider"], made, tallies.STEP_BUCKETS)


_UNFINISHED = """
    SELECT provider, phase, count(*) FROM workflows_attempt WHERE next_check_at IS NOT NULL GROUP BY 1, 2"""
_DUE = """
    SELECT count(*), coalesce(extract(epoch FROM statement_timestamp() - min(next_check_at)), 0)::float8
    FROM workflows_attempt WHERE next_check_at <= statement_timestamp()"""


def _attempts() -> Iterator[Metric]:
    about = "Attempts that are not finished, by what is done next with them."
    yield _gauge("attempts_in_flight", about, ["provider", "phase"], _rows(_UNFINISHED))
    due, lag = _rows(_DUE)[0]
    yield _gauge("attempts_due", "Attempts that wait for somebody to take them.", [], [(due,)])
    yield _gauge("due_lag_seconds", "How long the oldest of those has waited.", [], [(lag,)])
    ended = tallies.total(tallies.ATTEMPTS)
    labels = ["provider", "model", "status", "reason"]
    yield _counter("attempts_finished", "Attempts that ended.", labels, ended)
    by_model = _summed(ended, 2)
    spent, unknown = ({key: [sums[column]] for key, sums in by_model.items()} for column in (1, 2))
    about = "US cents that providers say they took on our keys; 1 credit is 1 US cent of list price."
    yield _counter("provider_cost_cents", about, ["provider", "model"], spent)
    about = "Attempts on our keys that succeeded while the provider did not say what they took."
    yield _counter("provider_cost_unknown", about, ["provider", "model"], unknown)


def _calls() -> Iterator[Metric]:
    calls = tallies.total(tallies.CALLS)
    labels = ["provider", "operation", "reason"]
    about = "Calls to providers; the reason is empty for those that went well."
    yield _counter("provider_calls", about, labels, calls)
    about = "What calls to providers took, however they ended."
    yield _histogram("provider_call_duration_seconds", about, labels[:2], _summed(calls, 2), tallies.CALL_BUCKETS)
    out = "SELECT provider, (open_until > now())::int FROM providers_providerhealth WHERE open_until IS NOT NULL"
    yield _gauge("provider_out", "1 while nothing new is sent to a provider.", ["provider"], _rows(out))


# --- Money -------------------------------------------------------------------------------------------------

_HELD = "SELECT count(*), coalesce(sum(amount), 0)::bigint FROM credits_hold WHERE status = 'open'"


def _money() -> Iterator[Metric]:
    holds, held = _rows(_HELD)[0]
    yield _gauge("holds_open", "Holds that are not settled yet.", [], [(holds,)])
    yield _gauge("held_credits", "Credits set aside by those.", [], [(held,)])
    charged = tallies.total(tallies.CHARGED)
    yield _counter("charged_credits", "Credits taken for steps, by model.", ["provider", "model"], charged)
    about = "Credits that moved, by kind of entry: granted, taken (settle), given back (refund)."
    yield _counter("ledger_credits", about, ["kind"], tallies.total(tallies.CREDITS))


def _books() -> Iterator[Metric]:
    last = Verdict.objects.order_by("-pk").first()
    if last is not None:
        yield _gauge("books_broken_rules", "Rules that the last check found broken.", [], [(len(last.findings),)])
        at = last.at.timestamp()
        yield _gauge("books_checked_timestamp_seconds", "When the books were last checked.", [], [(at,)])


# --- Workers, queue, machines ------------------------------------------------------------------------------


def _queue() -> Iterator[Metric]:
    yield _gauge("queue_messages", "Messages that nobody has taken yet.", [], [(tasks.waiting(),)])
    about = "How long the oldest of those has waited."
    yield _gauge("queue_oldest_message_seconds", about, [], [(tasks.longest_wait(),)])


_WORKERS = """
    SELECT part.name, count(*) FILTER (WHERE age.seen < %(silence)s),
        count(*) FILTER (WHERE age.seen BETWEEN %(silence)s AND 3600),
        min(age.seen)::float8, min(age.worked)::float8
    FROM (VALUES ('clock'), ('queue')) part (name)
    LEFT JOIN LATERAL (
        SELECT extract(epoch FROM statement_timestamp() - seen) AS seen,
            extract(epoch FROM statement_timestamp() - worked) AS worked
        FROM workflows_worker WHERE workflows_worker.part = part.name
    ) age ON true GROUP BY 1
"""


def _workers() -> Iterator[Metric]:
    found = _rows(_WORKERS, silence=SILENCE.total_seconds())
    seen = [row for row in found if row[3] is not None]
    yield _gauge("workers", "Processes that give signs of life.", ["part"], [row[:2] for row in found])
    about = "Processes that fell silent within the last hour, without having said that they end."
    yield _gauge("workers_silent", about, ["part"], [(row[0], row[2]) for row in found])
    about = "Since the last sign of life of any process of this part."
    yield _gauge("worker_seen_age_seconds", about, ["part"], [(row[0], row[3]) for row in seen])
    about = "Since any process of this part got something done."
    yield _gauge("worker_worked_age_seconds", about, ["part"], [(row[0], row[4]) for row in seen])
    living = [(part, host, str(pid), resident) for part, host, pid, resident in memory.living()]
    about = "Memory of each process that told of it in the last minute."
    yield _gauge("process_resident_memory_bytes", about, ["part", "host", "pid"], living)


def _disk() -> Iterator[Metric]:
    if isinstance(default_storage, WholeFiles):
        try:
            disk = shutil.disk_usage(default_storage.location)
        except OSError:  # not made yet, or gone: the storage's own part of /readyz says so
            return
        yield _gauge("storage_free_bytes", "Room left where files are kept.", [], [(disk.free,)])
        yield _gauge("storage_size_bytes", "All there is where files are kept.", [], [(disk.total,)])


# --- How they are written ----------------------------------------------------------------------------------


def _rows(query: str, **given: Any) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(query, given)
        found: list[Row] = cursor.fetchall()
    return found


def _gauge(name: str, about: str, labels: Sequence[str], rows: Sequence[Row]) -> Metric:
    """A number as it is now: the labels of each row, and then its value."""
    family = GaugeMetricFamily(f"vidgenie_{name}", about, labels=labels)
    for row in rows:
        family.add_metric([str(label) for label in row[:-1]], float(row[-1]))
    return family


def _counter(name: str, about: str, labels: Sequence[str], sums: tallies.Sums) -> Metric:
    """A number that only grows; the first of the sums is it."""
    family = CounterMetricFamily(f"vidgenie_{name}", about, labels=labels)
    for key, numbers in sorted(sums.items()):
        family.add_metric(list(key), numbers[0])
    return family


def _histogram(name: str, about: str, labels: Sequence[str], sums: tallies.Sums, bounds: Sequence[float]) -> Metric:
    """How many, their seconds, and how many were within each bound."""
    family = HistogramMetricFamily(f"vidgenie_{name}", about, labels=labels)
    for key, (count, seconds, *within) in sorted(sums.items()):
        buckets = [*zip(map(str, bounds), within, strict=True), ("+Inf", count)]
        family.add_metric(list(key), buckets=buckets, sum_value=seconds)
    return family


def _only(sums: tallies.Sums, labels: Sequence[str], **wanted: str) -> tallies.Sums:
    """Those with these labels; what is left of the labels is what comes before them, added up."""
    first = min(labels.index(label) for label in wanted)
    chosen = {
        key: numbers
        for key, numbers in sums.items()
        if all(key[labels.index(label)] == value for label, value in wanted.items())
    }
    return _summed(chosen, first)


def _summed(sums: tallies.Sums, labels: int) -> tallies.Sums:
    """Added up over all labels but the first few."""
    added: tallies.Sums = {}
    for key, numbers in sums.items():
        before = added.get(key[:labels]) or [0] * len(numbers)
        added[key[:labels]] = [a + b for a, b in zip(before, numbers, strict=True)]
    return added
