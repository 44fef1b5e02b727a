"""Files that users upload: whether what is no plain picture is refused, and what is hidden in one is gone."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator

from django.conf import settings
from django.core.files.base import ContentFile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vidgenie.management.audit.check import Seen, check
from workflows import uploads
from workflows.prompts import InvalidInput

LARGEST = 50 * 1024 * 1024  # bytes
MARK = b"audit-hidden-words"
RESTORE = "Restore workflows/uploads.py."
PAGE = b"<!doctype html><script>alert(1)</script>"
DRAWING = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9"/></svg>'


def picture(format: str, **more: object) -> bytes:
    """A picture of 64 by 64 pixels."""
    target = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(target, format, **more)
    return target.getvalue()


def huge(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds nearly nothing: to decode it would take gigabytes."""
    header = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 6, 0, 0, 0)
    chunks = (header, b"IDAT" + zlib.compress(bytes(1000)), b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def refused() -> dict[str, bytes]:
    """Files that may not be kept, by what they are."""
    return {
        "nothing": b"",
        "text": b"hello" * 100,
        "an SVG": DRAWING,
        "a page": PAGE,
        "a page in a GIF": b"GIF89a/*" + PAGE + b"*/",
        "a GIF": picture("GIF"),
        "a BMP": picture("BMP"),
        "a TIFF": picture("TIFF"),
        "a PDF": picture("PDF"),
        "a program": b"\x7fELF" + bytes(200),
        "an archive": b"PK\x03\x04" + bytes(200),
        "a header alone": picture("PNG")[:33],
        "half a picture": picture("PNG")[:-40],
        "a bomb": huge(30_000, 30_000),
        "too many pixels": huge(8000, 8000),
        "a strip": huge(8193, 16),
        "a speck": huge(1, 1),
    }


@check("pictures.refused", "What is no plain picture is refused", "high", RESTORE)
def no_pictures() -> Iterator[str]:
    """A table of files is put to the guard of uploads; nothing is stored."""
    files = refused()
    for what, content in files.items():
        if _drawn(content) is not None:
            yield f"{what} was taken"
    yield Seen(f"{len(files)} files")


@check("pictures.hidden", "What is hidden in a picture is not kept", "high", RESTORE)
def hidden() -> Iterator[str]:
    """Pictures with a position, a text, and a page behind their end are drawn anew, and searched."""
    for what, content in carriers().items():
        drawn = _drawn(content)
        if drawn is None:
            yield f"{what}: it was refused"
        elif MARK in drawn or PAGE in drawn:
            yield f"{what}: it is still there"


def carriers() -> dict[str, bytes]:
    """Pictures that hold what is nobody's business."""
    exif, info = Image.Exif(), PngInfo()
    exif[0x010E] = MARK.decode()
    info.add_text("Comment", MARK.decode())
    return {
        "EXIF": picture("JPEG", exif=exif),
        "a comment": picture("JPEG", comment=MARK),
        "a PNG's text": picture("PNG", pnginfo=info),
        "a color profile": picture("PNG", icc_profile=MARK * 10),
        "a page behind its end": picture("JPEG") + PAGE,
    }


@check("pictures.limits", "Uploads are limited", "medium", "Lower UPLOAD_MAX_BYTES, UPLOAD_MAX_PIXELS and _SIDE.")
def limits() -> Iterator[str]:
    """The limits of the settings; one byte more is tried out."""
    if settings.UPLOAD_MAX_BYTES > LARGEST:
        yield f"UPLOAD_MAX_BYTES is {settings.UPLOAD_MAX_BYTES}"
    if (Image.MAX_IMAGE_PIXELS or 0) < settings.UPLOAD_MAX_PIXELS:
        yield f"UPLOAD_MAX_PIXELS is {settings.UPLOAD_MAX_PIXELS}"
    try:
        uploads.require_size(settings.UPLOAD_MAX_BYTES + 1)
    except InvalidInput:
        return
    yield "a larger file was taken"


def _drawn(content: bytes) -> bytes | None:
    """What would be kept of a file; None when it is refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return uploads.drawn_anew(ContentFile(content))
    except InvalidInput:
        return None
