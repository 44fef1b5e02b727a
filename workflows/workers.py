"""The processes that move attempts, each with a row and a sign of life.

A lease is as long as the slowest call, which is minutes. So that nobody waits for it when a machine dies, whoever
claims says who they are, and what a silent one has claimed is due at once. A sign of life never makes a lease longer:
a process that lives and hangs loses its claims when they run out.
"""

import datetime
import logging
import os
import socket
import threading
from uuid import UUID

from django.db import DatabaseError, connection, connections
from django.db.models.functions import Now

from workflows import restored
from workflows.models import Attempt, Worker

BEAT = 5.0  # seconds between two signs of life
SILENCE = datetime.timedelta(seconds=30)  # after which a worker is believed dead
KEPT = datetime.timedelta(days=1)  # how long the row of a dead one is to be seen
FAMILY = "VIDGENIE_WORKER_FAMILY"  # environment: set by `manage.py worker` for all its parts

log = logging.getLogger(__name__)
_enlisted: dict[int, UUID] = {}  # by process id: a fork is somebody else


def me() -> UUID | None:
    """The row of this process; None when it is no worker and claims by lease alone."""
    return _enlisted.get(os.getpid())


def enlist(part: str) -> UUID:
    """Say that this process moves attempts, and go on giving signs of life. Safe to call again."""
    if (known := me()) is not None:
        return known
    restored.require_origin()
    row = _new_row(part)
    _enlisted[os.getpid()] = row.pk
    threading.Thread(target=_beat_on, args=(row,), name="heartbeat", daemon=True).start()
    return row.pk


def worked() -> None:
    """Say that this process got something done."""
    if (known := me()) is not None:
        Worker.objects.filter(pk=known).update(worked=Now(), seen=Now())


def relieve() -> int:
    """Make due what silent workers have claimed; how many attempts there were."""
    silent = Worker.objects.filter(seen__lt=Now() - SILENCE)
    relieved = Attempt.objects.filter(worker__in=silent).update(next_check_at=Now(), worker=None)
    if relieved:
        log.warning("%s attempts of workers that fell silent are due again.", relieved)
    Worker.objects.filter(seen__lt=Now() - KEPT).delete()
    return relieved


def let_go(busy_with: set[UUID]) -> int:
    """Make due what this process has claimed and knows nothing of: the answer to its claim was lost on the way.

    `busy_with`: the workflows that it does have in hand.
    """
    unknown = Attempt.objects.filter(worker=me()).exclude(step__workflow__in=busy_with)
    return unknown.update(next_check_at=Now(), worker=None)


def _new_row(part: str, pk: UUID | None = None) -> Worker:
    row = Worker(part=part, host=socket.gethostname()[:80], pid=os.getpid(), family=os.environ.get(FAMILY))
    row.pk = pk or row.pk
    row.save(force_insert=True)
    return row


def _beat_on(row: Worker) -> None:
    pause = threading.Event()
    while not pause.wait(BEAT):
        try:
            _beat(row)
        except DatabaseError:
            connection.close()  # away; the next beat opens another
        except Exception:
            log.exception("The heartbeat of %s failed.", row)
            connections.close_all()


def _beat(row: Worker) -> None:
    if not Worker.objects.filter(pk=row.pk).update(seen=Now()):
        _new_row(row.part, row.pk)  # it was silent for so long that nobody remembers it
