"""Two at once, with nothing left to chance."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

WAITING = "SELECT COUNT(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def meet(first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """What both come to, when the second is done, or waits for the first, before the first commits."""
    came: list[Any] = []
    done = threading.Event()

    def run_second() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = 0")  # how long a busy machine has it wait is nobody's business
            came.append(second())
        finally:
            connection.close()
            done.set()

    thread = threading.Thread(target=run_second)
    with transaction.atomic():
        made = first()
        thread.start()
        while not (done.wait(0.01) or _somebody_waits_for_us()):
            pass
    thread.join()
    return [made, *came]


def _somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return bool(cursor.fetchone()[0])
