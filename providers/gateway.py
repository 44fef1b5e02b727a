"""The one door to the providers: submit, fetch, cancel, find, download.

It knows which adapter speaks for a provider and opens the key for it. No call may be made inside a transaction: a slow
provider would keep rows locked, and a rolled back transaction would forget a job that costs money.
"""

import dataclasses
import datetime
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import Error as DatabaseFailed
from django.db import connection
from django.utils import timezone

from crashpoint import crashpoint
from providers import budget, health, http, journal, keys
from providers.adapters import ADAPTERS
from providers.base import Adapter, Job, JobRef, JobRequest, Output, ProviderError, Reason, Status

log = logging.getLogger(__name__)

CHECK = 10.0  # seconds for all calls of a check
LEFT_BEHIND = datetime.timedelta(days=3)  # more than a run and the watch over what it was given up for take together
_INBOX = "inbox:"
_NOBODYS = "https://nobody.invalid"  # no key belongs to what users name


class CalledInTransaction(RuntimeError):
    """A provider was called while a transaction was open. A mistake in our code, never retried."""


def submit(provider: str, request: JobRequest, *, key: UUID | None = None) -> Job:
    """Start a job; the only call that costs money. Raises ProviderError."""
    adapter = _adapter(provider)
    budget.spend(provider, request.price)
    crashpoint("submit.intended")
    try:
        with keys.opened(adapter, key) as token:
            with journal.operation(request.reference):
                answered = adapter.submit(request, token=token)
            crashpoint("submit.answered")
            job = _redacted(answered, token)
    except ProviderError as error:
        with _in_passing():
            if adapter.needs_key and not keys.is_own(key):
                health.went_wrong(provider, error)
        raise
    with _in_passing():
        if adapter.needs_key:
            health.went_well(provider)
    try:
        return _spooled(job, request.reference)
    except OSError as error:  # the job is paid for, so it may not look as if nothing had been sent
        raise ProviderError(Reason.UNAVAILABLE, f"storage: {error.strerror or type(error).__name__}") from error


def fetch(provider: str, job: JobRef, *, key: UUID | None = None) -> Job:
    """What the provider says of a job now. Raises ProviderError."""
    adapter = _adapter(provider)
    with keys.opened(adapter, key) as token, journal.operation():
        found = _redacted(adapter.fetch(job, token=token), token)
        crashpoint("fetch.answered")
    return _spooled(found, job.id)


def cancel(provider: str, job: JobRef, *, key: UUID | None = None) -> None:
    """Ask the provider to stop a job. Raises ProviderError."""
    adapter = _adapter(provider)
    with keys.opened(adapter, key) as token, journal.operation():
        crashpoint("cancel.intended")
        adapter.cancel(job, token=token)
        crashpoint("cancel.answered")


def find(provider: str, reference: str, *, key: UUID | None = None) -> Job | None:
    """The job submitted with our reference, None when there surely is none. Raises ProviderError(LOST).

    Where its answer brought all it made, that may be in our storage, put down by somebody who came no further.
    """
    adapter = _adapter(provider)
    if default_storage.exists(_spool_name(reference)):
        return Job(reference, Status.SUCCEEDED, outputs=(Output(location=f"{_INBOX}{_spool_name(reference)}"),))
    with keys.opened(adapter, key) as token, journal.operation():
        found = adapter.find(reference, token=token)
        crashpoint("find.answered")
        return found and _redacted(found, token)


def download(provider: str, output: Output, *, key: UUID | None = None) -> IO[bytes]:
    """The content of an output as a binary file. Raises ProviderError."""
    adapter = _adapter(provider)
    if output.location.startswith(_INBOX):
        return default_storage.open(output.location.removeprefix(_INBOX))
    with keys.opened(adapter, key) as token, journal.operation():
        return adapter.download(output, token=token)


def discard(location: str) -> None:
    """Forget bytes that came with an answer, once they are stored in their own place or of no use to anybody."""
    if location.startswith(_INBOX):
        crashpoint("discarding")
        default_storage.delete(location.removeprefix(_INBOX))


def forget_old() -> None:
    """Forget such bytes when nobody will ask for them: whoever should have done so died before."""
    inbox = default_storage.listdir("inbox")[1] if default_storage.exists("inbox") else []
    for name in (f"inbox/{file}" for file in inbox):
        if default_storage.get_modified_time(name) < timezone.now() - LEFT_BEHIND:
            default_storage.delete(name)


def check(provider: str, *, key: UUID | None = None) -> str:
    """One cheap call that is not billed; a sentence on what was seen. Somebody waits for it: it takes at most 10 s.

    Raises ProviderError.
    """
    adapter = _adapter(provider)
    with keys.opened(adapter, key) as token, journal.operation(), http.within(CHECK):
        return keys.redacted(adapter.check(token=token), token)


def shutdown_date(provider: str, model: str) -> datetime.date | None:
    """The day a model goes, where its provider says so. Raises ProviderError."""
    adapter = _adapter(provider)
    with keys.opened(adapter) as token, journal.operation():
        return adapter.shutdown_date(model, token=token)


def webhook_job_id(provider: str, headers: Mapping[str, str], body: bytes) -> str:
    """The job that a provider's message is about. Raises ProviderError: UNAUTHORIZED for what it has not signed."""
    return _adapter(provider).webhook_job_id(headers, body)


def at_address(url: str, *, limit: int) -> IO[bytes]:
    """The file at an address that a user gave, of at most `limit` bytes, within 20 s. Raises ProviderError.

    It is fetched without any key, by https, and never from our own network.
    """
    purpose = http.Purpose("web", "fetch")
    return http.download(purpose, url, origin=_NOBODYS, limit=limit, deadline=20)


@contextmanager
def _in_passing() -> Iterator[None]:
    """What we note of a provider's health must not cost an answer that is paid for: the database may be away."""
    try:
        yield
    except DatabaseFailed as error:
        log.warning("How a provider is could not be written down: %s", type(error).__name__)
        connection.close_if_unusable_or_obsolete()


def _redacted(job: Job, token: str) -> Job:
    """What a provider says may repeat the key it was called with."""
    return dataclasses.replace(job, detail=keys.redacted(job.detail, token)) if job.detail else job


def _spooled(job: Job, name: str) -> Job:
    """Bytes that came with the answer are paid for and exist nowhere else: put them down before anything else."""
    if not any(output.content for output in job.outputs):
        return job
    crashpoint("answer.unspooled")
    spooled = tuple(_spool(output, _spool_name(name, n)) for n, output in enumerate(job.outputs))
    crashpoint("answer.spooled")
    return dataclasses.replace(job, outputs=spooled)


def _spool(output: Output, name: str) -> Output:
    saved = default_storage.save(name, ContentFile(output.content))
    return Output(location=f"{_INBOX}{saved}", content_type=output.content_type)


def _spool_name(name: str, number: int = 0) -> str:
    return f"inbox/{name}.{number}"


def _adapter(provider: str) -> Adapter:
    # A test case's own transaction doesn't count; Django marks it for its own check of durable blocks.
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise CalledInTransaction(f"{provider} was called inside a transaction.")
    return ADAPTERS[provider]
