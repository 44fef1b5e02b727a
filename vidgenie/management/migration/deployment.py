"""A deployment from its plan to its end: what follows what, what stops it, and how it comes back from anywhere.

Every phase gives rows of the report. Before `MIGRATING` nothing of the live database is touched, and whatever breaks
off there leaves nothing behind. From there on a deployment ends done or back where it began, in this run or the next.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import DatabaseError, OperationalError, connections
from django.db.migrations import Migration

from vidgenie.management.migration import (
    backup,
    catalog,
    copies,
    moving,
    place,
    preflight,
    rehearsal,
    rollback,
    trial,
    validation,
)
from vidgenie.management.migration import journal as journals
from vidgenie.management.migration import plan as plans
from vidgenie.management.migration.backup import Manifest
from vidgenie.management.migration.journal import Journal, Phase
from vidgenie.management.migration.plan import Plan
from vidgenie.management.migration.validation import row, told
from vidgenie.reports import Report, Row, Verdict
from workflows import books

LONGEST_CLOSED = 2.0  # seconds that a table may be closed to others while the site is at work
BACKUP_AND_VERIFY, MIGRATE = "backup and verify", "migrate"
_NO_ROW = "there is nothing to migrate"


class Stop(Exception):
    """A row of the report says why it goes no further."""


class Nothing(Exception):
    """There is nothing to do what was asked with; the text says so."""


@dataclass
class Deployment:
    """One run of the command. `say` tells people what goes on."""

    report: Report
    directory: Path
    say: Callable[[str], None]
    keep: int = 5
    accept_loss: bool = False
    accept_blocking: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    moves: moving.Moves = field(default_factory=moving.Moves)

    # What can be asked for

    def plan_only(self) -> None:
        """What would be done. Touches nothing."""
        self.plan()

    def backup_only(self) -> None:
        """A backup, restored into a copy and compared."""
        self.preflight()
        journal = self._journal(Plan([], [], []))
        with self.copy(journal) as copy:
            self.verify(self.take(journal), copy)
            self.prune(spared="")

    def verify_only(self, path: Path) -> None:
        """Whether a backup that is there can be restored, and comes to what it was."""
        self.add(preflight.versions_row())
        manifest = self.found(path)
        with self.copy(self._journal(Plan([], [], []))) as copy:
            self.verify(manifest, copy)

    def rehearse_only(self) -> None:
        """Everything but the live database's own migration."""
        plan = self.plan()
        self.preflight()
        journal = self._journal(plan)
        with self.copy(journal) as copy:
            manifest = self.take(journal)
            self.verify(manifest, copy)
            self.rehearse(journal, plan, manifest, copy)

    def deploy(self) -> None:
        """The whole, from the start or from where an earlier run was."""
        before = self.unfinished()
        if before is not None:
            self.resume(before)
        else:
            self.start()

    # From the start

    def start(self) -> None:
        plan = self.plan()
        self.preflight()
        journal = self._journal(plan)
        with self.copy(journal) as copy:
            try:
                manifest = self.prepare(journal, plan, copy)
            except BaseException:
                self.drop(journal)
                raise
            self.prune(spared=journal.backup)
            self.live(journal, plan, manifest)

    def prepare(self, journal: Journal, plan: Plan, copy: str) -> Manifest:
        """All that is done before the live database is touched."""
        self.enter(journal, Phase.BACKUP)
        manifest = self.take(journal)
        self.enter(journal, Phase.VERIFY, backup=manifest.name, before=manifest.migrations)
        self.verify(manifest, copy)
        self.enter(journal, Phase.REHEARSE)
        self.rehearse(journal, plan, manifest, copy)
        return manifest

    def live(self, journal: Journal, plan: Plan, manifest: Manifest) -> None:
        """The live database itself; what fails from here on is taken back."""
        try:
            self.migrate(journal, plan)
            self.validate(journal, plan, manifest)
        except Exception as error:
            if not isinstance(error, Stop):
                self.failed(journal, error)
            self.back(journal, manifest)
            raise Stop from error
        self.enter(journal, Phase.DONE)
        self.forget_replaced()

    # From where an earlier run was

    def unfinished(self) -> Journal | None:
        """The journal of a deployment that has touched the live database and not come to its end."""
        journal = journals.read(self.directory, place.live_name())
        if journal is None or journal.has_ended:
            return None
        title = "An earlier deployment"
        evidence = f"of {journal.started} broke off in the phase {journal.phase}"
        if journal.has_touched:
            evidence += "; it goes " + ("on" if journal.phase in (Phase.MIGRATING, Phase.VALIDATING) else "back")
            self.add(Row("resumed", title, Verdict.NOTED, evidence=evidence))
            return journal
        self.add(Row("resumed", title, Verdict.NOTED, evidence=f"{evidence}; nothing had been touched, it begins anew"))
        journal.enter(Phase.DROPPED)
        return None

    def resume(self, journal: Journal) -> None:
        """Go on, or back, with the backup that was taken then."""
        if journal.phase == Phase.SWAPPING and rollback.resume_swap(journal):
            rollback.finish_swap(journal)
            self.ended_back(journal, rollback.Way("restore"))
            return
        manifest = self.found(self.directory / journal.backup)
        if journal.phase not in (Phase.MIGRATING, Phase.VALIDATING):
            self.back(journal, manifest)
            return
        plan = self.plan()
        with self.copy(journal):
            self.live(journal, plan, manifest)

    def roll_back(self) -> None:
        """Back to before the last deployment. Raises Nothing."""
        journal = journals.read(self.directory, place.live_name())
        if journal is None or not journal.backup or (journal.has_ended and journal.phase != Phase.DONE):
            raise Nothing("There is no deployment to go back from.")
        if journal.phase == Phase.SWAPPING:
            self.resume(journal)
        elif not journal.has_ended and not journal.has_touched:
            raise Nothing(f"The last deployment broke off in the phase {journal.phase}: nothing has been touched.")
        else:
            self.back(journal, self.found(self.directory / journal.backup), ended=journal.has_ended)

    # The phases

    def plan(self) -> Plan:
        with self.timed("plan"):
            try:
                plan = plans.make()
            except OperationalError as error:
                raise place.PlaceError(f"The database does not answer: {place.first_line(error)}") from error
        self.report.details["plan"] = [one.as_dict() for one in plan.migrations]
        names = f"{len(plan.names)} pending: {', '.join(plan.names)}" if plan.names else _NO_ROW
        self.add(Row("plan", "Plan", Verdict.PASS, "every pending migration is read", evidence=names))
        dangers = [f"{one}: {danger}" for one in plan.migrations for danger in one.dangers]
        for one in dangers:
            self.say(f"  careful: {one}")
        if dangers:
            self.add(Row("dangers", "Dangerous operations", Verdict.NOTED, evidence=told(dangers)))
        return plan

    def preflight(self) -> None:
        self.say("Looking whether everything is ready ...")
        with self.timed("preflight"):
            for one in preflight.rows(self.directory):
                self.add(one)
        self.stop_on_failure()

    def take(self, journal: Journal) -> Manifest:
        self.say("Taking a backup ...")
        title, target = "Backup", "dump and checksums of one moment"
        with self.timed(BACKUP_AND_VERIFY):
            try:
                manifest = backup.take(self.directory, journal.id)
            except (place.PlaceError, OSError) as error:
                told = place.first_line(error)
                advice = "Nothing was changed, and what was written of it is gone."
                self.add(Row("backup", title, Verdict.FAIL, target, evidence=told, advice=advice))
                raise Stop from error
        self.report.details["backup"] = manifest.name
        evidence = f"{manifest.dump.name}, {manifest.size / 1e6:,.1f} MB, {manifest.sums.rows:,} rows"
        self.add(Row("backup", title, Verdict.PASS, target, evidence=evidence))
        return manifest

    def found(self, path: Path) -> Manifest:
        """A backup that is there and whole. Raises Stop."""
        title, target = "Backup", "whole, and as it was written"
        try:
            manifest = backup.read(path)
            backup.require_unchanged(manifest)
        except backup.BadBackup as error:
            advice = "Take another one, from another place; this one cannot be trusted."
            self.add(Row("backup", title, Verdict.FAIL, target, evidence=str(error), advice=advice))
            raise Stop from error
        self.report.details["backup"] = manifest.name
        told = f"{manifest.dump.name} of {manifest.taken}"
        self.add(Row("backup", title, Verdict.PASS, target, evidence=told))
        return manifest

    def verify(self, manifest: Manifest, copy: str) -> None:
        self.say("Restoring the backup into a copy, and comparing ...")
        with self.timed(BACKUP_AND_VERIFY):
            try:
                copies.restore(manifest, copy)
            except place.PlaceError as error:
                self.add(row("verify", "The restored copy", "it can be restored", [str(error)], ""))
                raise Stop from error
            wrong = [str(one) for one in copies.compared(manifest, copy)]
            count = f"{len(manifest.sums.tables)} tables, {manifest.sums.rows:,} rows"
            self.add(row("verify", "The restored copy", "every row, column and sequence the same", wrong, count))
            with place.at(copy):
                self.add(validation.ledger_row("verify-ledger", before=True))
                self.add(validation.keys_row("verify-keys", manifest.keys))
        self.stop_on_failure()

    def rehearse(self, journal: Journal, plan: Plan, manifest: Manifest, copy: str) -> None:
        if not plan.migrations:
            return
        self.say("Rehearsing the migrations on the copy: forth, back and forth again ...")
        with self.timed("rehearsal"):
            found = rehearsal.rehearse(copy, manifest)
        journal.way_back, journal.catalog = found.way_back, found.catalog
        self.report.details["rehearsal"] = {"seconds": found.seconds, "held": found.held, "way_back": found.way_back}
        target = "every migration works, and every old column stays what it was"
        self.add(row("rehearsal", "Rehearsal", target, found.wrong, f"{len(found.seconds)} migrations on the copy"))
        back = "forth and back again, and all was as before" if found.way_back else told(found.left) or "there is none"
        self.add(Row("way-back", "The way back", Verdict.NOTED, evidence=back))
        self.blocking(found)
        self.stop_on_failure()

    def blocking(self, found: rehearsal.Rehearsed) -> None:
        """Whether a table would be closed for too long."""
        closed = [
            f"{h['table']} by {h['migration']}: {h['seconds']} s" for h in found.held if h["seconds"] >= LONGEST_CLOSED
        ]
        verdict = Verdict.FAIL if closed and not self.accept_blocking else Verdict.PASS
        target = "accepted" if self.accept_blocking else f"no table is closed for {LONGEST_CLOSED:g} s"
        advice = "Do it in smaller steps or beside the site's work; or when nobody works, with --accept-blocking."
        self.add(
            Row("blocking", "Tables closed", verdict, target, found.longest, "s", "the locks seen in the rehearsal",
                told(closed), advice)
        )  # fmt: skip

    def migrate(self, journal: Journal, plan: Plan) -> None:
        if not plan.migrations and journal.phase not in journals.ENDED and not journal.planned:
            return
        self.say("Migrating the live database ...")
        self.enter(journal, Phase.MIGRATING)

        def begin(migration: Migration) -> None:
            name = f"{migration.app_label}.{migration.name}"
            self.enter(journal, Phase.MIGRATING, doing=name, atomic=bool(migration.atomic))
            self.say(f"  {name}")

        with self.timed(MIGRATE):
            self.moves = moving.forward(begin)
        tries = max((move.tries for move in self.moves.done), default=1)
        evidence = f"{len(self.moves.done)} applied" + (f", one of them at try {tries}" if tries > 1 else "")
        self.report.details["migrated"] = {
            m.migration: {"seconds": round(m.seconds, 3), "tries": m.tries} for m in self.moves.done
        }
        self.add(
            Row(
                "migrate",
                "Migration",
                Verdict.PASS,
                "all of them",
                round(self.moves.seconds, 3),
                "s",
                evidence=evidence,
            )
        )

    def failed(self, journal: Journal, error: Exception) -> None:
        connections.close_all()
        told = f"{journal.doing or 'before the first migration'}: {type(error).__name__}: {place.first_line(error)}"
        where = "migrate" if journal.phase == Phase.MIGRATING else "validate"
        self.add(
            Row(
                where, "Migration", Verdict.FAIL, "all of them", evidence=told, advice="Put it right, and deploy again."
            )
        )

    def validate(self, journal: Journal, plan: Plan, manifest: Manifest) -> None:
        self.say("Looking whether all is as it should be ...")
        if journal.planned:
            self.enter(journal, Phase.VALIDATING)
        with self.timed("validate"):
            self.add(self.old_columns_row(journal, plan, manifest))
            moving.settle(journal.planned)
            if journal.catalog:
                self.add(self.as_rehearsed_row(journal))
            for one in full(journal.id):
                self.add(one)
        self.stop_on_failure()

    def old_columns_row(self, journal: Journal, plan: Plan, manifest: Manifest) -> Row:
        copy = place.name(place.COPY, journal.id)
        with place.maintenance() as link:
            is_there = copy in place.databases(link)
        if not is_there:
            copies.restore(manifest, copy)
        expected = validation.Expected(manifest, copy, self.moves.wrote, plan.is_meant)
        wrong = validation.old_columns_changed(expected)
        count = sum(len(table.columns) for table in manifest.sums.tables.values())
        told = f"{count} columns of {len(manifest.sums.tables)} tables"
        return row("old-columns", "Rows and columns of before", "as they were, but for what others wrote", wrong, told)

    def as_rehearsed_row(self, journal: Journal) -> Row:
        with place.connect(place.live_name()) as link:
            shape = catalog.of(link)
        wrong = [one for kind in catalog.KINDS for one in catalog.differences(journal.catalog[kind], shape[kind])]
        count = f"{sum(len(part) for part in shape.values())} columns, indexes, constraints and triggers"
        return row("as-rehearsed", "The shape of the database", "that of the rehearsed copy", wrong, count)

    def back(self, journal: Journal, manifest: Manifest, *, ended: bool = False) -> None:
        """Go back, and say how; a way that is refused or fails is a row as well."""
        self.say("Going back ...")
        with self.timed("rollback"):
            try:
                go = rollback.go_back_from_the_end if ended else rollback.go_back
                with self.copy(journal, make=manifest):
                    way = go(journal, manifest, self.say, accept_loss=self.accept_loss)
            except (rollback.Refused, place.PlaceError, DatabaseError, ValueError, moving.Stuck) as error:
                self.add(rollback.failed_row(error))
                if not ended and isinstance(error, rollback.Refused):
                    journal.enter(Phase.MIGRATING)  # forward is where it can go from here
                return
        self.ended_back(journal, way)

    def ended_back(self, journal: Journal, way: rollback.Way) -> None:
        journal.enter(Phase.BACK)
        self.report.details["rolled_back"] = way.how
        self.add(rollback.row(way))

    # The pieces

    def _journal(self, plan: Plan) -> Journal:
        path = journals.place(self.directory, place.live_name())
        return Journal(path, place.live_name(), planned=plan.names)

    def enter(self, journal: Journal, phase: Phase, **more: Any) -> None:
        """Only where something is to be migrated is there anything to come back to."""
        if journal.planned:
            journal.enter(phase, **more)
        else:
            vars(journal).update(more, phase=phase)

    def drop(self, journal: Journal) -> None:
        if journal.planned and journal.path.exists():
            journal.enter(Phase.DROPPED)

    @contextmanager
    def copy(self, journal: Journal, make: Manifest | None = None) -> Iterator[str]:
        """The name of this deployment's copy; what is there of that name in the end is dropped."""
        database = place.name(place.COPY, journal.id)
        if make is not None:
            copies.restore(make, database)
        try:
            yield database
        finally:
            copies.drop(database, place.name(place.BARE, journal.id), place.name(place.RESTORED, journal.id))

    def prune(self, spared: str) -> None:
        for name in backup.prune(self.directory, place.live_name(), self.keep, spared):
            self.say(f"Removed the old backup {name}.")

    def forget_replaced(self) -> None:
        """What a restore had put aside is of no use once a later deployment has come to its end."""
        with place.maintenance() as link:
            for database in place.leftovers(link, place.REPLACED):
                place.drop(link, database)

    def add(self, row: Row) -> None:
        self.report.add(row)

    def stop_on_failure(self) -> None:
        if any(row.verdict == Verdict.FAIL for row in self.report.rows):
            raise Stop

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] = round(self.seconds.get(phase, 0.0) + time.monotonic() - start, 3)


def full(deployment: str) -> Iterator[Row]:
    """The whole validation of the live database: its shape, its books, its keys, and a run through a bare copy."""
    yield from validation.shape()
    if not (verdict := books.check()).is_clean:
        yield Row("ledger", "The books", Verdict.FAIL, "they balance", evidence=told(verdict.lines))
    else:
        yield validation.ledger_row()
    yield validation.keys_row()
    try:
        yield trial.run_row(deployment)
    except place.PlaceError as error:
        yield Row(trial.ID, trial.TITLE, Verdict.UNKNOWN, trial.TARGET, evidence=str(error))
