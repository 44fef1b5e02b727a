"""The phases of a load test: it proves itself, then measures the usual load, then ten times that and what comes after.

Each is one run of the generator, with all processes watched beside it.
"""

import contextlib
import math
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psutil  # type: ignore[import-untyped]

from vidgenie.management.benchmarks import usage
from vidgenie.management.benchmarks.figures import percentile
from vidgenie.management.load.generator import Plan, Sent
from vidgenie.management.load.installation import Installation
from vidgenie.management.load.mix import ROUTES
from vidgenie.management.load.sending import Outcome, failed, refused, sending, wrong
from vidgenie.management.load.watching import Watch

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
STOP = 2.0  # seconds for which the server is stopped, to see whether it shows
LEAD_IN = 5.0  # seconds of the usual load before what is judged
WINDOW = 5.0  # seconds; so long all must be well to be called recovered
TIMES = 10  # the usual rate, in the overload


@dataclass(frozen=True)
class Lengths:
    """Requests a second, and the seconds of each phase."""

    rate: float
    proof: float
    load: float
    overload: float
    after: float


@dataclass(frozen=True)
class Phase:
    """What came of one phase. What is judged is what was to be sent from `begin` to `end`, in its own seconds."""

    name: str
    outcome: Outcome
    watch: Watch
    begin: float
    end: float

    @property
    def judged(self) -> list[Sent]:
        """What counts, in order of time."""
        return self.outcome.between(self.begin, self.end)

    @property
    def rate(self) -> float:
        """Requests a second that were sent in the time that is judged."""
        return len(self.judged) / (self.end - self.begin)

    def document(self) -> dict[str, Any]:
        """As the report has it."""
        sent = self.outcome.sent
        return {
            "stages": [{"rate": rate, "seconds": seconds} for rate, seconds in self.outcome.plan.stages],
            "judged": {"from": self.begin, "to": self.end, "sent": len(self.judged), "rate": round(self.rate, 2)},
            "generator": _generator(self.outcome),
            "answers": dict(sorted(Counter(str(one.status) for one in sent).items())),
            "refused": len(refused(sent)),
            "failed": len(failed(sent)),
            "wrong": len(wrong(sent)),
            "latency_ms": summary(self.judged),
            "routes": by_route(self.judged),
            **self.watch.document(),
        }


def _generator(outcome: Outcome) -> dict[str, Any]:
    planned = len(outcome.plan.times)
    told = {"planned": planned, "sent": len(outcome.sent), "dropped": outcome.dropped, "late": outcome.late}
    most = max((one.sent - one.at for one in outcome.sent), default=0.0)
    return told | {"latest_ms": round(most * 1000, 1), "cpu_share": round(outcome.load, 3), "seed": outcome.plan.seed}


# --- Figures -----------------------------------------------------------------------------------------------


def milliseconds(sent: Iterable[Sent], share: float) -> float:
    """The latency that so large a share does not exceed; nan of nothing."""
    return percentile((one.latency for one in sent), share) * 1000


def summary(sent: Sequence[Sent]) -> dict[str, Any]:
    """Percentiles in milliseconds, the longest, and the histogram they are from, by the upper end of each bucket."""
    told = {name: round(milliseconds(sent, share), 2) for name, share in SHARES.items()}
    return told | {"max": round(milliseconds(sent, 1), 2), "histogram": histogram(sent)}


def histogram(sent: Iterable[Sent]) -> dict[str, int]:
    """How many took up to so many milliseconds, in buckets that grow by a quarter of a doubling."""
    counts = Counter(math.ceil(4 * math.log2(max(one.latency * 1000, 0.25))) for one in sent)
    return {f"{2 ** (step / 4):.3g}": count for step, count in sorted(counts.items())}


def by_route(sent: Iterable[Sent]) -> dict[str, dict[str, Any]]:
    """For each route: how many, how they ended, and their latencies."""
    found = defaultdict(list)
    for one in sent:
        found[ROUTES[one.route].name].append(one)
    return {name: _of_route(some) for name, some in sorted(found.items())}


def _of_route(some: list[Sent]) -> dict[str, Any]:
    told = {"sent": len(some), "refused": len(refused(some)), "failed": len(failed(some)), "wrong": len(wrong(some))}
    return told | {"latency_ms": summary(some)}


def recovered_after(sent: Sequence[Sent], end: float, bearable: float) -> float:
    """Seconds after `end` from when on, for a window, nothing is refused or fails and 95 % take under `bearable` s.

    inf when that does not come.
    """
    last = max((one.at for one in sent), default=end)
    begin = end
    while begin + WINDOW <= last + 1:
        some = [one for one in sent if begin <= one.at < begin + WINDOW]
        if some and not refused(some) and not failed(some) and milliseconds(some, 0.95) < bearable * 1000:
            return begin - end
        begin += 1.0
    return math.inf


# --- The phases --------------------------------------------------------------------------------------------


def proof(site: Installation, lengths: Lengths) -> Phase:
    """The usual load, and in the middle of it the web server is stopped."""
    plan = Plan(site.port, [(lengths.rate, lengths.proof)], site.people, seed=1)
    with Watch(site.parts).watched() as watch, sending(plan) as at_work:
        time.sleep(max(0.0, at_work.start + lengths.proof / 2 - time.monotonic()))
        stop(site.web, STOP)
        outcome = at_work.outcome()
    return Phase("proof", outcome, watch, 0.0, lengths.proof)


def stop(process: psutil.Process, seconds: float) -> None:
    """Stop a process and all under it for so long, and have them go on."""
    members = usage.family(process)
    try:
        _tell(members, signal.SIGSTOP)
        time.sleep(seconds)
    finally:
        _tell(members, signal.SIGCONT)


def _tell(members: Iterable[psutil.Process], number: signal.Signals) -> None:
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(number)


def load(site: Installation, lengths: Lengths) -> Phase:
    """The usual load; its first seconds are not judged."""
    stages = [(lengths.rate, LEAD_IN + lengths.load)]
    return _run(site, Plan(site.port, stages, site.people, seed=2), "load", LEAD_IN, LEAD_IN + lengths.load)


def overload(site: Installation, lengths: Lengths) -> Phase:
    """The usual load, ten times that, and the usual again."""
    stages = [(lengths.rate, LEAD_IN), (lengths.rate * TIMES, lengths.overload), (lengths.rate, lengths.after)]
    return _run(site, Plan(site.port, stages, site.people, seed=3), "overload", LEAD_IN, LEAD_IN + lengths.overload)


def _run(site: Installation, plan: Plan, name: str, begin: float, end: float) -> Phase:
    with Watch(site.parts).watched() as watch, sending(plan) as at_work:
        outcome = at_work.outcome()
    return Phase(name, outcome, watch, begin, end)


def hurried(lengths: Lengths, seconds: float) -> Lengths:
    """The same with another length of what is measured."""
    return replace(lengths, load=seconds)
