"""What sealing and opening a provider's key costs, with a ring of one key and with five."""

import time
import timeit
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from providers import crypto
from vidgenie.management.benchmarks.figures import Figure

BAR = 50.0  # µs for opening
ROUNDS, TIMES = 50, 200
KEY = "sk-" + "x" * 160
METHOD = (
    f"A key of {len(KEY)} characters, sealed for its place; CPU time of this process, the median of rounds of {TIMES}."
)


def report(runs: int = ROUNDS) -> Iterator[Figure]:
    """Measure in so many rounds, after one that is left out."""
    place: dict[str, Any] = {"provider": "openai", "owner": 1, "row": uuid.uuid4()}
    entries = [crypto.new_key() for _ in range(5)]
    one, five = crypto.Ring.parse(entries[-1]), crypto.Ring.parse(",".join(entries))
    sealed = one.seal(KEY, **place)
    yield Figure.of("seal", _microseconds(lambda: one.seal(KEY, **place), runs), unit="µs", id="seal")
    for name, ring in (("open, ring of 1", one), ("open, ring of 5 (the last opens)", five)):
        opening = _microseconds(lambda ring=ring: ring.open(sealed, **place), runs)  # type: ignore[misc]
        yield Figure.of(name, opening, unit="µs", at_most=BAR, id=name.partition(" (")[0].replace(", ring of ", "-"))


def _microseconds(act: Callable[[], object], rounds: int) -> list[float]:
    """Of one call, in each round."""
    return [timeit.timeit(act, timer=time.process_time, number=TIMES) / TIMES * 1e6 for _ in range(rounds + 1)][1:]
