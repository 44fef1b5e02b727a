"""Brings a checkout to the point where every kind of test can run, and reports what it stands on."""

import os
import signal
import subprocess
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection

from vidgenie.embedded import EmbeddedDatabaseError
from vidgenie.management import test_environment as parts
from vidgenie.management.production_signs import signs
from vidgenie.management.report_command import ReportCommand
from vidgenie.processes import die_with_parent
from vidgenie.reports import Report, Row, Verdict

LOCK = 0x7E57E27  # of PostgreSQL's advisory locks: a second operator is turned away
SAID = "--yes-this-is-a-test-database"


class Command(ReportCommand):
    help = f"""Makes .env.test (never over an existing one), the test database with its tables (the embedded one, or
    DATABASE_URL), demo users with credits, sealed dummy keys and the folder for media; then shows that the encoder and
    the simulator work. Twice changes nothing. A database that people live from is refused, whatever it is called;
    {SAID} speaks against every sign but three: production settings, a newer VidGenie's tables, another program's."""
    kind = "test-environment"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--check", action="store_true", help="look only: nothing but the report is written")
        parser.add_argument(SAID, action="store_true", dest="said", help="go on in spite of signs of real people")
        parser.add_argument("--inside", action="store_true", help=SUPPRESS)  # with the variables of .env.test

    def handle(self, **options: Any) -> None:
        if options["inside"]:
            super().handle(**options)
            return
        if settings.PRODUCTION:
            refuse([sign.text for sign in signs()])
        if code := within(parts.variables(dict(os.environ)), arguments(**options)):
            raise SystemExit(code)

    def fill(self, report: Report, *, check: bool, said: bool, **options: Any) -> None:
        report.details = {"checked_only": check, "limits": parts.limits(), "providers_with_a_key": {}}
        verb = "Looking at" if check else "Setting up"
        self.say(f"{verb} the test environment: variables, database, people, keys, files, simulator.")
        try:
            with parts.database(not check):
                self.with_database(report, not check, said)
        except EmbeddedDatabaseError as error:
            raise CommandError(str(error)) from error

    def with_database(self, report: Report, change: bool, said: bool) -> None:
        away = no_answer()
        if not away:
            require_no_signs(said)
        self.add(report, "the variables", lambda: [parts.variables_row(change)])
        self.add(report, "Python and Django", lambda: [parts.python_row(), parts.django_row()])
        with parts.simulator() as answer:
            report.add(answer)
            if away:
                report.add(away)
            else:
                self.look_into_the_database(report, change)
        self.add(report, "the folder for media", lambda: [parts.storage_row(change), parts.bucket_row(change)])
        self.add(report, "the encoder", lambda: [parts.encoder_row()])
        self.add(report, "the rest", lambda: [parts.browser_row(), parts.spending_row()])

    def look_into_the_database(self, report: Report, change: bool) -> None:
        with alone() if change else reading_only():
            self.add(report, "the database", lambda: parts.database_rows(change))
            if report.rows[-1].verdict == Verdict.PASS:  # its tables are there
                self.add(report, "people and keys", lambda: [parts.people_row(change), parts.keys_row(change)])
                found = parts.providers_with_a_key()
                report.details["providers_with_a_key"] = found
                report.add(parts.keys_told(found))

    def add(self, report: Report, what: str, rows: Callable[[], Any]) -> None:
        self.progress(f"{what} ...")
        for row in rows():
            report.add(row)


def arguments(*, report: str, check: bool, said: bool, no_color: bool = False, **options: Any) -> list[str]:
    """What was asked of this command, as it is asked of another process."""
    asked = {"--check": check, SAID: said, "--no-color": no_color}
    return ["--inside", "--report", report, *(name for name, wanted in asked.items() if wanted)]


def within(variables: dict[str, str], arguments: list[str]) -> int:
    """Run the same command with these variables, since settings are read once; returns its exit code.

    Ctrl-C is the inner one's to answer. Outside a terminal only we are told to stop, and it is told by our end.
    """
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "setup_test_environment", *arguments]
    with subprocess.Popen(command, env=variables, preexec_fn=die_with_parent) as inner:  # noqa: PLW1509
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return inner.wait()
        finally:
            signal.signal(signal.SIGINT, before)


def require_no_signs(said: bool) -> None:
    """Raise CommandError where people live from this database, unless somebody has said that they do not."""
    found = signs()
    if any(sign.final for sign in found):
        refuse([sign.text for sign in found if sign.final])
    if found and not said:
        refuse([sign.text for sign in found], f"If it is a test database all the same, add {SAID}.")


def refuse(reasons: list[str], more: str = "") -> None:
    lines = "\n".join(f"  - {reason}" for reason in reasons)
    raise CommandError(f"This is no test database, and nothing was changed:\n{lines}\n{more}".rstrip())


def no_answer() -> Row | None:
    """The row that says why the database does not answer; None when it does."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        told = (str(error).splitlines() or [type(error).__name__])[0].replace(str(settings.BASE_DIR), ".")[:200]
        advice = (
            "Start it, or take DATABASE_URL away: the embedded one is used then, and made by a run without --check."
        )
        return Row("database", "Database", Verdict.FAIL, "it answers", evidence=told, advice=advice)
    return None


@contextmanager
def alone() -> Iterator[None]:
    """One set-up at a time. Raises CommandError when another is going on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if cursor.fetchone() != (True,):
            raise CommandError("Another set-up of this database is going on. Wait for it, or run with --check.")
        with forgotten_when_broken_off():
            yield
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


@contextmanager
def reading_only() -> Iterator[None]:
    """PostgreSQL itself refuses to write."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('default_transaction_read_only', 'on', false)")
        with forgotten_when_broken_off():
            yield
        cursor.execute("SELECT set_config('default_transaction_read_only', 'off', false)")


@contextmanager
def forgotten_when_broken_off() -> Iterator[None]:
    """Ctrl-C may leave the connection in the middle of a statement: what was set on it goes with it."""
    try:
        yield
    except BaseException:
        connection.close()
        raise
