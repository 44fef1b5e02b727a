"""All sealed rows against the ring of encryption keys: who opens what, and sealing everything anew with the first key.

Rotation runs while everything else does. Each row is written only if it is still as it was read, so that a key that
somebody stores or erases meanwhile wins; how far it has come is to be seen in the rows themselves.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from crashpoint import crashpoint
from providers import crypto
from providers.crypto import Ring, Unopenable
from providers.models import ProviderKey

BATCH = 200


@dataclass(frozen=True)
class Sealed:
    """A sealed value with the place that it is bound to."""

    row: UUID
    provider: str
    owner: int | None
    text: str

    @property
    def key_id(self) -> str:
        """The id of the key that it was sealed with; "" for what is no sealed value at all."""
        try:
            return crypto.key_id(self.text)
        except Unopenable:
            return ""

    def open(self, ring: Ring) -> str:
        """The plain key. Raises Unopenable."""
        return ring.open(self.text, provider=self.provider, owner=self.owner, row=self.row)

    def opens(self, ring: Ring) -> bool:
        """Whether a key of the ring opens it."""
        try:
            self.open(ring)
        except Unopenable:
            return False
        return True

    def seal_anew(self, ring: Ring) -> str:
        """The same key, sealed with the ring's first. Raises Unopenable; what it returns has been opened once."""
        plain = self.open(ring)
        text = ring.seal(plain, provider=self.provider, owner=self.owner, row=self.row)
        if Sealed(self.row, self.provider, self.owner, text).open(ring) != plain:
            raise Unopenable
        return text


@dataclass
class Progress:
    """What a rotation has done until now."""

    seen: int = 0
    sealed: int = 0
    changed_meanwhile: int = 0
    unopenable: int = 0


def sealed_rows() -> Iterator[Sealed]:
    """Every sealed value there is, in batches, each row once."""
    last: UUID | None = None
    while batch := list(_after(last)[:BATCH]):
        yield from (Sealed(*values) for values in batch)
        last = batch[-1][0]


def count_by_key() -> Counter[str]:
    """How many rows bear each key id."""
    return Counter(sealed.key_id for sealed in sealed_rows())


def unopenable(ring: Ring) -> list[Sealed]:
    """The rows that no key of the ring opens."""
    return [sealed for sealed in sealed_rows() if not sealed.opens(ring)]


def forget_unopenable(ring: Ring) -> int:
    """Erase the keys that no key of the ring opens; the number of them. Their rows stay, switched off."""
    return sum(_still_as(sealed).update(sealed="", active=False) for sealed in unopenable(ring))


def rotate(ring: Ring) -> Iterator[Progress]:
    """Seal with the first key what others sealed, until nothing is left to do; yields after each row looked at."""
    progress = Progress()
    todo = True
    while todo:  # a process that has not heard of the new key may have sealed something behind our back
        before = progress.sealed
        progress.seen = progress.unopenable = 0
        for sealed in sealed_rows():
            _rotate_one(sealed, ring, progress)
            yield progress
        todo = progress.sealed > before


def _rotate_one(sealed: Sealed, ring: Ring, progress: Progress) -> None:
    progress.seen += 1
    try:
        if sealed.key_id == ring.ids[0]:
            sealed.open(ring)
            return
        text = sealed.seal_anew(ring)
    except Unopenable:
        progress.unopenable += 1
        return
    crashpoint("rotation.opened")
    if _still_as(sealed).update(sealed=text):
        crashpoint("rotation.written")
        progress.sealed += 1
    else:
        progress.changed_meanwhile += 1


def _after(last: UUID | None) -> QuerySet[ProviderKey, tuple[UUID, str, int | None, str]]:
    rows = ProviderKey.objects.exclude(sealed="").order_by("pk")
    rows = rows.filter(pk__gt=last) if last else rows
    return rows.values_list("pk", "provider", "owner_id", "sealed")


def _still_as(sealed: Sealed) -> QuerySet[ProviderKey]:
    """The row, unless it was written since we read it."""
    return ProviderKey.objects.filter(pk=sealed.row, sealed=sealed.text)
