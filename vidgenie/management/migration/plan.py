"""What is going to be done: every pending migration with its SQL, the locks that it takes, and what is dangerous in it.

Read off the statements before anything runs; the rehearsal then sees which locks are really taken, and for how long.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection, models
from django.db.migrations import Migration, RunPython, RunSQL
from django.db.migrations.exceptions import NodeNotFoundError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from vidgenie.management.migration import sums

EXCLUSIVE = "ACCESS EXCLUSIVE"
# By the beginning of a statement, the first that fits: its lock, and what that means for a site at work ("" nothing).
_LOCKS: list[tuple[str, str, str]] = [
    (r"CREATE (UNIQUE )?INDEX CONCURRENTLY", "SHARE UPDATE EXCLUSIVE", ""),
    (r"CREATE (UNIQUE )?INDEX", "SHARE", "nothing can be written to the table until the index is made"),
    (r"DROP INDEX CONCURRENTLY", "SHARE UPDATE EXCLUSIVE", ""),
    (r"DROP INDEX", EXCLUSIVE, ""),
    (r"CREATE TABLE", "", ""),
    (r"DROP TABLE", EXCLUSIVE, ""),
    (r"ALTER TABLE .* VALIDATE CONSTRAINT", "SHARE UPDATE EXCLUSIVE", ""),
    (r"ALTER TABLE .* ADD CONSTRAINT .* NOT VALID", EXCLUSIVE, ""),
    (
        r"ALTER TABLE .* ADD CONSTRAINT .* FOREIGN KEY",
        "SHARE ROW EXCLUSIVE",
        "nothing can be written to both tables until every row is checked",
    ),
    (r"ALTER TABLE .* ADD CONSTRAINT", EXCLUSIVE, "the table is closed until every row is checked"),
    (
        r"ALTER TABLE .* ALTER COLUMN .* TYPE (?!varchar|text)",
        EXCLUSIVE,
        "the table is closed until every row is written anew",
    ),
    (r"ALTER TABLE .* SET NOT NULL", EXCLUSIVE, "the table is closed until every row is checked"),
    (
        r"ALTER TABLE .* ADD COLUMN .* DEFAULT .*(random|uuid|clock_timestamp|nextval)",
        EXCLUSIVE,
        "the table is closed until every row is written anew",
    ),
    (r"ALTER TABLE .* SET (UN)?LOGGED", EXCLUSIVE, "the table is closed until every row is written anew"),
    (r"ALTER TABLE", EXCLUSIVE, ""),
    (r"(CREATE|DROP) (OR REPLACE )?(CONSTRAINT )?TRIGGER", "SHARE ROW EXCLUSIVE", ""),
    (r"TRUNCATE", EXCLUSIVE, "every row of the table goes"),
    (r"(UPDATE|DELETE|INSERT)", "ROW EXCLUSIVE", ""),
    (r"LOCK", EXCLUSIVE, "a table is closed on purpose"),
]
_TABLE = re.compile(
    r"(?:ALTER TABLE|DROP TABLE|CREATE TABLE|UPDATE|DELETE FROM|INSERT INTO|TRUNCATE|\bON)"
    r"(?: IF (?:NOT )?EXISTS| ONLY)*"
    r' "?(\w+)"?',
    re.IGNORECASE,
)
# What the old program, which still runs, or whoever wants to go back, cannot live with.
_LOSSES: list[tuple[str, str]] = [
    (r"DROP TABLE", "a table goes, with its rows; the way back brings it back empty"),
    (r"ALTER TABLE .* DROP COLUMN", "a column goes, with its values; the way back brings it back empty"),
    (r"ALTER TABLE .* RENAME", "a name changes under the program that still runs"),
    (r"ALTER TABLE .* ADD COLUMN (?!.* DEFAULT ).* NOT NULL", "what the old program inserts is refused: no default"),
    (r"ALTER TABLE .* SET NOT NULL", "what the old program inserts without a value is refused"),
    (r"(ALTER TABLE .* DISABLE|DROP) TRIGGER", "a guard goes"),
    (r"ALTER TABLE .* DROP CONSTRAINT", "a guard goes"),
]


@dataclass(frozen=True)
class Statement:
    """One statement, the table that it is about and the lock that it takes there."""

    sql: str
    table: str = ""
    lock: str = ""


@dataclass
class Planned:
    """One pending migration."""

    app: str
    name: str
    atomic: bool
    reversible: bool
    statements: list[Statement] = field(default_factory=list)
    dangers: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"

    def as_dict(self) -> dict[str, Any]:
        return {"migration": str(self)} | asdict(self)


@dataclass
class Plan:
    """All that is pending, in order, and the columns and tables that are meant to go or to change by it."""

    migrations: list[Planned]
    goes: list[str]
    changes: list[str]

    @property
    def names(self) -> list[str]:
        return [str(one) for one in self.migrations]

    @property
    def reversible(self) -> bool:
        return all(one.reversible for one in self.migrations)

    def is_meant(self, difference: sums.Difference) -> bool:
        """Whether the migrations say that this goes or changes."""
        column = f"{difference.table}.{difference.column}"
        if difference.what == "gone":
            return column in self.goes or difference.table in self.goes
        return column in self.changes or difference.table in self.changes


def pending() -> list[Migration]:
    """The migrations that are not applied, in order. Raises NodeNotFoundError where one builds on one not there."""
    executor = MigrationExecutor(connection)
    return [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def make() -> Plan:
    """The plan, of what is pending now. Changes nothing."""
    try:
        migrations = pending()
    except NodeNotFoundError as error:
        raise ValueError(f"a migration builds on one that is not there: {error}") from error
    before = MigrationExecutor(connection)._create_project_state(with_applied_migrations=True)  # type: ignore[attr-defined]
    after, planned = before.clone(), []
    for migration in migrations:
        planned.append(_planned(migration, after))
        after = migration.mutate_state(after)
    changes = [name for one in migrations for name in getattr(one, "changes", [])]
    return Plan(planned, _gone(before, after), changes)


def _planned(migration: Migration, state: ProjectState) -> Planned:
    found = Planned(
        migration.app_label, migration.name, bool(migration.atomic), all(op.reversible for op in migration.operations)
    )
    found.statements = [_read(text) for text in _sql(migration, state) if not _is_title(text)]
    created = {s.table for s in found.statements if s.sql.upper().startswith("CREATE TABLE")}
    found.dangers = list(dict.fromkeys(_dangers(migration, found, created)))
    return found


def _sql(migration: Migration, state: ProjectState) -> list[str]:
    """What Django would send. Of tables that are not there yet it sometimes cannot say."""
    copy = Migration(migration.name, migration.app_label)
    vars(copy).update(operations=migration.operations, atomic=migration.atomic)
    try:
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            copy.apply(state.clone(), editor, collect_sql=True)
    except Exception as error:
        return [f"-- its SQL is known only when it runs ({type(error).__name__})"]
    return [text.strip() for text in editor.collected_sql if text.strip()]


def _is_title(text: str) -> bool:
    """Django's frames around what an operation says of itself."""
    return text == "--" or (
        text.startswith("-- ") and not re.search(r"known only|cannot be written", text, re.IGNORECASE)
    )


