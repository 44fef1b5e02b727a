"""The clock: finds what is due and moves it, many at once, in every worker process.

It asks the rows, not the queue, so losing every queue message costs nothing but latency; any number of clocks may run.
"""

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, close_old_connections, connections

from workflows import pipeline

TICK = 0.25  # seconds between two looks at what is due
PAUSE = 2.0  # seconds to wait for a database that is away

log = logging.getLogger(__name__)


class Clock:
    """Runs until told to stop; what is in hand then is finished first."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or settings.CLOCK_THREADS
        self.stopping = threading.Event()
        self.in_hand: dict[UUID, Future[None]] = {}

    def run(self) -> None:
        """Tick until `stop` is called."""
        with ThreadPoolExecutor(self.threads, "clock") as pool:
            while not self.stopping.is_set():
                self.stopping.wait(self.tick(pool))
        connections.close_all()

    def stop(self) -> None:
        """Take nothing new."""
        self.stopping.set()

    def tick(self, pool: ThreadPoolExecutor) -> float:
        """Hand what is due to the pool; seconds until the next tick."""
        self.in_hand = {key: future for key, future in self.in_hand.items() if not future.done()}
        room = self.threads - len(self.in_hand)
        if room <= 0:
            return TICK / 5
        try:
            close_old_connections()
            for workflow_id in pipeline.due(limit=room + len(self.in_hand)):
                if workflow_id not in self.in_hand:
                    self.in_hand[workflow_id] = pool.submit(_advance, workflow_id)
        except OperationalError:
            log.exception("The database does not answer; trying again in %s s.", PAUSE)
            return PAUSE
        return TICK


def _advance(workflow_id: UUID) -> None:
    """One workflow's trouble must not stop the others; its row says when to look again."""
    try:
        close_old_connections()
        pipeline.advance(workflow_id)
    except Exception:
        log.exception("Workflow %s could not be advanced.", workflow_id)
        time.sleep(TICK)  # a row that stays due must not spin
