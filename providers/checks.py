"""What must be so before VidGenie starts: a ring that makes sense, and sealed keys that it opens.

The last question needs the database, which Django's own checks do without as a rule; so whoever starts something
(`run`, `worker`, the web server) asks `require_openable_keys`.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import SystemCheckError
from django.db import DatabaseError

from providers import crypto, keyring
from providers.adapters import ADAPTERS

log = logging.getLogger(__name__)


def register() -> None:
    """Have Django ask these with its own; once, when the app is ready."""
    checks.register(the_ring_makes_sense, Tags.security)
    checks.register(keys_of_the_environment_look_right, Tags.security)
    checks.register(every_sealed_key_opens, Tags.database)


def the_ring_makes_sense(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """VIDGENIE_ENCRYPTION_KEYS can be read."""
    try:
        crypto.ring()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="providers.E001")]
    return []


def keys_of_the_environment_look_right(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Keys in the environment look like keys; a stray line break there costs an hour."""
    from providers import keys

    return [
        checks.Warning(
            f"The key of {provider} in the environment does not look like one.",
            hint="Look for blanks, line breaks and mixed up names.",
            id="providers.W001",
        )
        for provider, key in settings.PROVIDER_KEYS.items()
        if key and provider in ADAPTERS and not keys.looks_right(provider, key)
    ]


def every_sealed_key_opens(
    app_configs: Any, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """No sealed key is out of reach. Runs where Django is told to ask the database."""
    if not databases or the_ring_makes_sense(app_configs):
        return []
    try:
        closed = keyring.unopenable(crypto.ring())
    except DatabaseError:
        log.warning("The sealed keys were not looked at: the database is away or has no tables yet.")
        return []
    return [_out_of_reach(Counter(sealed.key_id for sealed in closed))] if closed else []


def require_openable_keys() -> None:
    """Raise SystemCheckError when the ring makes no sense, or a sealed key does not open with it."""
    for found in [*the_ring_makes_sense(None), *every_sealed_key_opens(None, databases=["default"])]:
        raise SystemCheckError(f"{found.msg}\n{found.hint or ''}".strip())


def _out_of_reach(ids: Counter[str]) -> Error:
    ring, total = crypto.ring().ids, sum(ids.values())
    sealed_by = ", ".join(
        f"sealed by {key_id or 'nothing we know'}: {number}" for key_id, number in sorted(ids.items())
    )
    return Error(
        f"Sealed provider keys that do not open: {total} ({sealed_by}). "
        f"VIDGENIE_ENCRYPTION_KEYS has {', '.join(ring) or 'no key'}.",
        hint="Put the encryption key back that sealed them (the same id may hide another key). If it is lost for good: "
        "`manage.py rotate_encryption_keys --forget-unopenable` erases these provider keys, to be typed in anew.",
        id="providers.E002",
    )
