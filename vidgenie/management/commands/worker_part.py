"""One part of a worker, in this process: the queue, the clock, or a renderer of the sandbox. `worker` starts them.

The queue is a family of processes. systemd tells them all to stop at once, which would kill a paid call and leave
their parent waiting for ever; so only the parent hears it, and has the others finish.
"""

import gc
import os
import signal
import threading
import time
from argparse import ArgumentParser
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django_q.cluster import Cluster
from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

from providers import journal, pool
from providers.adapters import sandbox
from vidgenie import memory
from vidgenie.processes import die_with_parent, give_way
from workflows import pipeline, tasks, workers
from workflows.clock import Clock

NICE = {"queue": 5, "clock": 5, "renderer": 10}  # somebody waits for a page; drawing takes a whole core
IDLE = 0.2  # seconds between two looks at whether to stop, or whether there is something to render
LONG = 5.0  # seconds; of a task that takes longer it is told now and then that it goes on
GARBAGE = 10_000  # objects that a clock makes between two searches for what refers to itself
LAST = 60  # seconds more than a task may take; a part that was told to stop then, and hangs, ends all the same


class Command(BaseCommand):
    help = "Runs one part of a worker, unguarded. `worker` is what you are looking for."
    requires_system_checks = ()  # each part would import every page of the site; whoever starts the site checks it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("part", choices=PARTS)

    def handle(self, *, part: str, **options: Any) -> None:
        if part == "queue":  # it forks, which threads would not survive
            post_spawn.connect(_tell_memory, weak=False)
        else:
            memory.keep_telling(part)
        give_way(NICE[part])
        PARTS[part](_Stop())


def _tell_memory(**told: Any) -> None:
    memory.keep_telling("queue")


class _Stop:
    """Whether this part was told to stop. A flag and no Event: a signal may come while an Event is being asked."""

    def __init__(self) -> None:
        self.told = False
        self.listen()

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, *_: object) -> None:
        if not self.told:
            self.told = True
            signal.alarm(settings.QUEUE_TIMEOUT + LAST)  # whose default is to end the process


def _run_clock(stop: _Stop) -> None:
    """Tick until told to stop."""
    gc.freeze()  # what is imported stays, and need not be looked through time and again
    gc.set_threshold(GARBAGE, 20, 20)
    pool.share(settings.CLOCK_CONNECTIONS)
    journal.start_buffering()
    clock = Clock()
    workers.enlist("clock")
    pool.release()
    ticking = threading.Thread(target=clock.run, name="clock")
    ticking.start()
    while ticking.is_alive() and not stop.told:
        time.sleep(IDLE)
    clock.stop()
    ticking.join()
    journal.stop_buffering()
    if not stop.told:
        raise CommandError("The clock ended by itself.")


def _run_queue(stop: _Stop) -> None:
    """Run tasks until told to stop; those that run then are finished, the others find that there is nothing to do."""
    cluster = Cluster()
    stop.listen()  # instead of the cluster, which stops for ever when it is told twice
    running = _Running()
    post_spawn.connect(running.watch, weak=False)
    pre_execute.connect(running.begin, weak=False)
    post_execute_in_worker.connect(running.end, weak=False)
    os.register_at_fork(after_in_child=partial(die_with_parent, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # for all that are forked from here on
    cluster.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    guard = cast("BaseProcess", cluster.sentinel)
    while not stop.told:
        if not guard.is_alive():
            raise CommandError("The queue's guard has ended by itself.")
        time.sleep(IDLE)
    tasks.stopping[0] = 1
    cluster.stop()


class _Running:
    """The task that a process of the queue has in hand: it counts as progress for as long as it keeps to its time."""

    def __init__(self) -> None:
        self.since: float | None = None

    def begin(self, **told: Any) -> None:
        self.since = time.monotonic()

    def end(self, **told: Any) -> None:
        self.since = None

    def watch(self, **told: Any) -> None:
        """Begin to watch, in the process that was just forked."""
        threading.Thread(target=self._watch, name="task in hand", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(LONG)
            lasted = time.monotonic() - self.since if self.since else 0.0
            if lasted > settings.QUEUE_TIMEOUT + LONG:
                os._exit(1)  # it has swallowed the timeout, and hears no SIGTERM
            if lasted > LONG:
                self._tell()

    def _tell(self) -> None:
        try:
            close_old_connections()
            workers.worked()
        except (OperationalError, InterfaceError):
            connections.close_all()


def _run_renderer(stop: _Stop) -> None:
    """Render the sandbox's jobs one after the other and tell the pipeline of each, until told to stop."""
    while not stop.told:
        if not _render_one():
            time.sleep(IDLE)


def _render_one() -> bool:
    try:
        close_old_connections()
        job_id = sandbox.render_next()
        if job_id is None:
            return False
        pipeline.nudge("sandbox", job_id)
    except (OperationalError, InterfaceError):  # the database is away; the lease brings the job back
        return False
    return True


PARTS = {"clock": _run_clock, "queue": _run_queue, "renderer": _run_renderer}
