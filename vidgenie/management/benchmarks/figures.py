"""A figure as every suite gives it: what was promised, what was measured, how, and whether the promise is kept."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured number. A bar is the most (`at_most`) or the least (`at_least`) it may be; not all have one."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    method: str = ""

    @property
    def verdict(self) -> str:
        """met, MISSED, or "" where nothing was promised. What could not be measured (nan) is missed."""
        if self.at_most is not None:
            return "met" if self.value <= self.at_most else "MISSED"
        if self.at_least is not None:
            return "met" if self.value >= self.at_least else "MISSED"
        return ""

    @property
    def target(self) -> str:
        """The promise in words."""
        if self.at_most is not None:
            return f"at most {_written(self.at_most)} {self.unit}".strip()
        return f"at least {_written(self.at_least)} {self.unit}".strip() if self.at_least is not None else ""

    def __str__(self) -> str:
        said = f"  {self.name:<58} {_written(self.value):>9} {self.unit}"
        return f"{said:<80} {self.target}: {self.verdict}" if self.verdict else said.rstrip()


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that so large a share (0 to 1) does not exceed; nan of nothing."""
    found = sorted(values)
    return found[max(0, math.ceil(share * len(found)) - 1)] if found else math.nan


def spread(values: Sequence[float]) -> str:
    """Median, 95th percentile and maximum, in words."""
    median, high = percentile(values, 0.5), percentile(values, 0.95)
    return f"median {_written(median)}, p95 {_written(high)}, max {_written(max(values, default=math.nan))}"


def _written(number: float) -> str:
    if math.isnan(number):
        return "unknown"
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:.3g}"
