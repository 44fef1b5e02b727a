"""The process that sends: at the times of a schedule, whatever comes back, and it adapts to nothing.

A generator that waits for an answer before it asks again sends less just when the server is slow, and so misses what
people would have suffered. Here each request has its time beforehand, and its latency counts from that time.
It takes a plan as JSON on its standard input, says when it begins, and writes what came of each request to a file.
Nothing of Django is loaded: the machine is for the server.
"""

import asyncio
import contextlib
import gc
import json
import resource
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from vidgenie.management.load.mix import HOST, ROUTES, WEIGHTS, Asked, Person
from vidgenie.processes import die_with_parent, give_way

FIRST = -10  # its niceness: on a machine that it shares, it would measure how long it waits for the processor itself
LATE = 0.05  # seconds after its time that a request counts as sent late
NEVER, BROKEN = 0, -1  # in the place of a status: no answer in time, no whole answer
HEAD = 64 * 1024  # bytes


@dataclass(frozen=True)
class Plan:
    """Where to send, for how long at which rates (a second each), and as whom."""

    port: int
    stages: list[tuple[float, float]]  # requests a second, seconds
    people: list[Person]
    seed: int = 1
    patience: float = 10.0  # seconds for an answer
    most: int = 5000  # requests without an answer at one time; what would be over is dropped, and counted
    routes: list[str] = field(default_factory=list)  # only these; all when empty

    @property
    def times(self) -> list[float]:
        """When each request is to be sent, in seconds from the start: at random, so many a second on average."""
        chance, times, begin = Random(self.seed), list[float](), 0.0  # noqa: S311 (the same times for the same seed)
        for rate, seconds in self.stages:
            at = begin + chance.expovariate(rate)
            while at < begin + seconds:
                times.append(at)
                at += chance.expovariate(rate)
            begin += seconds
        return times

    def as_json(self) -> str:
        """For the generator's process."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Plan":
        """What `as_json` wrote."""
        whole = json.loads(text)
        people = [Person(**person) for person in whole.pop("people")]
        stages = [(rate, seconds) for rate, seconds in whole.pop("stages")]
        return cls(people=people, stages=stages, **whole)


@dataclass
class Sent:
    """One request and what came of it; times in seconds, `at` and `sent` since the start."""

    route: int
    at: float
    sent: float
    latency: float = 0.0
    status: int = NEVER
    retry_after: bool = False
    right: bool = False


class Generator:
    """Sends by the plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.chance = plan, Random(plan.seed + 1)  # noqa: S311
        self.times = deque(plan.times)
        self.done: list[Sent] = []
        self.open = self.dropped = self.number = 0
        self.accepted: dict[str, str] = {}  # what was started, by its key
        self.uncertain: list[str] = []  # keys of what may have been started
        chosen = [number for number, route in enumerate(ROUTES) if not plan.routes or route.name in plan.routes]
        self.routes, self.weights = chosen, [WEIGHTS[number] for number in chosen]
        self.tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> dict[str, Any]:
        """Send everything, and wait for the last answers. What came of it, as the file has it."""
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        self.start = self.loop.time() + 0.1
        print(json.dumps({"start": time.monotonic() + 0.1}), flush=True)  # noqa: T201
        cpu, begin = time.process_time(), time.monotonic()
        self.loop.call_at(self.start, self._tick)
        await self.over.wait()
        return self._told(time.process_time() - cpu, time.monotonic() - begin)

    def _tick(self) -> None:
        """Send what is due, then sleep until the next is."""
        now = self.loop.time() - self.start
        while self.times and self.times[0] <= now:
            self._send(self.times.popleft())
        if self.times:
            self.loop.call_at(self.start + self.times[0], self._tick)
        elif not self.open:
            self.over.set()

    def _send(self, at: float) -> None:
        if self.open >= self.plan.most:
            self.dropped += 1
            return
        self.open += 1
        self.number += 1
        person = self.chance.choice(self.plan.people)
        route = self.chance.choices(self.routes, self.weights)[0]
        asked = ROUTES[route].build(person, self.chance, f"load-{self.plan.seed}-{self.number}")
        sent = Sent(route, at, self.loop.time() - self.start)
        exchange = Exchange(self, person, asked, sent)
        task = self.loop.create_task(exchange.begin(self.plan.port))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def ended(self, exchange: "Exchange") -> None:
        """An exchange is over, one way or another."""
        sent, asked = exchange.sent, exchange.asked
        sent.latency = self.loop.time() - self.start - sent.at
        sent.right = sent.status in asked.right
        self.done.append(sent)
        if sent.right:
            exchange.person.learn(asked, exchange.header(b"Location"), exchange.header(b"ETag"))
        if asked.key and sent.right:
            self.accepted[asked.key] = exchange.header(b"Location")
        elif asked.key and sent.status in (NEVER, BROKEN):
            self.uncertain.append(asked.key)
        self.open -= 1
        if not self.open and not self.times:
            self.over.set()

    def _told(self, cpu: float, wall: float) -> dict[str, Any]:
        return {
            "sent": [[s.route, s.at, s.sent, s.latency, s.status, s.retry_after, s.right] for s in self.done],
            "dropped": self.dropped,
            "cpu": cpu,
            "wall": wall,
            "accepted": self.accepted,
            "uncertain": self.uncertain,
        }


