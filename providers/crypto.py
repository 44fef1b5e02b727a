"""Seal, open and recognize what must not be read in the database: keys to providers.

AES-256-GCM with a random nonce. What is sealed is bound to its provider, its owner and its row, so that a value moved
elsewhere does not open. docs/decisions/0003-sealed-keys.md says why it is done like this.
"""

import base64
import datetime
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION = "vg1"
PURPOSE = "provider-key"
NONCE = 12  # bytes
TAG = 16  # bytes
KEY = 32  # bytes
RECOGNIZABLE = 16  # characters from which on a key may show its fingerprint and its end
_DISTINCT = 16  # different bytes that a random key surely has
_SEALED = re.compile(rf"{VERSION}\.([A-Za-z0-9_-]{{1,32}})\.([A-Za-z0-9_-]+)", re.ASCII)
_DATED = re.compile(r"k(\d{4})(\d\d)(\d\d)-", re.ASCII)
_ENTRY = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]{43}=?)", re.ASCII)

Owner: TypeAlias = int | None  # the id of a user; None is the platform


class Unopenable(Exception):
    """A sealed value does not open: another key, another place, or not as it was written. Holds nothing of it."""

    def __init__(self) -> None:
        super().__init__("A sealed value cannot be opened.")


class NoEncryptionKey(Exception):
    """Nothing can be sealed, because no key-encryption key is set."""

    def __init__(self) -> None:
        super().__init__("VIDGENIE_ENCRYPTION_KEYS is not set.")


@dataclass(frozen=True)
class Ring:
    """The key-encryption keys by their ids. The first one seals; each opens what bears its id."""

    keys: dict[str, AESGCM] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Ring":
        """The ring in "id:base64 of 32 bytes, …". Raises ImproperlyConfigured, which never holds a key."""
        found: dict[str, bytes] = {}
        for number, entry in enumerate(filter(None, re.split(r"[,\s]+", text)), 1):
            key_id, key = _entry(entry, f"VIDGENIE_ENCRYPTION_KEYS, entry {number}")
            if key_id in found or key in found.values():
                raise ImproperlyConfigured(f"VIDGENIE_ENCRYPTION_KEYS, entry {number} repeats an id or a key.")
            found[key_id] = key
        return cls({key_id: AESGCM(key) for key_id, key in found.items()})

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, the one that seals first."""
        return tuple(self.keys)

    def seal(self, plain: str, *, provider: str, owner: Owner, row: UUID) -> str:
        """The sealed form of `plain` for this place alone. Raises NoEncryptionKey when the ring is empty."""
        if not self.keys:
            raise NoEncryptionKey
        key_id, key = next(iter(self.keys.items()))
        content = encrypt(key, os.urandom(NONCE), plain.encode(), _bound(key_id, provider, owner, row))
        return f"{VERSION}.{key_id}.{_encode(content)}"

    def open(self, sealed: str, *, provider: str, owner: Owner, row: UUID) -> str:
        """What was sealed for this place, by the key that it names and no other. Raises Unopenable."""
        key_id, content = _parts(sealed)
        if key_id not in self.keys:
            raise Unopenable
        return decrypt(self.keys[key_id], content, _bound(key_id, provider, owner, row)).decode()


def encrypt(key: AESGCM, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    """The nonce, the text and its tag."""
    return nonce + key.encrypt(nonce, plain, bound)


def decrypt(key: AESGCM, content: bytes, bound: bytes) -> bytes:
    """The plain bytes of what `encrypt` made, with the same `bound`. Raises Unopenable."""
    if len(content) < NONCE + TAG:
        raise Unopenable
    try:
        return key.decrypt(content[:NONCE], content[NONCE:], bound)
    except InvalidTag:
        raise Unopenable from None


def ring() -> Ring:
    """The ring of the settings. Raises ImproperlyConfigured for one that makes no sense."""
    return _ring(settings.ENCRYPTION_KEYS)


def seal(plain: str, *, provider: str, owner: Owner, row: UUID) -> str:
    """Seal with the first key of the settings. Raises NoEncryptionKey."""
    return ring().seal(plain, provider=provider, owner=owner, row=row)


def open_sealed(sealed: str, *, provider: str, owner: Owner, row: UUID) -> str:
    """Open with the key that the value names. Raises Unopenable."""
    return ring().open(sealed, provider=provider, owner=owner, row=row)


def key_id(sealed: str) -> str:
    """The id of the key-encryption key that a value was sealed with. Raises Unopenable for what is no such value."""
    return _parts(sealed)[0]


def fingerprint(plain: str) -> str:
    """The first 16 hex digits of SHA-256, which tell keys apart; "" for a key so short that they would give it away."""
    return hashlib.sha256(plain.encode()).hexdigest()[:16] if len(plain) >= RECOGNIZABLE else ""


def last_four(plain: str) -> str:
    """The last four characters, by which people recognize a key; "" for a key too short to spare them."""
    return plain[-4:] if len(plain) >= RECOGNIZABLE else ""


def nonce(sealed: str) -> bytes:
    """The nonce of a sealed value. Raises Unopenable for what is no such value."""
    return _parts(sealed)[1][:NONCE]


def new_key() -> str:
    """A new random entry for VIDGENIE_ENCRYPTION_KEYS, with today's date and an id that no other has."""
    today = datetime.datetime.now(datetime.UTC).date()
    return f"k{today:%Y%m%d}-{os.urandom(4).hex()}:{base64.b64encode(AESGCM.generate_key(8 * KEY)).decode()}"


def made_on(key_id: str) -> datetime.date | None:
    """The day on which `new_key` made the key with this id; None for ids that others gave."""
    found = _DATED.match(key_id)
    try:
        return datetime.date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


@lru_cache(maxsize=8)
def _ring(text: str) -> Ring:
    return Ring.parse(text)


def _entry(entry: str, place: str) -> tuple[str, bytes]:
    match = _ENTRY.fullmatch(entry)
    key = _decode(match[2].translate(str.maketrans("+/", "-_")).rstrip("=")) if match else b""
    if match is None or len(key) != KEY:
        raise ImproperlyConfigured(f"{place} is not of the form id:base64 of {KEY} bytes.")
    if len(set(key)) < _DISTINCT:
        raise ImproperlyConfigured(f"{place} is not random: see `manage.py rotate_encryption_keys --new-key`.")
    return match[1], key


def _parts(sealed: str) -> tuple[str, bytes]:
    match = _SEALED.fullmatch(sealed)
    if match is None:
        raise Unopenable
    return match[1], _decode(match[2])


def _bound(key_id: str, provider: str, owner: Owner, row: UUID) -> bytes:
    """What a value is sealed for, each part with its length before it, so that no two places read the same."""
    whose = "platform" if owner is None else str(owner)
    return b"".join(_measured((VERSION, PURPOSE, key_id, str(row), whose, provider)))


def _measured(parts: tuple[str, ...]) -> Iterator[bytes]:
    for part in parts:
        raw = part.encode()
        yield len(raw).to_bytes(4, "big") + raw


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """The bytes, none for what is no base64 as we write it."""
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
    # The last character of base64 has bits that mean nothing: two spellings of one value must not both be right.
    return content if _encode(content) == text else b""
