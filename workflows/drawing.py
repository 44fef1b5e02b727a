"""A program of its own that draws a stranger's picture anew: `python -I -S drawing.py FOLDER LIMITS FD < picture`.

Decoders are where files bite. So this process knows no secret, and has 512 MB, 10 seconds of a processor and no room
on the disk beyond the picture it makes; it imports nothing of ours. FOLDER is where Pillow lies, FD the open file that
gets the picture. What it says on its standard output is read by `uploads.py`.
"""

import base64
import io
import json
import resource
import sys
import warnings
from typing import IO, TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.append(sys.argv[1])

from PIL import Image, ImageOps, WebPImagePlugin  # noqa: F401 (Pillow loads this one late, with all that we never open)

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("PNG", "JPEG", "WEBP")
_HOW: dict[str, dict[str, int]] = {
    "PNG": {"compress_level": 3},  # the usual 6 takes three times as long for a hundredth less
    "JPEG": {"quality": 92, "subsampling": 0},  # with full color resolution: a model will look at it
}
MEMORY = 512 * 1024 * 1024  # bytes of address space
SECONDS = 10  # of a processor
LARGEST = 256 * 1024 * 1024  # bytes of the picture that is made


class Refused(Exception):
    """This is no picture that we take; its text is one word for why."""


def draw(source: IO[bytes], target: IO[bytes], limits: "Mapping[str, int]") -> dict[str, Any]:
    """Write the picture upright and without metadata, as PNG if it can be seen through and else as JPEG.

    `limits`: most `pixels` in all and on a `side`, and the `least` on a side. Returns what it is now, with a small
    picture of it in base64. Raises Refused before anything is decoded that the header tells, and MemoryError.
    """
    image = _decoded(source, limits)
    kind = "PNG" if image.mode == "RGBA" else "JPEG"
    image.save(target, kind, **_HOW[kind])
    return {
        "content_type": Image.MIME[kind],
        "width": image.width,
        "height": image.height,
        "thumbnail": base64.b64encode(_small(image, limits["thumbnail"])).decode(),
    }


def _decoded(source: IO[bytes], limits: "Mapping[str, int]") -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=FORMATS) as image:
                _require_measures(image.width, image.height, limits)
                ImageOps.exif_transpose(image, in_place=True)
                return _only_pixels(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("too_big") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise Refused("no_picture") from error


def _require_measures(width: int, height: int, limits: "Mapping[str, int]") -> None:
    if width * height > limits["pixels"] or max(width, height) > limits["side"]:
        raise Refused("too_big")
    if min(width, height) < limits["least"]:
        raise Refused("too_small")


def _only_pixels(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of gray; Pillow cuts them off instead of scaling them
        image = image.point(lambda value: value / 256).convert("L")
    image.load()
    mode = "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    image.info.clear()
    return image


def _small(image: Image.Image, side: int) -> bytes:
    """As `media.thumbnail` does it."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=1.0)
    target = io.BytesIO()
    small.save(target, "WEBP", quality=68, method=2)
    return target.getvalue()


def _limit_itself() -> None:
    if sys.platform == "linux":  # elsewhere the system counts what is mapped and never used
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Draw what comes on the standard input, and say what came of it as one JSON object."""
    _limit_itself()
    try:
        with open(int(sys.argv[3]), "wb", closefd=False) as target:
            told = draw(io.BytesIO(sys.stdin.buffer.read()), target, json.loads(sys.argv[2]))
    except Refused as refusal:
        told = {"refused": str(refusal)}
    except MemoryError:
        told = {"refused": "too_much"}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
