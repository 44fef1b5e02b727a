"""What is in a database, in numbers that can be compared: rows, a checksum for each column, where sequences stand.

A checksum is the sum of a hash of every value, each bound to the primary key of its row. So it does not depend on the
order of rows, is made by the server in one pass, and tells which column is different. Rows are compared one by one
only where a checksum differs: to tell what others have written meanwhile from what went wrong.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from vidgenie.management.migration.place import Connection

_COLUMNS = """
    SELECT class.relname, attribute.attname FROM pg_class class
    JOIN pg_attribute attribute ON attribute.attrelid = class.oid AND attnum > 0 AND NOT attisdropped
    WHERE class.relnamespace = 'public'::regnamespace AND class.relkind IN ('r', 'p') AND NOT class.relispartition
    ORDER BY class.relname, attribute.attnum"""
_KEYS = """
    SELECT relname, array_agg(attname::text ORDER BY array_position(indkey::int[], attnum::int))
    FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) JOIN pg_class c ON c.oid = indrelid
    WHERE indisprimary AND relnamespace = 'public'::regnamespace GROUP BY relname"""
_SEQUENCES = """
    SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public' ORDER BY sequencename"""
_WRITTEN = """
    SELECT relname, n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public'"""

Columns = dict[str, list[str]]  # of each table


@dataclass
class Table:
    """One table: its rows, and the checksum of each of its columns."""

    rows: int
    columns: dict[str, str]


@dataclass
class Sums:
    """A whole database. `written` is how many rows had been changed or deleted before, as PostgreSQL counts; whoever
    compares with these sums later fills it in.
    """

    tables: dict[str, Table]
    sequences: dict[str, int]
    written: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        tables = {name: {"rows": table.rows, "columns": table.columns} for name, table in self.tables.items()}
        return {"tables": tables, "sequences": self.sequences, "written": self.written}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "Sums":
        """Raises KeyError or TypeError for what `as_dict` has not written."""
        tables = {name: Table(int(t["rows"]), dict(t["columns"])) for name, t in found["tables"].items()}
        return cls(tables, dict(found["sequences"]), dict(found["written"]))

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    @property
    def names(self) -> Columns:
        """The columns that these are the sums of."""
        return {name: list(table.columns) for name, table in self.tables.items()}


@dataclass(frozen=True)
class Difference:
    """What is not the same: a table that is gone, its number of rows, a column that is gone, or its values."""

    table: str
    column: str = ""
    what: str = "values"

    def __str__(self) -> str:
        return f"{self.table}{'.' if self.column else ''}{self.column}: {self.what}"


def of(link: Connection, only: Columns | None = None) -> Sums:
    """The sums of the database, or those columns of it alone that are still there, as this connection sees it."""
    there, keys = columns(link), dict(link.execute(_KEYS).fetchall())
    wanted = there if only is None else _both(there, only)
    tables = {name: _table(link, name, wanted[name], keys.get(name, [])) for name in wanted}
    return Sums(tables, sequences(link))


def sequences(link: Connection) -> dict[str, int]:
    """Where every sequence stands now: sequences know no snapshots, and only rise."""
    return {name: int(value) for name, value in link.execute(_SEQUENCES)}


def written(link: Connection) -> dict[str, int]:
    """How many rows of each table have been changed or deleted until now: these counts know no snapshots either."""
    return {name: int(count) for name, count in link.execute(_WRITTEN)}


def columns(link: Connection) -> Columns:
    """The columns of every table, in their order."""
    found: Columns = {}
    for table, column in link.execute(_COLUMNS):
        found.setdefault(table, []).append(column)
    return found


def _both(there: Columns, wanted: Columns) -> Columns:
    return {table: [name for name in there[table] if name in wanted[table]] for table in there if table in wanted}


