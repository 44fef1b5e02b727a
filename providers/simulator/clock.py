"""The simulator's time: what waits is a difference of two numbers, so jobs in flight cost nothing."""

import math
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime


class Clock:
    """Unix time that can be moved forward, and the speed at which providers work (0: everything is done at once)."""

    def __init__(self, speed: float = 1.0) -> None:
        self.ahead = 0.0
        self.run_at(speed)

    def run_at(self, speed: float) -> None:
        """Change the speed for what begins from now on; raises ValueError for less than nothing."""
        if not speed >= 0:
            raise ValueError(f"the speed is {speed}; it must be 0 or more")
        self.speed = speed

    def now(self) -> float:
        """Unix time in seconds, as the providers of this simulator see it."""
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        """Let so many seconds go by at once."""
        self.ahead += seconds

    def scaled(self, seconds: float) -> float:
        """How long something takes here that really takes so many seconds."""
        return seconds / self.speed if self.speed else 0.0


@dataclass(frozen=True)
class Renders:
    """How long jobs take, instead of what each model usually takes: lognormal, as renders are. In seconds."""

    median: float
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.median < math.inf and 0 <= self.sigma < 5):
            raise ValueError(f"{self.median}:{self.sigma} must be a median above 0 and a sigma from 0 to 5")

    @classmethod
    def parse(cls, text: str) -> "Renders":
        """From "600" or "600:0.1"; raises ValueError."""
        median, _, sigma = text.partition(":")
        return cls(float(median), float(sigma or 0))

    def draw(self, chance: random.Random) -> float:
        """One job's time."""
        return self.median * math.exp(chance.gauss(0.0, self.sigma))


def iso(moment: float) -> str:
    """The moment as providers write it: 2026-11-22T10:00:00.000Z."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
