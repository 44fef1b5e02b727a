"""How many complete runs a second one machine carries when providers answer at once, and what one of them costs."""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from credits.models import Entry
from vidgenie.management.benchmarks import naive, past, statements, usage
from vidgenie.management.benchmarks.figures import Figure, percentile
from vidgenie.management.benchmarks.ground import Ground
from vidgenie.management.benchmarks.rig import Rig, rig, succeeded, unfinished, wait
from workflows.models import Attempt, Workflow

LEAST, AIM = 20.0, 50.0  # runs a second
IDLE = 3.0  # seconds
GROWTH = 1.1  # what a run may cost more with the long history, as a factor: the noise between two equal runs
SHORT, LONG = 34, 33_400  # finished runs of history, of three attempts each
METHOD = (
    "Complete runs (words, still, film of 5 s) by simulated OpenAI and Runway that answer at once with pictures of "
    "64x36 pixels; simulator, PostgreSQL (durable), worker with default settings and this command on one machine. "
    "Runs are started one after the other while the worker works; from the first start until the last is settled."
)


@dataclass(frozen=True)
class Cost:
    """What so many runs took, in seconds: wall from the first start to the last settlement, and CPU by who used it."""

    runs: int
    wall: float
    steady: float
    started: float
    worker: float
    database: float
    simulator: float
    itself: float

    @property
    def milliseconds(self) -> float:
        """CPU of worker and PostgreSQL for one run."""
        return (self.worker + self.database) / self.runs * 1000


