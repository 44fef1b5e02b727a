"""People and rows that exist for the length of one check: all that a check writes is taken back, in a database that
people live from as well.

What is asked goes through the site's own middleware, with its settings as they are, from an address of nobody's.
"""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client, override_settings

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"
STRANGER = "203.0.113.77"  # of TEST-NET-3: an address of the internet that nobody has


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever is written inside, send no mail, and keep the log free of what is provoked."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with override_settings(EMAIL_BACKEND=NO_MAIL), transaction.atomic():
            try:
                yield
            finally:
                transaction.set_rollback(True)
    finally:
        logging.disable(before)


def person(*, staff: bool = False, active: bool = True, **more: Any) -> "User":
    """Somebody new, whose password nobody knows. Only inside `undone`."""
    name = f"audit-{secrets.token_hex(6)}"
    return get_user_model().objects.create_user(name, f"{name}@audit.invalid", is_staff=staff, is_active=active, **more)


def site() -> str:
    """The name under which strangers reach this site."""
    names = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    return names[0] if names else "localhost"


def visitor(token: str = "", **more: Any) -> Client:
    """Somebody's browser, or their program if there is a token."""
    headers = {"Host": site(), **({"Authorization": f"Bearer {token}"} if token else {})}
    if settings.SECURE_PROXY_SSL_HEADER:
        more[settings.SECURE_PROXY_SSL_HEADER[0]] = settings.SECURE_PROXY_SSL_HEADER[1]
    return Client(raise_request_exception=False, headers=headers, REMOTE_ADDR=STRANGER, **more)
