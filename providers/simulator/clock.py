"""The simulator's time: what waits is a difference of two numbers, so jobs in flight cost nothing."""

import time
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


def iso(moment: float) -> str:
    """The moment as providers write it: 2026-11-22T10:00:00.000Z."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
