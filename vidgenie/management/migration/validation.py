"""Whether a database is as this program needs it: its shape, its books, its keys, and a run through all of it.

Each function gives rows of a report. They look at the database that Django works on, and change nothing in it.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connection, models

from credits import audit
from providers import crypto, keyring
from providers.crypto import Ring
from vidgenie.management.migration import backup, catalog, moving, place, sums
from vidgenie.management.migration import plan as plans
from vidgenie.management.migration.backup import Manifest
from vidgenie.management.migration.sums import Difference, Moved
from vidgenie.management.production_signs import from_the_future
from vidgenie.reports import Row, Verdict
from workflows import books

SAMPLE = 20  # sealed keys that are opened
TOLD = 8  # things named in a row; the rest is counted


def row(name: str, title: str, target: str, wrong: list[str], right: str, *advice: str) -> Row:
    """A pass that tells what is right, or a failure that names what is wrong."""
    if not wrong:
        return Row(name, title, Verdict.PASS, target, evidence=right)
    return Row(name, title, Verdict.FAIL, target, evidence=told(wrong), advice=" ".join(advice))


def told(things: list[str]) -> str:
    """The first of them, and how many there are beyond."""
    more = f"; and {len(things) - TOLD} more" if len(things) > TOLD else ""
    return "; ".join(things[:TOLD]) + more


# Its shape


def shape() -> Iterator[Row]:
    """Migrations, tables and columns, indexes and constraints, as the models say."""
    yield migrations_row()
    advice = "Something has changed the tables beside the migrations; compare with `manage.py sqlmigrate`."
    yield row("columns", "Tables and columns", "as the models say", _columns(), f"{len(_models())} tables", advice)
    wrong, count = _indexes_and_constraints()
    advice = "DROP INDEX CONCURRENTLY what is not valid, and make by hand what is missing."
    yield row("indexes", "Indexes", "as the models say, and valid", wrong["index"], f"{count['index']}", advice)
    advice = "What was written without them may break them: look before you add them again."
    told = f"{count['constraint']}"
    yield row("constraints", "Constraints", "as the models say, and checked", wrong["constraint"], told, advice)
    yield _triggers()


def migrations_row() -> Row:
    """Whether all migrations of this program are applied, and none of a newer one."""
    newer = [f"{name} is of a newer VidGenie" for name in from_the_future()]
    missing = [f"{one.app_label}.{one.name} is not applied" for one in plans.pending()]
    return row(
        "migrations",
        "Migrations",
        "this program's, all of them",
        [*newer, *missing],
        f"{len(moving.applied())} applied",
    )


def _models() -> list[type[models.Model]]:
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.app_label != "knox"  # its table stays unmade
    ]


def _columns() -> list[str]:
    """What the models say of columns, against what is there."""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        found: dict[str, dict[str, tuple[str, bool]]] = {}
        for table, column, type_, has_default in cursor.fetchall():
            found.setdefault(table, {})[column] = (type_, has_default)
    wrong: list[str] = []
    for model in _models():
        table = model._meta.db_table
        wrong += _of_one_table(table, _declared(model), found[table]) if table in found else [f"{table} is missing"]
    return wrong


_COLUMNS = """
    SELECT relname, attname, format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
           atthasdef OR attidentity <> '' OR NOT attnotnull
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"""
_WORDS = {"varchar": "character varying", "char": "character", "time": "time without time zone"}  # PostgreSQL's own


def _declared(model: type[models.Model]) -> dict[str, str]:
    """Column -> type. Of a table between two others, the key is as wide as when a migration made it."""
    types = {}
    for field in model._meta.local_concrete_fields:
        if field.primary_key and model._meta.auto_created:
            continue
        word, bracket, size = str(field.db_parameters(connection)["type"]).partition("(")
        types[str(field.column)] = f"{_WORDS.get(word, word)}{bracket}{size}{'' if field.null else ' NOT NULL'}"
    return types


def _of_one_table(table: str, wanted: dict[str, str], found: dict[str, tuple[str, bool]]) -> Iterator[str]:
    for name, type_ in wanted.items():
        if name not in found:
            yield f"{table}.{name} is missing"
        elif found[name][0] != type_:
            yield f"{table}.{name} is {found[name][0]} instead of {type_}"
    for name, (_, may_be_left_out) in found.items():
        if name not in wanted and not may_be_left_out:
            yield f"{table}.{name} is not in the models, and must be given"


def _indexes_and_constraints() -> tuple[dict[str, list[str]], Counter[str]]:
    """What is wrong with what the models name, and how many were looked at."""
    wrong: dict[str, list[str]] = {"index": [], "constraint": []}
    count: Counter[str] = Counter()
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        for model in _models():
            table = model._meta.db_table
            found = connection.introspection.get_constraints(cursor, table) if table in there else {}
            for kind, name, is_there in _named(model, found):
                count[kind] += 1
                wrong[kind] += [] if is_there else [f"{table}: {name} is missing or something else"]
        cursor.execute(_NOT_VALID)
        for kind, name in cursor.fetchall():
            wrong[kind].append(f"{name} is there, but not valid")
    return wrong, count


_NOT_VALID = """
    SELECT 'index', relname::text FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'constraint', conname::text FROM pg_constraint
    WHERE NOT convalidated AND connamespace = 'public'::regnamespace"""


def _named(model: type[models.Model], found: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Whatever guards or speeds up a table by its model: its kind, its name, and whether it is there."""
    for index in model._meta.indexes:
        there = found.get(index.name, {})
        columns = [str(getattr(model._meta.get_field(name), "column", name)) for name, _ in index.fields_orders]
        method = index.suffix or "btree"
        right = there.get("index") and there.get("type", method) in (method, index.suffix or "idx")
        yield "index", index.name, bool(right and (not columns or there["columns"] == columns))
    for constraint in model._meta.constraints:
        there = found.get(constraint.name, {})
        kind = "check" if isinstance(constraint, models.CheckConstraint) else "unique"
        yield "constraint", constraint.name, bool(there.get(kind))
    for field in model._meta.local_concrete_fields:
        yield from _of_a_field(field, list(found.values()))


