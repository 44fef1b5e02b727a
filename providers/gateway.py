"""The one door to the providers: submit, fetch, cancel, find, download.

It knows which adapter speaks for a provider. No call may be made inside a transaction: a slow provider would keep
rows locked, and a rolled back transaction would forget a job that costs money.
"""

from typing import IO

from django.db import connection

from providers.adapters.sandbox import SandboxAdapter
from providers.base import Adapter, Job, JobRequest, Output

ADAPTERS: dict[str, Adapter] = {"sandbox": SandboxAdapter()}


class CalledInTransaction(RuntimeError):
    """A provider was called while a transaction was open. A mistake in our code, never retried."""


def submit(provider: str, request: JobRequest) -> Job:
    """Start a job; the only call that costs money. Raises ProviderError."""
    return _adapter(provider).submit(request)


def fetch(provider: str, job_id: str) -> Job:
    """What the provider says of a job now. Raises ProviderError."""
    return _adapter(provider).fetch(job_id)


def cancel(provider: str, job_id: str) -> None:
    """Ask the provider to stop a job. Raises ProviderError."""
    _adapter(provider).cancel(job_id)


def find(provider: str, reference: str) -> Job | None:
    """The job submitted with our reference, None when there surely is none. Raises ProviderError(LOST)."""
    return _adapter(provider).find(reference)


def download(provider: str, output: Output) -> IO[bytes]:
    """The content of an output as a binary file. Raises ProviderError."""
    content: IO[bytes] = _adapter(provider).download(output)
    return content


def _adapter(provider: str) -> Adapter:
    # A test case's own transaction doesn't count; Django marks it for its own check of durable blocks.
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise CalledInTransaction(f"{provider} was called inside a transaction.")
    return ADAPTERS[provider]
