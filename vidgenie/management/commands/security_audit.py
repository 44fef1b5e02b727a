"""Looks for weaknesses in this installation as it is, and says what to do about each."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection

from vidgenie import reports
from vidgenie.embedded import EmbeddedDatabaseError
from vidgenie.management import audit
from vidgenie.management.audit.check import Check
from vidgenie.management.audit.dependencies import Advisories
from vidgenie.management.audit.traces import Patience
from vidgenie.management.own_database import own_database
from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Report


class Command(ReportCommand):
    help = """Looks at settings, at what the site really answers, at every address as every kind of caller, at limits,
    sealed keys, tokens, accounts, guards, traces of secrets, files, dependencies and the source. It changes nothing:
    what it writes to try something out is taken back. On a development machine it says what is not fit for production.
    """
    kind = "security-audit"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--fail-on",
            choices=reports.SEVERITIES,
            default="high",
            help="the lowest severity that decides the outcome (default: %(default)s)",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=Patience.seconds,
            metavar="SECONDS",
            help="how long to look through the tables, and as long through git's history (default: %(default)g)",
        )
        parser.add_argument(
            "--advisories", type=Path, metavar="FILE", help="what pip-audit has found elsewhere, as its JSON"
        )

    def fill(self, report: Report, *, fail_on: str, patience: float, advisories: Path | None, **options: Any) -> None:
        if patience <= 0:
            raise CommandError("--patience must be above 0.")
        report.fail_on, Patience.seconds, Advisories.file = fail_on, patience, advisories
        checks = audit.load()
        self.say(f"Looking at this installation: {len(checks)} checks. What is tried out is taken back.")
        try:
            with own_database():
                self.look(report, checks)
        except EmbeddedDatabaseError as error:
            raise CommandError(str(error)) from error

    def look(self, report: Report, checks: list[Check]) -> None:
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            raise CommandError("The database does not answer: see DATABASE_URL.") from error
        report.details = {"environment": settings.ENVIRONMENT, "subjects": {}, "seconds": {}}
        for number, one in enumerate(checks, 1):
            self.progress(f"{number}/{len(checks)} {one.title} ...")
            begun = time.monotonic()
            row = report.add(one.row())
            report.details["seconds"][one.id] = round(time.monotonic() - begun, 2)
            counts = report.details["subjects"].setdefault(row.id.partition(".")[0], {})
            counts[row.verdict] = counts.get(row.verdict, 0) + 1
