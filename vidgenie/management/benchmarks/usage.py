"""What processes take of the machine: CPU seconds and megabytes, of a process and all that it has started."""

import contextlib
import threading
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]
from django.db import connection

MB = 1_000_000


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and everything under it that lives."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a family so far, of members that have ended too."""
    total = 0.0
    for member in family(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


_buried = [0.0]


def bury(members: list[psutil.Process]) -> None:
    """Note what these have used, before they are killed together: nobody will have waited for the last of them."""
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            _buried[0] += times.user + times.system + times.children_user + times.children_system


def buried() -> float:
    """CPU seconds of all that was buried so far."""
    return _buried[0]


def megabytes(process: psutil.Process) -> float:
    """Memory of a family, shared pages counted once (PSS)."""
    total = 0
    for member in family(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += member.memory_full_info().pss
    return total / MB


def unshared(process: psutil.Process) -> list[float]:
    """Megabytes that each process of a family has to itself (USS), most first."""
    found = []
    for member in family(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(member.memory_full_info().uss / MB)
    return sorted(found, reverse=True)


def database() -> psutil.Process | None:
    """PostgreSQL's own process; None where it runs on another machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    try:
        server = psutil.Process(pid).parent()
    except psutil.NoSuchProcess:
        return None
    return server if server and "postgres" in server.name() else None


class Memory:
    """The most that a family has been seen to take."""

    def __init__(self, process: psutil.Process, every: float = 2.0) -> None:
        self.process, self.every = process, every
        self.most = 0.0
        self._over = threading.Event()

    @contextlib.contextmanager
    def watched(self) -> Iterator["Memory"]:
        """Look at it now and then inside the block."""
        thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            self.most = max(self.most, megabytes(self.process))
            self._over.wait(self.every)
