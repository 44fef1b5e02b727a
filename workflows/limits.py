"""How many runs one user may have in the making, and start in a day. What is over is refused, and nothing happens."""

import datetime
import functools
import math
from collections import defaultdict
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import DurationField, ExpressionWrapper, F, Func, IntegerField, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils.timesince import timesince
from django.utils.translation import ngettext

import sql
from providers import catalog
from workflows.models import Step, Transition, Workflow
from workflows.states import UNFINISHED, Status

DAY = datetime.timedelta(days=1)
SHORTEST = 5  # seconds; nobody is asked to come back sooner


class TooMany(Exception):
    """A user has as many runs as they may. `code` is for programs, `retry_after` in whole seconds."""

    def __init__(self, code: str, limit: int, retry_after: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.limit, self.retry_after = code, limit, retry_after


def require(workflow: Workflow) -> None:
    """Raise TooMany when with this run, which is being started or tried again, its user has more than they may.

    The run is on its row already, and the user's account is locked: so of two starts at once the second counts the
    first, and is refused with all that it has written.
    """
    at_once, in_a_day = settings.WORKFLOWS_IN_FLIGHT_PER_USER, settings.WORKFLOWS_PER_DAY_PER_USER
    if not (at_once or in_a_day):
        return
    ((in_flight, today),) = sql.asked(_counts(), {_ANYBODY: workflow.user_id})
    if at_once and in_flight > at_once:
        seconds = _until_one_ends(_in_flight(workflow.user_id).exclude(pk=workflow.pk))
        raise TooMany("too_many_in_flight", at_once, seconds, _too_many_at_once(at_once))
    if in_a_day and today > in_a_day:
        seconds = _until_there_is_room(workflow.user_id, in_a_day)
        raise TooMany("too_many_today", in_a_day, seconds, _too_many_in_a_day(in_a_day, seconds))


_ANYBODY = -1  # in the place of a user's id; no other value of the query is a number below 0


@functools.cache
def _counts() -> tuple[str, tuple[Any, ...]]:
    """The query for a user's runs in flight and starts of the last 24 hours, which every start asks: written once."""
    started, again = _starts(_ANYBODY)
    counts = _counted(_in_flight(_ANYBODY)), _counted(started) + _counted(again)
    return User.objects.filter(pk=_ANYBODY).values_list(*counts).query.sql_with_params()


def _in_flight(user_id: int) -> QuerySet[Workflow]:
    return Workflow.objects.filter(user=user_id, finished=None)


def _starts(user_id: int) -> tuple[QuerySet[Workflow], QuerySet[Transition]]:
    """What was started in the last 24 hours, and what was tried again."""
    again = Transition.objects.filter(workflow__user=user_id, stage="", new=Status.PENDING, at__gt=Now() - DAY)
    return Workflow.objects.filter(user=user_id, created__gt=Now() - DAY), again


def _counted(rows: QuerySet[Any]) -> Subquery:
    return Subquery(rows.order_by().values(count=Func(F("pk"), function="COUNT", output_field=IntegerField())))


# --- When to come back -------------------------------------------------------------------------------------


def _until_one_ends(runs: QuerySet[Workflow]) -> int:
    """Seconds until the first of these is probably made, from what its models usually take."""
    left: defaultdict[UUID, float] = defaultdict(float)
    unfinished = Step.objects.filter(workflow__in=runs, status__in=UNFINISHED)
    for step in unfinished.annotate(passed=Now() - F("started")):
        passed = step.passed.total_seconds() if step.passed else 0
        left[step.workflow_id] += catalog.expected_seconds(step.model) - passed
    return max(SHORTEST, math.ceil(min(left.values(), default=0)))


def _until_there_is_room(user_id: int, limit: int) -> int:
    """Seconds until so many starts are older than a day that there is room for one more than there are without this."""
    started, again = _starts(user_id)
    moments = started.values_list(_left_of_day("created")).union(again.values_list(_left_of_day("at")), all=True)
    newest_first: list[datetime.timedelta] = sorted((left for (left,) in moments), reverse=True)
    return max(SHORTEST, math.ceil(newest_first[limit].total_seconds()))


def _left_of_day(moment: str) -> Combinable:
    return ExpressionWrapper(F(moment) + DAY - Now(), output_field=DurationField())


# --- In words ----------------------------------------------------------------------------------------------


def _too_many_at_once(limit: int) -> str:
    return ngettext(
        "You have %(count)d run in the making, and no more may be at once. Wait until it ends, or cancel it.",
        "You have %(count)d runs in the making, and no more may be at once. Wait until one ends, or cancel one.",
        limit,
    ) % {"count": limit}


def _too_many_in_a_day(limit: int, seconds: int) -> str:
    now = datetime.datetime.now(datetime.UTC)
    wait = timesince(now, now + datetime.timedelta(seconds=max(seconds, 60)), depth=1)
    return ngettext(
        "You have started %(count)d run in the last 24 hours, and no more may be. The next can start in %(wait)s.",
        "You have started %(count)d runs in the last 24 hours, and no more may be. The next can start in %(wait)s.",
        limit,
    ) % {"count": limit, "wait": wait}
