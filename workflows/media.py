"""Files we keep: opened before they count as made, hashed, with a small picture that stands for them.

A success is bytes in our storage that a decoder has read, never a URL of somebody else's.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import IO

import av
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from PIL import Image, ImageFile

from crashpoint import crashpoint
from providers import storage
from workflows.models import Asset

SIZE_LIMIT = 512 * 1024 * 1024  # bytes
THUMBNAIL = (400, 400)  # pixels; a full contact sheet of them stays under 100 kB
THREADS_PAY = 640 * 360  # pixels of a frame; to decode smaller ones, starting threads takes longer than it spares
_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4"}


class BadMedia(Exception):
    """The file is not what it should be: it doesn't open, is too long, too large or of another kind."""


@dataclass(frozen=True)
class Measured:
    """What a decoder found in a file."""

    content_type: str
    width: int
    height: int
    duration: float | None
    thumbnail: bytes


def fetch_to_disk(source: IO[bytes], *, limit: int = SIZE_LIMIT) -> tuple[IO[bytes], int, str]:
    """Copy a stream to a temporary file; (file, bytes, SHA-256).

    Raises BadMedia over the limit or when empty, and OSError when the disk is full. Nothing is left behind then.
    """
    target = storage.temporary()
    try:
        size, sha256 = _copy(source, target, limit)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target, size, sha256


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while block := source.read(256 * 1024):
        size += len(block)
        if size > limit:
            raise BadMedia(f"the file is larger than {limit} bytes")
        digest.update(block)
        target.write(block)
    if not size:
        raise BadMedia("the file is empty")
    return size, digest.hexdigest()


def measure_image(file: IO[bytes]) -> Measured:
    """Decode a PNG, JPEG or WebP; raises BadMedia."""
    try:
        with Image.open(file, formats=list(_FORMATS)) as image:
            image.load()
            return Measured(_FORMATS[str(image.format)], image.width, image.height, None, thumbnail(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadMedia(f"the image does not open: {error}") from error


def measure_video(file: IO[bytes]) -> Measured:
    """Decode every frame of a video; raises BadMedia."""
    try:
        # Were the kind of file left to guessing, a playlist in it could name other files to be read.
        with av.open(file, mode="r", format="mp4") as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO" if stream.width * stream.height >= THREADS_PAY else "NONE"
            middle: av.VideoFrame | None = None
            frames, length = 0, stream.frames
            for frame in container.decode(stream):
                frames += 1
                if middle is None or frames == length // 2:
                    middle = frame
            rate = float(stream.average_rate or 0)
    except (av.FFmpegError, IndexError, OSError, ValueError) as error:
        raise BadMedia(f"the video does not open: {error}") from error
    if middle is None or not rate:
        raise BadMedia("the video has no frames")
    if frames < 0.95 * length:  # the threads of the decoder say nothing of a file that breaks off
        raise BadMedia(f"the video has {frames} of its {length} frames")
    return Measured("video/mp4", middle.width, middle.height, round(frames / rate, 3), thumbnail(_small(middle)))


def _small(frame: av.VideoFrame) -> Image.Image:
    """A frame in the size of a thumbnail; a picture of it in its own size would cost ten times as much."""
    factor = min(1.0, THUMBNAIL[0] / frame.width, THUMBNAIL[1] / frame.height)
    width, height = (max(1, round(side * factor)) for side in (frame.width, frame.height))
    image: Image.Image = frame.reformat(width, height, format="rgb24", interpolation="AREA").to_image()
    return image


def thumbnail(image: Image.Image) -> bytes:
    """A WebP that fits the gallery."""
    small = image.convert("RGB")
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS, reducing_gap=1.0)
    target = io.BytesIO()
    small.save(target, "WEBP", quality=68, method=2)  # more effort takes three times as long and spares no byte
    return target.getvalue()


def store(file: IO[bytes], size: int, sha256: str, *, name: str, kind: str) -> Asset:
    """Measure a file and put it into our storage under a name; an Asset that is not saved yet.

    The same name is written over, so that storing again after a crash leaves no second copy. Raises BadMedia, and
    OSError when the storage is full or away.
    """
    found = measure_image(file) if kind == Asset.Kind.IMAGE else measure_video(file)
    return place(found, file, size, sha256, name=name, kind=kind)


def place(found: Measured, file: IO[bytes], size: int, sha256: str, *, name: str, kind: str) -> Asset:
    """As `store`, for a file that has been measured."""
    file.seek(0)
    crashpoint("file.complete")
    saved = default_storage.save(f"{name}.{_ENDINGS[found.content_type]}", File(file))
    crashpoint("file.placed")
    small = default_storage.save(f"{name}.thumbnail.webp", ContentFile(found.thumbnail))
    crashpoint("stored")
    return Asset(
        kind=kind,
        file=saved,
        thumbnail=small,
        content_type=found.content_type,
        size=size,
        sha256=sha256,
        width=found.width,
        height=found.height,
        duration=found.duration,
    )


ImageFile.LOAD_TRUNCATED_IMAGES = False
