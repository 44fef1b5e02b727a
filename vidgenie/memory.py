"""How much memory each of our processes has: each says so itself, for they may be on many machines."""

import logging
import os
import socket
import threading
from pathlib import Path

from django.db import DatabaseError, connection, connections

BEAT = 15.0  # seconds between two times that a process tells
SILENT = 60.0  # seconds after which a process is believed to have ended

log = logging.getLogger(__name__)
_telling: set[int] = set()  # process ids: a fork is somebody else

_TELL = """
    INSERT INTO vidgenie_processmemory (part, host, pid, resident, at)
    VALUES (%(part)s, %(host)s, %(pid)s, %(resident)s, STATEMENT_TIMESTAMP())
    ON CONFLICT (host, pid) DO UPDATE SET part = EXCLUDED.part, resident = EXCLUDED.resident, at = EXCLUDED.at
"""
_FORGET = "DELETE FROM vidgenie_processmemory WHERE at < STATEMENT_TIMESTAMP() - INTERVAL '1 hour'"
_LIVING = """
    SELECT part, host, pid, resident FROM vidgenie_processmemory
    WHERE at > STATEMENT_TIMESTAMP() - make_interval(secs => %s) ORDER BY part, host, pid
"""


def resident() -> int:
    """Bytes of memory that this process has; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def tell(part: str) -> None:
    """Write down how much memory this process has now."""
    told: dict[str, str | int] = {
        "part": part,
        "host": socket.gethostname()[:80],
        "pid": os.getpid(),
        "resident": resident(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TELL, told)
        cursor.execute(_FORGET)


def living() -> list[tuple[str, str, int, int]]:
    """Part, host, process id and bytes of each process that has told so lately."""
    with connection.cursor() as cursor:
        cursor.execute(_LIVING, [SILENT])
        found: list[tuple[str, str, int, int]] = cursor.fetchall()
    return found


def keep_telling(part: str) -> None:
    """Go on telling for as long as this process lives. Safe to call again."""
    if os.getpid() not in _telling:
        _telling.add(os.getpid())
        threading.Thread(target=_go_on, args=(part,), name="memory", daemon=True).start()


def _go_on(part: str) -> None:
    pause = threading.Event()
    while not pause.wait(BEAT):
        try:
            tell(part)
        except DatabaseError as error:  # away, or not migrated yet
            log.debug("The memory of this process could not be told: %s", type(error).__name__)
        finally:
            connections.close_all()  # none is held for so rare a word