class Exchange(asyncio.Protocol):
    """One connection: a request, and its answer as far as it counts."""

    def __init__(self, generator: Generator, person: Person, asked: Asked, sent: Sent) -> None:
        self.generator, self.person, self.asked, self.sent = generator, person, asked, sent
        self.transport: asyncio.Transport | None = None
        self.head, self.size, self.expected, self.over = b"", 0, -1, False
        rest = max(0.0, sent.at + generator.plan.patience - sent.sent)
        self.timer = generator.loop.call_later(rest, self._finish, NEVER)

    async def begin(self, port: int) -> None:
        """Connect, from the person's own address."""
        try:
            await self.generator.loop.create_connection(lambda: self, HOST, port, local_addr=(self.person.address, 0))
        except OSError:
            self._finish(BROKEN)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.over:
            transport.abort()
            return
        transport.write(self.asked.wire(f"{HOST}:{self.generator.plan.port}"))

    def data_received(self, data: bytes) -> None:
        self.size += len(data)
        if self.expected < 0:
            self.head += data
            self._read_head()
        if 0 <= self.expected <= self.size:
            self._finish(self.sent.status)

    def _read_head(self) -> None:
        """The status, and how many bytes there will be in all; without a length the end is the end."""
        head, end, _ = self.head.partition(b"\r\n\r\n")
        if not end or self.sent.status != NEVER:
            return
        self.sent.status = int(head[9:12]) if head[9:12].isdigit() else BROKEN
        self.sent.retry_after = bool(self.header(b"Retry-After"))
        length = "0" if self.sent.status in (204, 304) else self.header(b"Content-Length")
        if length.isdigit():
            self.expected = len(head) + len(end) + int(length)

    def connection_lost(self, error: Exception | None) -> None:
        whole = self.sent.status > 0 and self.expected < 0 and error is None
        self._finish(self.sent.status if whole else BROKEN)

    def header(self, name: bytes) -> str:
        """A header of the answer, "" without."""
        for line in self.head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.lower() == name.lower():
                return value.strip().decode("latin-1")
        return ""

    def _finish(self, status: int) -> None:
        if self.over:
            return
        self.over = True
        self.timer.cancel()
        self.sent.status = status
        if self.transport:
            self.transport.abort() if status in (NEVER, BROKEN) else self.transport.close()
        self.generator.ended(self)


def main() -> None:
    """Run the plan of the standard input; what came of it goes to the file that the first argument names."""
    die_with_parent()
    with contextlib.suppress(PermissionError):  # not everybody may; then the report tells how late it was
        give_way(FIRST)
    plan = Plan.read(sys.stdin.read())
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    generator = Generator(plan)
    gc.collect()
    gc.disable()  # a pause of ours would look like one of the server
    told = asyncio.run(generator.run())
    with open(sys.argv[1], "w") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main()
