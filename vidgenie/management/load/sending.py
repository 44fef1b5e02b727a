"""The generator's process, and what came of what it sent."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from vidgenie.management.load.generator import BROKEN, LATE, NEVER, Plan, Sent

REFUSALS = (429, 503)
MOST_CPU = 0.3  # of one core; with more, the generator itself is what is slow
SLOW_END = 60.0  # seconds that a generator may take longer than its plan


@dataclass(frozen=True)
class Outcome:
    """What a generator reports. `accepted` are the answers to what it started, by key; `uncertain` may have been."""

    plan: Plan
    sent: list[Sent]
    dropped: int
    cpu: float
    wall: float
    accepted: dict[str, str]
    uncertain: list[str]

    @property
    def load(self) -> float:
        """The share of a core that the generator took."""
        return self.cpu / self.wall if self.wall else 1.0

    @property
    def late(self) -> int:
        """How many were sent too late; their latency counts from when they should have been."""
        return sum(one.sent - one.at > LATE for one in self.sent)

    @property
    def is_sound(self) -> bool:
        """Whether it was the server that was measured."""
        planned = len(self.plan.times)
        return not self.dropped and self.load < MOST_CPU and len(self.sent) == planned and self.late <= planned / 20

    def between(self, begin: float, end: float = float("inf")) -> list[Sent]:
        """What was to be sent from `begin` up to `end`, in seconds from the start; in order of time."""
        return sorted((one for one in self.sent if begin <= one.at < end), key=lambda one: one.at)


def refused(sent: Iterable[Sent]) -> list[Sent]:
    """Those that were told to come back later."""
    return [one for one in sent if one.status in REFUSALS and one.retry_after]


def failed(sent: Iterable[Sent]) -> list[Sent]:
    """Those that the server failed: 5xx other than refusals, no answer in time, no whole answer."""
    return [one for one in sent if one.status in (NEVER, BROKEN) or (one.status >= 500 and not _is_refusal(one))]


def wrong(sent: Iterable[Sent]) -> list[Sent]:
    """Answers that are none to what was asked, such as 403."""
    return [one for one in sent if 0 < one.status < 500 and not one.right and not _is_refusal(one)]


def _is_refusal(one: Sent) -> bool:
    return one.status in REFUSALS and one.retry_after


class Sending:
    """A generator at work."""

    def __init__(self, plan: Plan, process: subprocess.Popen[str], file: Path) -> None:
        self.plan, self.process, self._file = plan, process, file
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise CommandError("The generator did not begin.")
        self.start: float = json.loads(line)["start"]

    def outcome(self) -> Outcome:
        """What came of it, once it has ended. Raises CommandError when it does not end, or badly."""
        patience = sum(seconds for _, seconds in self.plan.stages) + self.plan.patience + SLOW_END
        try:
            code = self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise CommandError("The generator does not end.") from error
        if code:
            raise CommandError(f"The generator ended with {code}.")
        told: dict[str, Any] = json.loads(self._file.read_text())
        return Outcome(self.plan, [Sent(*one) for one in told.pop("sent")], **told)


@contextmanager
def sending(plan: Plan) -> Iterator[Sending]:
    """Have a generator send by this plan, from about now on; it is ended with the block."""
    command = [sys.executable, "-m", "vidgenie.management.load.generator"]
    with tempfile.TemporaryDirectory(prefix="vidgenie-load-") as folder:
        file = Path(folder) / "sent.json"
        process = subprocess.Popen(
            [*command, str(file)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # it comes first, as a machine of its own would; nobody comes with it
        )
        with process:
            try:
                if process.stdin:
                    process.stdin.write(plan.as_json())
                    process.stdin.close()
                yield Sending(plan, process, file)
            finally:
                process.kill()


def send(plan: Plan) -> Outcome:
    """Send it all; what came of it."""
    with sending(plan) as at_work:
        return at_work.outcome()
