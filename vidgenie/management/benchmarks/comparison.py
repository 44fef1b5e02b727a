"""What has moved since another report: of each figure by how much, and whether that is more than noise.

Two measurements of the same program differ. By how much is measured, not assumed: everything is measured twice (A/A),
and a figure has moved only when its change, at the doubtful end of its interval and with that noise taken off, is
still one, when it is large enough to matter, and when chance would hardly have sorted the runs so.

What was measured beside a fixed piece of work in both reports is compared by its ratio to that: whatever else the
machine did slowed both.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from vidgenie import reports
from vidgenie.management.benchmarks.figures import LEAST_RUNS, STATISTICS, written
from vidgenie.reports import Row, Unreadable, Verdict

LEAST = 0.05  # less of a change is nobody's concern
CONFIDENCE = 0.99
CHANCE = 0.01  # how likely chance may be to sort the runs so
NOISES = 2.0  # so many times the noise may be seen between two measurements of one program
DRAWS = 2000
MOST_FOR_OTHERS = 0.25  # of the machine
SHORTEST = 0.2  # seconds; of less, nobody can say what others took
BUSY = "the machine was busy with other things"
Numbers = NDArray[numpy.float64]
SAME_MACHINE = ("cpus", "memory_bytes", "system", "python", "django", "postgresql")
METHOD = (
    f"Relative change of each figure with a {CONFIDENCE:.0%} bootstrap interval of both reports' runs, widened by "
    f"{NOISES:g} times the noise: how far two measurements of one program were apart, of this figure and of its whole "
    "suite (root mean square of these). Moved: the interval leaves out zero, the change is "
    f"{LEAST:.0%} or more, and of random orders of the runs fewer than {CHANCE:.0%} are sorted so far. What was "
    "measured in turns with fixed work is told and compared as the ratio to that."
)
RELATIVE = ("relative", "relative_again")


class Movement(StrEnum):
    """What has become of a figure."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "within the noise"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Moved:
    """One figure, before and now. `change`, its interval and the noise are relative: 0.2 is a fifth more."""

    before: float | None
    now: float | None
    movement: Movement
    change: float | None = None
    low: float | None = None
    high: float | None = None
    noise: float | None = None
    why: str = ""


def read(path: Path, quick: bool) -> dict[str, Any]:
    """The whole report to compare with. Raises Unreadable, with a sentence, for what cannot be compared."""
    try:
        reports.read(path, "benchmark")
        whole: dict[str, Any] = json.loads(path.read_bytes())
        for figure in whole["details"]["figures"].values():
            Sample.of(figure), Sample.of(_absolute(figure)), figure["higher_is_better"], figure["value"]
        for suite in whole["details"]["suites"]:
            _was_busy(whole["details"], suite)
        was_quick = bool(whole["details"]["quick"])
    except FileNotFoundError as error:
        raise Unreadable("there is no such file") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"something in it is missing or wrong: {error}") from error
    if was_quick != quick:
        raise Unreadable(f"it was measured {'with' if was_quick else 'without'} --quick: do the same")
    return whole


