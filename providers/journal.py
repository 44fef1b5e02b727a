"""What is left of each call to the outside: a row, with as few statements as the kind of call allows.

The rows of one operation are written together when it ends, which is when its cost is known. Those of a submit are
evidence, and are written before anything else is done with the answer. All others are for statistics: a process that
makes many calls keeps them for a moment, and loses no more than that when it is killed. No trouble with a row is
trouble with the call.
"""

import atexit
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.db import InterfaceError, OperationalError, connection

import sql
from providers import pool
from providers.base import ProviderError
from providers.models import ProviderCall

MOMENT = 1.0  # seconds
FULL = 50  # rows that are not kept for a moment any more
MOST = 5000  # rows to keep for a database that is away

log = logging.getLogger(__name__)


@dataclass
class _Operation:
    reference: str = ""
    rows: list[ProviderCall] = field(default_factory=list)


_current: ContextVar[_Operation | None] = ContextVar("operation", default=None)


@contextmanager
def operation(reference: str = "") -> Iterator[None]:
    """The calls made within are parts of one operation; with a reference it is the submit of that."""
    ours = _Operation(reference)
    token = _current.set(ours)
    try:
        yield
    finally:
        _current.reset(token)
        _keep(ours.rows, evidence=bool(reference))


@contextmanager
def noted(provider: str, what: str, model: str = "") -> Iterator[ProviderCall]:
    """Leave a row for the call made within, however it ends."""
    within = _current.get()
    row = ProviderCall(provider=provider, model=model, operation=what, reference=within.reference if within else "")
    start = time.monotonic()
    try:
        yield row
    except ProviderError as error:
        row.reason = error.reason
        raise
    finally:
        row.milliseconds = round((time.monotonic() - start) * 1000)
        if within:
            within.rows.append(row)
        else:
            _keep([row])


def costs(row: ProviderCall, cents: float) -> None:
    """Note what a call took, in US cents; its row may be written already."""
    row.cost = cents
    if row.pk is not None:
        row.save(update_fields=["cost"])


def start_buffering() -> None:
    """From here on keep rows of no consequence for a moment, in this process; it may not fork after this."""
    if not _buffer.is_on:
        _buffer.start()
        atexit.register(stop_buffering)


def stop_buffering() -> None:
    """Write what is kept, and all that follow at once."""
    atexit.unregister(stop_buffering)
    _buffer.stop()


def _keep(rows: list[ProviderCall], *, evidence: bool = False) -> None:
    if not rows:
        return
    if not _buffer.is_on:
        _buffer.flush()  # what a database that was away has left behind
    if _buffer.is_on and not evidence:
        _buffer.add(rows)
    else:
        _write(rows)


def _write(rows: list[ProviderCall]) -> bool:
    """Write the rows, or keep them while the database is away, which False says."""
    try:
        _insert(rows)
    except (OperationalError, InterfaceError) as error:
        log.warning("%d rows of calls are kept for later: %s", len(rows), type(error).__name__)
        _buffer.add(rows)
        return False
    except Exception:
        log.exception("%d rows of calls could not be written.", len(rows))
    return True


def _insert(rows: list[ProviderCall]) -> None:
    try:
        _insert_once(rows)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()  # the answer took its time, in which the connection may have died
        _insert_once(rows)


def _insert_once(rows: list[ProviderCall]) -> None:
    if len(rows) == 1:
        sql.insert(rows)
    else:
        ProviderCall.objects.bulk_create(rows)


class _Buffer:
    """Rows that wait to be written, and the thread that does it, where there is one."""

    def __init__(self) -> None:
        self.rows: list[ProviderCall] = []
        self.lock = threading.Lock()
        self.due = threading.Event()
        self.thread: threading.Thread | None = None
        self.is_on = False

    def start(self) -> None:
        self.is_on = True
        self.thread = threading.Thread(target=self._run, name="rows of calls", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.is_on = False
        self.due.set()
        if self.thread is not None:
            self.thread.join()
            self.thread = None
        if not self.flush():
            log.error("%d rows of calls are lost: the database does not answer.", len(self.rows))

    def add(self, rows: list[ProviderCall]) -> None:
        with self.lock:
            self.rows += rows
            if (over := len(self.rows) - MOST) > 0:
                del self.rows[:over]
                log.error("%d rows of calls are lost: the database has been away for too long.", over)
            if len(self.rows) >= FULL:
                self.due.set()

    def flush(self) -> bool:
        """Whether all is written."""
        with self.lock:
            rows, self.rows = self.rows, []
            self.due.clear()
        return not rows or _write(rows)

    def _run(self) -> None:
        while self.is_on:
            self.due.wait(MOMENT)
            if not self.flush():
                time.sleep(MOMENT)
            pool.release()
        connection.close()


_buffer = _Buffer()