def _of_a_field(field: Any, found: list[dict[str, Any]]) -> Iterator[tuple[str, str, bool]]:
    alone = [one for one in found if one["columns"] == [field.column]]
    if field.primary_key:
        yield "constraint", f"the primary key {field.column}", any(one["primary_key"] for one in alone)
    elif field.unique:
        yield "constraint", f"unique {field.column}", any(one["unique"] for one in alone)
    elif field.db_index:
        yield "index", f"the index of {field.column}", any(one["index"] for one in alone)
    if field.is_relation and field.db_constraint:
        to = (field.related_model._meta.db_table, field.target_field.column)
        yield "constraint", f"the reference {field.column}", any(one["foreign_key"] == to for one in alone)


def _triggers() -> Row:
    """All that is to be known of triggers without the migrations: those that guard the books are in force."""
    connection.ensure_connection()
    found = catalog.of(connection.connection)["triggers"]
    off = [f"{name} is switched off" for name, text in found.items() if "DISABLED" in text]
    missing = [f"{name} is missing" for name in TRIGGERS if name not in found]
    advice = "Books without their guards can be changed: find out who took them away, and migrate again."
    return row("triggers", "Triggers", "in force", off + missing, f"{len(found)} in force", advice)


TRIGGERS = ("credits_entry.credits_entry_immutable", "credits_entry.credits_entry_not_emptied")


# Its books and its keys


def ledger_row(name: str = "ledger", *, before: bool = False) -> Row:
    """Whether the books balance. `before` pending migrations, rules that need what they bring are left out."""
    title, target = "The books", "every rule of check_ledger holds"
    if "credits_account" not in connection.introspection.table_names():
        return Row(name, title, Verdict.NOTED, evidence="there are none yet")
    checks = [check for check in (*audit.CHECKS, *books.CHECKS) if not (before and check.name.startswith("guards"))]
    wrong, asked = [], 0
    for check in checks:
        try:
            with audit.snapshot():
                wrong += [f"{f.check}: {f.rule} {f.count}: {', '.join(f.ids[:3])}" for f in audit.run([check])]
                asked += 1
        except DatabaseError as error:
            if not before:
                wrong.append(f"{check.name} cannot be asked: {place.first_line(error)}")
    return row(
        name, title, target, wrong, f"{asked} rules hold", "Run `manage.py check_ledger` and put it right first."
    )


