"""What has to be so before anything is done, and the lock that keeps a second operator out."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from vidgenie.management.migration import catalog, moving, place
from vidgenie.management.production_signs import database_host, from_the_future
from vidgenie.reports import Row, Verdict

LOCK = 0x71D6EB1  # of PostgreSQL's advisory locks, with the live database's name: one operator at a time
DUMPS, COPIES = 1, 2  # of the size of the database: what the dump needs at most, and the copies on the server's disk


class Busy(Exception):
    """Another operator is at work on the same database."""


@contextmanager
def alone() -> Iterator[None]:
    """One deployment at a time, whichever machine it is started on. Raises Busy, or PlaceError.

    The lock is on a connection to another database, which lives on while the live one changes its name.
    """
    with place.maintenance() as link:
        asked = link.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [LOCK, place.live_name()])
        if asked.fetchone() != (True,):
            raise Busy("Another deployment of this database is going on. Wait for it.")
        yield


def rows(directory: Path) -> Iterator[Row]:
    """Everything that is asked before a deployment."""
    yield versions_row()
    with place.connect(place.live_name()) as link:
        yield rights_row(link)
        yield space_row(link, directory)
        yield whole_row(link)
    if told := moving.holders():
        yield Row("sessions", "Long transactions", Verdict.NOTED, evidence=told)


def versions_row() -> Row:
    """Programs of the server's version, and no newer VidGenie in the database."""
    title, target = "Versions", "pg_dump and pg_restore of the server's version, no newer VidGenie in the database"
    if newer := from_the_future():
        told = f"a newer VidGenie has migrated this database: {', '.join(newer[:3])}"
        return Row(
            "versions", title, Verdict.FAIL, target, evidence=told, advice="Deploy that version, or a later one."
        )
    with place.maintenance() as link:
        server = link.info.server_version
    try:
        found = [place.program(name, server) for name in ("pg_dump", "pg_restore")]
    except place.PlaceError as error:
        advice = "Install PostgreSQL's client programs of that version (postgresql-client-NN)."
        return Row("versions", title, Verdict.FAIL, target, evidence=str(error), advice=advice)
    told = f"server {server // 10000}.{server % 10000}, programs {place.version_of(found[0])}"
    return Row("versions", title, Verdict.PASS, target, evidence=told)


def rights_row(link: place.Connection) -> Row:
    """Whether we may make the databases that copies live in."""
    title, target = "Rights", "may make databases"
    found = link.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if found == (True,):
        return Row("rights", title, Verdict.PASS, target, evidence=f"as {link.info.user}")
    advice = (
        f"As its administrator: ALTER ROLE {link.info.user} CREATEDB; backups are restored into a copy to be compared."
    )
    return Row("rights", title, Verdict.FAIL, target, evidence=f"{link.info.user} may not", advice=advice)


def space_row(link: place.Connection, directory: Path) -> Row:
    """Room for the dump here and, as far as it can be seen from here, for the copies on the server."""
    size = place.size(link, place.live_name())
    wrong = _short(directory, size * DUMPS, "for the dump")
    server = _data(link)
    wrong += _short(server, size * COPIES, "for the copies") if server else []
    told = f"the database has {size / 1e6:,.0f} MB" + ("" if server else "; the server's disk cannot be seen from here")
    if wrong:
        return Row("space", "Space", Verdict.FAIL, _room(size), evidence="; ".join(wrong), advice="Make room first.")
    return Row("space", "Space", Verdict.PASS, _room(size), evidence=told)


def _room(size: int) -> str:
    return f"{size * DUMPS / 1e6:,.0f} MB here and {size * COPIES / 1e6:,.0f} MB on the server"


def _short(directory: Path, needed: int, what: str) -> list[str]:
    place_ = next(path for path in (directory.resolve(), *directory.resolve().parents) if path.exists())
    free = shutil.disk_usage(place_).free
    return [] if free >= needed else [f"{free / 1e6:,.0f} MB free {what}, {needed / 1e6:,.0f} needed"]


def _data(link: place.Connection) -> Path | None:
    """The server's directory, where it is on this machine and we may know."""
    if not database_host().startswith("/"):
        return None
    found = link.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'").fetchone()
    path = Path(found[0]) if found and found[0] else None
    return path if path and os.access(path, os.X_OK) else None


def whole_row(link: place.Connection) -> Row:
    """Nothing is half applied, and the migrations say what the models say."""
    title, target = "Nothing half done", "a whole history, valid indexes, models that the migrations know"
    wrong = [f"{name} is not valid" for name in catalog.invalid_indexes(link)]
    loader = MigrationExecutor(connection).loader
    try:
        loader.check_consistent_history(connection)
    except Exception as error:
        wrong.append(place.first_line(error))
    wrong += [f"{app}: {operation.describe()}" for app, operation in _unmade()]
    advice = "DROP INDEX CONCURRENTLY what is not valid; run `manage.py makemigrations --check` for the rest."
    if wrong:
        return Row("whole", title, Verdict.FAIL, target, evidence="; ".join(wrong[:5]), advice=advice)
    return Row("whole", title, Verdict.PASS, target, evidence=f"{len(loader.applied_migrations)} migrations applied")


def _unmade() -> Iterator[tuple[str, Operation]]:
    """Changes of models that no migration makes."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(graph=loader.graph)
    for app, migrations in changes.items():
        if app in loader.migrated_apps:
            yield from ((app, operation) for migration in migrations for operation in migration.operations)
