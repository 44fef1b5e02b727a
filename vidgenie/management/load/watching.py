"""What every process of the installation takes while it is under load: memory, open files, connections, over time."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil  # type: ignore[import-untyped]
from django.db import DatabaseError, connection

from vidgenie.management.benchmarks import usage

_CONNECTIONS = """
    SELECT coalesce(nullif(application_name, ''), 'others'), count(*) FROM pg_stat_activity
    WHERE datname = current_database() GROUP BY 1
"""


@dataclass
class Series:
    """One process over time; `at` in seconds since the watch began."""

    part: str
    pid: int
    at: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def look(self, at: float, process: psutil.Process) -> None:
        """Its memory (PSS, shared pages counted once) and its open files now."""
        with contextlib.suppress(psutil.Error), process.oneshot():
            megabytes, files = process.memory_full_info().pss / usage.MB, process.num_fds()
            self.at.append(round(at, 1))
            self.megabytes.append(round(megabytes, 1))
            self.files.append(files)

    def document(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "part": self.part, "pid": self.pid, "at": self.at, "megabytes": self.megabytes, "files": self.files
        }  # fmt: skip


class Watch:
    """Looks at families of processes now and then, in a thread of its own."""

    def __init__(self, parts: dict[str, psutil.Process], every: float = 2.0) -> None:
        self.parts, self.every = parts, every
        self.series: dict[int, Series] = {}
        self.connections: dict[str, list[tuple[float, int]]] = {}
        self.begun = time.monotonic()
        self._before = self._cpu()
        self.cpu: dict[str, float] = {}

    @contextlib.contextmanager
    def watched(self) -> Iterator["Watch"]:
        """Look inside the block; afterwards `cpu` has the CPU seconds of each part."""
        with usage.regularly(self._look, self.every):
            try:
                yield self
            finally:
                now = self._cpu()
                self.cpu = {part: now[part] - before for part, before in self._before.items()}

    def most(self, part: str) -> float:
        """The most megabytes that one process of a part had."""
        return max((value for one in self.series.values() if one.part == part for value in one.megabytes), default=0.0)

    def most_connections(self) -> int:
        """The most connections to the database at one time."""
        at = {moment for seen in self.connections.values() for moment, _ in seen}
        totals = [sum(count for seen in self.connections.values() for when, count in seen if when == one) for one in at]
        return max(totals, default=0)

    def document(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "cpu_seconds": {part: round(seconds, 2) for part, seconds in self.cpu.items()},
            "processes": [one.document() for one in self.series.values() if one.at],
            "connections": {
                name: {"at": [at for at, _ in seen], "count": [count for _, count in seen]}
                for name, seen in sorted(self.connections.items())
            },
        }

    def _cpu(self) -> dict[str, float]:
        return {part: usage.cpu(process) for part, process in self.parts.items()}

    def _look(self) -> None:
        at = round(time.monotonic() - self.begun, 1)
        for part, process in self.parts.items():
            for member in usage.family(process):
                self.series.setdefault(member.pid, Series(part, member.pid)).look(at, member)
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(_CONNECTIONS)
            for name, count in cursor.fetchall():
                self.connections.setdefault(name, []).append((at, count))
