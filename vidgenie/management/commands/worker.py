"""What makes videos happen: the queue, the clock, and the sandbox's renderers, each in processes of their own, and
this one, which starts them, looks at whether they get anything done, and starts anew what does not.

Any number of workers may run, on any number of machines. Either the queue or the clock is enough to finish every run.
"""

import logging
import os
import socket
import sys
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections

from crashpoint import crashpoint
from providers.checks import require_openable_keys
from vidgenie.checks import require_a_sound_queue
from vidgenie.processes import Program, Wish, keep_alive, replace, stop_together
from workflows import alarms, progress, tasks, workers
from workflows.models import Worker
from workflows.progress import Judge

PAUSE = 2.0  # seconds to wait for a database that is away
PATIENCE = 15.0  # seconds for parts to stop in, when no paid call is in hand

PARTS = ("queue", "clock", "renderer")
JUDGED = ("queue", "clock")
CANARIES = 2  # for each queue there is: one of them may be quick and take what was meant for another

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Runs the worker: queue, clock and sandbox renderers. Ctrl-C or SIGTERM finish what is in hand, then stop."
    requires_system_checks = ()  # whoever starts the site checks it; what matters here is asked below

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", action="append", choices=PARTS, help="leave the others out; may be repeated")

    def handle(self, *, only: list[str] | None, **options: Any) -> None:
        require_a_sound_queue()
        wish = Wish()
        guard = Guard(_programs(only), self.say)
        try:
            wish.listen()
            self.prepare()
            guard.start()
            keep_alive(guard.programs, self.say, guard.look)
        except KeyboardInterrupt:
            pass
        finally:
            wish.since = wish.since or time.monotonic()
            guard.stop(wish)

    def prepare(self) -> None:
        """Ask what must be so before anything starts; a database that is away is waited for."""
        while True:
            try:
                require_openable_keys()
                return tasks.schedule()
            except (OperationalError, InterfaceError) as error:
                self.say(f"The database does not answer ({str(error).splitlines()[0]}). Waiting for it.")
                connections.close_all()
                time.sleep(PAUSE)

    def say(self, text: str) -> None:
        self.stderr.write(text)
        self.stderr.flush()


class Guard:
    """Looks at whether the parts of this worker get anything done, and starts anew what does not."""

    def __init__(self, programs: list[Program], say: Callable[[str], object]) -> None:
        self.programs = programs
        self.say = say
        self.family = uuid.uuid4()
        self.patience = float(settings.WORKER_PATIENCE_SECONDS)
        judged = {program.name: _part_of(program) for program in programs if _part_of(program) in JUDGED}
        self.judges = {name: Judge(part, self.patience, time.monotonic()) for name, part in judged.items()}
        self.started: dict[str, float] = {}
        self.next_look = 0.0
        self.blind = False

    def start(self) -> None:
        """Start every part."""
        os.environ[workers.FAMILY] = str(self.family)
        os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # glibc keeps a heap for each of many threads, mostly empty
        for program in self.programs:
            program.start()
            self.started[program.name] = program.started

    def look(self) -> None:
        """Judge every part, when it is time to. A database that is away says nothing of anybody."""
        if time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + self.patience / progress.LOOKS
        try:
            close_old_connections()
            for program in self.programs:
                if program.name in self.judges and program.is_running:
                    self._judge(program, self.judges[program.name])
            self.blind = False
        except DatabaseError:
            if not self.blind:
                log.warning("Whether the worker gets anything done is unknown while the database does not answer.")
            self.blind = True
            connections.close_all()
            for judge in self.judges.values():
                judge.begins(time.monotonic())

    def _judge(self, program: Program, judge: Judge) -> None:
        if self.started[program.name] != program.started:  # it died, and was started again
            self._begins(program, judge)
        pid = program.pid if judge.part == Worker.Part.CLOCK else None
        why = judge.hears(progress.signs(judge.part, self.family, self.patience, pid), time.monotonic())
        if why:
            crashpoint("guard.killing")
            replace(program, why, self.say)
            self._begins(program, judge)
            alarms.tell_staff(f"The {program.name} of a worker was started anew", f"on {socket.gethostname()}: {why}")
        elif judge.wants_canaries:
            tasks.send_canaries(CANARIES * progress.queues())

    def _begins(self, program: Program, judge: Judge) -> None:
        self.started[program.name] = program.started
        judge.begins(program.started)
        others = [other.pid for other in self.programs if other is not program and other.pid is not None]
        progress.bury(self.family, judge.part, before=time.monotonic() - program.started, spared=others)
        if judge.part == Worker.Part.QUEUE:
            tasks.take_back()

    def stop(self, wish: Wish) -> None:
        """Stop every part; a paid call in hand is waited for, until the wish to stop is said again."""
        end = time.monotonic() + settings.QUEUE_TIMEOUT
        if any(program.is_running for program in self.programs):
            self._tell_paid_calls()
        stop_together(
            self.programs,
            PATIENCE,
            longer=lambda: time.monotonic() < end and self._has_paid_calls(),
            urgent=lambda: wish.urgent,
        )
        try:
            progress.bury(self.family, innocent=not wish.urgent)
        except DatabaseError:
            log.warning("What was in hand is free again when its leases run out: the database does not answer.")

    def _tell_paid_calls(self) -> None:
        for provider, seconds in self._paid_calls().items():
            self.say(f"Waiting for {provider}, which has been asked for something that costs: {seconds:.0f} s at most.")
            self.say("Ctrl-C or SIGTERM once more ends that at once; what it makes may then be lost.")

    def _has_paid_calls(self) -> bool:
        time.sleep(PAUSE / 4)
        return bool(self._paid_calls())

    def _paid_calls(self) -> dict[str, float]:
        try:
            close_old_connections()
            return progress.paid_calls(self.family)
        except DatabaseError:
            connections.close_all()
            return {"a provider": settings.QUEUE_TIMEOUT}  # who knows


def _programs(only: list[str] | None) -> list[Program]:
    counts = {"queue": 1, "clock": settings.CLOCK_PROCESSES, "renderer": settings.SANDBOX_RENDERERS}
    return [_program(part, number) for part in PARTS if part in (only or PARTS) for number in range(counts[part])]


def _program(part: str, number: int) -> Program:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker_part", part]
    return Program(f"{part} {number + 1}" if number else part, command, gives_up=False)


def _part_of(program: Program) -> str:
    return program.name.partition(" ")[0]
