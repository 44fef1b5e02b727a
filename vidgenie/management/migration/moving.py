"""Applying migrations to a site at work, one transaction each, and taking them back.

A statement that needs a table for itself waits for whoever uses it, and everybody else waits behind it. So it waits
two seconds at most, gives up, and tries again when the others have gone on.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from psycopg import errors, sql

LOCK_TIMEOUT = 2.0  # seconds
TRIES = 10
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between tries; the last goes on
_WAITED = (errors.LockNotAvailable, errors.DeadlockDetected)

Steps = list[tuple[Migration, bool]]  # a migration, and whether it is to be taken back
Choose = Callable[[MigrationExecutor], Steps]
Begin = Callable[[Migration], object]


class Watch(Protocol):
    """Sees every statement, as by Django's `execute_wrapper`, and is told when a migration's transaction is over."""

    def __call__(self, execute: Callable[..., Any], query: Any, parameters: Any, many: bool, context: Any) -> Any: ...
    def ended(self) -> None: ...


class Stuck(Exception):
    """A table was never free for long enough. The text tells who held what."""


@dataclass
class Move:
    """How one migration was applied, or taken back."""

    migration: str
    tries: int = 1
    seconds: float = 0.0  # of the last try
    wrote: dict[str, int] = field(default_factory=dict)  # rows that it has changed or deleted, by table


@dataclass
class Moves:
    """All that was done."""

    done: list[Move] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(move.seconds for move in self.done)

    @property
    def wrote(self) -> Counter[str]:
        """Rows that they have changed or deleted, by table, as far as they were transactions."""
        return sum((Counter(move.wrote) for move in self.done), Counter())


def applied() -> list[str]:
    """Every migration that the database says it has."""
    return sorted(f"{app}.{name}" for app, name in MigrationExecutor(connection).loader.applied_migrations)


@contextmanager
def manners() -> Iterator[None]:
    """On this connection nobody is kept waiting for long, and work may take what it takes."""
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{int(LOCK_TIMEOUT * 1000)}ms'")
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET idle_in_transaction_session_timeout = '10min'")
    try:
        yield
    finally:
        connection.close()


def forward(begin: Begin = lambda migration: None, watch: Watch | None = None) -> Moves:
    """Apply what is pending. `begin` is told of each before it is begun, `watch` sees every statement.

    Raises Stuck, or what a migration raises.
    """
    with connection.execute_wrapper(watch) if watch else nullcontext():
        return _all(_next, begin, watch.ended if watch else lambda: None)


def back(names: set[str], begin: Begin = lambda migration: None) -> Moves:
    """Take back the migrations of these names, the last one first. Raises Stuck, or what a migration raises."""
    return _all(lambda executor: _last(executor, names), begin)


def _all(choose: Choose, begin: Begin, ended: Callable[[], object] = lambda: None) -> Moves:
    moves = Moves()
    with manners():
        while plan := choose(executor := MigrationExecutor(connection)):
            begin(plan[0][0])
            moves.done.append(_moved(executor, plan, choose))
            ended()
    return moves


def settle(names: list[str]) -> None:
    """What Django does when all is migrated: types of content, permissions, our catalog. May be done twice."""
    executor = MigrationExecutor(connection)
    plan = [(node, False) for key, node in executor.loader.graph.nodes.items() if ".".join(key) in names]
    emit_post_migrate_signal(0, False, DEFAULT_DB_ALIAS, plan=plan)


def _next(executor: MigrationExecutor) -> Steps:
    return executor.migration_plan(executor.loader.graph.leaf_nodes())[:1]


def _last(executor: MigrationExecutor, names: set[str]) -> Steps:
    order = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    here = executor.loader.applied_migrations
    undo = [one for one, _ in order if f"{one.app_label}.{one.name}" in names and (one.app_label, one.name) in here]
    return [(undo[-1], True)] if undo else []


def _moved(executor: MigrationExecutor, plan: Steps, choose: Choose) -> Move:
    ((migration, _),) = plan
    move = Move(f"{migration.app_label}.{migration.name}")
    for move.tries in range(1, TRIES + 1):
        started = time.monotonic()
        if _tried(executor, plan, move):
            move.seconds = time.monotonic() - started
            return move
        time.sleep(PAUSES[min(move.tries, len(PAUSES)) - 1])
        plan = choose(executor := MigrationExecutor(connection))  # anew: Django adds operations to what it applies
    raise Stuck(f"{move.migration} did not get its lock in {TRIES} tries. {holders()}".strip())


def _tried(executor: MigrationExecutor, plan: Steps, move: Move) -> bool:
    """One try at a migration; False when somebody else held a lock for too long."""
    ((migration, backwards),) = plan
    if not migration.atomic:
        _clear_away(migration)
    try:
        # In one transaction with the note that it was applied, which Django would sometimes write after it.
        with transaction.atomic() if migration.atomic else nullcontext():
            if not backwards:
                emit_pre_migrate_signal(0, False, DEFAULT_DB_ALIAS, plan=plan, apps=_apps(executor))
            executor.migrate([], plan=plan)
            move.wrote = _wrote() if migration.atomic else {}
    except OperationalError as error:
        if isinstance(error.__cause__, _WAITED):
            return False
        raise
    return True


def _wrote() -> dict[str, int]:
    """Rows that the transaction at hand has changed or deleted, by table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return {str(table): int(count) for table, count in cursor.fetchall() if count}


def _apps(executor: MigrationExecutor) -> Any:
    return executor._create_project_state(with_applied_migrations=True).apps  # type: ignore[attr-defined]


def _clear_away(migration: Migration) -> None:
    """What is left of an index that was being made beside the site's work, when that broke off."""
    names = [op.index.name for op in migration.operations if hasattr(op, "index") and not op.atomic]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE NOT indisvalid AND relname = ANY(%s)",
            [names],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(name)))


def holders() -> str:
    """Who has been in a transaction for a while: the ones to ask."""
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT format('%s (%s, %s for %s s)', pid, coalesce(nullif(application_name, ''), usename, '?'), state,
                          round(extract(epoch FROM clock_timestamp() - xact_start)))
            FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
              AND xact_start < clock_timestamp() - interval '1 second'
            ORDER BY xact_start LIMIT 5""")
        found = [row for (row,) in cursor.fetchall()]
    return f"In a transaction meanwhile: process {', '.join(found)}." if found else ""
