"""Jobs in flight: where each stands follows from timestamps and from what was decided when it was accepted."""

import heapq
import random
import uuid
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .clock import Clock
from .faults import Tag

KEPT = 50_000  # jobs; the oldest are forgotten


class Phase(StrEnum):
    """What a provider says of a job, before each puts it into words of its own."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELED = "canceled"
    ODD = "odd"  # a word that no documentation knows


class Verdict(StrEnum):
    """How a job ends."""

    MADE = "made"
    REFUSED = "refused"  # by moderation of what was made
    FAILED = "failed"
    EMPTY = "empty"  # done, without anything made


@dataclass(eq=False)
class Job:
    """Everything the simulator knows of an accepted job. `size` is in pixels, `seconds` 0 for a still."""

    provider: str
    model: str
    key: str
    size: tuple[int, int]
    seconds: int
    accepted: float
    latency: float
    price: float = 0.0  # US cents
    faults: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[Tag, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.UUID(int=random.getrandbits(128), version=4)))
    start: float = 0.0
    canceled: float | None = None
    polls: int = 0
    handed_out: int = 0
    downloads: int = 0
    signed: dict[int, float] = field(default_factory=dict)  # when each address was handed out
    wrong: list[Any] = field(default_factory=list)

    @property
    def end(self) -> float:
        return self.start + self.latency

    @property
    def verdict(self) -> Verdict:
        for fault, verdict in _ENDINGS.items():
            if fault in self.faults:
                return verdict
        return Verdict.MADE

    def phase(self, now: float) -> Phase:
        """The truth, as the simulator itself sees it."""
        if self.canceled is not None:
            return Phase.CANCELED
        if now < self.start or "stays_queued" in self.faults:
            return Phase.QUEUED
        if now < self.end or "never_ends" in self.faults:
            return Phase.RUNNING
        return Phase.DONE

    def told(self, now: float) -> Phase:
        """What is told to one more that asks: the truth, unless the job's faults twist it for the first few times."""
        self.polls += 1
        if "odd_status" in self.faults and self.polls <= 2:
            return Phase.ODD
        if "goes_backwards" in self.faults and self.polls <= 2:
            return Phase.RUNNING if self.polls == 1 else Phase.QUEUED
        return self.phase(now)

    def progress(self, now: float) -> float:
        """0 to 1."""
        return round(min(max((now - self.start) / self.latency, 0.0), 1.0), 2) if self.latency else 1.0

    def billed(self, now: float) -> float:
        """US cents taken so far: only what was made is paid for, as all of them promise."""
        made = self.phase(now) is Phase.DONE and self.verdict is Verdict.MADE
        return self.price if made or "billed" in self.notes else 0.0


_ENDINGS = {
    "moderation_output": Verdict.REFUSED,
    "fails": Verdict.FAILED,
    "done_without_video": Verdict.EMPTY,
}


def _plain(id: str) -> str:
    """Omni's interactions have a prefix before it, the files of Google no dashes in it."""
    return id.removeprefix("v1_").replace("-", "")


class Lane:
    """The jobs of one key in their order: start times never decrease along it, so a place in line is a bisection."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.jobs: list[Job] = []
        self._free = [0.0] * slots

    def join(self, job: Job, now: float) -> None:
        """Put a job at the end; it starts when a slot is free."""
        job.start = max(now, heapq.heappop(self._free))
        heapq.heappush(self._free, job.end)
        self.jobs.append(job)
        if len(self.jobs) % 256 == 0:
            self.jobs = [one for one in self.jobs if one.end > now]

    def leave(self, job: Job, now: float) -> None:
        """Take a job out; those that have not started move up."""
        kept = [one for one in self.jobs if one is not job and one.end > now]
        running = [one for one in kept if one.start <= now]
        self._free = [0.0] * (self.slots - len(running)) + [one.end for one in running]
        heapq.heapify(self._free)
        self.jobs = running
        for one in kept[len(running) :]:
            self.join(one, now)

    def position(self, job: Job, now: float) -> int:
        """How many are waiting before it."""
        first = bisect_right(self.jobs, now, key=lambda one: one.start)
        return next((n for n, one in enumerate(self.jobs[first:]) if one is job), 0)


class Jobs:
    """All jobs, and the lanes they wait in: per provider and key only so many run at a time (0: no limit)."""

    def __init__(self, clock: Clock, concurrency: Mapping[str, int]) -> None:
        self.clock = clock
        self.concurrency = dict(concurrency)
        self._all: OrderedDict[str, Job] = OrderedDict()
        self._lanes: dict[tuple[str, str], Lane] = {}

    def __iter__(self) -> Iterator[Job]:
        """All that are remembered, oldest first."""
        return iter(self._all.values())

    def add(self, job: Job) -> Job:
        """Accept a job; it starts when its lane has room."""
        if lane := self._lane(job):
            lane.join(job, self.clock.now())
        else:
            job.start = self.clock.now()
        self._all[_plain(job.id)] = job
        if len(self._all) > KEPT:
            self._all.popitem(last=False)
        return job

    def get(self, id: str, provider: str) -> Job | None:
        """The provider's job with this id, as the provider writes ids."""
        job = self._all.get(_plain(id))
        return job if job is not None and job.provider == provider else None

    def cancel(self, job: Job) -> None:
        """Stop a job, unless it is one that can't be; those behind it move up."""
        if "ignores_cancel" in job.faults:
            return
        job.canceled = self.clock.now()
        if lane := self._lane(job):
            lane.leave(job, self.clock.now())

    def expire(self, job: Job, seconds: float) -> None:
        """End a job that does not start within so many seconds, as a failure."""
        self.cancel(job)
        job.canceled, job.start, job.latency = None, job.accepted + seconds, 0.0
        job.faults = {**job.faults, "fails": "request_timeout"}

    def waiting(self, provider: str, key: str) -> int:
        """How many jobs of a key have not started."""
        lane, now = self._lanes.get((provider, key)), self.clock.now()
        return sum(job.start > now for job in lane.jobs) if lane else 0

    def position(self, job: Job) -> int:
        """How many jobs are waiting before this one."""
        lane = self._lane(job)
        return lane.position(job, self.clock.now()) if lane else 0

    def waits(self, job: Job) -> bool:
        """Whether it has not started because others run."""
        return job.start > self.clock.now() and job.canceled is None

    def in_flight(self) -> int:
        """How many are not finished."""
        now = self.clock.now()
        return sum(job.phase(now) in (Phase.QUEUED, Phase.RUNNING) for job in self._all.values())

    def limit(self, concurrency: Mapping[str, int]) -> None:
        """Change how many run at a time, from the next job on."""
        self.concurrency |= concurrency
        self._lanes.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._all.clear()
        self._lanes.clear()

    def _lane(self, job: Job) -> Lane | None:
        slots = self.concurrency.get(job.provider, 0)
        return self._lanes.setdefault((job.provider, job.key), Lane(slots)) if slots else None
