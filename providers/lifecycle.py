"""Models come and go. Once a night the providers that say so are asked when theirs go, and staff are warned in time."""

import datetime
import logging

from django.core.mail import mail_admins
from django.utils import timezone

from providers import catalog, gateway, keys
from providers.adapters import ADAPTERS
from providers.base import ProviderError
from providers.models import Model

NOTICE = datetime.timedelta(days=30)

log = logging.getLogger(__name__)


def ask_shutdown_dates() -> None:
    """Write down the dates that providers tell of the models on offer, and warn of those within 30 days."""
    for row in Model.objects.filter(enabled=True, shipped=True):
        announced = _announced(row)
        if announced and announced != row.announced:
            row.announced = announced
            row.save(update_fields=["announced"])
    warn()


def warn() -> list[str]:
    """Tell staff of enabled models that go within 30 days; a sentence for each."""
    today = timezone.now().date()
    offered = Model.objects.filter(enabled=True, shipped=True)
    soon = [row for row in offered if today <= _goes(row) <= today + NOTICE]
    sentences = [f"{row.slug} goes on {_goes(row)}; successor: {row.successor or 'none known'}." for row in soon]
    if sentences:
        log.warning("%s", " ".join(sentences))
        mail_admins("models that go soon", "\n".join(sentences), fail_silently=True)
    return sentences


def _goes(row: Model) -> datetime.date:
    return min(filter(None, (row.retires, row.announced)), default=datetime.date.max)


def _announced(row: Model) -> datetime.date | None:
    """What the provider says; nothing where it says nothing, there is no key, or it does not answer."""
    if row.provider not in ADAPTERS or not keys.available(row.provider):
        return None
    try:
        return gateway.shutdown_date(row.provider, catalog.get(row.slug).endpoint)
    except (ProviderError, catalog.UnknownModel) as error:
        log.info("%s did not say when %s goes: %s", row.provider, row.slug, error)
        return None