def differences(old: dict[str, Any], machine: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Sentences on what else is not as it was then."""
    then = old["machine"]
    found = [
        f"{name} was {then.get(name)}, is {machine.get(name)}"
        for name in SAME_MACHINE
        if then.get(name) != machine.get(name)
    ]
    known = old["details"].get("settings", {})
    return found + [
        f"{name} was {known[name]}, is {settings[name]}"
        for name in settings
        if known.get(name, settings[name]) != settings[name]
    ]


def compared(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Moved]:
    """The figures of both reports' details by id; those that cannot be compared are unknown, with the reason."""
    before, now = _alike(old["figures"], new["figures"])
    noise = _suite_noise(now)
    for suite, more in _suite_noise(before).items():
        noise[suite] = max(more, noise.get(suite, 0.0))
    found = {name: moved(before.get(name), figure, noise.get(_suite(name))) for name, figure in now.items()}
    return {
        name: one if "relative" in now[name] else _doubted(one, old, new, _suite(name)) for name, one in found.items()
    }


def _alike(*reports: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of both; what only one of them measured beside fixed work is compared as it is."""
    both = {name for name, figure in reports[0].items() if all("relative" in found.get(name, {}) for found in reports)}
    return [
        {name: figure if name in both else _absolute(figure) for name, figure in found.items()} for found in reports
    ]


def _absolute(figure: dict[str, Any]) -> dict[str, Any]:
    """A figure without what was measured beside it."""
    return {name: value for name, value in figure.items() if name not in RELATIVE}


def _doubted(one: Moved, old: dict[str, Any], new: dict[str, Any], suite: str) -> Moved:
    """Nothing is said of what was measured while others used the machine: they do not stay the same."""
    if one.movement == Movement.UNKNOWN or not (_was_busy(old, suite) or _was_busy(new, suite)):
        return one
    return replace(one, movement=Movement.UNKNOWN, why=BUSY)


def _was_busy(details: dict[str, Any], suite: str) -> bool:
    """Whether others took much of the machine, the first time or the second."""
    first = details["suites"].get(suite, {})
    times = [one for one in (first, first.get("again")) if one]
    return any(one["seconds"] >= SHORTEST and one["cpu"]["others"] > MOST_FOR_OTHERS for one in times)


def moved(old: dict[str, Any] | None, new: dict[str, Any], suite_noise: float | None) -> Moved:
    """What has become of one figure."""
    if old is None:
        return Moved(None, new["value"], Movement.UNKNOWN, why="it was not measured then")
    before, now = Sample.of(old), Sample.of(new)
    unknown = Moved(old["value"], new["value"], Movement.UNKNOWN)
    if "relative" in new:
        unknown = Moved(before.value, now.value, Movement.UNKNOWN)
    if min(len(before.runs), len(now.runs)) < LEAST_RUNS:
        return replace(unknown, why=f"it takes {LEAST_RUNS} runs of both")
    if min(before.value, now.value) <= 0:
        return replace(unknown, why="it is not above zero")
    noises = [noise for noise in (suite_noise, _noise(old), _noise(new)) if noise is not None]
    if not noises:
        return replace(unknown, why="its noise is not known: neither report measured twice")
    noise = math.sqrt(sum(noise**2 for noise in noises) / len(noises))
    change = math.log(now.value / before.value)
    low, high = _interval(before, now)
    low, high = low - NOISES * noise, high + NOISES * noise
    shares = [math.expm1(value) for value in (change, low, high, noise)]
    movement = Movement.SAME
    if (low > 0 or high < 0) and abs(shares[0]) >= LEAST and _chance(before.runs, now.runs) < CHANCE:
        movement = Movement.BETTER if (change > 0) == new["higher_is_better"] else Movement.WORSE
    return replace(unknown, movement=movement, change=shares[0], low=shares[1], high=shares[2], noise=shares[3])


@dataclass(frozen=True)
class Sample:
    """All runs of a figure in one report, and how they make its value."""

    runs: Numbers
    statistic: str

    @classmethod
    def of(cls, figure: dict[str, Any], *times: int) -> "Sample":
        """Of the first time (0) and the second (1), or of one of them.

        Raises KeyError, TypeError or ValueError for what no benchmark has written.
        """
        if figure["statistic"] not in (*STATISTICS, "once"):
            raise KeyError(figure["statistic"])
        names = RELATIVE if "relative" in figure else ("runs", "again")
        values = [value for time in times or (0, 1) for value in figure.get(names[time], [])]
        runs = numpy.array([value for value in values if value is not None], dtype=float)
        return cls(runs[numpy.isfinite(runs)], figure["statistic"])

    @property
    def value(self) -> float:
        """Of all the runs."""
        return float(self.along(self.runs[numpy.newaxis])[0]) if len(self.runs) else math.nan

    def along(self, drawn: Numbers) -> Numbers:
        """The statistic of each row of draws."""
        if self.statistic == "p95":
            place = max(0, math.ceil(0.95 * drawn.shape[1]) - 1)
            return numpy.asarray(numpy.sort(drawn, axis=1)[:, place])
        if self.statistic in ("mean", "min", "max"):
            return numpy.asarray(getattr(numpy, self.statistic)(drawn, axis=1))
        return numpy.asarray(numpy.median(drawn, axis=1))


def _interval(before: Sample, now: Sample) -> tuple[float, float]:
    """Of the logarithm of now over before, by drawing runs anew."""
    chance = numpy.random.default_rng(7)
    drawn = [one.along(chance.choice(one.runs, (DRAWS, len(one.runs)))) for one in (before, now)]
    with numpy.errstate(divide="ignore", invalid="ignore"):
        ratios = numpy.log(drawn[1] / drawn[0])
    tail = (1 - CONFIDENCE) / 2
    low, high = numpy.quantile(ratios[numpy.isfinite(ratios)], (tail, 1 - tail))
    return float(low), float(high)


def _chance(before: Numbers, now: Numbers) -> float:
    """How often runs in random order are sorted as far apart as these are: a rank sum test by drawing."""
    both = numpy.concatenate([before, now])
    order = numpy.argsort(numpy.argsort(both)).astype(float)
    ranks = numpy.array([order[both == value].mean() for value in both])  # equals share a rank
    mixed = numpy.random.default_rng(7).permuted(numpy.tile(ranks, (DRAWS, 1)), axis=1)
    middle = ranks.mean() * len(now)
    apart = numpy.abs(mixed[:, : len(now)].sum(axis=1) - middle) >= abs(ranks[len(before) :].sum() - middle) - 1e-9
    return float((apart.sum() + 1) / (DRAWS + 1))


# Noise


def _suite_noise(figures: dict[str, Any]) -> dict[str, float]:
    """By suite, how far two measurements of its figures were apart: the root mean square."""
    squares: dict[str, list[float]] = {}
    for name, figure in figures.items():
        if (noise := _noise(figure)) is not None:
            squares.setdefault(_suite(name), []).append(noise**2)
    return {suite: math.sqrt(sum(found) / len(found)) for suite, found in squares.items()}


def _noise(figure: dict[str, Any]) -> float | None:
    """How far its two measurements are apart, as a logarithm; None where there was one, or too little to tell."""
    first, again = Sample.of(figure, 0), Sample.of(figure, 1)
    if min(len(first.runs), len(again.runs)) < LEAST_RUNS or min(first.value, again.value) <= 0:
        return None
    return abs(math.log(again.value / first.value))


def _suite(name: str) -> str:
    return name.partition(".")[0]


# Telling


def row(found: dict[str, Moved], with_what: str, decides: bool) -> Row:
    """Whether anything became worse; it decides where that was asked for."""
    worse = [name for name, one in found.items() if one.movement == Movement.WORSE]
    known = sum(one.movement != Movement.UNKNOWN for one in found.values())
    busy = any(one.why == BUSY for one in found.values())
    verdict = Verdict.FAIL if worse else Verdict.PASS if known and not busy else Verdict.UNKNOWN
    return Row(
        "compare.nothing-worse",
        f"compared with {with_what}",
        verdict if decides else Verdict.NOTED,
        target="nothing is worse by more than noise" if decides else "",
        measured=len(worse),
        unit=f"of {known} figures worse",
        method=METHOD,
        evidence=", ".join(worse),
        advice="Measure both commits once more, in turns, on a quiet machine." if worse or busy else "",
    )


def table(found: dict[str, Moved]) -> Iterator[str]:
    """A line for each figure that could be compared, those that moved first; and how many could not."""
    order = {Movement.WORSE: 0, Movement.BETTER: 1, Movement.SAME: 2}
    known = {name: one for name, one in found.items() if one.movement in order}
    width = max(map(len, known), default=0)
    yield f"{'':{width}}  {'before':>9} {'now':>9} {'change':>9}  {'interval':>19} {'noise':>6}"
    for name, one in sorted(known.items(), key=lambda item: order[item[1].movement]):
        span = f"{_percent(one.low)} to {_percent(one.high)}"
        values = f"{_told(one.before):>9} {_told(one.now):>9} {_percent(one.change):>9}  {span:>19}"
        yield f"{name:{width}}  {values} {_percent(one.noise):>6}  {one.movement}"
    if len(known) < len(found):
        reasons = sorted({one.why for one in found.values() if one.why})
        yield f"{len(found) - len(known)} figures cannot be compared: {'; '.join(reasons)}."


def details(old: dict[str, Any], found: dict[str, Moved], unlike: list[str]) -> dict[str, Any]:
    """What the file keeps of it."""
    known = {name: old[name] for name in ("finished", "version", "commit", "uncommitted")}
    return {"with": {**known, "differences": unlike}, "figures": {name: asdict(one) for name, one in found.items()}}


def _told(value: float | None) -> str:
    return "unknown" if value is None else written(value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}"
