"""The guard of a worker acts on what `progress` judges, and holds nothing against anybody while it is blind."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import OperationalError
from django.db.models.functions import Now
from django_q.models import OrmQ

from vidgenie.management.commands import worker
from vidgenie.management.commands.worker import Command, Guard
from vidgenie.processes import Program
from workflows import progress, tasks
from workflows.models import Worker
from workflows.progress import Signs

SILENT = Signs(seen=99, worked=99)


class Patient(Program):
    """A program that only says what would be done with it."""

    is_running = True

    def start(self) -> None:
        self.started = time.monotonic() - 3600

    def end(self) -> None:
        done.append(f"ended {self.name}")


@dataclass
class Process:
    """Of a program, as far as it is looked at."""

    pid: int


done: list[str] = []


@pytest.fixture
def guard(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Guard:
    """Over the connection of the test, whose transaction must not be closed."""
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    monkeypatch.setattr(worker.connections, "close_all", lambda: None)
    settings.ADMINS = [("Sam", "sam@example.org")]
    cache.clear()
    done.clear()
    guard = Guard([Patient("queue", []), Patient("clock", []), Patient("renderer", [])], done.append)
    guard.start()
    for judge in guard.judges.values():
        judge.begins(time.monotonic() - 3600)
    return guard


def look(guard: Guard, monkeypatch: pytest.MonkeyPatch, **signs: Signs | Exception) -> None:
    """One look, at which the rows say this; healthy where nothing is said."""

    def says(part: str, *_: object) -> Signs:
        found = signs.get(part, Signs(seen=1, worked=1))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(progress, "signs", says)
    guard.next_look = 0
    guard.look()


def test_what_complains_twice_is_ended_and_started_anew_alone(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    look(guard, monkeypatch, clock=SILENT)
    assert done == []
    with django_capture_on_commit_callbacks(execute=True):
        look(guard, monkeypatch, clock=SILENT)
    why = "no sign of life for 99 s"
    said = f"The clock lives and gets nothing done: {why}. Ending it and starting it anew."
    assert done == [said, "ended clock"]
    assert [message.subject for message in mail.outbox] == ["[Django] The clock of a worker was started anew"]


def test_of_two_clocks_only_the_one_that_hangs_is_started_anew(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = [Patient("clock", [], process=Process(7)), Patient("clock 2", [], process=Process(8))]
    for pid in (7, 8):
        Worker.objects.create(part="clock", pid=pid, family=guard.family)
    Worker.objects.update(started=Now() - timedelta(hours=2))
    Worker.objects.filter(pid=8).update(seen=Now() - timedelta(seconds=99))
    two = Guard(programs, done.append)
    two.family = guard.family
    two.start()
    for _ in range(2):
        for judge in two.judges.values():
            judge.began = time.monotonic() - 3600
        two.next_look = 0
        two.look()
    assert done[1:] == ["ended clock 2"]
    assert [row.pid for row in Worker.objects.all()] == [7], "what the other has in hand is left alone"


def test_a_database_that_is_away_says_nothing_of_anybody(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    look(guard, monkeypatch, queue=SILENT)
    look(guard, monkeypatch, queue=OperationalError("away"))
    look(guard, monkeypatch, queue=SILENT)
    look(guard, monkeypatch, queue=SILENT)
    assert done == [], "what was silent while we saw nothing is given the time of a start"


def test_an_idle_queue_is_sent_canaries_and_a_busy_one_none(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    look(guard, monkeypatch)
    assert OrmQ.objects.count() == 0
    look(guard, monkeypatch, queue=Signs(seen=1, worked=11))
    assert [message.task["func"] for message in OrmQ.objects.all()] == ["workflows.tasks.canary"] * 2


def test_messages_that_a_dead_queue_has_taken_are_delivered_again(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.send_canaries(1)
    OrmQ.objects.update(lock="2999-01-01T00:00Z")
    guard.programs[0].start()  # as it is after its death
    look(guard, monkeypatch)
    assert (tasks.waiting(), OrmQ.objects.count()) == (1, 1)


def test_a_worker_that_starts_before_its_database_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    answers = iter([OperationalError("connection refused\nIs the server running?"), None])

    def schedule() -> None:
        if error := next(answers):
            raise error

    monkeypatch.setattr(worker, "require_openable_keys", lambda: None)
    monkeypatch.setattr(worker, "PAUSE", 0)
    monkeypatch.setattr(worker.tasks, "schedule", schedule)
    command = Command()
    monkeypatch.setattr(command, "say", said.append)
    command.prepare()
    assert said == ["The database does not answer (connection refused). Waiting for it."]
    with suppress(StopIteration):
        pytest.fail(f"asked once more than it had to: {next(answers)}")
