"""Who may move an attempt now: a claim is a lease and a fence number, taken in one guarded statement.

The number rises with each claim, and every later write demands it: a worker that was paused, or cut off, and wakes up
when somebody else has gone on, changes nothing. All times are the database's.
"""

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

import sql
from crashpoint import crashpoint
from providers.adapters import ADAPTERS
from workflows import workers
from workflows.models import Attempt, Step, Workflow

Phase = Attempt.Phase
IN_FLIGHT = (Phase.SUBMITTING, Phase.FETCH)
DEATHS = 3  # claims that were never answered: nobody should die of an attempt for the fourth time
SPARE = 10  # seconds

# What is decided when an attempt is made is never written again.
_FROZEN = {
    "id", "step", "number", "user", "turn", "provider", "model", "endpoint", "prompt", "options", "price", "key",
    "created",
}  # fmt: skip
_WRITTEN = [field for field in Attempt._meta.concrete_fields if field.name not in {*_FROZEN, "next_check_at"}]
# Composing this anew for every write would cost more than the write.
_UPDATE = f"""
UPDATE workflows_attempt SET {", ".join(f"{field.column} = %s" for field in _WRITTEN)},
    next_check_at = CASE WHEN %s AND next_check_at <= STATEMENT_TIMESTAMP() THEN next_check_at ELSE %s END
WHERE id = %s AND fence = %s
"""  # noqa: S608 (the names are those of our own columns)


class Stale(Exception):
    """Somebody else has claimed the attempt since; nothing was written."""


def lease(phase: str) -> datetime.timedelta:
    """How long a claim keeps others away: as long as the slowest call of this phase may take, and some more.

    A lease that ran out during a call would lose its answer, which may have been paid for. A worker that dies is
    found out much sooner; see `workers.relieve`.
    """
    longest = {
        Phase.SUBMIT: max(adapter.longest_submit for adapter in ADAPTERS.values()),
        Phase.STORE: max(adapter.longest_download for adapter in ADAPTERS.values()),
    }
    look = max(adapter.longest_call for adapter in ADAPTERS.values())
    return datetime.timedelta(seconds=longest.get(Phase(phase), 2 * look) + SPARE)


_TAKE = """
WITH due AS MATERIALIZED (
    SELECT attempt.id FROM workflows_attempt attempt
    WHERE attempt.next_check_at <= STATEMENT_TIMESTAMP() AND {which}
    ORDER BY {order} LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE workflows_attempt attempt
SET fence = fence + 1, unanswered = unanswered + 1, worker_id = %(worker)s,
    next_check_at = STATEMENT_TIMESTAMP()
        + CASE phase WHEN 'submit' THEN %(submit)s WHEN 'store' THEN %(store)s ELSE %(look)s END
FROM due WHERE attempt.id = due.id
RETURNING attempt.id, attempt.fence
"""
_OF_WORKFLOW = "attempt.step_id IN (SELECT id FROM workflows_step WHERE workflow_id = %(workflow)s)"
_IN_PHASES = "attempt.phase = ANY(%(phases)s)"
_BY_TURN, _BY_TIME = "attempt.turn, attempt.created", "attempt.next_check_at"


def take(limit: int, phases: Sequence[Phase] = tuple(Phase), workflow_id: UUID | str | None = None) -> list[Attempt]:
    """Claim at most `limit` attempts that are due: of these phases, or of this workflow. Nobody waits for anybody.

    What isn't submitted yet goes by turns, the rest by the time it is due. Each comes with its step, its workflow and
    `now`, the database's time.
    """
    which = _OF_WORKFLOW if workflow_id else _IN_PHASES
    order = _BY_TURN if tuple(phases) == (Phase.SUBMIT,) else _BY_TIME
    given: dict[str, Any] = {
        "limit": limit,
        "worker": workers.me(),
        "workflow": workflow_id and str(workflow_id),
        "phases": [str(phase) for phase in phases],
        "submit": lease(Phase.SUBMIT),
        "store": lease(Phase.STORE),
        "look": lease(Phase.FETCH),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE.format(which=which, order=order), given)
        fences = dict(cursor.fetchall())
    if not fences:
        return []
    crashpoint("claimed")
    return _loaded(fences)


_LOADED = f"""
SELECT STATEMENT_TIMESTAMP(), {sql.columns(Attempt, "attempt")}, {sql.columns(Step, "step")},
    {sql.columns(Workflow, "workflow")}
FROM unnest(%s::uuid[]) AS taken (id)
JOIN workflows_attempt attempt ON attempt.id = taken.id
JOIN workflows_step step ON step.id = attempt.step_id
JOIN workflows_workflow workflow ON workflow.id = step.workflow_id
ORDER BY attempt.turn, attempt.created
"""  # noqa: S608 (the names are those of our own columns)


def _loaded(fences: dict[UUID, int]) -> list[Attempt]:
    with connection.cursor() as cursor:
        cursor.execute(_LOADED, [list(fences)])
        attempts = [_joined(now, values) for now, *values in cursor.fetchall()]
    return [attempt for attempt in attempts if attempt.fence == fences[attempt.pk]]


def _joined(now: datetime.datetime, values: list[Any]) -> Attempt:
    of_attempt, of_step = len(Attempt._meta.concrete_fields), len(Step._meta.concrete_fields)
    attempt = sql.made(Attempt, values[:of_attempt])
    attempt.step = sql.made(Step, values[of_attempt : of_attempt + of_step])
    attempt.step.workflow = sql.made(Workflow, values[of_attempt + of_step :])
    attempt.now = now
    return attempt


def due_phases() -> set[str]:
    """The phases of which there may be something to take; this costs less than taking nothing of each kind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT phase FROM workflows_attempt WHERE next_check_at <= STATEMENT_TIMESTAMP()")
        return {phase for (phase,) in cursor.fetchall()}


def write(attempt: Attempt, *, unless_called: bool = False) -> None:
    """Write down what came of a claim, and let go of it. Raises Stale.

    `unless_called`: who was called meanwhile, since there is news, is left due at once.
    """
    attempt.unanswered, attempt.worker_id = 0, None
    _write(attempt, attempt.fence, unless_called=unless_called)


def renew(attempt: Attempt, phase: str) -> None:
    """Write an attempt down and claim it, or claim it again, for the call of this phase. Raises Stale."""
    fence = attempt.fence
    # A claim that only becomes another has not been answered, and those before it haven't either.
    attempt.fence, attempt.unanswered, attempt.worker_id = fence + 1, max(attempt.unanswered, 1), workers.me()
    attempt.next_check_at = attempt.now + lease(phase)
    if attempt._state.adding:
        sql.insert([attempt])
    else:
        _write(attempt, fence)


def seize(attempt: Attempt) -> None:
    """Write an attempt down whatever others are doing with it: their answers will change nothing. Raises Stale."""
    fence, attempt.fence = attempt.fence, attempt.fence + 1
    attempt.unanswered, attempt.worker_id = 0, None
    _write(attempt, fence)


def _write(attempt: Attempt, fence: int, *, unless_called: bool = False) -> None:
    values = [sql.value(field, getattr(attempt, field.attname)) for field in _WRITTEN]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [*values, unless_called, attempt.next_check_at, attempt.pk, fence])
        if not cursor.rowcount:
            raise Stale(f"attempt {attempt.pk}")


def is_deadly(attempt: Attempt) -> bool:
    """Whether as many workers as we can afford have died of it, or with it."""
    return attempt.unanswered > DEATHS
