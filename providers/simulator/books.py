"""What was accepted and what was billed, by the simulator's own count: against it, double submits show."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

_LABEL = re.compile(r"#tag:([\w\-]+)")


@dataclass
class Entry:
    """One accepted submit: hashes of key and prompt, a few headers, and whether the caller got a good answer."""

    provider: str
    operation: str
    model: str
    key: str
    prompt: str
    tag: str
    reference: str
    at: float
    job: str
    headers: dict[str, str] = field(default_factory=dict)
    answered: bool = True


class Books:
    """Entries in the order they were accepted, and how to learn what each has cost so far."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._costs: list[Callable[[], float]] = []

    def write(self, entry: Entry, cost: Callable[[], float]) -> Entry:
        """Note an accepted submit; `cost` tells in US cents what has been billed for it."""
        self.entries.append(entry)
        self._costs.append(cost)
        return entry

    def report(self, provider: str = "", *, entries: bool = True) -> dict[str, Any]:
        """All that is in the books, of one provider or of all."""
        kept = [(e, c()) for e, c in zip(self.entries, self._costs, strict=True) if provider in ("", e.provider)]
        found: dict[str, Any] = {"providers": {}, "doubles": _doubles([entry for entry, _ in kept])}
        for entry, cents in kept:
            sums = found["providers"].setdefault(entry.provider, {"accepted": 0, "billed": 0, "cents": 0.0})
            sums["accepted"] += 1
            sums["billed"] += cents > 0
            sums["cents"] = round(sums["cents"] + cents, 4)
        if entries:
            found["entries"] = [asdict(entry) | {"cents": round(cents, 4)} for entry, cents in kept]
        return found

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self._costs.clear()


def fingerprint(text: str) -> str:
    """The first 16 digits of the SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def label(prompt: str) -> str:
    """The tag by which a test recognizes its prompt: #tag:NAME."""
    found = _LABEL.search(prompt)
    return found[1] if found else ""


def _doubles(entries: list[Entry]) -> list[dict[str, Any]]:
    """Prompts that one model was given more than once with one key."""
    seen = Counter((e.provider, e.model, e.key, e.prompt) for e in entries)
    return [
        {"provider": provider, "model": model, "prompt": prompt, "times": times}
        for (provider, model, _, prompt), times in seen.items()
        if times > 1
    ]
