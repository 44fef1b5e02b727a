"""What Django's queue, sessions and cache pack into text, unpacked far enough to be read, and never run.

They hold base64 of JSON or of a pickle, at times compressed. To read the strings in a pickle it need not be loaded,
which could run anything.
"""

import base64
import re
import zlib

LARGEST = 4 * 1024 * 1024  # bytes that come out of one piece; what is larger was packed by nobody of ours
DEPTH = 3  # a pickle may hold what was packed before
_PACKED = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}", re.ASCII)
_LENGTH = re.compile(
    rb"\x8c.", re.DOTALL
)  # before a short text in a pickle; its length may look like a letter of the text
_STANDARD = str.maketrans("+/", "-_")


def unpacked(text: str, depth: int = DEPTH) -> str:
    """All that is packed in a text, one piece a line."""
    pieces = [piece for found in _PACKED.findall(text) if (piece := _piece(found))]
    if depth > 1:
        pieces += [inner for piece in pieces if (inner := unpacked(piece, depth - 1))]
    return "\n".join(pieces)


def _piece(found: str) -> str:
    try:
        raw = base64.urlsafe_b64decode(found.rstrip("=").translate(_STANDARD) + "=" * (-len(found.rstrip("=")) % 4))
    except ValueError:
        return ""
    return _LENGTH.sub(b"\n", _inflated(raw)).decode("latin-1")


def _inflated(raw: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(raw, LARGEST)
    except zlib.error:
        return raw