def report(runs: int = 2000) -> Iterator[Figure | str]:
    """Measure with a short history and a long one, then the naive way."""
    with rig() as on:
        _warm(on, max(4, min(50, runs // 2)))
        one = Workflow.objects.filter(status="succeeded")[0]
        rows = past.copy(one, 1, SHORT)
        short = yield from _measured(on, runs, f"{rows:,} rows of history", "short", judged=True)
        few = yield from _counted(on, max(4, runs // 4), "short")
        rows = past.copy(one, SHORT + 1, LONG)
        told = f"{rows:,} rows of history, of them {Attempt.objects.count():,} attempts"
        long = yield from _measured(on, runs, told, "long")
        many = yield from _counted(on, max(4, runs // 4), "long")
        yield Figure(
            "CPU of a run, long history to short", long.milliseconds / short.milliseconds, "x", GROWTH, id="growth"
        )
        yield Figure(
            "statements of a run, long history to short", many / few, "x", at_most=1.02, id="statements-growth"
        )
        yield from _naively(on, max(4, runs // 5))


def short(ground: Ground, runs: int = 60) -> Iterator[Figure]:
    """A first impression within seconds, without history; the last look of 5 s weighs too much in it to be judged."""
    on, worker = ground.rig, ground.worker
    ground.providers(speed=0)
    yield from figures(_cost(on, worker, runs), "quick")
    ground.providers(speed=1)


def _warm(on: Rig, runs: int) -> None:
    """Run some before: what is compiled and planned once is not what a run costs, and looks are planned by the past."""
    with on.worker():
        on.start(runs, on.quote())
        wait(lambda: not unfinished(), 120, "the runs to warm up are not all settled")


def _measured(on: Rig, runs: int, name: str, past: str, *, judged: bool = False) -> Generator[Figure | str, None, Cost]:
    with on.worker() as worker:
        _awake(on)
        idle = _idle(worker)
        cost = _cost(on, worker, runs)
    yield f"{runs} runs, {name}:"
    yield from figures(cost, past, LEAST if judged else None)
    yield (
        f"    of it worker {cost.worker / runs * 1000:.1f} ms, PostgreSQL {cost.database / runs * 1000:.1f}; "
        f"beside it simulator {cost.simulator / runs * 1000:.1f}, starting it {cost.itself / runs * 1000:.1f}"
    )
    yield f"    a worker with nothing to do takes {idle * 100:.0f} % of a core; that is in it"
    return cost


def figures(cost: Cost, past: str, bar: float | None = None) -> Iterator[Figure]:
    """What so many runs come to, with a `past` of this length."""
    told, rate = f"({past} history)", cost.runs / cost.wall
    yield Figure(f"complete runs a second, started to settled {told}", rate, "/s", at_least=bar, id=f"{past}-rate")
    yield Figure(f"between the 10th and the 90th of a hundred {told}", cost.steady, "/s", id=f"{past}-steady")
    yield Figure(f"starts a second beside it {told}", cost.runs / cost.started, "/s", id=f"{past}-starts")
    yield Figure(f"CPU of a run, worker and PostgreSQL {told}", cost.milliseconds, "ms", id=f"{past}-cpu")


def _awake(on: Rig) -> None:
    """A worker takes some seconds to start; see one run through before the watch is started."""
    on.start(2, on.quote())
    wait(lambda: not unfinished(), 120, "the worker has not settled a run")


def _idle(worker: psutil.Process) -> float:
    """Cores that a worker and PostgreSQL take when there is nothing to do."""
    server = usage.database() or worker
    before = usage.cpu(worker) + usage.cpu(server)
    time.sleep(IDLE)
    return (usage.cpu(worker) + usage.cpu(server) - before) / IDLE


def _cost(on: Rig, worker: psutil.Process, runs: int) -> Cost:
    quote, before = on.quote(), _cpu(on, worker)
    start = time.monotonic()
    ids = on.start(runs, quote)
    started = time.monotonic() - start
    wait(lambda: not unfinished(), 600, "the runs are not all settled")
    used = _since(before, _cpu(on, worker))
    succeeded(ids)
    mine = Workflow.objects.filter(pk__in=ids)
    begun = min(moment.timestamp() for moment in mine.values_list("created", flat=True))
    settled = sorted(moment.timestamp() for moment in mine.values_list("finished", flat=True) if moment)
    low, high = percentile(settled, 0.1), percentile(settled, 0.9)
    steady = 0.8 * runs / (high - low) if high > low else float("nan")
    return Cost(runs, settled[-1] - begun, steady, started, *used)


def _cpu(on: Rig, worker: psutil.Process) -> tuple[float, float, float, float]:
    """CPU seconds so far of the worker, PostgreSQL, the simulator and this process."""
    server = usage.database()
    return usage.cpu(worker), usage.cpu(server) if server else math.nan, usage.cpu(on.simulator), time.process_time()


def _since(before: tuple[float, ...], now: tuple[float, ...]) -> list[float]:
    return [after - earlier for after, earlier in zip(now, before, strict=True)]


def _counted(on: Rig, runs: int, past: str) -> Generator[Figure | str, None, float]:
    with statements.counted() as counter, on.worker():
        _awake(on)
        counter.begin()
        on.start(runs, on.quote())
        wait(lambda: not unfinished(), 120, "the runs to count statements are not all settled")
        kinds = counter.kinds()
    on.log.with_name("statements").write_text("".join(f"{n / runs:6.2f} {kind}\n" for kind, n in kinds.most_common()))
    asked, around = statements.split(kinds)
    told = f"idle ticks of the worker included ({past} history)"
    yield Figure(f"statements of a run, {told}", asked / runs, id=f"{past}-statements")
    yield Figure(f"and to begin and end transactions ({past} history)", around / runs, id=f"{past}-transactions")
    return asked / runs


def _naively(on: Rig, runs: int) -> Iterator[Figure | str]:
    with on.queue() as queue:
        _settled_naively(on, 2)
        before = _cpu(on, queue)
        wall = _settled_naively(on, runs)
        used = _since(before, _cpu(on, queue))
    yield f"{runs} runs the naive way (a task that submits, sleeps {naive.POLL:.0f} s between looks, stores, settles):"
    yield Figure("complete runs a second, queued to settled (naively)", runs / wall, "/s", id="naive-rate")
    cpu = (used[0] + used[1]) / runs * 1000
    yield Figure("CPU of a run, queue and PostgreSQL (naively)", cpu, "ms", id="naive-cpu")


def _settled_naively(on: Rig, runs: int) -> float:
    """Seconds until all of them are settled."""
    settled = Entry.objects.filter(key__startswith="naive:")
    before, start, quote = settled.count(), time.monotonic(), on.quote()
    for number in range(runs):
        naive.start(on.people[number % len(on.people)], quote, number)
    wait(lambda: settled.count() >= before + runs, 600, "the naive runs are not all settled")
    return time.monotonic() - start
