"""Where a provider may tell us that there is news of a job: an address of its own for each attempt.

The address maps the message to the attempt even when the answer to its submit was lost, and it cannot be guessed: that
is the second lock, beside the provider's signature. What makes it so is in the query, which no log of ours holds.
"""

from django.conf import settings
from django.core.signing import Signer
from django.utils.crypto import constant_time_compare

from providers.http import is_loopback


def address(provider: str, reference: str, *, api: str) -> str:
    """The address for news of the attempt with this reference; "" when the provider at `api` could not reach us."""
    home: str = settings.PUBLIC_URL
    if not home or (is_loopback(home) and not is_loopback(api)):
        return ""
    return f"{home}/hooks/{provider}/{reference}?token={_token(provider, reference)}"


def is_ours(provider: str, reference: str, token: str) -> bool:
    """Whether we gave this address away, to this provider."""
    return constant_time_compare(token, _token(provider, reference))


def _token(provider: str, reference: str) -> str:
    return Signer(salt="providers.hooks").signature(f"{provider}:{reference}")
