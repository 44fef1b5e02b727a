"""The validation of a migration alone: whether the live database is as this program needs it."""

import secrets
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from vidgenie.management.commands.deploy_migration import server_running
from vidgenie.management.migration import place, preflight
from vidgenie.management.migration.deployment import full
from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Report


class Command(ReportCommand):
    help = """Looks whether all migrations are applied, tables, columns, indexes, constraints and triggers are as the
    models say, the books balance, sealed keys open, and a run in the sandbox succeeds, on an empty database of the same
    shape. Changes nothing, beside the note of the check of the books."""
    kind = "migration-validation"
    requires_system_checks = ()

    def fill(self, report: Report, **options: Any) -> None:
        self.say("Looking at the live database: shape, books, keys; then a run on a bare copy of it.")
        with server_running():
            try:
                with preflight.alone():
                    for row in full(secrets.token_hex(4)):
                        self.progress(f"{row.title} ...")
                        report.add(row)
            except (place.PlaceError, preflight.Busy, DatabaseError) as error:
                raise CommandError(place.first_line(error)) from error
