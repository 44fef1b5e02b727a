"""What arrives after its run was given up. A lost job is kept on watch for a day, and what it made is delivered for
nothing: the credits are back with the user already.
"""

import datetime
import logging
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from crashpoint import crashpoint
from providers.base import Job, Output, ProviderError, Reason
from providers.base import Status as JobStatus
from workflows import calls, pipeline
from workflows.models import Asset, Attempt, Step
from workflows.services import SERVICES
from workflows.states import Status

log = logging.getLogger(__name__)

WATCH = datetime.timedelta(hours=24)


def deliver_due(limit: int = 20) -> int:
    """Look at every job on watch; how many there were."""
    waiting = list(watched().order_by("finished").values_list("pk", flat=True)[:limit])
    for attempt_id in waiting:
        deliver(attempt_id)
    return len(waiting)


def watched() -> "QuerySet[Attempt]":
    """Attempts given up as lost in the last day, whose job is known and whose run still lacks what it makes."""
    return (
        Attempt.objects.filter(
            status=Status.FAILED,
            reason=Reason.LOST,
            finished__gt=Now() - WATCH,
            step__asset=None,
            step__workflow__status=Status.FAILED,
            step__workflow__deleted=None,
        )
        .exclude(job_id="")
        .exclude(step__stage=Step.Stage.ENHANCE)
    )


def deliver(attempt_id: UUID | str) -> None:
    """Fetch a job on watch; keep and deliver what it made. Does nothing for one that is not on watch any more."""
    attempt = watched().filter(pk=attempt_id).select_related("step").first()
    if attempt is None:
        return
    job = calls.Fetch(attempt)()
    if not isinstance(job, Job):
        log.info("A late look at attempt %s told nothing: %s", attempt.pk, job)
    elif job.status == JobStatus.SUCCEEDED:
        _deliver(attempt, job)
    elif job.status.is_final:
        reason = job.reason or Reason.OTHER
        Attempt.objects.filter(pk=attempt.pk, reason=Reason.LOST).update(reason=reason, detail=job.detail)


def _deliver(attempt: Attempt, job: Job) -> None:
    try:
        output: Output = SERVICES[attempt.step.stage].keep(job)
    except ProviderError as error:
        log.info("What came late for attempt %s is unusable: %s", attempt.pk, error)
        return
    attempt.outputs = [{"location": output.location, "content_type": output.content_type}]
    asset = calls.Store(attempt)()
    crashpoint("late.stored")
    if not isinstance(asset, Asset):
        log.info("What came late for attempt %s could not be kept: %s", attempt.pk, asset)
    elif not pipeline.deliver_late(attempt.pk, asset) and not Asset.objects.filter(file=asset.file).exists():
        asset.delete_files()  # else somebody delivered it at the same moment, under the same name
