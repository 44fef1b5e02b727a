"""The words that every provider's adapter is translated into, and the shape of an adapter.

An adapter speaks one provider's API and knows no users, templates or money.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any, ClassVar


class Kind(StrEnum):
    """What a model makes."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"


class Status(StrEnum):
    """Where a job stands at the provider. UNKNOWN is a word we don't have: look again, and warn."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the provider will say nothing else any more."""
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)


class Reason(StrEnum):
    """Why something failed, in our words. Drives retry, the sentence for the user, the alarm and the charge."""

    INVALID_INPUT = "invalid_input"
    CONTENT_POLICY = "content_policy"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    UNAUTHORIZED = "unauthorized"
    OUT_OF_QUOTA = "out_of_quota"
    RETIRED = "retired"
    BAD_OUTPUT = "bad_output"
    LOST = "lost"
    QUARANTINED = "quarantined"
    OTHER = "other"


@dataclass(frozen=True)
class Picture:
    """An image that goes along with a request."""

    content: bytes = field(repr=False)
    content_type: str


@dataclass(frozen=True)
class JobRequest:
    """What we ask of a provider: one submission of one step, complete in itself.

    `model` is the provider's own id, `price` what its user is asked for it, in credits.
    """

    kind: Kind
    model: str
    prompt: str
    options: Mapping[str, Any]
    reference: str
    image: Picture | None = None
    price: int = 0


@dataclass(frozen=True)
class Output:
    """A result as the provider hands it over: words, bytes, or a place to get the file from (which may expire)."""

    text: str = ""
    location: str = field(default="", repr=False)
    content: bytes = field(default=b"", repr=False)
    content_type: str = ""


@dataclass(frozen=True)
class Job:
    """The unit of work at the provider, as the provider reports it. `progress` is 0 to 1, where it is told.

    `handle` is what the adapter needs to find the job again beside its id (addresses, say); it never holds a secret.
    `position` is the place in the provider's line, `cost` what the provider says it takes, in US cents.
    """

    id: str
    status: Status
    progress: float | None = None
    outputs: tuple[Output, ...] = ()
    reason: Reason | None = None
    detail: str = ""
    handle: Mapping[str, str] = field(default_factory=dict)
    position: int | None = None
    cost: float | None = None


@dataclass(frozen=True)
class JobRef:
    """A job as we remember it: what `submit` returned of it. `model` is the provider's own id."""

    id: str
    model: str
    handle: Mapping[str, str] = field(default_factory=dict)


class ProviderError(Exception):
    """A call did not give an answer we can use.

    `reason` is the one fact the caller decides by; `sent` says whether the provider may have acted on the call;
    `retry_after` is in seconds; the text is for staff only and never holds a key or a signed address.
    """

    def __init__(
        self, reason: Reason, detail: str = "", *, sent: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(detail or reason.value)
        self.reason, self.detail, self.sent, self.retry_after = reason, detail, sent, retry_after


class Adapter:
    """Everything that one provider's file must say.

    `token` is the opened key, "" for providers that need none. Every method raises ProviderError and nothing else.
    """

    slug: ClassVar[str]
    needs_key: ClassVar[bool] = True
    longest_submit: ClassVar[float] = 150.0  # seconds until whoever submits is believed dead
    longest_call: ClassVar[float] = 150.0  # the same for looking at a job
    longest_download: ClassVar[float] = 330.0
    shortest_look: ClassVar[float] = 5.0  # seconds between two looks at a job; less where the provider minds less
    key_of: ClassVar[str] = ""  # the provider whose key opens this one, where it is another
    key_looks: ClassVar[str] = "…"  # such as sk-…, for those who type one
    key_pattern: ClassVar[str] = r"[!-~]+"  # what a key must match, whole
    key_mark: ClassVar[str] = ""  # a pattern that no other provider's keys match: by it a mix-up is noticed
    statuses: ClassVar[Mapping[str, Status]] = {}
    reasons: ClassVar[Mapping[str, Reason]] = {}

    def accepts_key(self, key: str) -> bool:
        """Whether this may be a key of theirs, by its looks."""
        return re.fullmatch(self.key_pattern, key, re.ASCII) is not None

    def sample_key(self) -> str:
        """A key of the right shape that opens nothing: what the simulator is called with."""
        return "simulated"

    def submit(self, request: JobRequest, *, token: str) -> Job:
        """Start a job; synchronous providers return a finished one. The only call that costs money."""
        raise NotImplementedError

    def fetch(self, job: JobRef, *, token: str) -> Job:
        """What the provider says of a job now."""
        raise NotImplementedError

    def cancel(self, job: JobRef, *, token: str) -> None:
        """Ask the provider to stop. It may be too late or impossible; the next fetch tells."""

    def find(self, reference: str, *, token: str) -> Job | None:
        """The job that was submitted with this reference, where the provider can look it up.

        None means that there surely is none. Raises ProviderError(LOST) where it cannot be known: the default.
        """
        raise ProviderError(Reason.LOST, f"{self.slug} cannot look a job up by our reference")

    def download(self, output: Output, *, token: str) -> IO[bytes]:
        """A binary file with the content of an output."""
        raise NotImplementedError

    def check(self, *, token: str) -> str:
        """One cheap call that is not billed; a sentence on what was seen. Raises ProviderError when it fails."""
        raise NotImplementedError

    def shutdown_date(self, model: str, *, token: str) -> datetime.date | None:
        """The day a model goes, where the provider says so; None where it doesn't."""
        return None

    def webhook_job_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """The job that a verified message is about. Raises ProviderError(UNAUTHORIZED) for one we can't verify.

        No key is opened for it: what is signed is checked against what the provider publishes.
        """
        raise ProviderError(Reason.UNAUTHORIZED, f"{self.slug} sends no webhooks")
