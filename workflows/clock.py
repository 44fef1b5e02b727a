"""The clock: claims what is due and moves it, many at once, in every worker process.

It asks the rows, not the queue, so losing every queue message costs nothing but latency; any number of clocks may run.
Looks, submits and stores have threads of their own: a slow download, or a picture that takes a minute to be answered,
holds up no look.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from providers import pool
from workflows import calls, claims, late, pipeline, restored, watch, workers
from workflows.models import Attempt, Worker

TICK = 0.1  # seconds between two looks at what is due
BREATH = 0.01  # seconds in which those who become free together are given work together
PAUSE = 2.0  # seconds to wait for a database that is away
CHORES = 5.0  # seconds between two looks at who fell silent
AWAY = (OperationalError, InterfaceError)

log = logging.getLogger(__name__)
Phase = Attempt.Phase


class Lane:
    """Threads for calls of one kind, and how many of them are free.

    `before`: a lane that goes first; while that one cannot keep up, this one goes on with a single thread.
    """

    def __init__(self, name: str, phases: tuple[Phase, ...], threads: int, before: "Lane | None" = None) -> None:
        self.phases = phases
        self.threads = threads
        self.before = before
        self.pool = ThreadPoolExecutor(threads, name)
        self.lock = threading.Lock()
        self.in_hand: dict[Future[None], UUID] = {}
        self.more = False  # whether there was more to do than room to do it in

    @property
    def room(self) -> int:
        """How many more calls can be made at once."""
        with self.lock:
            self.in_hand = {future: key for future, key in self.in_hand.items() if not future.done()}
            return (1 if self.before and self.before.more else self.threads) - len(self.in_hand)

    @property
    def workflows(self) -> set[UUID]:
        """Whose calls are in hand."""
        with self.lock:
            return set(self.in_hand.values())

    def put(self, work: Callable[[], None], workflow_id: UUID) -> Future[None]:
        """Have it done by a thread of this lane."""
        with self.lock:
            future = self.pool.submit(work)
            self.in_hand[future] = workflow_id
        return future


class Clock:
    """Runs until told to stop; calls in hand are finished first, what would have followed is handed back."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.awake = threading.Event()  # somebody is free, or it is time to stop
        self.placing = threading.Lock()
        self.next_chores = 0.0
        looks = Lane("look", claims.IN_FLIGHT, settings.LOOK_THREADS)
        self.lanes = (
            looks,
            Lane("store", (Phase.STORE,), settings.STORE_THREADS, before=looks),  # what is made can wait; to know can't
            Lane("submit", (Phase.SUBMIT,), settings.SUBMIT_THREADS),
        )

    def run(self) -> None:
        """Tick until `stop` is called."""
        while not self.stopping.is_set():
            if self.awake.wait(self.tick()):
                self.stopping.wait(BREATH)
                self.awake.clear()
        for lane in self.lanes:
            lane.pool.shutdown(wait=True)
        connections.close_all()

    def stop(self) -> None:
        """Take nothing new."""
        with self.placing:  # nobody is just about to give a call to a lane that is being closed
            self.stopping.set()
        self.awake.set()

    def tick(self) -> float:
        """Hand what is due to the lanes; seconds until the next tick."""
        try:
            pool.release()
            close_old_connections()
            self._do_chores()
            due = claims.due_phases()
            for lane in self.lanes:
                self._fill(lane, due)
        except AWAY:
            log.exception("The database does not answer; trying again in %s s.", PAUSE)
            self.next_chores = 0.0
            return PAUSE
        return TICK

    def _fill(self, lane: Lane, due: set[str]) -> None:
        if due.isdisjoint(lane.phases):
            lane.more = False
            return
        if (room := lane.room) <= 0:
            lane.more = True
            return
        claimed = claims.take(room, lane.phases)
        lane.more = len(claimed) == room
        for attempt in claimed:
            self._start(lane, attempt.step.workflow_id, partial(pipeline.call_for, attempt))

    def _start(self, lane: Lane, workflow_id: UUID, claimed: Callable[[], calls.Call | None]) -> None:
        future = lane.put(lambda: self._advance(lane, workflow_id, claimed), workflow_id)
        if lane.more:
            future.add_done_callback(lambda _: self.awake.set())

    def _advance(self, lane: Lane, workflow_id: UUID, claimed: Callable[[], calls.Call | None]) -> None:
        """Make a call and those of its kind that follow. One workflow's trouble must not stop the others."""
        try:
            close_old_connections()
            call = claimed()
            left = call and pipeline.carry_on(call, lambda call: self._is_for(lane, call))
            if left:
                self._pass_on(workflow_id, left)
        except Exception:
            log.exception("Workflow %s could not be advanced; its lease says when it is tried again.", workflow_id)
            connections.close_all()
        finally:
            pool.release()

    def _is_for(self, lane: Lane, call: calls.Call) -> bool:
        return call.phase in lane.phases and not self.stopping.is_set()

    def _pass_on(self, workflow_id: UUID, call: calls.Call) -> None:
        """To the lane that makes such calls, when it has room; else back into the line."""
        lane = next(lane for lane in self.lanes if call.phase in lane.phases)
        with self.placing:
            if lane.room > 0 and not self.stopping.is_set():
                self._start(lane, workflow_id, lambda: call)
                return
        pipeline.hand_back(call)

    def _do_chores(self) -> None:
        if time.monotonic() < self.next_chores:
            return
        workers.enlist(Worker.Part.CLOCK)
        restored.require_origin()  # after a failover the same address may lead to a copy that lacks what was sent last
        workers.worked()
        workers.relieve()
        workers.let_go(set().union(*(lane.workflows for lane in self.lanes)))
        self._look_late()
        self.next_chores = time.monotonic() + CHORES

    def _look_late(self) -> None:
        """Look at what was given up, and bring it home; but half of those who are free are left to what is wanted."""
        lane = next(lane for lane in self.lanes if Phase.STORE in lane.phases)
        watch.forget_old()
        for attempt_id in watch.take(max(lane.room, 0) // 2):
            lane.put(partial(_deliver_late, attempt_id), attempt_id)


def _deliver_late(attempt_id: UUID) -> None:
    try:
        close_old_connections()
        late.deliver(attempt_id)
    except Exception:
        log.exception("A late look at attempt %s failed; another will come.", attempt_id)
        connections.close_all()
    finally:
        pool.release()
