"""VidGenie itself: settings, addresses, API plumbing, operator commands."""

from django.apps import AppConfig


class VidGenieConfig(AppConfig):
    name = "vidgenie"
    verbose_name = "VidGenie"

    def ready(self) -> None:
        from vidgenie import checks, telemetry

        checks.register()
        telemetry.start()
