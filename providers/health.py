"""The breaker of each provider: after repeated failures nothing new is sent there for a while.

It is a row, so that all processes stop and start together. A key that is refused or an account without money takes the
provider out at once and is told to staff, since waiting mends neither. Only submits with the platform's keys count: a
user's own broken key is their affair.
"""

import datetime
import logging
import time

from django.core.mail import get_connection, mail_admins
from django.db.models import F
from django.db.models.functions import Now

from providers.base import ProviderError, Reason
from providers.models import ProviderHealth

THRESHOLD = 5  # failures in a row
PAUSE = datetime.timedelta(minutes=1)
LONG_PAUSE = datetime.timedelta(hours=1)
AT_ONCE = {Reason.UNAUTHORIZED, Reason.OUT_OF_QUOTA}
COUNTED = {Reason.UNAVAILABLE, Reason.TIMED_OUT}
PATIENCE = 10  # seconds for the mail server: who waits for it has an answer in hand, and a lease that runs out
TRUSTED = 1.0  # seconds for which a provider that was well is not asked about again

_well: dict[str, float] = {}  # when this process last saw to it that a provider is well

log = logging.getLogger(__name__)


def went_well(provider: str) -> None:
    """A job was accepted: the count starts anew and the provider is back on offer.

    Of several in a second one counts: a failure that another process has seen in between is not forgiven.
    """
    now = time.monotonic()
    if now - _well.get(provider, -TRUSTED) >= TRUSTED:
        bring_back(provider)
        _well[provider] = now


def bring_back(provider: str) -> None:
    """Staff say that it is mended, by storing another key for instance."""
    ProviderHealth.objects.filter(provider=provider).exclude(failures=0, open_until=None).update(
        failures=0, open_until=None, reason=""
    )


def went_wrong(provider: str, error: ProviderError) -> None:
    """Count a failed submit; take the provider out when it is time to, and tell staff where waiting won't help."""
    if error.reason not in AT_ONCE | COUNTED:
        return
    _well.pop(provider, None)
    ProviderHealth.objects.get_or_create(provider=provider)
    ours = ProviderHealth.objects.filter(provider=provider)
    ours.update(failures=F("failures") + 1, reason=error.reason)
    if error.reason in AT_ONCE:
        _take_out(provider, LONG_PAUSE, error)
    else:
        ours.filter(failures__gte=THRESHOLD).update(open_until=Now() + PAUSE)


def _take_out(provider: str, pause: datetime.timedelta, error: ProviderError) -> None:
    ours = ProviderHealth.objects.filter(provider=provider)
    newly = ours.exclude(open_until__gt=Now()).update(open_until=Now() + pause)
    if newly:
        text = f"{provider} was taken out for {pause}: {error.reason}. {error.detail}"
        log.error("%s", text)
        server = get_connection(fail_silently=True, timeout=PATIENCE)
        mail_admins(f"{provider}: {error.reason}", text, connection=server)
