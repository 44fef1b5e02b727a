"""Credits: what people own, what is set aside for a run, and every line that ever changed it."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_save


class CreditsConfig(AppConfig):
    name = "credits"
    verbose_name = "Credits"

    def ready(self) -> None:
        post_save.connect(_open_account, sender=settings.AUTH_USER_MODEL, dispatch_uid="credits.open_account")


def _open_account(instance: Any, created: bool, raw: bool = False, **_: Any) -> None:
    """Whoever comes to exist, by whatever door, has an account from that moment on."""
    from credits import ledger

    if created and not raw:
        ledger.open_account(instance)
