"""The sandbox: a provider that is local, free and real, and says plainly that it is no AI.

It behaves like the remote ones: submit answers at once, rendering goes on in another process (`render_next`), fetch
reports progress, files are forgotten after a day. Outcomes can be scripted in the prompt, for tests and demos:
`#sim:fail`, `#sim:moderation`, `#sim:badfile`, `#sim:slow=30` (seconds), each for one kind only with `#sim:fail@video`.
"""

import datetime
import logging
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from providers.base import Adapter, Job, JobRef, JobRequest, Kind, Output, ProviderError, Reason, Status
from providers.models import SandboxJob

log = logging.getLogger(__name__)

LEASE = datetime.timedelta(seconds=10)
KEPT = datetime.timedelta(days=1)
_HEIGHTS = {"480p": 480, "720p": 720, "1080p": 1080}
_SCRIPT = re.compile(r"#sim:(fail|moderation|badfile|slow)(?:=(\d{1,4}))?(?:@(image|video))?", re.IGNORECASE)


class SandboxAdapter(Adapter):
    """Speaks to the sandbox's own table of jobs as the other adapters speak HTTP."""

    slug: ClassVar[str] = "sandbox"
    needs_key: ClassVar[bool] = False
    longest_submit: ClassVar[float] = 50.0
    longest_call: ClassVar[float] = 50.0
    longest_download: ClassVar[float] = 50.0
    shortest_look: ClassVar[float] = 0.25  # it is a row in our own table
    statuses: ClassVar = {
        "queued": Status.QUEUED,
        "running": Status.RUNNING,
        "succeeded": Status.SUCCEEDED,
        "failed": Status.FAILED,
        "canceled": Status.CANCELED,
    }
    reasons: ClassVar = {"render_failed": Reason.UNAVAILABLE, "bad_image": Reason.INVALID_INPUT}

    def submit(self, request: JobRequest, *, token: str) -> Job:
        """Words are answered at once; pictures become a queued job. The same reference gives the same job."""
        if request.kind == Kind.TEXT:
            return Job(request.reference, Status.SUCCEEDED, outputs=(Output(text=_enhance(request)),))
        if "moderation" in script(request.prompt, request.kind):
            raise ProviderError(Reason.CONTENT_POLICY, "declined by #sim:moderation", sent=False)
        row, _ = SandboxJob.objects.get_or_create(
            reference=request.reference,
            defaults={
                "kind": request.kind,
                "prompt": request.prompt,
                "options": dict(request.options),
                "image": request.image.content if request.image else None,
            },
        )
        return self._job(row)

    def fetch(self, job: JobRef, *, token: str) -> Job:
        """The job as its row says; one that was forgotten is LOST."""
        row = SandboxJob.objects.defer("image").filter(pk=job.id).first()
        if row is None:
            raise ProviderError(Reason.LOST, "the sandbox has no such job")
        return self._job(row)

    def cancel(self, job: JobRef, *, token: str) -> None:
        """Stop a job that isn't finished, as far as anybody can see."""
        if not self.fetch(job, token=token).status.is_final:
            SandboxJob.objects.filter(pk=job.id).exclude(status="failed").update(status="canceled")

    def find(self, reference: str, *, token: str) -> Job | None:
        """The sandbox knows our references, so nothing is ever in doubt here."""
        row = SandboxJob.objects.defer("image").filter(reference=reference).first()
        return self._job(row) if row else None

    def download(self, output: Output, *, token: str) -> IO[bytes]:
        """The file from our own storage."""
        return default_storage.open(output.location)

    def check(self, *, token: str) -> str:
        """How many jobs wait; it is always there."""
        waiting = SandboxJob.objects.filter(status__in=["queued", "running"]).count()
        return f"local, no key needed; {waiting} jobs unfinished"

    def _job(self, row: SandboxJob) -> Job:
        status, progress = self.statuses[row.status], row.progress
        if waiting := _share_of_slowness(row):
            status, progress = Status.RUNNING, waiting
        outputs: tuple[Output, ...] = ()
        if status == Status.SUCCEEDED:
            outputs = (Output(location=row.file, content_type=_content_type(row.kind)),)
        reason = self.reasons.get(row.failure, Reason.OTHER) if status == Status.FAILED else None
        return Job(str(row.pk), status, progress, outputs, reason, row.failure if reason else "")


def script(prompt: str, kind: str) -> dict[str, int]:
    """The scripted outcomes in a prompt that concern this kind of job, with their number (0 where none)."""
    found = _SCRIPT.findall(prompt)
    return {word.lower(): int(number or 0) for word, number, only in found if only.lower() in ("", kind)}


def render_next() -> str | None:
    """Claim the oldest job that nobody works on and render it; its id, None when there is none."""
    row = _claim()
    if row is None:
        return None
    _make(row)
    return str(row.pk)