def _table(link: Connection, table: str, names: list[str], key: list[str]) -> Table:
    hashed = sql.SQL(", ").join(
        sql.SQL("coalesce(sum(coalesce(hashtextextended({}::text, row_key), row_key)), 0)::text").format(
            sql.Identifier("t", name)
        )
        for name in names
    )
    query = sql.SQL("SELECT count(*){comma}{sums} FROM (SELECT *, {k} AS row_key FROM {table} AS t) AS t").format(
        comma=sql.SQL(", " if names else ""), sums=hashed, k=_key_hash(key), table=sql.Identifier("public", table)
    )
    ((rows, *sums),) = link.execute(query).fetchall()
    return Table(int(rows), dict(zip(names, sums, strict=True)))


def _key_hash(key: list[str]) -> sql.Composable:
    """The hash of a row's primary key; without one, all rows are alike."""
    return sql.SQL("hashtextextended({}, 0)").format(_key_text(key)) if key else sql.SQL("0::bigint")


def _key_text(key: list[str]) -> sql.Composed:
    parts = (sql.SQL("{}::text").format(sql.Identifier("t", name)) for name in key)
    return sql.SQL("concat_ws('/', {})").format(sql.SQL(", ").join(parts))


def differences(before: Sums, after: Sums, *, rows_only: bool = False) -> list[Difference]:
    """All that was in `before` and is not the same in `after`; what is there beyond that is no difference."""
    return [*_of_tables(before, after), *([] if rows_only else _of_sequences(before, after))]


KEPT_BY_DJANGO = "django_migrations"  # the list of what is applied, which every migration writes to


def old_columns(before: Sums, after: Sums) -> list[Difference]:
    """What was there before a migration and is not the same after it; rows that were added count as well."""
    return [found for found in differences(before, after) if not found.table.startswith(KEPT_BY_DJANGO)]


def _of_tables(before: Sums, after: Sums) -> Iterator[Difference]:
    for name, table in before.tables.items():
        now = after.tables.get(name)
        if now is None:
            yield Difference(name, what="gone")
            continue
        if table.rows != now.rows:
            yield Difference(name, what=f"{now.rows} rows instead of {table.rows}")
        for column, value in table.columns.items():
            if now.columns.get(column, "gone") != value:
                yield Difference(name, column, "values" if column in now.columns else "gone")


def _of_sequences(before: Sums, after: Sums) -> Iterator[Difference]:
    for name, value in before.sequences.items():
        if after.sequences.get(name, -1) < value:
            yield Difference(name, what="stands lower" if name in after.sequences else "gone")


# Row by row


@dataclass(frozen=True)
class Moved:
    """How two tables differ, by rows of the first."""

    changed: int
    missing: int
    new: int


def moved(before: Connection, after: Connection, table: str, names: list[str]) -> Moved:
    """Rows of `table` that are not the same in these columns, are gone, or are new."""
    old, now = dict(_hashes(before, table, names)), dict(_hashes(after, table, names))
    changed = sum(1 for key, value in old.items() if key in now and now[key] != value)
    missing = sum(1 for key in old if key not in now)
    return Moved(changed, missing, len(now) - len(old) + missing)


def _hashes(link: Connection, table: str, names: list[str]) -> Iterator[tuple[str, int]]:
    key = dict(link.execute(_KEYS).fetchall()).get(table, names)
    values = (sql.SQL("coalesce(hashtextextended({}::text, 1), 0)").format(sql.Identifier("t", name)) for name in names)
    row = sql.SQL("hashtextextended(concat_ws(',', {}), 2)").format(sql.SQL(", ").join(values))
    query = sql.SQL("SELECT {}, {} FROM {} AS t").format(_key_text(key), row, sql.Identifier("public", table))
    yield from link.execute(query)


def rows_beyond(before: Connection, after: Connection, table: str, names: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of `after`, whole, that are new or different."""
    old = dict(_hashes(before, table, names))
    wanted = [key for key, value in _hashes(after, table, names) if old.get(key) != value]
    key = dict(after.execute(_KEYS).fetchall()).get(table, names)
    query = sql.SQL("SELECT row_to_json(t)::text FROM {} AS t WHERE {} = ANY(%s)").format(
        sql.Identifier("public", table), _key_text(key)
    )
    for (found,) in after.execute(query, [wanted]):
        yield json.loads(found)
