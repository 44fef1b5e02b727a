"""What processes take of the machine: CPU seconds and megabytes, of a process and all that it has started."""

import contextlib
import threading
from collections.abc import Callable, Iterator

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
    return _used(family(process))


def _used(members: list[psutil.Process]) -> float:
    total = 0.0
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


_buried = [0.0]


def bury(members: list[psutil.Process]) -> None:
    """Note what these have used, before they are killed together: nobody will have waited for the last of them."""
    _buried[0] += _used(members)


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


@contextlib.contextmanager
def regularly(look: Callable[[], None], every: float) -> Iterator[None]:
    """Have a thread look now and then, every so many seconds, inside the block."""
    over = threading.Event()

    def watch() -> None:
        try:
            while not over.is_set():
                look()
                over.wait(every)
        finally:
            connection.close()

    thread = threading.Thread(target=watch, name="watching", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Memory:
    """The most that a family has been seen to take."""

    def __init__(self, process: psutil.Process, every: float = 2.0) -> None:
        self.process, self.every = process, every
        self.most = 0.0

    @contextlib.contextmanager
    def watched(self) -> Iterator["Memory"]:
        """Look at it now and then inside the block."""
        with regularly(self._look, self.every):
            yield self

    def _look(self) -> None:
        self.most = max(self.most, megabytes(self.process))
