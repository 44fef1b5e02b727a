"""The shape of a database: every column, index, constraint, trigger and function, as PostgreSQL itself writes them."""

import re

from vidgenie.management.migration.place import Connection

KINDS = ("columns", "indexes", "constraints", "triggers")
# A name, and what it is. Of an index that is not valid nothing can be expected: it is told as something else.
_QUERIES = {
    "columns": """
        SELECT class.relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod),
            CASE WHEN attnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(adbin, adrelid),
            CASE WHEN attidentity <> '' THEN 'IDENTITY ' || attidentity::text END,
            CASE WHEN relpersistence = 'u' THEN 'UNLOGGED' END)
        FROM pg_class class JOIN pg_attribute ON attrelid = class.oid AND attnum > 0 AND NOT attisdropped
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')""",
    "indexes": """
        SELECT class.relname, CASE WHEN indisvalid THEN '' ELSE 'INVALID ' END || pg_get_indexdef(indexrelid)
        FROM pg_index JOIN pg_class class ON class.oid = indexrelid
        WHERE relnamespace = 'public'::regnamespace""",
    "constraints": """
        SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'""",
    "triggers": """
        SELECT tgrelid::regclass || '.' || tgname, concat_ws(' ', pg_get_triggerdef(pg_trigger.oid),
            CASE tgenabled WHEN 'O' THEN '' WHEN 'A' THEN '' ELSE 'DISABLED' END, md5(prosrc))
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE NOT tgisinternal AND relnamespace = 'public'::regnamespace""",
}

Catalog = dict[str, dict[str, str]]  # by kind and name


def of(link: Connection) -> Catalog:
    """The shape of a database."""
    return {kind: dict(sorted(link.execute(query).fetchall())) for kind, query in _QUERIES.items()}


# A condition that was dumped and restored is the same and is written with its casts elsewhere.
_MANNER = re.compile(r"::(character varying|text|bpchar)(\(\d+\))?(\[\])?|[()\s]")


def _same(one: str, other: str) -> bool:
    return one == other or _MANNER.sub("", one) == _MANNER.sub("", other)


def differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is missing, what is not wanted, and what is something else, each with its name."""
    missing = [f"{name} is missing" for name in wanted if name not in found]
    extra = [f"{name} is there and should not be" for name in found if name not in wanted]
    other = [f"{name} is {found[name]}" for name in wanted if name in found and not _same(found[name], wanted[name])]
    return sorted(missing + extra + other)


def invalid_indexes(link: Connection) -> list[str]:
    """Indexes that a statement has left half made."""
    return [name for name, text in of(link)["indexes"].items() if text.startswith("INVALID ")]
