"""Thousands of renders in flight: how soon one is noticed that is made, how often it is asked for, at what memory."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from credits.models import Entry
from providers.simulator.clock import Renders
from vidgenie.management.benchmarks import naive, past, usage
from vidgenie.management.benchmarks.figures import Figure, spread
from vidgenie.management.benchmarks.rig import Rig, rig, succeeded, unfinished, wait
from workflows.models import Attempt

LONG, SHORT = "600:0.1", "120:0.1"  # seconds that renders take, median and sigma of a lognormal distribution
LONG_MODEL, SHORT_MODEL = "runway/gen4.5", "runway/gen4-turbo"
FILLING, MORE = 1.1, 1.03  # runs are started for so many times a render, and so much faster than the renders end
HISTORY = 200  # renders of the long kind that a site has seen before
NAIVE_SECONDS = 30.0
POLLS, MEGABYTES = 6, 600
PART, MOMENT = 0.05, 2.0  # one may notice late by this part of a render, or by these seconds where they are more
METHOD = (
    "Runs from an image by a simulated Runway without limit, polled (no webhooks), with tiny films; worker with "
    "default settings, PostgreSQL (durable) and simulator on one machine, real time. The short ones are started at "
    "once, the many as evenly as they end, until all are in flight. When a job is made is read in the simulator's "
    "books, when that was noticed on the attempt's row; what is bearable is the larger of 2 s and 5 % of the render. A "
    "look is a question how the job stands. Memory is that of the worker and all its processes (PSS), sampled every "
    "2 s."
)


@dataclass(frozen=True)
class Render:
    """One render: seconds it took, seconds until that was noticed and until the video was there, and looks."""

    seconds: float
    lag: float
    delivered: float
    looks: int


@dataclass(frozen=True)
class Pass:
    """What came of so many runs."""

    renders: list[Render]
    in_flight: int
    megabytes: float
    cores: float


def report(runs: int = 10_000, hurry: float = 1) -> Iterator[Figure | str]:
    """Measure renders of 2 minutes, then very many long ones, then the naive way. `hurry` shortens them, for trials."""
    with rig(speed=hurry, people=max(10, min(500, runs // 20))) as on:
        few = max(2, min(300, runs // 4))
        for name, judged in (("of a model that was never seen before", False), ("once more, now with a history", True)):
            found = _passed(on, few, SHORT_MODEL, SHORT)
            yield f"{few} renders at once, lognormal {SHORT} s, {name}:"
            yield from _noticing(found, POLLS if judged else None, "warm" if judged else "cold", judged=judged)
        usual = _hurried(LONG, hurry)
        past.render(HISTORY, on.people[0], LONG_MODEL, usual)
        found = _passed(on, int(runs * FILLING * MORE), LONG_MODEL, LONG, pause=usual.median / runs / MORE)
        yield f"{len(found.renders):,} renders, lognormal {LONG} s, with a history of {HISTORY} such:"
        yield Figure("renders in flight at once", found.in_flight, "", at_least=runs, id="in-flight")
        yield from _noticing(found, None, "many", judged=True)
        yield Figure("memory of all worker processes, the most", found.megabytes, "MB", MEGABYTES, id="memory")
        yield Figure("CPU of the worker, on average", found.cores, "cores", id="cores")
        yield from _naively(on)


def _hurried(renders: str, hurry: float) -> Renders:
    found = Renders.parse(renders)
    return Renders(found.median / hurry, found.sigma)


def _noticing(found: Pass, polls: int | None, which: str, *, judged: bool) -> Iterator[Figure | str]:
    looks = [float(render.looks) for render in found.renders]
    lags = [render.lag for render in found.renders]
    shares = [render.lag / max(MOMENT, PART * render.seconds) for render in found.renders]
    middle = median(render.seconds for render in found.renders)
    name, bar = f"noticed after so much of what is bearable, p95 ({which})", 1 if judged else None
    yield Figure.of(name, shares, "p95", unit="x", at_most=bar, id=f"{which}-noticed")
    yield f"    seconds until noticed: {spread(lags)}"
    yield f"    seconds until it was delivered: {spread([render.delivered for render in found.renders])}"
    brief = [float(render.looks) for render in found.renders if render.seconds <= middle]
    name = f"looks at a render of {middle:.0f} s or less, the most ({which})"
    yield Figure.of(name, brief, "max", at_most=polls, id=f"{which}-looks")
    yield f"    looks at any render: mean {fmean(looks):.2f}, {spread(looks)}"


def _passed(on: Rig, runs: int, model: str, renders: str, pause: float = 0.0) -> Pass:
    took = Renders.parse(renders)
    on.control("renders", {"median": took.median, "sigma": took.sigma})
    with on.worker() as worker, usage.Memory(worker).watched() as memory:
        before, start = usage.cpu(worker), time.monotonic()
        ids = on.start(runs, on.quote("video-from-image", model), pause)
        most = _seen_through(on)
        cores = (usage.cpu(worker) - before) / (time.monotonic() - start)
    succeeded(ids)
    mine = Attempt.objects.filter(step__workflow__in=ids)
    return Pass(_renders(on, mine), most, memory.most, cores)


def _seen_through(on: Rig) -> int:
    """Wait until all is settled; the most jobs that were in flight at once, by the simulator's count."""
    most = [0]

    def over() -> bool:
        most[0] = max(most[0], on.control("state")["in_flight"])
        return not unfinished()

    wait(over, 3600, "the runs are not all settled", every=1.0)
    return most[0]


def _renders(on: Rig, attempts: Any) -> list[Render]:
    books = {job: (accepted, end) for _, job, accepted, end, _ in on.control("jobs")}
    found = []
    for job, made, finished, looks in attempts.values_list("job_id", "made", "finished", "looks"):
        accepted, end = books[job]
        lag = (made or finished).timestamp() - end
        found.append(Render(end - accepted, lag, finished.timestamp() - end, looks))
    return found


def _naively(on: Rig) -> Iterator[Figure | str]:
    """Four renders of half a minute; what is said of ten thousand is worked out from these."""
    runs = 4
    on.control("clock", {"speed": 1})
    on.control("renders", {"median": NAIVE_SECONDS, "sigma": 0.1})
    settled = Entry.objects.filter(key__startswith="naive:")
    with on.queue() as queue, usage.Memory(queue).watched() as memory:
        start, most = time.monotonic(), 0
        for number in range(runs):
            naive.start(on.people[0], on.quote("video-from-image", SHORT_MODEL), number)
        while settled.count() < runs and time.monotonic() - start < 300:
            most = max(most, on.control("state")["in_flight"])
            time.sleep(0.5)
    ends = {job: end for _, job, _, end, _ in on.control("jobs")}
    lags = [entry.created.timestamp() - ends[entry.key.rpartition(":")[2]] for entry in settled]
    yield f"The naive way, {runs} renders of {NAIVE_SECONDS:.0f} s:"
    yield Figure("renders in flight at once (naively)", most, id="naive-in-flight")
    yield f"    seconds until settled, looking every {naive.POLL:.0f} s: {spread(lags)}"
    yield Figure("memory of the queue's processes, the most (naively)", memory.most, "MB", id="naive-memory")
    days = 10_000 * Renders.parse(LONG).median / max(1, most) / 86_400
    each = memory.most / (most + 3)  # beside its workers a cluster has a sentinel, a pusher and a monitor
    yield Figure("days for 10,000 renders of 10 minutes (naively; worked out)", days, id="naive-days")
    yield Figure(
        "memory for 10,000 in flight at once (naively; worked out)", each * 10_000, "MB", id="naive-all-memory"
    )
