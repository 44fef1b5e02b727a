"""The operator's word on a database that was brought back from a backup."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workflows import restored

HELP = """To be run before the workers start again on a database that was brought back. What waited to be submitted when
the backup was taken may have been submitted since: it is put in doubt, looked up, and never sent by itself. A copy made
by pg_dump, and one that was recovered, is found out without this command; a snapshot of a disk or a machine is not."""


class Command(BaseCommand):
    help = HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--nothing-was-sent",
            action="store_true",
            help="no worker has run since the backup was taken, as in a planned move: go on as if nothing had happened",
        )

    def handle(self, *, nothing_was_sent: bool, **options: Any) -> None:
        if nothing_was_sent:
            restored.nothing_was_sent()
            self.stdout.write("Noted: this is where the database is now, and all that waits in it is sent as planned.")
        else:
            self.stdout.write(str(restored.doubt_all()))
