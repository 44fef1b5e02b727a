"""Whether the web server keeps something of each request: one process, the memory in use after each block of them.

A second server that leaks on purpose has to be caught, or the first one's clean record says nothing.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]
from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection

from vidgenie.door import LINGER
from vidgenie.management.benchmarks.rig import wait
from vidgenie.management.load import one_worker
from vidgenie.management.load.generator import Plan
from vidgenie.management.load.installation import Installation, serving
from vidgenie.management.load.sending import Outcome, refused, send
from vidgenie.management.load.slope import SEED, Growth, Slope, slope

REQUESTS = 500  # in a block
WARM_BLOCKS, BLOCKS = 4, 14  # those that fill caches and pools do not count; those that do
CONTROL_WARM_BLOCKS, CONTROL_BLOCKS = 1, 6
LEAKED = 1024  # bytes of each request that the control keeps
RATE = 50.0  # requests a second
LEAST_ANSWERED = 0.5  # of them; a busy process refuses some, and those do not count
FEW = 2  # open files or connections by which a server may differ without growing
NAME = "leak"  # of its connections


@dataclass
class Look:
    """What one server had after each block, the first `warm` of which do not count; and what it was sent."""

    warm: int
    bytes: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)  # requests since the beginning
    sent: list[Outcome] = field(default_factory=list)

    @property
    def slope(self) -> Slope:
        """Bytes for each request that was answered."""
        return slope(self.bytes[self.warm :], self.answered[self.warm :])

    @property
    def grown(self) -> tuple[float, float]:
        """By how much open files and connections of the last third are more than those of the first that counts."""
        files, connections = (_grown(some[self.warm :]) for some in (self.files, self.connections))
        return files, connections

    @property
    def is_sound(self) -> bool:
        """Whether the server was at work: many were answered, and hardly any wrongly."""
        sent = [one for outcome in self.sent for one in outcome.sent]
        let_in = len(sent) - len(refused(sent))
        right = sum(one.right for one in sent)
        return let_in >= LEAST_ANSWERED * len(sent) and right > 0.95 * let_in

    def answers(self) -> dict[str, int]:
        """How many there were of each status."""
        return dict(sorted(Counter(str(one.status) for outcome in self.sent for one in outcome.sent).items()))

    def document(self) -> dict[str, Any]:
        """As the report has it."""
        found = self.slope
        figures = {"slope": round(found.value, 1), "low": round(found.low, 1), "high": round(found.high, 1)}
        series = {name: getattr(self, name) for name in ("bytes", "files", "connections", "answered")}
        told = {"requests_a_block": REQUESTS, "warm_blocks": self.warm, "answers": self.answers(), "seed": SEED}
        return told | series | figures


def _grown(some: list[int]) -> float:
    third = max(1, len(some) // 3)
    return median(some[-third:]) - median(some[:third])


def look(site: Installation, blocks: int, warm: int, say: Callable[[str], object], leak: int = 0) -> Look:
    """Start a server of one process, and look at it after each block; at twice as many while it is unsure."""
    found = Look(warm)
    with tempfile.TemporaryDirectory(prefix="vidgenie-load-") as folder:
        file = Path(folder) / "told"
        variables = {
            "VIDGENIE_LOAD_FILE": str(file),
            "VIDGENIE_LOAD_LEAK": str(leak),
            "PYTHONPATH": str(settings.BASE_DIR),
            "PGAPPNAME": NAME,
            "PYTHONMALLOC": "malloc",
        }
        with serving(site.on, "-c", one_worker.__file__, **variables) as (_, port):
            for number in range(1, warm + 2 * blocks + 1):
                if number > warm + blocks and found.slope.growth != Growth.UNSURE:
                    break
                say(f"memory{' of one that leaks' if leak else ''}: block {number} of {warm + blocks} ...")
                found.sent.append(send(_block(site, port, leak + number)))
                _note(found, file)
    return found


def _block(site: Installation, port: int, number: int) -> Plan:
    """Each has a number of its own, for the same would ask for the same runs again."""
    return Plan(port, [(RATE, REQUESTS / RATE)], site.people, seed=1000 + number)


def _note(found: Look, file: Path) -> None:
    """Have the server tidy up and tell, when the last connections are closed."""
    time.sleep(2 * LINGER)
    before = _told(file)
    psutil.Process(before[-1]["pid"]).send_signal(one_worker.TELL)
    wait(lambda: len(_told(file)) > len(before), 30, "the web server has not told its memory (glibc 2.33 can)")
    told = _told(file)
    if len({one["pid"] for one in told}) > 1:
        raise CommandError("the web server's process was another in the end than in the beginning")
    found.answered.append(sum(one.right for outcome in found.sent for one in outcome.sent))
    found.bytes.append(told[-1]["bytes"])
    found.files.append(told[-1]["files"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [NAME])
        found.connections.append(cursor.fetchone()[0])


def _told(file: Path) -> list[dict[str, int]]:
    return [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
