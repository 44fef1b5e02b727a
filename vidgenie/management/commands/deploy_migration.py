"""Migrates a database that people work with, and can say afterwards that nothing was lost."""

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections

from vidgenie.embedded import EmbeddedDatabaseError, Server
from vidgenie.management.migration import copies, place, preflight, rehearsal
from vidgenie.management.migration.deployment import Deployment, Nothing, Stop
from vidgenie.management.migration.journal import Unreadable
from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Report

PARTS = ("plan", "rehearse", "backup_only", "verify", "rollback")


class Command(ReportCommand):
    help = """Plan, preflight, backup, the backup restored into a copy and compared, the migrations rehearsed on that
    copy, then the live database itself, and a validation. What fails is taken back: by the migrations in reverse where
    the rehearsal has shown that this leads home, else by the backup. Killed anywhere and run again, it says where it
    was and goes on or back. docs/migrating.md tells more."""
    kind = "migration"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(report="")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--plan", action="store_true", help="say what would be done; touches nothing")
        what.add_argument("--rehearse", action="store_true", help="everything but the live database's own migration")
        what.add_argument("--backup-only", action="store_true", help="take a backup, restore it into a copy, compare")
        what.add_argument("--verify", metavar="BACKUP", help="restore a backup that is there into a copy, and compare")
        what.add_argument("--rollback", action="store_true", help="back to before the last deployment")
        parser.add_argument("--accept-loss", action="store_true", help="a restore may forget what was written since")
        parser.add_argument("--accept-blocking", action="store_true", help="tables may be closed for longer than 2 s")
        parser.add_argument("--backups", metavar="DIRECTORY", help="where backups and the journal are (var/backups)")
        parser.add_argument("--keep", type=int, default=5, metavar="N", help="backups to keep (default: %(default)s)")
        parser.add_argument("--on-copy", help=SUPPRESS)
        parser.add_argument("--manifest", type=Path, help=SUPPRESS)

    def handle(self, *, report: str, **options: Any) -> None:
        if options["on_copy"]:
            self.stdout.write(rehearsal.perform(options["on_copy"], options["manifest"]))
            return
        if options["keep"] < 1:
            raise CommandError("--keep: at least one backup has to be kept.")
        super().handle(report=report or f"{_part(options) or self.kind}-report.json", **options)

    def fill(self, report: Report, **options: Any) -> None:
        report.details = {"part": _part(options) or "whole", "plan": [], "seconds": {}}
        with server_running():
            deployment = Deployment(
                report,
                Path(options["backups"] or settings.VAR_DIR / "backups"),
                self.say,
                options["keep"],
                options["accept_loss"],
                options["accept_blocking"],
            )
            report.details["seconds"] = deployment.seconds
            try:
                if options["plan"]:
                    deployment.plan_only()
                else:
                    self.with_lock(deployment, options)
            except Stop:
                return
            except (place.PlaceError, preflight.Busy, Unreadable, Nothing) as error:
                raise CommandError(str(error)) from error
            finally:
                connections.close_all()

    def with_lock(self, deployment: Deployment, options: dict[str, Any]) -> None:
        with preflight.alone():
            copies.drop_leftovers(self.say)
            if options["rehearse"]:
                deployment.rehearse_only()
            elif options["backup_only"]:
                deployment.backup_only()
            elif options["verify"]:
                deployment.verify_only(backup_of(options["verify"], deployment.directory))
            elif options["rollback"]:
                deployment.roll_back()
            else:
                deployment.deploy()


def _part(options: dict[str, Any]) -> str:
    """Which part of the whole was asked for; "" for the whole. Its report goes elsewhere: it is not a deployment."""
    part = next((name for name in PARTS if options[name]), "")
    return f"migration-{part.removesuffix('_only')}" if part else ""


def backup_of(given: str, directory: Path) -> Path:
    """The backup that somebody means: a path, or a name in the directory of backups."""
    path = Path(given)
    return path if path.parent != Path() or path.exists() else directory / given


@contextmanager
def server_running() -> Iterator[None]:
    """The embedded server for as long as it takes, its tables left as they are; nothing where another is named."""
    server = Server.of(settings.BASE_DIR)
    if not server.serves(settings.DATABASES["default"]):
        yield
        return
    try:
        with server.running():
            yield
            connections.close_all()
    except EmbeddedDatabaseError as error:
        raise CommandError(str(error)) from error
