"""How many statements PostgreSQL was given: counted in its own log, for the one database that a benchmark runs on."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import ProgrammingError, connection

_STATEMENT = re.compile(r" LOG:  (?:statement|execute [^:]*): ((?:.*)(?:\n\t.*)*)")  # further lines are indented
_TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


class Statements:
    """What was asked since `begin`, by kind. Unknown where the server's log is out of reach."""

    def __init__(self) -> None:
        self.log = _log()
        self._from = 0

    def begin(self) -> None:
        """Count from here."""
        self._from = self.log.stat().st_size if self.log else 0

    def kinds(self) -> Counter[str]:
        """How often each statement was asked, its values taken out."""
        if self.log is None:
            return Counter()
        with self.log.open("rb") as file:
            file.seek(self._from)
            text = file.read().decode("utf-8", "replace")
        return Counter(_shape(statement) for statement in _STATEMENT.findall(text))


def split(kinds: Counter[str]) -> tuple[int, int]:
    """Statements, and beside them those that only begin and end transactions."""
    around = sum(count for kind, count in kinds.items() if kind.startswith(_TRANSACTION))
    return kinds.total() - around, around


@contextmanager
def counted() -> Iterator[Statements]:
    """Inside the block every new session of this database is logged."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
    try:
        yield Statements()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} RESET log_statement")


def _log() -> Path | None:
    """Where pg_ctl has the server write."""
    with suppress(ProgrammingError, OSError), connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        path = Path(cursor.fetchone()[0]) / "postgres.log"
        return path if path.exists() else None
    return None


def _shape(statement: str) -> str:
    found = re.sub(r"'(?:[^']|'')*'(?:::\w+)?|\b\d+\b", "?", " ".join(statement.split()))
    return re.sub(r"\((?:\?(?:, )?)+\)|\(\?[^()]*\)", "(…)", found)[:160]
