"""The database server as a deployment needs it: other databases beside ours, and PostgreSQL's own programs.

Databases of ours have the name of the live one, a word and a number, so that whoever looks at the server knows what
they are, and the next deployment knows what it may drop.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from vidgenie import embedded
from vidgenie.processes import die_with_parent

Connection = psycopg.Connection[Any]

COPY, BARE, RESTORED, REPLACED = "copy", "bare", "restored", "replaced"
LONGEST_NAME = 63  # bytes, in PostgreSQL
# Sums and dumps take longer than a page may, and text must not depend on who asks.
_MANNERS = {
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "0",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "work_mem": "64MB",
}


class PlaceError(RuntimeError):
    """The server or its programs cannot do what was asked; the text says why, and holds no password."""


def live_name() -> str:
    """The name of the database that the settings mean."""
    return str(connection.settings_dict["NAME"])


def name(kind: str, deployment: str) -> str:
    """The name of a database of this deployment, beside the live one."""
    return f"{_trunk(kind, deployment)}_{kind}_{deployment}"


def _trunk(kind: str, deployment: str) -> str:
    return live_name()[: LONGEST_NAME - len(kind) - len(deployment) - 2]


def connect(database: str) -> Connection:
    """A connection of our own to a database of this server, each statement its own transaction. Raises PlaceError."""
    params = {**connection.get_connection_params(), "dbname": database, "autocommit": True}
    for django_only in ("cursor_factory", "context", "options"):
        params.pop(django_only, None)
    try:
        link = psycopg.connect(**params)
    except psycopg.OperationalError as error:
        raise PlaceError(f"{database} cannot be reached: {first_line(error)}") from error
    for setting, value in _MANNERS.items():
        link.execute("SELECT set_config(%s, %s, false)", [setting, value])
    return link


def maintenance() -> Connection:
    """A connection beside all of ours, from where databases are made, renamed and dropped. Raises PlaceError."""
    try:
        return connect("postgres")
    except PlaceError:
        return connect("template1")


@contextmanager
def at(database: str) -> Iterator[None]:
    """Have Django itself work on another database of this server for as long as the block lasts."""
    before = live_name()
    connections.close_all()
    connection.settings_dict["NAME"] = database
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = before
        ContentType.objects.clear_cache()


def first_line(error: BaseException) -> str:
    """What an error says, shortly."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


# Databases


def databases(link: Connection) -> set[str]:
    """The names of all databases of the server."""
    return {found for (found,) in link.execute("SELECT datname FROM pg_database")}


def create(link: Connection, database: str) -> None:
    """Make an empty database, instead of one of this name. Raises PlaceError."""
    drop(link, database)
    try:
        link.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(database)))
    except psycopg.Error as error:
        raise PlaceError(f"{database} cannot be made: {first_line(error)}") from error


def drop(link: Connection, database: str) -> None:
    """Drop a database of ours, ending whoever looks at it. Raises PlaceError for one that is not."""
    if not is_ours(database):
        raise PlaceError(f"{database} is not a database that a deployment has made.")
    link.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def is_ours(database: str) -> bool:
    """Whether a deployment of the live database has made this one, by its name."""
    return bool(re.fullmatch(rf".+_({COPY}|{BARE}|{RESTORED}|{REPLACED})_[0-9a-f]+", database)) and any(
        database == name(kind, database.rpartition("_")[2]) for kind in (COPY, BARE, RESTORED, REPLACED)
    )


def leftovers(link: Connection, *kinds: str) -> list[str]:
    """Databases of these kinds that deployments have left behind."""
    return sorted(found for found in databases(link) if is_ours(found) and found.split("_")[-2] in kinds)


def size(link: Connection, database: str) -> int:
    """Bytes that a database takes on the server's disk."""
    ((found,),) = link.execute("SELECT pg_database_size(%s::name)", [database]).fetchall()
    return int(found)


# Programs


def program(name: str, server: int) -> Path:
    """`pg_dump` or `pg_restore` of the server's major version (server_version_num). Raises PlaceError."""
    major = str(server // 10000)
    candidates = [embedded.bin_dir(major) / name, Path(f"/usr/lib/postgresql/{major}/bin/{name}")]
    candidates += [Path(found)] if (found := shutil.which(name)) else []
    for candidate in candidates:
        if candidate.exists() and version_of(candidate).split(".")[0] == major:
            return candidate
    there = ", ".join(sorted({version_of(candidate) for candidate in candidates if candidate.exists()}))
    raise PlaceError(f"There is no {name} {major}, which the server is, on this machine (found: {there or 'none'}).")


def version_of(program: Path) -> str:
    """As in "18.4"."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[2]


@contextmanager
def running(program: Path, database: str, arguments: Sequence[str]) -> Iterator[None]:
    """One of PostgreSQL's programs, at work on a database while the block does something else; it has ended after it.

    It ends with us, however that is. Raises PlaceError.
    """
    conninfo, environment = _reached(database)
    process = subprocess.Popen(
        [str(program), f"--dbname={conninfo}", "--no-password", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o077,
        preexec_fn=die_with_parent,  # noqa: PLW1509 (there is one thread)
    )
    try:
        yield
        _, said = process.communicate()
    except BaseException:
        process.terminate()
        process.communicate()
        raise
    if process.returncode:
        last = [line for line in said.splitlines() if line.strip()][-3:]
        told = " / ".join(last) or f"it was ended by signal {-process.returncode}"
        raise PlaceError(f"{program.name} failed: {told}"[:600])


def run(program: Path, database: str, arguments: Sequence[str]) -> None:
    """Run one of PostgreSQL's programs on a database. Raises PlaceError."""
    with running(program, database, arguments):
        pass


def _reached(database: str) -> tuple[str, dict[str, str]]:
    """What leads to a database without the password, which goes where `ps` does not look."""
    with connect(database) as link:
        parameters = {k: v for k, v in link.info.get_parameters().items() if k not in ("options", "password", "dbname")}
        password = link.info.password
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    secret = {"PGPASSWORD": password} if password else {}
    return make_conninfo(**parameters, dbname=database), {**kept, "LC_ALL": "C", **secret}
