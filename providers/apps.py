"""Providers: everything outside our own process."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ProvidersConfig(AppConfig):
    name = "providers"
    verbose_name = "Providers"

    def ready(self) -> None:
        from providers import checks, offer

        checks.register()
        post_migrate.connect(offer.sync, sender=self, dispatch_uid="providers.offer.sync")
