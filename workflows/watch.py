"""Which attempts are on watch: given up by us, while what they asked for may still be made.

We were not told that they failed; we ran out of time, or of answers. So for a day somebody asks how their jobs stand
(`late.py`), those first that nobody has asked after for the longest.
"""

import datetime
import logging
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from providers import gateway
from providers.base import Reason
from workflows.models import Attempt, Step, Workflow
from workflows.states import Status

log = logging.getLogger(__name__)

WATCH = datetime.timedelta(hours=24)
EVERY = datetime.timedelta(minutes=5)  # between two looks at the same job
DEATHS = 3  # late looks in a row that nobody survived

_ON_ITS_WAY = {Attempt.Phase.SUBMITTING, Attempt.Phase.FETCH, Attempt.Phase.STORE}
_ANSWERED = {Reason.CONTENT_POLICY, Reason.INVALID_INPUT, Reason.BAD_OUTPUT, Reason.RETIRED}


def until(attempt: Attempt, now: datetime.datetime) -> datetime.datetime | None:
    """Until when to watch an attempt that ends as its status and reason say; None: not at all.

    To be asked in the phase that it is given up in. Where its provider has said itself that it is over, that is `done`.
    """
    given_up = attempt.status == Status.FAILED and attempt.reason not in _ANSWERED
    may_deliver = given_up and attempt.phase in _ON_ITS_WAY and attempt.step.stage != Step.Stage.ENHANCE
    return now + WATCH if may_deliver else None


def watched() -> "QuerySet[Attempt]":
    """Attempts on watch whose result could be had, and whose failed run still lacks it."""
    return Attempt.objects.filter(
        hope(),
        step__asset=None,
        step__workflow__status=Status.FAILED,
        step__workflow__deleted=None,
    )


# `hope`, for SQL that is written by hand.
HOPE = "watch_until > STATEMENT_TIMESTAMP() AND (job_id != '' OR outputs != '[]')"


def hope() -> Q:
    """That something could come of an attempt on watch."""
    return Q(watch_until__gt=Now()) & (~Q(job_id="") | ~Q(outputs=[]))


def take(limit: int) -> list[UUID]:
    """Claim a look at those not looked at for the longest, and not in the last minutes."""
    rested = watched().filter(Q(looked=None) | Q(looked__lt=Now() - EVERY), unanswered__lt=DEATHS)
    longest = rested.order_by(F("looked").asc(nulls_first=True)).values_list("pk", flat=True)[:limit]
    return [attempt_id for attempt_id in longest if _take(rested, attempt_id)]


def _take(rested: "QuerySet[Attempt]", attempt_id: UUID) -> bool:
    mine = rested.filter(pk=attempt_id)  # unless somebody was faster
    return bool(mine.update(looked=Now(), unanswered=F("unanswered") + 1))


def end(attempt_id: UUID, **changes: str) -> None:
    """Look no more; what came with an answer and was not kept is thrown away."""
    attempt = Attempt.objects.filter(pk=attempt_id, watch_until__isnull=False).first()
    if attempt and Attempt.objects.filter(pk=attempt_id).update(watch_until=None, unanswered=0, **changes):
        for output in attempt.outputs:
            discard(output["location"])


def forget(workflow: Workflow) -> None:
    """End the watch on all attempts of a run."""
    for attempt_id in _on_watch().filter(step__workflow=workflow).values_list("pk", flat=True):
        end(attempt_id)


def forget_old(limit: int = 1000) -> int:
    """End the watch on all whose day is over, whose step has a result by now, or who were the death of too many."""
    over = Q(watch_until__lte=Now()) | Q(step__asset__isnull=False) | Q(unanswered__gte=DEATHS)
    ended = list(_on_watch().filter(over).values_list("pk", flat=True)[:limit])
    for attempt_id in ended:
        end(attempt_id)
    return len(ended)


def discard(location: str) -> None:
    """Throw away what came with an answer, if it did; never raises, since nothing depends on it."""
    try:
        gateway.discard(location)
    except Exception:
        log.exception("Something in the inbox could not be thrown away.")


def _on_watch() -> "QuerySet[Attempt]":
    return Attempt.objects.filter(watch_until__isnull=False)
