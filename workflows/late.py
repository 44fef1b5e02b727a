"""What arrives after its run was given up. It is delivered for nothing: the credits are back with the user already."""

import logging
import time
from uuid import UUID

from django.db.models.functions import Now

from crashpoint import crashpoint
from providers.base import Job, Output, ProviderError, Reason
from providers.base import Status as JobStatus
from workflows import calls, pipeline, watch
from workflows.models import Asset, Attempt
from workflows.services import SERVICES

log = logging.getLogger(__name__)


def deliver_due(limit: int = 100, seconds: float = 30) -> int:
    """Look at jobs on watch, but begin nothing new after so many seconds; how many there were."""
    watch.forget_old()
    end = time.monotonic() + seconds
    for done in range(limit):
        claimed = watch.take(1) if time.monotonic() < end else []
        if not claimed:
            return done
        deliver(claimed[0])
    return limit


def deliver(attempt_id: UUID | str) -> None:
    """Fetch a job on watch; keep and deliver what it made. Does nothing for one that is not on watch any more."""
    attempt = watch.watched().filter(pk=attempt_id).select_related("step__workflow").first()
    if attempt is None:
        return
    Attempt.objects.filter(pk=attempt.pk).update(looked=Now())
    if attempt.outputs:  # it was made, and could not be brought home in time
        _deliver(attempt)
    else:
        _ask(attempt)
    Attempt.objects.filter(pk=attempt.pk).update(unanswered=0)  # nobody has died of it


def _ask(attempt: Attempt) -> None:
    job = calls.Fetch(attempt)()
    if not isinstance(job, Job):
        log.info("A late look at attempt %s told nothing: %s", attempt.pk, job)
    elif job.status == JobStatus.SUCCEEDED:
        _take_home(attempt, job)
    elif job.status.is_final:
        watch.end(attempt.pk, reason=job.reason or Reason.OTHER, detail=job.detail)


def _take_home(attempt: Attempt, job: Job) -> None:
    try:
        output: Output = SERVICES[attempt.step.stage].keep(job)
    except ProviderError as error:
        watch.end(attempt.pk, reason=error.reason, detail=error.detail)
        return
    attempt.outputs = [{"location": output.location, "content_type": output.content_type}]
    attempt.save(update_fields=["outputs"])
    _deliver(attempt)


def _deliver(attempt: Attempt) -> None:
    asset = calls.Store(attempt)()
    crashpoint("late.stored")
    if isinstance(asset, ProviderError) and asset.reason == Reason.BAD_OUTPUT:
        watch.end(attempt.pk, reason=asset.reason, detail=asset.detail)
    elif not isinstance(asset, Asset):
        log.info("What came late for attempt %s could not be kept: %s", attempt.pk, asset)
    elif not pipeline.deliver_late(attempt.pk, asset) and not Asset.objects.filter(file=asset.file).exists():
        asset.delete_files()  # else somebody delivered it at the same moment, under the same name
