"""Who is before whom: users take turns, both for the workers and for a key that runs as many jobs as it may.

The limits of keys are the providers' own (a new fal account runs 2); one job more would be refused or would sit in
their line, where it can no longer be stopped for nothing.
"""

import datetime

from django.conf import settings
from django.db.models import QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest

from providers.adapters import ADAPTERS, key_owner
from workflows.models import Attempt
from workflows.states import UNFINISHED

PATIENCE = datetime.timedelta(seconds=2)
Phase = Attempt.Phase

# A turn is a number, and the lowest goes first. A user's own are OWN apart; a newcomer comes NEW after the lowest that
# waits. So somebody's first goes before the second of whoever has many, and that second goes before all who come once
# it is the lowest: nobody waits for ever, however many newcomers there are, as they would if NEW were 0.
OWN, NEW = 2, 1


def turn_of(user_id: int) -> Combinable:
    """The turn of one more attempt of this user, worked out by the database when the row is inserted.

    It is for a row that no worker has looked at yet. Where nobody waits, turns begin at 0 again: they are only ever
    compared among those who wait.
    """
    return _turn(Attempt.objects.filter(phase=Phase.SUBMIT, fence=0), user_id)


def _turn(waiting: QuerySet[Attempt], user_id: int) -> Combinable:
    lowest = Subquery(waiting.order_by("turn").values("turn")[:1])
    own = Subquery(waiting.filter(user=user_id).order_by("-turn").values("turn")[:1])
    return Greatest(Coalesce(lowest + NEW, 0), Coalesce(own + OWN, 0))


def position(attempt: Attempt) -> int:
    """The place of an unsubmitted attempt in line, from 1; 0 when it may go now."""
    owner = key_owner(attempt.provider)
    limit = settings.PROVIDER_CONCURRENCY.get(owner, 0)
    if not limit:
        return 0
    sharing = [provider for provider in ADAPTERS if key_owner(provider) == owner]
    others = Attempt.objects.filter(provider__in=sharing, key=attempt.key_id, status__in=UNFINISHED)
    busy = others.filter(phase__in=[Phase.SUBMITTING, Phase.FETCH]).count()
    if busy < limit:
        return 0
    before = others.filter(phase=Phase.SUBMIT).exclude(pk=attempt.pk)
    if not attempt._state.adding:  # else it is just being made, and last
        before = before.filter(created__lt=attempt.created)
    return before.count() + 1