def _make(row: SandboxJob) -> None:
    try:
        name = _render(row)
    except _CanceledMeanwhile:
        return
    except Exception as error:  # whatever the drawing stumbles over, the job must end
        failure = "bad_image" if isinstance(error, OSError) else "render_failed"
        log.info("Sandbox job %s failed: %s", row.pk, error)
        _unfinished(row).update(status="failed", failure=failure)
        return
    if not _unfinished(row).update(status="succeeded", progress=1, file=name):
        default_storage.delete(name)


def forget_old() -> int:
    """Delete jobs and files older than a day, as remote providers do; the number of jobs."""
    old = SandboxJob.objects.defer("image").filter(created__lt=Now() - KEPT)
    for row in old:
        if row.file:
            default_storage.delete(row.file)
    return old.delete()[0]


class _CanceledMeanwhile(Exception):
    pass


@dataclass
class _Heartbeat:
    """Writes progress and prolongs the lease while a job renders, at most twice a second."""

    row: SandboxJob
    last: float = 0.0

    def __call__(self, progress: float) -> None:
        if time.monotonic() - self.last < 0.5:
            return
        self.last = time.monotonic()
        if not _unfinished(self.row).update(progress=min(progress, 0.99), lease_until=Now() + LEASE):
            raise _CanceledMeanwhile


def _claim() -> SandboxJob | None:
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    for row in SandboxJob.objects.filter(free, status__in=["queued", "running"]).order_by("created")[:5]:
        mine = SandboxJob.objects.filter(free, pk=row.pk, status__in=["queued", "running"])
        if mine.update(status="running", lease_until=Now() + LEASE):
            return row
    return None


def _unfinished(row: SandboxJob) -> Any:
    return SandboxJob.objects.filter(pk=row.pk, status="running")


def _render(row: SandboxJob) -> str:
    todo = script(row.prompt, row.kind)
    if "fail" in todo:
        raise RuntimeError("failed by #sim:fail")
    ending = "png" if row.kind == Kind.IMAGE else "mp4"
    with _draw(row, _Heartbeat(row)) as drawn:
        content = ContentFile(b"\x00not a picture" * 64) if "badfile" in todo else drawn
        return default_storage.save(f"sandbox/{row.pk}.{ending}", content)


def _draw(row: SandboxJob, progress: Callable[[float], None]) -> "File[bytes]":
    # Imported here: only the process that renders should pay for the encoder's memory.
    from providers.sandbox import film, still

    width, height = frame_size(row.options["aspect_ratio"], row.options["resolution"])
    prompt, seed = _users_words(row), int(row.options["seed"])
    if row.kind == Kind.IMAGE:
        return ContentFile(still.draw_still(prompt, width=width, height=height, seed=seed))
    image = bytes(row.image or b"") or still.draw_still(prompt, width=width, height=height, seed=seed)
    target = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    film.shoot(
        image,
        prompt=prompt,
        seconds=row.options["duration_seconds"],
        width=width,
        height=height,
        seed=seed,
        progress=progress,
        target=target,
    )
    target.seek(0)
    return File(target)


def frame_size(ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height in pixels, both even: the resolution names the shorter side."""
    wide, high = (int(part) for part in ratio.split(":"))
    short = _HEIGHTS[resolution]
    long = round(short * max(wide, high) / min(wide, high) / 2) * 2
    return (long, short) if wide >= high else (short, long)


def _enhance(request: JobRequest) -> str:
    """The user's words, then the shot in words of ours, in a paragraph of their own."""
    from providers.sandbox import words

    prompt = _without_script(request.prompt)
    options = request.options
    shot = words.enhance(prompt, style=str(options.get("style", "")), seed=int(options.get("seed", 0)))
    scripted = " ".join(match.group() for match in _SCRIPT.finditer(request.prompt))
    return f"{prompt}\n\n{shot.removeprefix(prompt).lstrip(' .')} {scripted}".strip()


def _users_words(row: SandboxJob) -> str:
    """What is drawn: our own paragraph speaks of lenses and trucks that are not in the picture."""
    words = row.prompt.rpartition("\n\n")[0] if row.options.get("enhance") else ""
    return _without_script(words or row.prompt)


def _without_script(prompt: str) -> str:
    return _SCRIPT.sub("", prompt).strip()


def _share_of_slowness(row: SandboxJob) -> float | None:
    """How much of a `#sim:slow` wait has passed, 0 to 1; None when nothing is left to wait for."""
    slow = script(row.prompt, row.kind).get("slow", 0)
    passed = (timezone.now() - row.created).total_seconds()
    if row.status in ("failed", "canceled") or passed >= slow:
        return None
    return max(0.01, passed / slow)


def _content_type(kind: str) -> str:
    return "image/png" if kind == Kind.IMAGE else "video/mp4"