def keys_row(name: str = "keys", fingerprints: dict[str, str] | None = None) -> Row:
    """Whether a sample of the sealed keys opens with the ring of the settings, and every id in use is in that ring.

    `fingerprints` are those of the ring that was there when a backup was taken.
    """
    title, target = "Sealed keys", f"{SAMPLE} of them open, and each has its encryption key"
    if "providers_providerkey" not in connection.introspection.table_names():
        return Row(name, title, Verdict.NOTED, evidence="there are none yet")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, provider, owner_id, sealed FROM providers_providerkey WHERE sealed <> ''")
        sealed = [keyring.Sealed(*values) for values in cursor.fetchall()]
    if not sealed:
        return Row(name, title, Verdict.NOTED, evidence="none are stored")
    advice = "Put the VIDGENIE_ENCRYPTION_KEYS back that were in force then; without them these keys are lost."
    return row(name, title, target, _closed(sealed, fingerprints or {}), f"{len(sealed)} sealed", advice)


def _closed(sealed: list[keyring.Sealed], fingerprints: dict[str, str]) -> list[str]:
    ring, ours = crypto.ring(), backup.fingerprints()
    used = Counter(one.key_id for one in sealed)
    wrong = [
        f"{count} sealed by {key_id or 'nothing we know'}, which is not in the ring"
        for key_id, count in used.items()
        if key_id not in ours
    ]
    others = [one for one in used if one in ours and fingerprints.get(one, ours[one]) != ours[one]]
    wrong += [f"{one} is another key than when the backup was taken" for one in others]
    there = [one for one in sealed if one.key_id in ours]
    sample = random.sample(there, min(SAMPLE, len(there)))
    return wrong + [f"{one.provider}, row {one.row}, does not open" for one in sample if not _opens(one, ring)]


def _opens(sealed: keyring.Sealed, ring: Ring) -> bool:
    try:
        sealed.open(ring)
    except crypto.Unopenable:
        return False
    return True


# What was there before


STATISTICS = 12.0  # seconds after which PostgreSQL has surely counted what any session has written


@dataclass(frozen=True)
class Expected:
    """What a migrated database is compared with: a backup, a copy of it, and what the migrations have to do with it.

    `ours` are rows that the migrations have written, by table.
    """

    manifest: Manifest
    copy: str
    ours: Counter[str]
    is_meant: Callable[[Difference], bool]


def old_columns_changed(expected: Expected) -> list[str]:
    """What was in the backup and is not the same in the live database, beyond what others have written meanwhile.

    A table whose checksums differ is compared row by row with the copy: no more rows may have changed or gone than
    others have changed or deleted by PostgreSQL's count.
    """
    deadline = time.monotonic() + STATISTICS
    while True:
        wrong, may_settle = _changed(expected)
        if not wrong or not may_settle or time.monotonic() > deadline:
            return wrong
        time.sleep(1)


def _changed(expected: Expected) -> tuple[list[str], bool]:
    """What is wrong, and whether that may only be because something is not counted yet."""
    sums_before = expected.manifest.sums
    with place.connect(place.live_name()) as live, place.connect(expected.copy) as before:
        now = sums.of(live, sums_before.names)
        found = [one for one in sums.old_columns(sums_before, now) if not expected.is_meant(one)]
        wrong = [str(one) for one in found if one.what in ("gone", "stands lower")]
        more: list[str] = []
        for table in sorted({one.table for one in found if one.table in now.tables}):
            columns = [name for name in now.tables[table].columns if not expected.is_meant(Difference(table, name))]
            moved = sums.moved(before, live, table, columns)
            others = sums.written(live).get(table, 0) - sums_before.written.get(table, 0) - expected.ours[table]
            more += _beyond(table, moved, others)
    return wrong + more, bool(more) and not wrong


def _beyond(table: str, moved: Moved, others: int) -> list[str]:
    if moved.changed + moved.missing <= others:
        return []
    rows = f"{moved.changed} rows changed and {moved.missing} gone"
    return [f"{table}: {rows}, and others have changed or deleted {max(others, 0)}"]
