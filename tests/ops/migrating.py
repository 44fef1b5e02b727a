"""A populated database of a test's own, and the command that migrates it, in this process."""

import io
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import errors, sql

from credits import ledger
from providers import crypto, keys, offer
from tests.pipeline import start
from vidgenie.management.migration import journal, place, rehearsal, sums
from workflows import pipeline

RING = crypto.new_key()
PROMPTS = ["a fox", "un renard à l'aube", "狐狸 🦊 \U0001f9ca", "a 'quoted' \\ fox", "x" * 900]


def populate():
    """Three people; runs that wait, and runs that ended; a sealed key; emoji, long words, NULLs, quotes."""
    offer.sync()
    for number, name in enumerate(("alice", "bob 🦊", "sam")):
        user = User.objects.create_user(name, last_name="Ölander" if number else "")
        ledger.grant(user, 10_000 + number, key=f"grant:{number}", reason="in advance")
        for prompt in PROMPTS:
            run = start(user, "complete", prompt)
            if number:
                pipeline.cancel(run.pk)
                pipeline.advance(run.pk)
    keys.store("openai", "sk-proj-" + "aB3_" * 12)


@contextmanager
def database(name, template):
    """A copy of another database, with all that deployments made beside it; it is Django's own meanwhile."""
    connections.close_all()
    with place.maintenance() as link:
        link.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        try:
            link.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
        except errors.ObjectInUse:  # an earlier test has left a connection to it
            template = "template0"
            link.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        with place.at(name):
            if template == "template0":
                call_command("migrate", verbosity=0)
            yield
    finally:
        with place.maintenance() as link:
            for one in place.databases(link):
                if one == name or one.startswith(f"{name}_"):
                    link.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(one)))


@dataclass
class Site:
    """The database, the directory with its backups, and what is planted."""

    directory: Path
    name: str

    def run(self, *arguments, command="deploy_migration"):
        """The exit code and the report; a refusal is its words and None."""
        path, said, code = self.directory / "report.json", io.StringIO(), 0
        more = ["--backups", str(self.backups)] if command == "deploy_migration" else []
        path.unlink(missing_ok=True)
        try:
            call_command(command, "--report", str(path), *more, *arguments, stdout=said, stderr=said)
        except SystemExit as left:
            code = left.code
        except CommandError as refusal:
            return str(refusal), None
        return code, json.loads(path.read_text())

    @property
    def backups(self):
        return self.directory / "backups"

    @property
    def manifests(self):
        return sorted(path.name for path in self.backups.glob("*Z-*.json"))

    @property
    def journal(self):
        return journal.read(self.backups, self.name)

    def sums(self):
        """All that is in it, but for the list of migrations and the notes of checks of the books."""
        with place.connect(self.name) as link:
            found = sums.of(link)
        for table in ("django_migrations", "credits_verdict"):
            found.tables.pop(table)
        return found.tables

    def beside(self):
        """The databases that deployments have left beside it, by kind."""
        with place.maintenance() as link:
            names = [name for name in place.databases(link) if name.startswith(f"{self.name}_")]
        return sorted(name.split("_")[-2] for name in names)


def verdicts(report):
    return {row["id"]: row["verdict"] for row in report["rows"]}


def evidence(report, row):
    return next(one["evidence"] for one in report["rows"] if one["id"] == row)


def in_this_process(database, manifest):
    """The rehearsal, without the two seconds that another process takes to start."""
    return rehearsal.Rehearsed(**json.loads(rehearsal.perform(database, manifest.path)))


def killed(work):
    """Do this in a process of its own; the signal that ended it."""
    connections.close_all()
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
