"""Where a provider may tell us that there is news of a job: an address of its own for each attempt.

The address maps the message to the attempt even when the answer to its submit was lost, and it cannot be guessed: that
is the second lock, beside the provider's signature.
"""

from urllib.parse import quote

from django.conf import settings
from django.core.signing import BadSignature, Signer

from providers.http import is_loopback


def address(provider: str, reference: str, *, api: str) -> str:
    """The address for news of the attempt with this reference; "" when the provider at `api` could not reach us."""
    home: str = settings.PUBLIC_URL
    if not home or (is_loopback(home) and not is_loopback(api)):
        return ""
    return f"{home}/hooks/{provider}/{quote(_signer().sign(reference), safe='')}"


def reference(token: str) -> str:
    """Whose attempt the last part of an address stands for; "" for a token that is not ours."""
    try:
        return _signer().unsign(token)
    except BadSignature:
        return ""


def _signer() -> Signer:
    return Signer(sep=".", salt="providers.hooks")
