"""The migrations on a copy, in a process of its own: forth, back and forth again, before anybody's site is touched.

In a process of its own, since a migration may end the process that it runs in, or take all of its memory. What it finds
comes back as JSON: how long each migration took, which locks it really held and for how long, whether every old column
is what it was, and whether the way back leads to where it began.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations import Migration

from vidgenie.management.migration import backup, catalog, moving, place, sums, validation
from vidgenie.management.migration import plan as plans
from vidgenie.management.migration.backup import Manifest
from vidgenie.management.migration.plan import Plan
from vidgenie.processes import die_with_parent
from vidgenie.reports import Row, Verdict

CLOSING = {"ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE"}  # others wait for these
_TAKES_LOCKS = re.compile(r"\s*(ALTER|CREATE|DROP|LOCK|TRUNCATE|SET CONSTRAINTS|REINDEX|CLUSTER)", re.IGNORECASE)


@dataclass
class Held:
    """A table that was closed, to writers at least, and for how long."""

    migration: str
    table: str
    lock: str
    seconds: float


@dataclass
class Rehearsed:
    """What came of it; `error` is why it ended early."""

    error: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    held: list[dict[str, Any]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # old columns that are not what they were
    rows: list[dict[str, Any]] = field(default_factory=list)  # of the validation
    way_back: bool = False
    left: list[str] = field(default_factory=list)  # what is different when it has come back
    catalog: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def longest(self) -> float:
        """Seconds that a table would be closed at most."""
        return max((float(one["seconds"]) for one in self.held), default=0.0)

    @property
    def wrong(self) -> list[str]:
        """Why these migrations must not be let near the site."""
        bad = [f"{row['title']}: {row['evidence']}" for row in self.rows if row["verdict"] == Verdict.FAIL]
        return [*([self.error] if self.error else []), *(f"{one} changed" for one in self.changed), *bad]


# The process that works on the copy


def perform(database: str, manifest: Path) -> str:
    """The rehearsal itself, on this copy; what came of it, as JSON. Refuses what is no copy by its name."""
    if not re.search(rf"_{place.COPY}_[0-9a-f]+$", database):
        raise ValueError(f"{database} is no copy")
    with place.at(database):
        return json.dumps(asdict(_performed(backup.read(manifest))))


def _performed(manifest: Manifest) -> Rehearsed:
    found, plan, watch = Rehearsed(), plans.make(), _Watch()
    try:
        _forth(found, plan, watch, manifest)
        if plan.reversible:
            _back(found, plan, manifest)
        moving.settle(plan.names)
    except Exception as error:
        found.error = f"{watch.migration or 'before the first migration'}: {type(error).__name__}: {_said(error)}"
    return found


def _said(error: Exception) -> str:
    return place.first_line(error)


def _forth(found: Rehearsed, plan: Plan, watch: "_Watch", manifest: Manifest) -> None:
    moves = moving.forward(watch.begin, watch)
    found.seconds = {move.migration: round(move.seconds, 3) for move in moves.done}
    found.held = [asdict(held) for held in watch.held]
    with place.connect(place.live_name()) as link:
        now = sums.of(link, manifest.sums.names)
        found.catalog = catalog.of(link)
    found.changed = [str(one) for one in sums.old_columns(manifest.sums, now) if not plan.is_meant(one)]
    found.rows = [asdict(row) for row in _looked_at()]


def _looked_at() -> list[Row]:
    return [*validation.shape(), validation.ledger_row(), validation.keys_row()]


def _back(found: Rehearsed, plan: Plan, manifest: Manifest) -> None:
    """There and back again; a way back that fails is one that is not there, and no reason to stay."""
    try:
        moving.back(set(plan.names))
        with place.connect(place.live_name()) as link:
            found.left = [str(one) for one in sums.old_columns(manifest.sums, sums.of(link, manifest.sums.names))]
            shape = catalog.of(link)
        for kind in catalog.KINDS:
            found.left += catalog.differences(manifest.catalog[kind], shape[kind])
    except Exception as error:
        found.left = [f"the way back failed: {type(error).__name__}: {_said(error)}"]
    found.way_back = not found.left
    moving.forward()


class _Watch:
    """Sees which tables each migration closes, from the statement that closed them to the end of its transaction."""

    def __init__(self) -> None:
        self.migration = ""
        self.held: list[Held] = []
        self.since: dict[tuple[str, str], float] = {}
        self.old = self._tables()

    def begin(self, migration: Migration) -> None:
        self.migration = f"{migration.app_label}.{migration.name}"

    def ended(self) -> None:
        """The transaction is over."""
        now = time.monotonic()
        for (table, lock), since in self.since.items():
            self.held.append(Held(self.migration, table, lock, round(now - since, 3)))
        self.since = {}

    def __call__(self, execute: Callable[..., Any], query: Any, parameters: Any, many: bool, context: Any) -> Any:
        start = time.monotonic()
        result = execute(query, parameters, many, context)
        if connection.in_atomic_block and _TAKES_LOCKS.match(str(query)):
            for key in self._locks():
                self.since.setdefault(key, start)
        return result

    def _locks(self) -> list[tuple[str, str]]:
        found = connection.connection.execute("""
            SELECT relname, upper(regexp_replace(replace(mode, 'Lock', ''), '(?<=[a-z])([A-Z])', ' \\1', 'g'))
            FROM pg_locks JOIN pg_class ON pg_class.oid = relation
            WHERE pid = pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace""")
        return [(table, lock) for table, lock in found if table in self.old and lock in CLOSING]

    @staticmethod
    def _tables() -> set[str]:
        return set(connection.introspection.table_names())


# The process that waits for it


def rehearse(database: str, manifest: Manifest) -> Rehearsed:
    """Have it performed on this copy. Whatever becomes of that process is told as an error."""
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "deploy_migration"]
    command += ["--on-copy", database, "--manifest", str(manifest.path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent  # noqa: PLW1509
    )  # fmt: skip
    try:
        said, complained = process.communicate()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    try:
        return Rehearsed(**json.loads(said.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        last = (complained.strip().splitlines() or ["without a word"])[-1][:300]
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        return Rehearsed(error=f"the process that performed it ended ({how}): {last}")
