"""What makes videos happen: the queue's cluster, the clock, and the sandbox's renderers, each in a process of its own.

Any number of workers may run, on any number of machines. Either the queue or the clock is enough to finish every run.
"""

import os
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, close_old_connections

from providers.adapters import sandbox
from providers.checks import require_openable_keys
from vidgenie.processes import KeepsDyingError, Program, keep_alive, stop_together
from workflows import pipeline, tasks
from workflows.clock import Clock

IDLE = 0.2  # seconds a renderer waits when there is nothing to render


class Command(BaseCommand):
    help = "Runs the worker: queue, clock and sandbox renderers. Ctrl-C or SIGTERM finish what is in hand, then stop."
    requires_system_checks = ()  # each part would import every page of the site; whoever starts the site checks it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", choices=["clock", "renderer"], help="run this one part, in this process")

    def handle(self, *, only: str | None, **options: Any) -> None:
        if only == "clock":
            run_clock()
        elif only == "renderer":
            run_renderer()
        else:
            self.supervise()

    def supervise(self) -> None:
        """Start every part, restart what dies, and stop them together."""
        require_openable_keys()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        tasks.schedule()
        programs = [_part("queue", "qcluster"), _part("clock", "worker", "--only", "clock")]
        programs += [_part("renderer", "worker", "--only", "renderer") for _ in range(settings.SANDBOX_RENDERERS)]
        try:
            for program in programs:
                program.start()
            keep_alive(programs, self.stderr.write)
        except KeyboardInterrupt:
            pass
        except KeepsDyingError as error:
            raise CommandError(str(error)) from error
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            stop_together(programs)


def run_clock() -> None:
    """Tick until told to stop."""
    clock = Clock()
    _on_stop(clock.stop)
    clock.run()


def run_renderer() -> None:
    """Render the sandbox's jobs one after the other and tell the pipeline of each, until told to stop."""
    os.nice(5)  # drawing takes a whole core; pages come first
    stopping = threading.Event()
    _on_stop(stopping.set)
    while not stopping.is_set():
        if not _render_one():
            stopping.wait(IDLE)


def _render_one() -> bool:
    try:
        close_old_connections()
        job_id = sandbox.render_next()
        if job_id is None:
            return False
        pipeline.nudge("sandbox", job_id)
    except OperationalError:  # the database is away; the lease brings the job back
        return False
    return True


def _part(name: str, *arguments: str) -> Program:
    return Program(name, [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments])


def _on_stop(act: Callable[[], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())
