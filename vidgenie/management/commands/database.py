"""The embedded PostgreSQL for people: start it, stop it, see how it is, look inside."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vidgenie.embedded import NAME, PORT, EmbeddedDatabaseError, Server, bin_dir


class Command(BaseCommand):
    help = "Starts, stops, shows or opens the embedded PostgreSQL."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "action",
            choices=["start", "stop", "status", "shell"],
            help="start it (until stopped), stop it, see how it is (exit code 3: down), or open psql",
        )

    def handle(self, *, action: str, **options: Any) -> None:
        server = Server.of(settings.BASE_DIR)
        if not server.serves(settings.DATABASES["default"]):
            raise CommandError("DATABASE_URL names another database, so the embedded one is not used.")
        try:
            getattr(self, action)(server)
        except EmbeddedDatabaseError as error:
            raise CommandError(str(error)) from error

    def start(self, server: Server) -> None:
        started = server.start()
        server.keep()
        self.say("Started." if started else "It runs already.")

    def stop(self, server: Server) -> None:
        self.say("Stopped." if server.stop() else "It was not running.")

    def status(self, server: Server) -> None:
        status = server.status()
        self.say(f"PostgreSQL {status.version}: {'running' if status.running else 'stopped'}")
        for name in ("data", "log", "socket"):
            self.say(f"{name + ':':8}{getattr(status, name)}")
        if not status.running:
            raise SystemExit(3)

    def shell(self, server: Server) -> None:
        if not server.is_ready():
            raise CommandError("It is not running. Start it: ./manage.py database start")
        psql = bin_dir() / "psql"
        os.execv(psql, [str(psql), "-h", str(server.socket), "-p", PORT, "-U", NAME, NAME])

    def say(self, text: str) -> None:
        self.stdout.write(text)
