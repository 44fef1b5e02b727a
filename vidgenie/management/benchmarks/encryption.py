"""What sealing and opening a provider's key costs, with a ring of one key and with five."""

import statistics
import timeit
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from providers import crypto

BAR = 50.0  # µs for opening
ROUNDS, TIMES = 50, 200
KEY = "sk-" + "x" * 160


def report() -> Iterator[str]:
    """Measure, line by line."""
    place: dict[str, Any] = {"provider": "openai", "owner": 1, "row": uuid.uuid4()}
    entries = [crypto.new_key() for _ in range(5)]
    one, five = crypto.Ring.parse(entries[-1]), crypto.Ring.parse(",".join(entries))
    sealed = one.seal(KEY, **place)
    yield f"  seal                             {_microseconds(lambda: one.seal(KEY, **place)):6.1f} µs"
    opening = _microseconds(lambda: one.open(sealed, **place))
    yield f"  open, ring of 1                  {opening:6.1f} µs"
    last = _microseconds(lambda: five.open(sealed, **place))
    yield f"  open, ring of 5 (the last opens) {last:6.1f} µs"
    yield f"A key of {len(KEY)} characters, sealed for its place; wall time, the median of {ROUNDS} rounds of {TIMES}."
    slowest = max(opening, last)
    yield f"slowest opening {slowest:.1f} µs; bar {BAR:.0f} µs: {'met' if slowest < BAR else 'MISSED'}"


def _microseconds(act: Callable[[], object]) -> float:
    return statistics.median(timeit.timeit(act, number=TIMES) / TIMES for _ in range(ROUNDS)) * 1e6
