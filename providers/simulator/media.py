"""Small real pictures and films of any size, made once each and kept while they are among the last used."""

import asyncio
import base64
import io
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import av
from av.video.stream import VideoStream
from PIL import Image, ImageDraw, ImageFont

FPS = 4  # frames a second: enough to be a film, few enough to be made at once
TINY = 36  # pixels of the shorter side; fal takes pictures of 128 or more
KEPT = 48  # pictures and films; about 100 KB each
_OPTIONS = {"preset": "ultrafast", "crf": "30"}
_FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}

K = TypeVar("K")


class Made(Generic[K]):
    """The last things made; two who ask for the same thing at once wait for one making."""

    def __init__(self, make: Callable[[K], bytes]) -> None:
        self._make = make
        self._kept: OrderedDict[K, asyncio.Future[bytes]] = OrderedDict()

    async def get(self, what: K) -> bytes:
        """The file, made in a thread when it isn't there yet."""
        found = self._kept.get(what)
        if found is None:
            found = self._kept[what] = asyncio.ensure_future(asyncio.to_thread(self._make, what))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(what)
        return await asyncio.shield(found)


class Media:
    """Pictures by (width, height, format) and films by (width, height, seconds); base64 of both for JSON.

    Where our own work is measured, decoding is not it: `tiny` ones keep shape and length, and have so few pixels on the
    shorter side.
    """

    def __init__(self, *, tiny: int | None = None) -> None:
        self._tiny = tiny
        self._pictures: Made[tuple[int, int, str]] = Made(lambda what: picture(*what))
        self._films: Made[tuple[int, int, int]] = Made(lambda what: film(*what))

    async def picture(self, size: tuple[int, int], kind: str = "png") -> bytes:
        """A picture of exactly this size; `kind` is png, jpeg or webp."""
        return await self._pictures.get((*self._fitted(size), kind))

    async def film(self, size: tuple[int, int], seconds: int) -> bytes:
        """An MP4 of exactly this size and length."""
        return await self._films.get((*self._fitted(size), seconds))

    def _fitted(self, size: tuple[int, int]) -> tuple[int, int]:
        return fitted(size, self._tiny) if self._tiny else size


def picture(width: int, height: int, kind: str) -> bytes:
    """Draw a picture that says its size."""
    target = io.BytesIO()
    _drawn(width, height).save(target, _FORMATS[kind], quality=70)
    return target.getvalue()


def film(width: int, height: int, seconds: int) -> bytes:
    """Encode a film in which something moves, H.264 in MP4 with its index in front. Sizes are rounded down to even."""
    width, height = width // 2 * 2, height // 2 * 2
    with tempfile.TemporaryDirectory(prefix="simulated-film-") as folder:
        path = Path(folder) / "film.mp4"
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = _stream(container.add_stream("libx264", rate=FPS, options=_OPTIONS), width, height)
            for frame in _frames(_drawn(width, height), seconds * FPS):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path.read_bytes()


def _stream(stream: VideoStream, width: int, height: int) -> VideoStream:
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.thread_count = 1
    return stream


def _frames(background: Image.Image, count: int) -> Iterator[av.VideoFrame]:
    """A bright bar that wanders over the picture, from left to right."""
    planes = av.VideoFrame.from_image(background).reformat(format="yuv420p").to_ndarray()
    width, height = background.size
    bar = max(2, width // 40)
    for number in range(count):
        left = number * (width - bar) // count
        moved = planes.copy()
        moved[:height, left : left + bar] = 200
        yield av.VideoFrame.from_ndarray(moved, format="yuv420p")


def _drawn(width: int, height: int) -> Image.Image:
    shades = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", (shades.point(lambda v: v // 4), shades.point(lambda v: v // 3), shades))
    text = f"simulated\n{width} x {height}"
    font = ImageFont.load_default(max(8, min(width, height) // 10))
    ImageDraw.Draw(image).text((width / 2, height / 2), text, font=font, anchor="mm", align="center")
    return image


def read_picture(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG or WebP, None for anything else."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG", "JPEG", "WEBP"]) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def read_data_uri(uri: str) -> tuple[int, int] | None:
    """The size of the picture in a data URI, None where there is none."""
    head, _, data = uri.partition(";base64,")
    if not head.startswith("data:image/"):
        return None
    return read_base64(data)


def read_base64(data: str) -> tuple[int, int] | None:
    """The size of a picture in base64, None where there is none."""
    try:
        return read_picture(base64.b64decode(data, validate=True))
    except ValueError:
        return None


def fitted(shape: tuple[int, int], short: int) -> tuple[int, int]:
    """A size with the shape of another, and a shorter side of so many pixels; even, as H.264 needs it."""
    width, height = shape
    factor = short / min(width, height)
    return round(width * factor / 2) * 2, round(height * factor / 2) * 2
