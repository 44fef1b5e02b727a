"""Why and when something is tried again: decisions as values, applied by `pipeline.py`.

Submit, look-up, fetch and store each have their own count, since only a submit costs money. A submit that may have
been accepted is never repeated: it is looked up.
"""

from dataclasses import dataclass

from providers.base import ProviderError, Reason
from workflows.models import Attempt

LONGEST_WAIT = 900.0  # seconds
UNKNOWN_JOB = 60.0  # seconds between two looks at a job that its provider does not know
_BRIEF = {Reason.UNAVAILABLE, Reason.TIMED_OUT}
_PATIENCE = {
    # How often each reason is met again with patience, by phase. Absent: not at all.
    Attempt.Phase.SUBMIT: {Reason.RATE_LIMITED: 40, Reason.UNAVAILABLE: 5, Reason.TIMED_OUT: 2},
    Attempt.Phase.SUBMITTING: {Reason.LOST: 8, Reason.RATE_LIMITED: 40, Reason.UNAVAILABLE: 40, Reason.TIMED_OUT: 40},
    # A key that is refused while a job runs says nothing of the job: staff mend the key, and it is looked at again.
    Attempt.Phase.FETCH: {Reason.RATE_LIMITED: 400, Reason.UNAVAILABLE: 400, Reason.TIMED_OUT: 400, Reason.LOST: 2,
                          Reason.UNAUTHORIZED: 400, Reason.OUT_OF_QUOTA: 400},
    Attempt.Phase.STORE: {
        Reason.RATE_LIMITED: 40, Reason.UNAVAILABLE: 40, Reason.TIMED_OUT: 40, Reason.LOST: 2, Reason.BAD_OUTPUT: 1,
    },
}  # fmt: skip


class StorageAway(ProviderError):
    """Our own storage is full or away. Nothing is lost by waiting, and nothing is sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.UNAVAILABLE, f"storage: {detail}", sent=False)


class TooLate(ProviderError):
    """A submit that waited for so long after its claim that it was not sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.UNAVAILABLE, detail, sent=False)


@dataclass(frozen=True)
class Again:
    """Do the same once more after this many seconds."""

    after: float


@dataclass(frozen=True)
class LookUp:
    """Nobody knows whether the submit was accepted: find out, after this many seconds."""

    after: float


@dataclass(frozen=True)
class GiveUp:
    """This attempt has failed."""

    reason: Reason


Decision = Again | LookUp | GiveUp


def decide(error: ProviderError, *, phase: str, tries: int) -> Decision:
    """What to do after `error`, the `tries`-th in a row in this phase. The run's deadline ends all patience."""
    if phase == Attempt.Phase.SUBMIT and error.sent and error.reason in _BRIEF:
        return LookUp(after=5)
    if isinstance(error, StorageAway | TooLate):
        return Again(after=wait(tries))
    if tries > _PATIENCE[Attempt.Phase(phase)].get(error.reason, 0):
        return GiveUp(error.reason)
    unknown = phase == Attempt.Phase.FETCH and error.reason == Reason.LOST
    return Again(after=max(wait(tries, error.retry_after), UNKNOWN_JOB if unknown else 0))


def count(attempt: Attempt, error: ProviderError) -> int:
    """Which try in a row this one is. That a job is unknown counts only where it was the last answer too."""
    if error.reason == Reason.LOST and attempt.reason != Reason.LOST:
        return 1
    return attempt.tries + 1


def wait(tries: int, retry_after: float | None = None) -> float:
    """Seconds until the next try: what the provider asked for, within reason, else doubling from 1."""
    if retry_after is not None and retry_after > 0:
        return min(retry_after, LONGEST_WAIT)
    return float(min(2 ** (tries - 1), 30))
