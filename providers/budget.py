"""What a test run may spend: counted and refused here, before a call is made, whatever the tests intend.

Only where VIDGENIE_ENVIRONMENT is `test`; the sandbox costs nothing and is not counted.
"""

import threading

from django.conf import settings

from providers.base import ProviderError, Reason

_lock = threading.Lock()
_spent = 0


def spend(provider: str, credits: int) -> None:
    """Count `credits` for a submit; raises ProviderError(OUT_OF_QUOTA) when they are more than the run has left."""
    global _spent  # noqa: PLW0603 (a process is a run)
    if settings.ENVIRONMENT != "test" or provider == "sandbox":
        return
    with _lock:
        if _spent + credits > settings.MAX_TEST_CREDITS_PER_RUN:
            raise ProviderError(
                Reason.OUT_OF_QUOTA,
                f"this test run has spent {_spent} of MAX_TEST_CREDITS_PER_RUN={settings.MAX_TEST_CREDITS_PER_RUN}"
                f" credits; {credits} more were asked for",
                sent=False,
            )
        _spent += credits


def spent() -> int:
    """Credits counted so far in this process."""
    return _spent


def reset() -> None:
    """Begin a new run."""
    global _spent  # noqa: PLW0603
    _spent = 0
