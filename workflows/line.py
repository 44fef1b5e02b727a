"""Who is before whom: users take turns, in the line for the workers and in that of a key that is busy.

A key runs as many jobs at once as its provider says (a new fal account runs 2); one more would be refused, or would
sit in the provider's line, where it can no longer be stopped for nothing. So it stands in line here.

A turn is a number, and the lowest goes first. A user's own are OWN apart; a newcomer comes NEW after the lowest that
waits. So somebody's first goes before the second of whoever has many, and that second goes before all who come once
it is the lowest: nobody waits for ever, however many newcomers there are, as they would if NEW were 0. Where nobody
waits turns begin at 0 again, for they are only compared among those who wait in the same line.
"""

import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

import sql
from providers.adapters import ADAPTERS, key_owner
from workflows.models import Attempt

Phase = Attempt.Phase

OWN, NEW = 2, 1
BUSY = (Phase.SUBMITTING, Phase.FETCH)
SHORTEST, LONGEST = 2, 60  # seconds
FAR = LONGEST // SHORTEST  # places from which on all wait for the longest

_UNSEEN = Q(phase=Phase.SUBMIT, fence=0)
_IN_LINE = Q(phase=Phase.SUBMIT, key_turn__isnull=False)


# --- For the workers ---------------------------------------------------------------------------------------


def turn_of(user_id: int) -> sql.Working:
    """The turn of one more attempt of this user, worked out by the database when the row is inserted.

    It is for a row that no worker has looked at yet. What was looked at and has to wait, because its provider said so
    or its key is busy, holds nobody's turn back.
    """
    return _NEXT, [NEW, user_id, OWN]


_NEXT = """
GREATEST(
    COALESCE((SELECT MIN(turn) FROM workflows_attempt WHERE phase = 'submit' AND fence = 0) + %s, 0),
    COALESCE((SELECT MAX(turn) FROM workflows_attempt WHERE phase = 'submit' AND fence = 0 AND user_id = %s) + %s, 0)
)"""


# --- For a key ---------------------------------------------------------------------------------------------


def enter(attempt: Attempt) -> int:
    """Stand in the line of the attempt's key: its place from 1, or 0 when it may go now. Beyond FAR it is not exact.

    Sets `key_turn`, for the caller to save in the same transaction. That must hold the lock of the workflow: the
    key's own lock is taken here, after the workflow's and before the account's, and kept to the end. So of two workers
    the second sees what the first has decided, and they never both take the last slot. A key without a limit has none.
    """
    owner = key_owner(attempt.provider)
    limit = _limit(owner)
    place = _place(attempt, owner, limit) if limit else 0
    if not place:
        attempt.key_turn = None
    return place


def patience(place: int) -> datetime.timedelta:
    """How long to wait before looking again whether it may go. Only a net: as a rule `freed` wakes whoever is next."""
    return datetime.timedelta(seconds=min(SHORTEST * place, LONGEST))


def freed(attempt: Attempt) -> None:
    """The attempt has left its key, or the line of it: when that is written down, whoever is next looks at once."""
    owner = key_owner(attempt.provider)
    if attempt.phase not in BUSY and (limit := _limit(owner)):
        key_id = attempt.key_id
        transaction.on_commit(lambda: _wake(owner, key_id, limit), robust=True)  # no partial: Django asks its name


def _limit(owner: str) -> int:
    return settings.PROVIDER_CONCURRENCY.get(owner, 0)


