"""Whether a series grows: a slope that stray values do not bend, and how sure it is.

Theil and Sen's slope is the median of the slopes between all pairs of points. How far it may be off is seen by drawing
what lies beside the line anew, in blocks, since neighbors are alike, and taking the slope again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from random import Random
from statistics import median

ROUNDS = 1000
BLOCK = 4  # neighbors that are drawn together
SEED = 7
CLEAN, LEAK = 100.0, 50.0  # bytes a request: clean when surely below the one, a leak when surely above the other


class Growth(StrEnum):
    """What a series is."""

    CLEAN = "clean"
    LEAK = "leak"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Slope:
    """Growth of a series, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def growth(self) -> Growth:
        """By steps of one request and values in bytes. What lies between the two is not called either.

        100 bytes are 9 MB a day in a process that answers a request a second all day: nobody restarts it for that.
        """
        if self.low > LEAK:
            return Growth.LEAK
        return Growth.CLEAN if self.high < CLEAN else Growth.UNSURE


def slope(values: Sequence[float], at: Sequence[float], rounds: int = ROUNDS) -> Slope:
    """The slope of at least three values over where they were taken. The same values give the same answer."""
    if len(values) < 3:
        raise ValueError("a slope needs three values")
    value = theil_sen(values, at)
    start = median(y - value * x for x, y in zip(at, values, strict=True))
    line = [start + value * x for x in at]
    beside = [y - on for y, on in zip(values, line, strict=True)]
    chance = Random(SEED)  # noqa: S311
    drawn = sorted(
        theil_sen([on + off for on, off in zip(line, _drawn(beside, chance), strict=True)], at) for _ in range(rounds)
    )
    return Slope(value, drawn[int(0.025 * rounds)], drawn[int(0.975 * rounds)])


def theil_sen(values: Sequence[float], at: Sequence[float]) -> float:
    """The median slope between two of the values."""
    points = zip(at, values, strict=True)
    return median((b - a) / (j - i) for (i, a), (j, b) in combinations(points, 2))


def _drawn(beside: Sequence[float], chance: Random) -> list[float]:
    """As many of these, in blocks of neighbors; the last one's neighbor is the first."""
    count, found = len(beside), list[float]()
    while len(found) < count:
        begin = chance.randrange(count)
        found += [beside[(begin + step) % count] for step in range(BLOCK)]
    return found[:count]
