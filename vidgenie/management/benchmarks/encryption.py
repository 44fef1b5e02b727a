"""What sealing and opening a provider's key costs, with a ring of one key and with five.

The same code takes half as long again for seconds on end, when a neighbor is at work that we do not see. So all is
measured in turns, in short rounds, beside the same written out by hand: what that took tells how fast the machine was.
"""

import base64
import os
import re
import time
import timeit
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from providers import crypto
from vidgenie.management.benchmarks.figures import Figure

BAR = 50.0  # µs for opening
ROUNDS, SHORT_ROUNDS, WARM_UP = 1000, 250, 5
TIMES = 50  # calls in a round
KEY = "sk-" + "x" * 160
METHOD = (
    f"A key of {len(KEY)} characters, sealed for its place; CPU time of this thread, the median of rounds of {TIMES} "
    f"calls, all in turns, after {WARM_UP} rounds that are left out. Two reports are compared by how many times as "
    "long as the same by hand it takes: AES-GCM, base64 and a pattern, straight on, measured in the same rounds."
)
_BY_HAND = re.compile(r"by-hand\.([a-z0-9-]+)\.([A-Za-z0-9_-]+)")


def report(runs: int = ROUNDS) -> Iterator[Figure]:
    """Measure in so many rounds."""
    at: dict[str, Any] = {"provider": "openai", "owner": 1, "row": uuid.uuid4()}
    entries = [crypto.new_key() for _ in range(5)]
    one, five = crypto.Ring.parse(entries[-1]), crypto.Ring.parse(",".join(entries))
    sealed, hand = one.seal(KEY, **at), ByHand(next(iter(one.keys.values())))
    sealing, sealing_by_hand, opening, opening_last, opening_by_hand = _in_turns(
        runs,
        partial(one.seal, KEY, **at),
        partial(hand.seal, KEY),
        partial(one.open, sealed, **at),
        partial(five.open, sealed, **at),
        partial(hand.open, hand.seal(KEY)),
    )
    yield Figure.of("seal", sealing, unit="µs", id="seal", beside=sealing_by_hand)
    opened: dict[str, Any] = {"unit": "µs", "at_most": BAR, "beside": opening_by_hand}
    yield Figure.of("open, ring of 1", opening, id="open-1", **opened)
    yield Figure.of("open, ring of 5 (the last opens)", opening_last, id="open-5", **opened)


class ByHand:
    """About what a ring does, with nothing of ours in it. Whoever changes this makes older reports incomparable."""

    def __init__(self, key: Any) -> None:
        self.key = key

    def seal(self, plain: str) -> str:
        """Like a ring's."""
        nonce = os.urandom(12)
        content = nonce + self.key.encrypt(nonce, plain.encode(), _bound())
        return f"by-hand.k20261123-0123abcd.{base64.urlsafe_b64encode(content).decode().rstrip('=')}"

    def open(self, sealed: str) -> str:
        """Of what it sealed."""
        match = _BY_HAND.fullmatch(sealed)
        text = match[2] if match else ""
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        opened: bytes = self.key.decrypt(content[:12], content[12:], _bound())
        return opened.decode()


def _bound() -> bytes:
    parts = []
    for part in ("by-hand", "provider-key", "k20261123-0123abcd", str(_PLACE), "1", "openai"):
        raw = part.encode()
        parts.append(len(raw).to_bytes(4, "big") + raw)
    return b"".join(parts)


_PLACE = uuid.UUID("6a8f6d24-0000-4000-8000-000000000001")


def _in_turns(rounds: int, *acts: Callable[[], object]) -> list[list[float]]:
    """Of each, the microseconds of one call, round by round."""
    found: list[list[float]] = [[] for _ in acts]
    for _ in range(WARM_UP + rounds):
        for taken, act in zip(found, acts, strict=True):
            taken.append(timeit.timeit(act, timer=time.thread_time, number=TIMES) / TIMES * 1e6)
    return [taken[WARM_UP:] for taken in found]
