"""The queue is a nudge: it may lose or double any message, and nothing changes but latency.

Tasks are named by dotted path and carry an id or a file's name at most: what they need is in the rows.
"""

import datetime
import logging
import mmap
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import DatabaseError
from django.db.models import Min
from django.dispatch import receiver
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.signals import post_execute, post_spawn, pre_execute
from django_q.tasks import async_task

from workflows import workers
from workflows.models import Worker

if TYPE_CHECKING:
    from workflows.calls import Call

TAKING_ON = 30.0  # seconds in which a task may begin one call after the other; what is left then is handed back
AT_ONCE = 100  # messages that a schedule sends for what is due
TELLING = 1.0  # seconds between two notes that work gets done
DELETED_AGAIN = datetime.timedelta(minutes=10)  # until what could not be deleted is tried again

log = logging.getLogger(__name__)

_told = [0.0]
stopping = mmap.mmap(-1, 1)  # shared by the processes of a queue that have been forked: 1 when they take on no more


@receiver(post_spawn)
@receiver(pre_execute)
def _enlist(**told: Any) -> None:
    """Who runs tasks claims attempts, and has to be missed when it dies."""
    with suppress(DatabaseError):  # away: the next task says it
        workers.enlist(Worker.Part.QUEUE)


@receiver(post_execute)
def _worked(**told: Any) -> None:
    """Said by the queue's monitor, which comes last: so the message has been fetched, run and taken off the queue."""
    if time.monotonic() - _told[0] > TELLING:
        _enlist()
        with suppress(DatabaseError):
            workers.worked()
        _told[0] = time.monotonic()


def nudge() -> None:
    """Have a worker submit something soon: not what we have in mind, but what is next, for users take turns.

    Inside a transaction it goes out with the commit. One that nobody has taken yet is enough for all that waits.
    """
    if not waiting():
        async_task("workflows.tasks.advance_next")


def advance_next() -> None:
    """What a nudge asks for: submit one after the other until nothing waits, or the next task shall have its turn."""
    from workflows import pipeline

    end = time.monotonic() + TAKING_ON
    while not stopping[0] and time.monotonic() < end and pipeline.advance_next(_until(end)):
        pass


def advance(workflow_id: str) -> None:
    """Do what is due for a workflow."""
    from workflows import pipeline

    if not stopping[0]:
        pipeline.advance(workflow_id, _until(time.monotonic() + TAKING_ON))


def _until(end: float) -> "Callable[[Call], bool]":
    """Whether to go on. A task has to end in time: what runs into the queue's timeout is killed, be it a paid call."""
    return lambda call: time.monotonic() < end and not stopping[0]


def advance_due() -> int:
    """Nudge all that is due, each with a message of its own; how many there were.

    When that many messages wait already, nothing is added to them.
    """
    from workflows import pipeline

    workers.relieve()
    return _send("workflows.tasks.advance", pipeline.due(AT_ONCE))


def deliver_late(attempt_id: UUID) -> None:
    """Have a worker bring what a given-up attempt has made after all."""
    async_task("workflows.late.deliver", str(attempt_id))


def _send(function: str, ids: Iterable[UUID]) -> int:
    room = AT_ONCE - waiting()
    chosen = list(ids)[: max(room, 0)]
    for row_id in chosen:
        async_task(function, str(row_id))
    return len(chosen)


def canary() -> None:
    """Nothing. That it comes round is the news: see `progress`."""


def send_canaries(count: int) -> None:
    """Send messages that do nothing, unless so many wait already."""
    for _ in range(count - waiting()):
        async_task("workflows.tasks.canary")


def take_back() -> None:
    """Have every message that was taken delivered again: who took it is dead, or does it twice, which is no harm."""
    OrmQ.objects.filter(lock__gt=timezone.now()).update(lock=timezone.now())


def waiting() -> int:
    """How many messages nobody has taken yet."""
    return OrmQ.objects.filter(lock__lte=timezone.now()).count()


def longest_wait() -> float:
    """Seconds that the oldest message has been waiting to be taken; 0 when none waits."""
    oldest = OrmQ.objects.aggregate(oldest=Min("lock"))["oldest"]
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0


def delete_file(name: str) -> None:
    """Delete a file of our storage; if that is away, in a while: what somebody has deleted may not stay."""
    try:
        default_storage.delete(name)
    except OSError as error:
        log.warning("%s could not be deleted, and will be: %s", name, error.strerror or type(error).__name__)
        later = {"func": "workflows.tasks.delete_file", "args": repr(name), "schedule_type": Schedule.ONCE}
        Schedule.objects.update_or_create(
            name=f"delete {name}", defaults={**later, "next_run": timezone.now() + DELETED_AGAIN}
        )


def schedule() -> None:
    """Make the schedules that back the clock up; safe to call at every start."""
    for name, function, minutes in (
        ("advance what is due", "workflows.tasks.advance_due", 1),
        ("look for what comes late", "workflows.late.deliver_due", 5),
        ("ask when models go", "providers.lifecycle.ask_shutdown_dates", 24 * 60),
        ("forget the sandbox's old files", "providers.adapters.sandbox.forget_old", 60),
        ("forget files that were never finished", "providers.storage.forget_unfinished", 60),
        ("forget what came with answers and was left behind", "providers.gateway.forget_old", 24 * 60),
        ("check the books", "workflows.books.check", 24 * 60),
        ("forget old counts of requests", "vidgenie.throttle.forget_old", 60),
    ):
        Schedule.objects.update_or_create(
            name=name, defaults={"func": function, "schedule_type": Schedule.MINUTES, "minutes": minutes}
        )
