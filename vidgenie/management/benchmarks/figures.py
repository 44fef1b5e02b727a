"""A figure as every suite gives it: what was promised, what was measured, how, and whether the promise is kept."""

import math
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vidgenie.reports import Verdict

LEAST_RUNS = 5  # what is judged of fewer runs is not shown to be kept


@dataclass(frozen=True)
class Figure:
    """One measured number. A bar is the most (`at_most`) or the least (`at_least`) it may be; not all have one.

    `runs` are the values of the runs that it was made of, by `statistic` (of STATISTICS); empty where it was measured
    once. `id` is its own within its suite and stays the same from version to version. `beside` is what a fixed piece of
    work took in each of these runs: a machine that is slow just then is slow in both.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    method: str = ""
    id: str = ""
    runs: tuple[float, ...] = ()
    statistic: str = ""
    strictly: bool = False  # the bar itself is too much
    more_is_better: bool = False
    beside: tuple[float, ...] = ()

    @classmethod
    def of(cls, name: str, runs: Iterable[float], statistic: str = "median", **more: object) -> "Figure":
        """The figure that these runs come to."""
        found = tuple(float(value) for value in runs)
        more["beside"] = tuple(more.get("beside", ()))  # type: ignore[arg-type]
        return cls(name, STATISTICS[statistic](found), runs=found, statistic=statistic, **more)  # type: ignore[arg-type]

    @property
    def verdict(self) -> Verdict:
        """Whether the promise is kept: unknown for what was not measured (nan), or of too few runs to say yes."""
        if self.bar is None:
            return Verdict.NOTED
        if math.isnan(self.value):
            return Verdict.UNKNOWN
        if not self._kept():
            return Verdict.FAIL
        return Verdict.PASS if not self.runs or len(self.runs) >= LEAST_RUNS else Verdict.UNKNOWN

    @property
    def bar(self) -> float | None:
        return self.at_least if self.at_most is None else self.at_most

    @property
    def higher_is_better(self) -> bool:
        """More of it is good news: rates, and whatever has to be at least so much."""
        return self.more_is_better or self.unit.endswith("/s") or self.at_least is not None

    @property
    def relative(self) -> list[float]:
        """Each run by what the fixed work took in it; none where nothing was measured beside it."""
        return [run / other for run, other in zip(self.runs, self.beside, strict=True)] if self.beside else []

    @property
    def target(self) -> str:
        """The promise in words."""
        if self.bar is None:
            return ""
        inclusive, exclusive = ("at least", "over") if self.at_most is None else ("at most", "under")
        return f"{exclusive if self.strictly else inclusive} {written(self.bar)} {self.unit}".strip()

    @property
    def slug(self) -> str:
        """Its id, else its name in letters that an id may have."""
        return self.id or re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def _kept(self) -> bool:
        if self.value == self.bar:
            return not self.strictly
        return self.value < self.at_most if self.at_most is not None else self.value > (self.at_least or 0.0)

    def __str__(self) -> str:
        said = f"  {self.name:<58} {written(self.value):>9} {self.unit}"
        return f"{said:<80} {self.target}: {self.verdict}" if self.bar is not None else said.rstrip()


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that so large a share (0 to 1) does not exceed; nan of nothing."""
    found = sorted(values)
    return found[max(0, math.ceil(share * len(found)) - 1)] if found else math.nan


def spread(values: Sequence[float]) -> str:
    """Median, 95th percentile and maximum, in words."""
    median, high = percentile(values, 0.5), percentile(values, 0.95)
    return f"median {written(median)}, p95 {written(high)}, max {written(max(values, default=math.nan))}"


STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "median": lambda values: statistics.median(values) if values else math.nan,
    "mean": lambda values: statistics.fmean(values) if values else math.nan,
    "p95": lambda values: percentile(values, 0.95),
    "min": lambda values: min(values, default=math.nan),
    "max": lambda values: max(values, default=math.nan),
}


def written(number: float) -> str:
    """The number as people read it: three digits, no more."""
    if math.isnan(number):
        return "unknown"
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"
