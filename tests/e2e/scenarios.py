"""What a process was doing when it died. Each is done again, as it stands, by the process that comes after it."""

from collections.abc import Callable
from unittest import mock

from django.contrib.auth.models import User
from django.db.models.functions import Now

from credits import ledger
from credits.models import Hold
from providers import crypto, keyring
from providers.adapters import sandbox
from providers.adapters.sandbox import SandboxAdapter
from providers.base import Job, ProviderError, Reason
from tests.pipeline import advance_due
from workflows import late, pipeline
from workflows.models import Attempt, Workflow

Phase = Attempt.Phase
VIDEOS = {
    "fal": {"video_model": "fal/kling-2.5-turbo-pro", "duration_seconds": 5},
    "google": {"video_model": "google/omni-1.2-flash", "duration_seconds": 5},
    "runway": {"video_model": "runway/gen4-turbo", "duration_seconds": 5},
    "vertex": {"video_model": "vertex/veo-3.1-fast", "duration_seconds": 4},
}


def start(user: User, number: int, kind: str, tags: str = "", **options: object) -> Workflow:
    """A run, started once however often this is done: a client that hears nothing asks again with the same key."""
    prompt = f"a fox in the snow, take {number} {tags}".strip()
    quote = pipeline.quote(kind, prompt, {"seed": number, "resolution": "720p"} | options, user=user)
    return pipeline.start(user, quote, key=f"take {number}", digest="the same")


def drive(until: Callable[[], bool] = lambda: False) -> None:
    """Look at everything again and again, as if the time in between, leases included, had gone by."""
    for _ in range(100):
        while sandbox.render_next():
            pass
        Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
        if until() or not advance_due():
            return


def video(user: User, provider: str = "fal") -> None:
    """A run through all its steps."""
    start(user, 1, "complete", **VIDEOS[provider])
    drive()


def pictures(user: User) -> None:
    """Two short runs."""
    for number in (1, 2):
        start(user, number, "image-only", enhance=False)
    drive()


def canceled(user: User) -> None:
    """Two runs, stopped while their videos are in the making."""
    runs = [start(user, number, "complete", "#sim:never_ends", enhance=False, **VIDEOS["runway"]) for number in (1, 2)]
    drive(until=lambda: Attempt.objects.filter(step__stage="video", phase=Phase.FETCH).count() == 2)
    for run in runs:
        pipeline.cancel(run.pk)
    drive()


def refunded(user: User) -> None:
    """Two runs whose price is given back afterwards."""
    pictures(user)
    for hold in Hold.objects.order_by("created"):
        ledger.refund(hold, hold.settled, key=f"refund:{hold.pk}", reason="it was a badger")


def retried(user: User) -> None:
    """Two runs that are stopped before anything is submitted, and tried again."""
    runs = [start(user, number, "image-only", enhance=False) for number in (1, 2)]
    for run in runs:
        if not Attempt.objects.filter(step__workflow=run, number=2).exists():
            pipeline.cancel(run.pk)
            pipeline.retry(run.pk)
    drive()


def doubted(user: User) -> None:
    """Two runs at a provider that can be asked whether it has a job, and that forgets to answer when it gets one."""
    submit = SandboxAdapter.submit

    def forgetful(self: SandboxAdapter, *args: object, **kwargs: object) -> Job:
        submit(self, *args, **kwargs)  # type: ignore[arg-type]
        raise ProviderError(Reason.TIMED_OUT, "no answer", sent=True)

    with mock.patch.object(SandboxAdapter, "submit", forgetful):
        for number in (1, 2):
            start(user, number, "image-only", enhance=False, image_model="sandbox/still")
        drive()


def found_late(user: User, jobs: Callable[[], list[str]]) -> None:
    """Two runs whose jobs nobody knows of, until a webhook names them after the runs were given up."""
    for number in (1, 2):
        start(user, number, "complete", "#sim:reset_after@fal.submit", enhance=False, **VIDEOS["fal"])
    drive()
    in_doubt = Attempt.objects.filter(step__stage="video").order_by("submitted", "created")
    for attempt, job in zip(in_doubt, jobs(), strict=True):
        if not attempt.job_id:
            pipeline.heard(attempt.pk, "fal", job)
    Attempt.objects.update(looked=None)  # nobody has asked for a long time
    late.deliver_due()


def rotated(user: User) -> None:
    """Every stored key sealed anew."""
    for _ in keyring.rotate(crypto.ring()):
        pass
