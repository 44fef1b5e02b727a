"""Films a picture: a move through its layers where the picture is our own, a slow move across it where it is not."""

from collections.abc import Callable, Iterator
from math import cos, pi

import numpy as np
from PIL import Image

from . import encode, yuv
from .camera import layered_frames
from .compose import compose
from .dice import dice
from .flat import flat_frames
from .label import stamp
from .paint import Bytes, speckle
from .still import remembered
from .yuv import Planes

_FADE = 0.35  # seconds, in and out
_GRAINS = 7  # tiles in turn
_GRAIN = 2.9  # levels of brightness, at most


def shoot(
    image: bytes,
    *,
    prompt: str,
    seconds: float,
    width: int,
    height: int,
    seed: int,
    fps: int = 24,
    progress: Callable[[float], None] | None = None,
    target: encode.Target,
) -> None:
    """Films `image` into `target` (a path or a binary file) as H.264 MP4 of exactly this size and length.

    Width and height are even pixels; the film has round(seconds * fps) frames; `progress` hears 0 to 1 after each.
    Raises ValueError for an impossible size or length, and PIL.UnidentifiedImageError for bytes that are no picture.
    """
    count = round(seconds * fps)
    if count < 1 or width < 2 or height < 2 or width % 2 or height % 2:
        raise ValueError(f"cannot film {seconds} s at {width}x{height}: even sizes and at least one frame are needed")
    kept = remembered(image)
    frames = (
        layered_frames(compose(kept[0], width=width, height=height, seed=kept[1]), count=count, fps=fps)
        if kept
        else flat_frames(image, width=width, height=height, count=count, seed=seed)
    )
    encode.write(
        _finish(frames, count=count, fps=fps, seed=seed),
        count=count,
        size=(width, height),
        fps=fps,
        title=prompt,
        target=target,
        progress=progress,
    )


def _finish(frames: Iterator[Planes], *, count: int, fps: int, seed: int) -> Iterator[Planes]:
    """Grain, fades and the label, which the label survives: it is stamped last."""
    grains: list[Bytes] = []
    fade = max(1, min(round(_FADE * fps), count // 3))
    for number, planes in enumerate(frames):
        grains = grains or _grains(planes.y.size, seed)
        planes.y = Image.fromarray(np.asarray(planes.y) + grains[(number * 3) % _GRAINS])
        light = min(1.0, (number + 0.5) / fade, (count - number - 0.5) / fade)
        if light < 1:
            _dim(planes, (1 - cos(pi * light)) / 2)
        stamp(planes.y, yuv.BLACK, yuv.WHITE)
        yield planes


def _grains(size: tuple[int, int], seed: int) -> list[Bytes]:
    """A few tiles of signed grain, kept as bytes: adding them wraps round to a subtraction."""
    width, height = size
    rng = dice("grain", seed)
    return [(speckle(rng, height, width) * _GRAIN).round().astype(np.int8).view(np.uint8) for _ in range(_GRAINS)]


def _dim(planes: Planes, light: float) -> None:
    planes.y = planes.y.point([round(yuv.BLACK + (v - yuv.BLACK) * light) if v > yuv.BLACK else v for v in range(256)])
    chroma = [round(yuv.NEUTRAL + (v - yuv.NEUTRAL) * light) for v in range(256)]
    planes.u, planes.v = planes.u.point(chroma), planes.v.point(chroma)
