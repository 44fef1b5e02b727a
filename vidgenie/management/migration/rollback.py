"""The ways back: the migrations in reverse where the rehearsal has shown that it leads home, else the backup.

Migrations in reverse keep what others have written meanwhile. A restore forgets it, and with it jobs that providers
still bill: so it is refused once there is a new line in the books or a job that was submitted, unless somebody accepts
the loss; then what is lost is written to a file first. A restore never overwrites: the backup is restored beside the
live database, compared, and the two change names; what was live stays, closed, under another name.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.db import connections
from psycopg import sql

from vidgenie.management.migration import catalog, copies, moving, place, sums, validation
from vidgenie.management.migration.backup import Manifest
from vidgenie.management.migration.journal import Journal, Phase
from vidgenie.reports import Row, Verdict
from workflows import restored

ID, TITLE, TARGET = "rollback", "The way back", "all is as it was before"
# What tells that somebody has earned, spent or submitted something. By column, so that any change shows.
_TELLING = {"credits_entry": ["id"], "workflows_attempt": ["id", "phase", "job_id", "submitted"]}
Say = Callable[[str], object]


class Refused(Exception):
    """Going back would lose what was written since; the text says what that is."""


@dataclass
class Way:
    """How it went back: "nothing" was to be done, "reverse" or "restore", and where the loss was written."""

    how: str
    exported: str = ""

    @property
    def told(self) -> str:
        return {
            "nothing": "nothing had been written: the transaction took it back",
            "reverse": "the migrations were taken back, and every old column and the shape are what they were",
            "restore": "the backup was restored beside it, compared, and put in its place",
        }[self.how]


def new_writes(manifest: Manifest, link: place.Connection) -> list[str]:
    """What has been written since the backup that a restore would forget, and that somebody may have paid for."""
    told = {name: columns for name, columns in _TELLING.items() if name in manifest.sums.tables}
    now = sums.of(link, told)
    before = sums.Sums({name: _part(manifest.sums.tables[name], table) for name, table in now.tables.items()}, {})
    return [str(one) for one in sums.differences(before, now, rows_only=True)]


def _part(table: sums.Table, of: sums.Table) -> sums.Table:
    return sums.Table(table.rows, {name: value for name, value in table.columns.items() if name in of.columns})


def go_back(journal: Journal, manifest: Manifest, say: Say, *, accept_loss: bool = False) -> Way:
    """Take back what a deployment has done that has not come to its end. Raises Refused, and what goes wrong."""
    done = set(moving.applied()) - set(journal.before)
    half = not journal.atomic and bool(journal.doing) and journal.doing not in journal.before
    if not done and not half:
        _require_same_shape(manifest)
        return Way("nothing")
    if journal.way_back and not (half and journal.doing not in done):
        try:
            return _reverse(journal, manifest, done, say)
        except Exception as error:
            say(f"The migrations cannot be taken back ({place.first_line(error)}); the backup will do.")
    return restore(journal, manifest, say, accept_loss=accept_loss)


def go_back_from_the_end(journal: Journal, manifest: Manifest, say: Say, *, accept_loss: bool) -> Way:
    """Take back a deployment that had come to its end, and that others have worked with. Raises Refused."""
    with place.connect(place.live_name()) as link:
        lost = new_writes(manifest, link)
    if lost and not accept_loss:
        raise Refused("; ".join(lost))
    exported = ""
    if lost:
        spare = _restored(journal, manifest, say)
        exported = _export(journal, manifest, spare)
        copies.drop(spare)
    way = go_back(journal, manifest, say, accept_loss=accept_loss)
    way.exported = way.exported or exported
    return way


def _reverse(journal: Journal, manifest: Manifest, done: set[str], say: Say) -> Way:
    say(f"Taking back {len(done)} migrations ...")
    journal.enter(Phase.REVERSING)
    moves = moving.back(done)
    _require_same_shape(manifest)
    copy = place.name(place.COPY, journal.id)
    expected = validation.Expected(manifest, copy, moves.wrote, lambda difference: False)
    wrong = validation.old_columns_changed(expected)
    if wrong:
        raise ValueError(f"not all is as it was: {validation.told(wrong)}")
    return Way("reverse")


def _require_same_shape(manifest: Manifest) -> None:
    with place.connect(place.live_name()) as link:
        shape = catalog.of(link)
    wrong = [one for kind in catalog.KINDS for one in catalog.differences(manifest.catalog[kind], shape[kind])]
    if wrong:
        raise ValueError(f"the shape is not what it was: {validation.told(wrong)}")


# The backup


def restore(journal: Journal, manifest: Manifest, say: Say, *, accept_loss: bool) -> Way:
    """Put what was backed up in the place of what is live. Raises Refused or PlaceError; then nothing has changed."""
    with place.connect(place.live_name()) as link:
        lost = new_writes(manifest, link)
    if lost and not accept_loss:
        raise Refused("; ".join(lost))
    journal.enter(Phase.RESTORING, loses=accept_loss)
    spare = _restored(journal, manifest, say)
    exported = _export(journal, manifest, spare) if lost else ""
    say("Changing the names of the two databases: connections are ended, and come back by themselves.")
    journal.enter(Phase.SWAPPING)
    _swap(journal, manifest, spare, accept_loss=accept_loss)
    finish_swap(journal)
    return Way("restore", exported)


def _restored(journal: Journal, manifest: Manifest, say: Say) -> str:
    say("Restoring the backup beside the live database ...")
    spare = place.name(place.RESTORED, journal.id)
    copies.restore(manifest, spare)
    if wrong := [str(one) for one in copies.compared(manifest, spare)]:
        raise place.PlaceError(f"what was restored is not what was backed up: {validation.told(wrong)}")
    with place.at(spare):
        keys = validation.keys_row(fingerprints=manifest.keys)
    if keys.verdict == Verdict.FAIL:
        raise place.PlaceError(f"its keys would be lost: {keys.evidence}. {keys.advice}")
    with place.maintenance() as link:
        _take_settings_along(link, manifest.database, spare)
    return spare


def _take_settings_along(link: place.Connection, live: str, spare: str) -> None:
    """What ALTER DATABASE SET has set is not in a dump."""
    found = link.execute(
        "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
        " WHERE datname = %s AND setrole = 0",
        [live],
    ).fetchall()
    for (text,) in found:
        name, _, value = text.partition("=")
        link.execute(
            sql.SQL("ALTER DATABASE {} SET {} TO {}").format(sql.Identifier(spare), sql.SQL(name), sql.Literal(value))
        )


def _export(journal: Journal, manifest: Manifest, spare: str) -> str:
    """Every row that is new or different since the backup, a line of JSON each, in a file that only we may read."""
    path = journal.path.with_name(f"{manifest.name}-lost.jsonl")
    with (
        open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file,
        place.connect(spare) as before,
        place.connect(place.live_name()) as now,
    ):
        there = sums.columns(now)
        for table in there:
            columns = [name for name in there[table] if name in manifest.sums.names.get(table, there[table])]
            if table in manifest.sums.tables:
                for row in sums.rows_beyond(before, now, table, columns):
                    file.write(json.dumps({"table": table, "row": row}, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return str(path)


def _swap(journal: Journal, manifest: Manifest, spare: str, *, accept_loss: bool) -> None:
    """Close the live database, look once more whether anything was written, and change names in one transaction."""
    live, aside = manifest.database, place.name(place.REPLACED, journal.id)
    connections.close_all()
    with place.maintenance() as link, place.connect(live) as last:
        _let_in(link, live, False)
        try:
            _end_others(link, live, last.info.backend_pid)
            lost = new_writes(manifest, last)
            if lost and not accept_loss:
                raise Refused("; ".join(lost))
            last.close()
            with link.transaction():
                for old, new in ((live, aside), (spare, live)):
                    link.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*map(sql.Identifier, (old, new))))
        except BaseException:
            _let_in(link, live, True)
            raise


def _let_in(link: place.Connection, database: str, yes: bool) -> None:
    link.execute(
        sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}").format(sql.Identifier(database), sql.SQL(str(yes)))
    )


def _end_others(link: place.Connection, database: str, spared: int) -> None:
    link.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
        [database, spared],
    )


def resume_swap(journal: Journal) -> bool:
    """After a death while names were changing: whether they had changed. If not, the live database is open again."""
    with place.maintenance() as link:
        changed = place.name(place.REPLACED, journal.id) in place.databases(link)
        if not changed:
            _let_in(link, journal.database, True)
        return changed


def finish_swap(journal: Journal) -> None:
    """Tell the restored database where it is: nothing was sent since, or nobody knows."""
    try:
        (restored.doubt_all if journal.loses else restored.nothing_was_sent)()
    except psycopg.Error as error:
        raise place.PlaceError(f"the restored database does not answer: {place.first_line(error)}") from error


def row(way: Way) -> Row:
    """How it went back, for the report."""
    told = way.told + (f"; what is lost is in {Path(way.exported).name}" if way.exported else "")
    return Row(ID, TITLE, Verdict.PASS, TARGET, evidence=told)


def failed_row(error: Exception) -> Row:
    """Why it did not go back."""
    if isinstance(error, Refused):
        advice = (
            "Find out what is wrong and go on from here: run deploy_migration again. Or accept the loss: --rollback"
            " --accept-loss writes to a file what is lost, and restores."
        )
        told = f"refused, since it would forget what was written since the backup: {error}"
        return Row(ID, TITLE, Verdict.FAIL, TARGET, evidence=told, advice=advice)
    told = f"{type(error).__name__}: {place.first_line(error)}"
    return Row(ID, TITLE, Verdict.FAIL, TARGET, evidence=told, advice="Put that right and run with --rollback.")
