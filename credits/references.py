"""What the references on holds and entries stand for. Credits do not know: whoever makes references tells it here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """What a reference stands for, in words, and the address of its page."""

    title: str
    url: str


Reader = Callable[[Sequence[str]], dict[str, Meaning]]
_readers: dict[str, Reader] = {}


def register(prefix: str, reader: Reader) -> None:
    """Let `reader` say what references like "prefix:id" stand for; it is given the ids."""
    _readers[prefix] = reader


def meanings(references: Iterable[str]) -> dict[str, Meaning]:
    """What these references stand for; those that nobody knows are left out."""
    ids: dict[str, set[str]] = {}
    for reference in references:
        prefix, _, number = reference.partition(":")
        ids.setdefault(prefix, set()).add(number)
    return {
        f"{prefix}:{number}": meaning
        for prefix, reader in _readers.items()
        if prefix in ids
        for number, meaning in reader(sorted(ids[prefix])).items()
    }
