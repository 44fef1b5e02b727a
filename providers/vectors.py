"""Known answers: what `crypto` must make of inputs that others have published, checked where VidGenie runs.

The tests run 66 of Project Wycheproof's; these few go along, so that a site can prove that the library it has installed
computes what all the world computes. From Wycheproof's aes_gcm_test.json (as of 2026-11-22: test cases 92, 94, 97), and
from McGrew and Viega, "The Galois/Counter Mode of Operation", 2005, test cases 13, 14 and 16.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from providers import crypto
from providers.crypto import Unopenable


@dataclass(frozen=True)
class Vector:
    """Inputs and the answer, in hexadecimal digits."""

    name: str
    key: str
    nonce: str
    plain: str
    bound: str
    sealed: str  # the text and its tag


VECTORS = (
    Vector("McGrew-Viega 13", "00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    Vector(
        "McGrew-Viega 14",
        "00" * 32,
        "00" * 12,
        "00" * 16,
        "",
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
    Vector(
        "McGrew-Viega 16",
        "feffe9928665731c6d6a8f9467308308" * 2,
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
    ),
    Vector(
        "Wycheproof 92",
        "29d3a44f8723dc640239100c365423a312934ac80239212ac3df3421a2098123",
        "00112233445566778899aabb",
        "",
        "aabbccddeeff",
        "2a7d77fa526b8250cb296078926b5020",
    ),
    Vector(
        "Wycheproof 94",
        "cc56b680552eb75008f5484b4cb803fa5063ebd6eab91f6ab6aef4916a766273",
        "99e23ec48985bccdeeab60f1",
        "2a",
        "",
        "06633c1e9703ef744ffffb40edf9d14355",
    ),
    Vector(
        "Wycheproof 97",
        "59d4eafb4de0cfc7d3db99a8f54b15d7b39f0acc8da69763b019c1699f87674a",
        "2fcb1b38a99e71b84740ad9b",
        "549b365af913f3b081131ccb6b825588",
        "",
        "f58c16690122d75356907fd96b570fca28752c20153092818faba2a334640d6e",
    ),
)


def wrong() -> Iterator[str]:
    """The names of vectors that come out otherwise here, or that open in spite of a changed bit."""
    for vector in VECTORS:
        key, nonce = AESGCM(bytes.fromhex(vector.key)), bytes.fromhex(vector.nonce)
        plain, bound, sealed = (bytes.fromhex(text) for text in (vector.plain, vector.bound, vector.sealed))
        whole = nonce + sealed
        if crypto.encrypt(key, nonce, plain, bound) != whole or not _opens(key, whole, bound, plain):
            yield vector.name
        if any(_opens(key, changed, bound) for changed in _changed(whole)):
            yield f"{vector.name}, changed"


def _opens(key: AESGCM, content: bytes, bound: bytes, plain: bytes | None = None) -> bool:
    """Whether it opens at all, and as this where it is told."""
    try:
        found = crypto.decrypt(key, content, bound)
    except Unopenable:
        return False
    return plain is None or found == plain


def _changed(content: bytes) -> Iterator[bytes]:
    """The same with one bit of each byte turned, and cut short."""
    for place, byte in enumerate(content):
        yield content[:place] + bytes([byte ^ 1 << place % 8]) + content[place + 1 :]
    yield content[:-1]
