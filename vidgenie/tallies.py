"""Numbers that only ever grow, counted from the tables: what is long past is added up once, what is recent anew.

A counter of Prometheus must never fall, whichever process or machine is asked, so it is not kept in any process. What
was noted more than a while ago changes no more; its sums are in a row of Tally with the time up to which they reach,
and a scrape counts only what came since. So it costs the same after a year, and a purge of old rows changes no sum.
All sources are lines that are written once: transitions, calls, entries of the ledger.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from vidgenie.models import Tally

SETTLED = datetime.timedelta(minutes=5)  # no transaction that writes a line lasts so long
EVERY = datetime.timedelta(minutes=5)  # between two times that lines are added to the sums
_NEVER = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)
STRIDE = datetime.timedelta(days=7)  # added up in one go, when there is a long past to catch up with

STEP_BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)  # seconds

Sums = dict[tuple[str, ...], list[float]]


@dataclass(frozen=True)
class Source:
    """One grouped query: so many columns of labels, then the sums. It asks for what is between `since` and `until`."""

    name: str
    labels: int
    query: str
    first: str
    waits: datetime.timedelta = SETTLED

    def count(self, since: datetime.datetime, until: datetime.datetime | None = None) -> Sums:
        """The sums of the lines from `since` up to `until`, or to this moment."""
        with connection.cursor() as cursor:
            cursor.execute(self.query, {"since": since, "until": until or _NEVER})
            rows = cursor.fetchall()
        return {tuple(row[: self.labels]): list(row[self.labels :]) for row in rows}


def total(source: Source) -> Sums:
    """All that was ever counted, up to this moment."""
    tally = _caught_up(source)
    return _added(_read(tally.numbers), source.count(tally.until))


def _caught_up(source: Source) -> Tally:
    """The stored sums, brought forward if it is time to. Whoever else does so at the same moment does it for us."""
    tally, now = _stored(source)
    target = now - source.waits
    while target - tally.until > EVERY:
        until = min(tally.until + STRIDE, target)
        numbers = _written(_added(_read(tally.numbers), source.count(tally.until, until)))
        Tally.objects.filter(pk=source.name, until=tally.until).update(until=until, numbers=numbers)
        tally, _ = _stored(source)
    return tally


def _stored(source: Source) -> tuple[Tally, datetime.datetime]:
    """The row of sums, made if need be, and the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT STATEMENT_TIMESTAMP()")
        now: datetime.datetime = cursor.fetchone()[0]
        if (tally := Tally.objects.filter(pk=source.name).first()) is None:
            cursor.execute(source.first)
            oldest = cursor.fetchone()[0] or now
            tally, _ = Tally.objects.get_or_create(pk=source.name, defaults={"until": min(oldest, now - source.waits)})
    return tally, now


def _added(some: Sums, more: Sums) -> Sums:
    added = {labels: [*numbers] for labels, numbers in some.items()}
    for labels, numbers in more.items():
        before = added.get(labels) or [0] * len(numbers)
        added[labels] = [a + b for a, b in zip(before, numbers, strict=True)]
    return added


def _read(numbers: Mapping[str, list[float]]) -> Sums:
    return {tuple(json.loads(labels)): sums for labels, sums in numbers.items()}


def _written(sums: Sums) -> dict[str, list[float]]:
    return {json.dumps(labels): numbers for labels, numbers in sums.items()}


# --- What is counted ---------------------------------------------------------------------------------------


def _histogram(seconds: str, buckets: Sequence[float]) -> str:
    """Columns: how many, their seconds, and how many took at most as long as each bucket says."""
    within = (f"count(*) FILTER (WHERE {seconds} <= {bucket})" for bucket in buckets)
    return ", ".join(["count(*)", f"coalesce(sum({seconds}), 0)::float8", *within])


_ENDED = "IN ('succeeded', 'failed', 'canceled')"
_AT = "moved.at >= %(since)s AND moved.at < %(until)s"
_FIRST_MOVE = "SELECT min(at) FROM workflows_transition"


_LASTED = "greatest(extract(epoch FROM moved.at - workflow.created), 0)"
_TOOK = "greatest(extract(epoch FROM moved.at - coalesce(step.started, moved.at)), 0)"
_OF_STEP = "JOIN workflows_step step ON step.workflow_id = moved.workflow_id AND step.stage = moved.stage"

WORKFLOWS = Source(  # type, status, reason
    "workflows",
    3,
    f"""
    SELECT workflow.type, moved.new, moved.reason, {_histogram(_LASTED, STEP_BUCKETS)}
    FROM workflows_transition moved JOIN workflows_workflow workflow ON workflow.id = moved.workflow_id
    WHERE {_AT} AND moved.stage = '' AND moved.new {_ENDED} GROUP BY 1, 2, 3""",  # noqa: S608
    _FIRST_MOVE,
)
STEPS = Source(  # stage, provider, status, reason
    "steps",
    4,
    f"""
    SELECT moved.stage, step.provider, moved.new, moved.reason, {_histogram(_TOOK, STEP_BUCKETS)}
    FROM workflows_transition moved {_OF_STEP}
    WHERE {_AT} AND moved.stage <> '' AND moved.attempt IS NULL AND moved.new {_ENDED} GROUP BY 1, 2, 3, 4""",  # noqa: S608
    _FIRST_MOVE,
)
ATTEMPTS = Source(  # provider, model, status, reason: how many, cents on our keys, and successes of unknown cost
    "attempts",
    4,
    f"""
    SELECT attempt.provider, attempt.model, moved.new, moved.reason, count(*),
        coalesce(sum(attempt.cost) FILTER (WHERE NOT step.own_key), 0)::float8,
        count(*) FILTER (WHERE NOT step.own_key AND attempt.cost IS NULL AND moved.new = 'succeeded')
    FROM workflows_transition moved {_OF_STEP}
    JOIN workflows_attempt attempt ON attempt.step_id = step.id AND attempt.number = moved.attempt
    WHERE {_AT} AND moved.attempt IS NOT NULL AND moved.new {_ENDED} GROUP BY 1, 2, 3, 4""",  # noqa: S608
    _FIRST_MOVE,
)
CHARGED = Source(  # provider, model; a step is charged when its run ends, so this waits until it surely has
    "charged",
    2,
    f"""
    SELECT step.provider, step.model, sum(step.charged)::bigint FROM workflows_transition moved {_OF_STEP}
    WHERE {_AT} AND moved.stage <> '' AND moved.attempt IS NULL AND moved.new = 'succeeded' GROUP BY 1, 2""",  # noqa: S608
    _FIRST_MOVE,
    waits=SETTLED + datetime.timedelta(minutes=settings.WORKFLOW_DEADLINE_MINUTES),
)
CALLS = Source(  # provider, operation, reason
    "calls",
    3,
    f"""
    SELECT moved.provider, moved.operation, moved.reason, {_histogram("moved.milliseconds / 1000.0", CALL_BUCKETS)}
    FROM providers_providercall moved WHERE {_AT} GROUP BY 1, 2, 3""",  # noqa: S608
    "SELECT min(at) FROM providers_providercall",
)
CREDITS = Source(  # kind
    "credits",
    1,
    """
    SELECT kind, sum(abs(amount))::bigint FROM credits_entry
    WHERE created >= %(since)s AND created < %(until)s AND kind <> 'adjust' GROUP BY 1""",
    "SELECT min(created) FROM credits_entry",
)
