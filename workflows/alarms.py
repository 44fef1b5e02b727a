"""What staff must hear of at once: in the log, and by mail to ADMINS, at most once an hour for the same subject."""

import hashlib
import logging
from functools import partial

from django.core.cache import cache
from django.core.mail import get_connection, mail_admins
from django.db import transaction

AN_HOUR = 3600  # seconds
PATIENCE = 10  # seconds for the mail server

log = logging.getLogger(__name__)


def tell_staff(subject: str, text: str) -> None:
    """Log it at once, and mail it when the transaction at hand is committed; what is rolled back is not mailed.

    Never raises for trouble with the mail. The text goes out as it is: it must hold no keys and no signed addresses,
    as the details of attempts don't.
    """
    line = " ".join(subject.split())
    log.error("%s: %s", line, text)
    transaction.on_commit(partial(_mail, line, text))


def _mail(subject: str, text: str) -> None:
    try:
        if cache.add(f"alarm:{hashlib.sha256(subject.encode()).hexdigest()}", 1, AN_HOUR):
            mail_admins(subject, text, connection=get_connection(timeout=PATIENCE))
    except Exception:
        log.exception("Staff could not be told by mail: %s", subject)
