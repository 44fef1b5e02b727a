"""Seeds of second factors, sealed as keys to providers are: who reads the database, or a backup, can make no codes.

allauth keeps them in its own table, and asks the adapter here to seal and to open each. It does not say whose a seed
is, so a seed is bound to what it is for and not to its row: one that is moved opens. But who can write to that table
can as well put a seed of their own there.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator

from providers import crypto
from providers.crypto import Ring, Unopenable
from providers.keyring import Progress, Sealed

log = logging.getLogger(__name__)

Data = dict[str, Any]  # what allauth keeps of one second factor
_SEEDS = ("secret", "seed")  # of an app, and of recovery codes
_CODES = "migrated_codes"


class Adapter(DefaultMFAAdapter):
    """What allauth asks of us."""

    def encrypt(self, text: str) -> str:
        """The seed, sealed; as it is where there is no key to seal with, which the audit then finds."""
        return seal(crypto.ring(), text)

    def decrypt(self, encrypted_text: str) -> str:
        """The seed. Raises Unopenable: a factor that cannot be checked lets nobody in."""
        try:
            return opened(crypto.ring(), encrypted_text)
        except Unopenable:
            log.error("A second factor does not open: see `manage.py rotate_encryption_keys --help`.")
            raise


def seal(ring: Ring, text: str) -> str:
    """A seed as it is to be kept: sealed by the first key of the ring, or as it is where the ring is empty."""
    return ring.seal(text, provider="second-factor", owner=None, row=UUID(int=0)) if ring.ids else text


def opened(ring: Ring, text: str) -> str:
    """The seed, which may lie open, as they did before they were sealed. Raises Unopenable."""
    sealed = _as_sealed(text)
    return sealed.open(ring) if sealed.key_id else text


def seal_all(ring: Ring, data: Data) -> Data:
    """The same second factor, every seed of it sealed by the first key. Raises Unopenable."""
    if not ring.ids:
        return data
    return _changed(data, lambda text: text if _key_id(text) == ring.ids[0] else seal(ring, opened(ring, text)))


def open_all(ring: Ring, data: Data) -> Data:
    """The same second factor, its seeds as they are without sealing. Raises Unopenable."""
    return _changed(data, lambda text: opened(ring, text))


def seeds() -> Iterator[Sealed]:
    """Every seed of every second factor; one that lies open has no key id."""
    for data in Authenticator.objects.order_by("pk").values_list("data", flat=True).iterator():
        yield from map(_as_sealed, _texts(data))


def count_by_key() -> Counter[str]:
    """How many seeds bear each key id; "" is those that lie open."""
    return Counter(seed.key_id for seed in seeds())


def open_ones() -> list[str]:
    """Whose seeds lie open, and of what."""
    rows = Authenticator.objects.order_by("pk").values_list("user__username", "type", "data")
    return [f"{name}, {kind}" for name, kind, data in rows.iterator() if not all(map(_key_id, _texts(data)))]


def unopenable(ring: Ring) -> Counter[str]:
    """How many sealed seeds no key of the ring opens, by the id of the key that sealed them."""
    return Counter(seed.key_id for seed in seeds() if seed.key_id and not seed.opens(ring))


def rotate(ring: Ring) -> Progress:
    """Seal with the first key what others sealed, or nobody. A row that was written since it was read is left alone."""
    progress = Progress()
    for row, data in Authenticator.objects.order_by("pk").values_list("pk", "data").iterator():
        progress.seen += 1
        try:
            anew = seal_all(ring, data)
        except Unopenable:
            progress.unopenable += 1
            continue
        if anew != data:
            written = Authenticator.objects.filter(pk=row, data=data).update(data=anew)
            progress.sealed += written
            progress.changed_meanwhile += 1 - written
    return progress


def _texts(data: Data) -> list[str]:
    return [*(data[name] for name in _SEEDS if name in data), *data.get(_CODES, [])]


def _changed(data: Data, change: Callable[[str], str]) -> Data:
    seeds = {name: change(data[name]) for name in _SEEDS if name in data}
    codes = {_CODES: [change(code) for code in data[_CODES]]} if _CODES in data else {}
    return data | seeds | codes


def _as_sealed(text: str) -> Sealed:
    return Sealed(UUID(int=0), "second-factor", None, text)


def _key_id(text: str) -> str:
    return _as_sealed(text).key_id
