"""The calls to the outside that move an attempt: each is claimed under a lock, made without one, and then recorded.

A call carries all it needs, so that making it touches none of our tables, and answers with a value: a Job, an Asset,
nothing, or the ProviderError that came of it.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, ClassVar
from uuid import UUID

from django.core.files.storage import default_storage
from structlog.contextvars import bound_contextvars

from providers import gateway
from providers.adapters import ADAPTERS
from providers.base import Job, JobRef, JobRequest, Output, Picture, ProviderError, Reason, Status
from workflows import claims, media, retries
from workflows.models import Asset, Attempt
from workflows.services import SERVICES

log = logging.getLogger(__name__)

Result = Job | Asset | ProviderError | None


@dataclass(frozen=True)
class Call:
    """A claim on an attempt: whoever holds its fence number may record an answer."""

    phase: ClassVar[Attempt.Phase]
    attempt: Attempt
    image: Asset | None = None
    claimed: float = field(default_factory=time.monotonic)

    @property
    def stage(self) -> str:
        """The stage whose service knows what to ask."""
        return self.attempt.step.stage

    @property
    def fence(self) -> int:
        """The number that the attempt must still have when the answer is recorded."""
        return self.attempt.fence

    @property
    def attempt_id(self) -> UUID:
        """Whose call it is."""
        return self.attempt.pk

    @property
    def job(self) -> JobRef:
        """The provider's job, as we remember it."""
        return JobRef(self.attempt.job_id, self.attempt.endpoint, self.attempt.handle)

    def __call__(self) -> Result:
        """Make the call; never raises for what the outside world does. What is logged meanwhile says whose it is."""
        with bound_contextvars(workflow_id=str(self.attempt.step.workflow_id), attempt_id=str(self.attempt.pk)):
            return self._answer()

    def _answer(self) -> Result:
        try:
            return self.make()
        except ProviderError as error:
            return error
        except media.BadMedia as error:
            return ProviderError(Reason.BAD_OUTPUT, str(error))
        except OSError as error:  # our storage is full or away: the result waits at the provider
            return retries.StorageAway(error.strerror or str(error))
        except gateway.CalledInTransaction:
            raise
        except Exception as error:  # a mistake of ours: whether the provider acted is unknown, so assume it did
            log.exception("%s failed for attempt %s", type(self).__name__, self.attempt.pk)
            return ProviderError(Reason.UNAVAILABLE, f"{type(error).__name__} in our own code")

    def make(self) -> Result:
        """The call itself."""
        raise NotImplementedError


class Submit(Call):
    """Hand the step to the provider; the one call that costs money."""

    phase = Attempt.Phase.SUBMIT

    def make(self) -> Job:
        """The job, as accepted."""
        request = self._request()
        if time.monotonic() > self._latest():
            raise retries.TooLate("it was not sent in time")
        try:
            return gateway.submit(self.attempt.provider, request, key=self.attempt.key_id)
        except OSError as error:  # whatever it was, it came after the request may have gone out
            raise ProviderError(Reason.UNAVAILABLE, f"{type(error).__name__} while it was submitted") from error

    def _latest(self) -> float:
        """Until when it may be sent: its answer has to come while nobody else can have the claim."""
        longest = ADAPTERS[self.attempt.provider].longest_submit
        return self.claimed + claims.lease(self.phase).total_seconds() - longest

    def _request(self) -> JobRequest:
        attempt = self.attempt
        asked = SERVICES[self.stage].ask(
            attempt.endpoint, attempt.prompt, attempt.options, str(attempt.pk), _picture(self.image)
        )
        return replace(asked, price=attempt.price)


class Find(Call):
    """Ask whether a submit whose answer was lost has been accepted."""

    phase = Attempt.Phase.SUBMITTING

    def make(self) -> Job | None:
        """The job; None when there surely is none."""
        return gateway.find(self.attempt.provider, str(self.attempt.pk), key=self.attempt.key_id)


class Fetch(Call):
    """Ask how a job stands."""

    phase = Attempt.Phase.FETCH

    def make(self) -> Job:
        """The job as the provider reports it."""
        return gateway.fetch(self.attempt.provider, self.job, key=self.attempt.key_id)


class Cancel(Call):
    """Ask the provider to stop, and what became of the job."""

    phase = Attempt.Phase.FETCH

    def make(self) -> Job:
        """The job after the provider was asked; its word counts, not our wish."""
        gateway.cancel(self.attempt.provider, self.job, key=self.attempt.key_id)
        return gateway.fetch(self.attempt.provider, self.job, key=self.attempt.key_id)


class Store(Call):
    """Bring a result home, open it and keep it."""

    phase = Attempt.Phase.STORE

    def make(self) -> Asset:
        """The asset, its files in our storage, not yet saved. An address that has expired is asked for anew, once."""
        try:
            return self._stored(Output(**self.attempt.outputs[0]))
        except ProviderError as error:
            if error.reason != Reason.LOST:
                raise
        return self._stored(self._told_again())

    def _stored(self, output: Output) -> Asset:
        kind = SERVICES[self.stage].kind.value
        with self._opened(output) as source:
            file, size, sha256 = media.fetch_to_disk(source)
        with file, _storage():
            asset = media.store(file, size, sha256, name=f"made/{self.attempt.pk}", kind=kind)
        _require_length(asset, self.attempt.options.get("duration_seconds"))
        return asset

    def _opened(self, output: Output) -> IO[bytes]:
        try:
            return gateway.download(self.attempt.provider, output, key=self.attempt.key_id)
        except FileNotFoundError as error:  # it came with the answer, and was thrown away in another life
            raise ProviderError(Reason.LOST, "what came with the answer is gone") from error

    def _told_again(self) -> Output:
        job = gateway.fetch(self.attempt.provider, self.job, key=self.attempt.key_id)
        if job.status != Status.SUCCEEDED:
            raise ProviderError(Reason.UNAVAILABLE, f"the job was done, and is {job.status} now")
        return SERVICES[self.stage].keep(job)


def _picture(image: Asset | None) -> Picture | None:
    if image is None:
        return None
    with _storage(), default_storage.open(image.file) as file:
        return Picture(file.read(), image.content_type)


@contextmanager
def _storage() -> Iterator[None]:
    """A storage elsewhere has errors of its own, which all say what OSError says of a disk."""
    try:
        yield
    except (OSError, media.BadMedia):
        raise
    except Exception as error:
        log.exception("Our storage failed, or what puts things there.")
        raise OSError(type(error).__name__) from error


def _require_length(asset: Asset, seconds: float | None) -> None:
    if asset.duration is not None and seconds and abs(asset.duration - seconds) > 1:
        raise media.BadMedia(f"{seconds} s were asked for, the video has {asset.duration} s")
