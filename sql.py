"""Rows read and written by statements that are put together once.

Django composes each statement anew, which takes several times as long as PostgreSQL takes to carry it out, and a run
needs some sixty. What every run asks for goes this way; all else goes Django's own. No signals are sent, and a value
must be a value: no expression of Django's. This module imports nothing of ours, so that every package may use it.
"""

import datetime
import functools
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db import DatabaseError, IntegrityError, connection
from django.db.models import Field, JSONField, Model
from django.db.models.base import ModelState

_PLAIN = {str, bool, float, uuid.UUID, datetime.datetime, type(None)}

Row = TypeVar("Row", bound=Model)
Working = tuple[str, Sequence[Any]]  # SQL for a value, and what it is given
_WorkedOut = tuple[tuple[str, str], ...]  # names of fields, each with its SQL


@functools.cache
def columns(model: type[Model], table: str = "") -> str:
    """The columns of a model for a SELECT or RETURNING, in the order in which `made` takes their values."""
    before = f"{table}." if table else ""
    return ", ".join(f"{before}{field.column}" for field in model._meta.concrete_fields)


def made(model: type[Row], values: Sequence[Any]) -> Row:
    """The row that these values are of: all columns of the model, as PostgreSQL gave them."""
    return model.from_db(connection.alias, _names(model), _converted(model, values))


def joined(values: Sequence[Any], *models: type[Model]) -> list[Any]:
    """The rows that these values are of: all columns of one model after the other; None where no row was joined."""
    rows, first = [], 0
    for model in models:
        mine = values[first : first + len(_names(model))]
        rows.append(made(model, mine) if mine[_key(model)] is not None else None)
        first += len(mine)
    return rows


def found(model: type[Row], where: str, given: Sequence[Any]) -> list[Row]:
    """The rows of a model that meet a condition, which may also say how many and in which order."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns(model)} FROM {model._meta.db_table} WHERE {where}", given)  # noqa: S608
        return [made(model, values) for values in cursor.fetchall()]


def insert(rows: Sequence[Model], **worked_out: Working) -> None:
    """Write new rows of one model; what PostgreSQL fills in by itself is on them afterwards.

    `worked_out` are fields whose values it works out, and how.
    """
    model, by_it = type(rows[0]), tuple((name, how) for name, (how, _) in worked_out.items())
    more = [value for _, values in worked_out.values() for value in values]
    given = _given(model, by_it)
    with connection.cursor() as cursor:
        cursor.execute(
            _inserting(model, len(rows), by_it),
            [each for row in rows for each in [*_values(row, given), *more]],
        )
        for row, values in zip(rows, cursor.fetchall(), strict=True):
            for field, filled in zip(_filled_in(model, by_it), values, strict=True):
                setattr(row, field.attname, filled)
            row._state.adding, row._state.db = False, connection.alias


def save(row: Model, *names: str) -> None:
    """Write these fields of a row. Raises DatabaseError when it is not there any more."""
    model = type(row)
    values = [value(field, getattr(row, field.attname)) for field in _fields(model, names)]
    with connection.cursor() as cursor:
        cursor.execute(_updating(model, names), [*values, row.pk])
        if not cursor.rowcount:
            raise DatabaseError(f"{model._meta.label} {row.pk} is not there any more")


def broken(error: IntegrityError) -> str:
    """The name of the constraint that was broken; "" where PostgreSQL names none."""
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""


def asked(query: tuple[str, Sequence[Any]], given: Mapping[Any, Any]) -> list[tuple[Any, ...]]:
    """The rows that a query of Django's finds, which was composed once, as `sql_with_params` gives it.

    `given` is what now stands for the values that it was composed with. What stands in no other place of it will do.
    """
    statement, values = query
    with connection.cursor() as cursor:
        cursor.execute(statement, [given.get(value, value) for value in values])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def value(field: "Field[Any, Any]", given: Any) -> Any:
    """What PostgreSQL is given for a field. Most of it is the same, and need not pass through Django's five calls."""
    if type(given) in _PLAIN and not isinstance(field, JSONField):
        return given
    return field.get_db_prep_save(given, connection)


def copied(row: Row) -> Row:
    """The same row once more, which may be changed without this one."""
    twin, state = row.__class__.__new__(row.__class__), ModelState()
    state.__dict__ |= row._state.__dict__ | {"fields_cache": dict(row._state.fields_cache)}
    twin.__dict__ |= row.__dict__ | {"_state": state}
    return twin


def _values(row: Model, fields: "list[Field[Any, Any]]") -> list[Any]:
    return [value(field, field.pre_save(row, add=True)) for field in fields]


@functools.cache
def _fields(model: type[Model], names: tuple[str, ...]) -> "list[Field[Any, Any]]":
    return [model._meta.get_field(name) for name in names]  # type: ignore[misc]


@functools.cache
def _given(model: type[Model], by_it: _WorkedOut) -> "list[Field[Any, Any]]":
    return [field for field in model._meta.concrete_fields if field not in _filled_in(model, by_it)]


@functools.cache
def _filled_in(model: type[Model], by_it: _WorkedOut) -> "list[Field[Any, Any]]":
    """What PostgreSQL fills in: numbers that it counts, defaults that only it knows, and what it was told to."""
    return [
        field
        for field in model._meta.concrete_fields
        if field.get_internal_type() == "BigAutoField"
        or (field.has_db_default() and not field.has_default())
        or field.name in dict(by_it)
    ]


@functools.cache
def _inserting(model: type[Model], count: int, by_it: _WorkedOut) -> str:
    given = _given(model, by_it)
    row = f"({', '.join(['%s'] * len(given) + [how for _, how in by_it])})"
    returning = ", ".join(str(field.column) for field in _filled_in(model, by_it))
    told = _fields(model, tuple(name for name, _ in by_it))
    names = ", ".join(str(field.column) for field in [*given, *told])
    values = ", ".join([row] * count)
    return f"INSERT INTO {model._meta.db_table} ({names}) VALUES {values} RETURNING {returning}"  # noqa: S608


@functools.cache
def _updating(model: type[Model], names: tuple[str, ...]) -> str:
    changes = ", ".join(f"{field.column} = %s" for field in _fields(model, names))
    return f"UPDATE {model._meta.db_table} SET {changes} WHERE id = %s"  # noqa: S608


@functools.cache
def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


@functools.cache
def _key(model: type[Model]) -> int:
    """Which of its columns is never empty."""
    return _names(model).index(str(model._meta.pk.attname))


@functools.cache
def _converters(model: type[Model]) -> list[tuple[int, Callable[..., Any]]]:
    """Which values are not yet what the model has, and what makes them so."""
    fields = enumerate(model._meta.concrete_fields)
    return [(place, field.from_db_value) for place, field in fields if hasattr(field, "from_db_value")]


def _converted(model: type[Model], values: Sequence[Any]) -> list[Any]:
    converted = list(values)
    for place, convert in _converters(model):
        converted[place] = convert(converted[place], None, connection)
    return converted
