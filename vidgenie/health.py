"""Whether the site is well, part by part: not that processes live, but that work gets done.

A part is `ok`, `failed`, or `unknown` where nobody has looked yet; unknown is no failure, and no success. Each says how
old what it knows is, in seconds.
"""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from credits.models import Verdict
from workflows import progress, tasks
from workflows.models import Worker
from workflows.workers import SILENCE

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
STALE = 2 * 24 * 60 * 60.0  # seconds; the books are checked each day
STORAGE_PATIENCE = 3.0  # seconds
QUEUE_PATIENCE = 300.0  # seconds that a message may wait: the queue is a nudge, and the clock works without it


@dataclass(frozen=True)
class Part:
    """How one part is: its status, how old what is known is (None: never known), and a sentence for staff."""

    status: str
    age: float | None
    detail: str

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "status": self.status,
            "age": None if self.age is None else round(self.age, 1),
            "detail": self.detail,
        }


def report() -> dict[str, Part]:
    """Look at every part now. Without the database nothing is known of what is in it."""
    parts = {"storage": _storage()}
    try:
        _require_database()
        parts["database"] = Part(OK, 0.0, "It answers.")
        return parts | {name: look() for name, look in _IN_DATABASE.items()}
    except DatabaseError as error:
        unknown = {name: Part(UNKNOWN, None, "The database does not answer.") for name in _IN_DATABASE}
        return parts | {"database": Part(FAILED, 0.0, f"It does not answer: {type(error).__name__}.")} | unknown


def _require_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def is_ready(parts: dict[str, Part]) -> bool:
    """Whether nothing has failed."""
    return all(part.status != FAILED for part in parts.values())


_PARTS_OF_WORKERS = """
    SELECT extract(epoch FROM statement_timestamp() - max(worked))::float8,
        count(*) FILTER (WHERE seen > statement_timestamp() - make_interval(secs => %(silence)s))
    FROM workflows_worker WHERE part = %(part)s
"""


def _signs(part: str) -> tuple[float | None, int]:
    """Seconds since any process of this part got something done, and how many give signs of life."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTS_OF_WORKERS, {"part": part, "silence": SILENCE.total_seconds()})
        age, alive = cursor.fetchone()
    return age, alive


def _workers() -> Part:
    """Whether a clock lives, and has looked at what is due."""
    age, alive = _signs(Worker.Part.CLOCK)
    if age is None:
        return Part(FAILED, None, "There is no worker. Start one: manage.py worker")
    if not alive:
        return Part(FAILED, age, "No clock gives a sign of life.")
    if age > settings.WORKER_PATIENCE_SECONDS:
        return Part(FAILED, age, f"{alive} clocks live, and none has looked at what is due.")
    return Part(OK, age, f"{alive} clocks at work.")


def _due() -> Part:
    """Whether what is due is taken."""
    longest = progress.longest_due()
    late = longest > settings.WORKER_PATIENCE_SECONDS
    return Part(FAILED if late else OK, 0.0, f"The oldest due attempt has waited for {longest:.0f} s.")


def _queue() -> Part:
    """Whether messages are taken."""
    _, alive = _signs(Worker.Part.QUEUE)
    wait, waiting = tasks.longest_wait(), tasks.waiting()
    detail = f"{waiting} messages wait, the oldest for {wait:.0f} s."
    if wait > QUEUE_PATIENCE:
        return Part(FAILED, 0.0, detail)
    return Part(OK, 0.0, detail) if alive else Part(FAILED, 0.0, f"No queue gives a sign of life. {detail}")


def _books() -> Part:
    """What the last check of the books said."""
    last = Verdict.objects.annotate(now=Now()).order_by("-pk").first()
    if last is None:
        return Part(UNKNOWN, None, "The books were never checked: manage.py check_ledger")
    age = (last.now - last.at).total_seconds()
    if not last.is_clean:
        return Part(FAILED, age, " ".join(last.lines))
    return Part(OK, age, str(last)) if age < STALE else Part(UNKNOWN, age, "The last check is too old to say.")


_IN_DATABASE: dict[str, Callable[[], Part]] = {"workers": _workers, "due": _due, "queue": _queue, "books": _books}


# --- Storage -----------------------------------------------------------------------------------------------

_prober = ThreadPoolExecutor(1, "storage probe")  # an answer that never comes holds up one thread, and no request


def _storage() -> Part:
    """Whether a file can be put there, read again and taken away."""
    probe = _prober.submit(_round_trip)
    try:
        probe.result(STORAGE_PATIENCE)
    except TooSlow:
        probe.cancel()  # what waits behind an earlier one is not to pile up
        return Part(FAILED, STORAGE_PATIENCE, f"No answer in {STORAGE_PATIENCE:.0f} s.")
    except Exception as error:  # storages elsewhere have errors of their own
        return Part(FAILED, 0.0, f"A file could not be kept: {type(error).__name__}.")
    return Part(OK, 0.0, "A file was written, read and deleted.")


def _round_trip() -> None:
    content = uuid4().bytes
    name = default_storage.save(f"probes/{socket.gethostname()}-{uuid4().hex}", ContentFile(content))
    try:
        with default_storage.open(name) as file:
            if file.read() != content:
                raise OSError("something else came back")
    finally:
        default_storage.delete(name)
