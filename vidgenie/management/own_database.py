"""For commands that a newcomer may type first: our own database, with its tables, for as long as it takes."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from vidgenie.embedded import Server


@contextmanager
def own_database() -> Iterator[None]:
    """Start the embedded server unless it runs, and bring its tables up to date; nothing where another is named."""
    server = Server.of(settings.BASE_DIR)
    if not server.serves(settings.DATABASES["default"]):
        yield
        return
    with server.running():
        call_command("migrate", verbosity=0, interactive=False)
        yield
        connections.close_all()