# What a look costs must not grow with the line, in which everybody looks again and again: so nobody counts farther than
# it takes to know how long to wait, and busy ones are looked for only by those who would be next.
_OF_KEY = """
FROM workflows_attempt
WHERE next_check_at IS NOT NULL AND provider = ANY(%(providers)s) AND key_id IS NOT DISTINCT FROM %(key)s
"""
_WAITING = f"{_OF_KEY} AND phase = 'submit' AND key_turn IS NOT NULL"
_BUSY = f"SELECT COUNT(*) {_OF_KEY} AND phase IN ('submitting', 'fetch') AND id IS DISTINCT FROM %(me)s"  # noqa: S608
_TURN = f"""
SELECT GREATEST(
    0,
    (SELECT key_turn {_WAITING} AND id <> %(me)s ORDER BY key_turn LIMIT 1) + %(new)s,
    (SELECT key_turn {_WAITING} AND id <> %(me)s AND user_id = %(user)s ORDER BY key_turn DESC LIMIT 1) + %(own)s
)
"""
_BEFORE = f"""
SELECT COUNT(*) FROM (
    SELECT {_WAITING} AND id <> %(me)s
        AND key_turn <= %(turn)s AND (key_turn < %(turn)s OR created < COALESCE(%(created)s::timestamptz, 'infinity'))
    LIMIT %(most)s
) earlier
"""  # noqa: S608 (no value of anybody's is in the text)


def _place(attempt: Attempt, owner: str, limit: int) -> int:
    """The place, counted as far as it matters: all who stand farther than `FAR` wait equally long."""
    _lock(owner, attempt.key_id)
    given = {"providers": _sharing(owner), "key": attempt.key_id, "me": attempt.pk, "user": attempt.user_id}
    if attempt.key_turn is None:
        attempt.key_turn = _asked(_TURN, given | {"new": NEW, "own": OWN})
    created = None if attempt._state.adding else attempt.created  # one just being made is younger than all
    before = _asked(_BEFORE, given | {"turn": attempt.key_turn, "created": created, "most": max(limit, FAR)})
    return before + 1 if before >= limit or _asked(_BUSY, given) + before >= limit else 0


def _asked(statement: str, given: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return int(cursor.fetchone()[0])


def _lock(owner: str, key_id: UUID | None) -> None:
    """For the rest of the transaction nobody else decides about this key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"line:{owner}:{key_id}"])


def _sharing(owner: str) -> list[str]:
    return [provider for provider in ADAPTERS if key_owner(provider) == owner]


_WAKE = f"""
UPDATE workflows_attempt SET next_check_at = STATEMENT_TIMESTAMP(), unanswered = 0
WHERE phase = 'submit' AND key_turn IS NOT NULL AND next_check_at > STATEMENT_TIMESTAMP() AND id IN (
    SELECT id {_WAITING} ORDER BY key_turn, created LIMIT GREATEST(0, %(limit)s - ({_BUSY}))
)
"""  # noqa: S608


def _wake(owner: str, key_id: UUID | None, limit: int) -> None:
    """Have as many looked at as there are free slots. Who is being looked at just now is looked at again.

    That one may have found the key busy a moment ago; what comes of the first look is then written first, or never.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, {"providers": _sharing(owner), "key": key_id, "me": None, "limit": limit})


# --- To be shown -------------------------------------------------------------------------------------------


def place() -> Combinable:
    """For a query of steps: the place in line, from 1, of what has not been submitted; NULL for what waits in none.

    It is the place in the line of its key, and before the first look that in the line for the workers.
    """
    key = Attempt.objects.alias(
        owner=Case(*(When(provider=slug, then=Value(key_owner(slug))) for slug in ADAPTERS), default=F("provider")),
        opened_by=Coalesce("key_id", Value(UUID(int=0))),
    )
    same_key = key.filter(owner=OuterRef("owner"), opened_by=OuterRef("opened_by"))
    return Coalesce(
        _places(key.filter(_IN_LINE), same_key.filter(_IN_LINE), "key_turn"),
        _places(Attempt.objects.filter(_UNSEEN), Attempt.objects.filter(_UNSEEN), "turn"),
    )


def _places(mine: QuerySet[Attempt], line: QuerySet[Attempt], turn: str) -> Subquery:
    before = line.filter(
        Q(**{f"{turn}__lt": OuterRef(turn)}) | Q(created__lt=OuterRef("created")), **{f"{turn}__lte": OuterRef(turn)}
    )
    counted = before.order_by().values(count=Func(F("pk"), function="COUNT", output_field=IntegerField()))
    return Subquery(mine.filter(step=OuterRef("pk")).order_by().values(place=Subquery(counted) + 1)[:1])