def _read(text: str) -> Statement:
    flat = " ".join(text.split())
    table = match[1] if (match := _TABLE.search(flat)) else ""
    return Statement(text, table, next((lock for start, lock, _ in _LOCKS if re.match(start, flat, re.IGNORECASE)), ""))


def _dangers(migration: Migration, planned: Planned, created: set[str]) -> Iterator[str]:
    if not planned.atomic:
        yield "it is no transaction: killed in the middle, it stays half done until the next run"
    for operation in migration.operations:
        yield from _of_an_operation(operation)
    for statement in planned.statements:
        if statement.table in created:
            continue
        flat = " ".join(statement.sql.split())
        means = next((means for start, _, means in _LOCKS if re.match(start, flat, re.IGNORECASE)), "")
        losses = [loss for start, loss in _LOSSES if re.match(start, flat, re.IGNORECASE)]
        yield from (f"{statement.table}: {told}" for told in [*([means] if means else []), *losses])


def _of_an_operation(operation: Operation) -> Iterator[str]:
    if not operation.reversible:
        yield f"there is no way back from {operation.describe()}"
    if isinstance(operation, RunPython):
        yield "it runs code of its own: see how long in the rehearsal"
    if isinstance(operation, RunSQL) and not operation.state_operations:
        yield "it runs SQL that the models know nothing of"


def _gone(before: ProjectState, after: ProjectState) -> list[str]:
    old, new = _names(before), _names(after)
    return sorted(old - new)


def _names(state: ProjectState) -> set[str]:
    """Every table and every column of a state."""
    found: set[str] = set()
    for model in state.apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        found.add(table)
        found |= {f"{table}.{column}" for column in _columns(model)}
    return found


def _columns(model: type[models.Model]) -> list[str]:
    return [str(field.column) for field in model._meta.local_concrete_fields]
