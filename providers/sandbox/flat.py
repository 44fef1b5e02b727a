"""Moves a camera over a picture that has no layers: any size, mode or ratio, as people upload them."""

import io
from collections.abc import Iterator
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageOps

from . import yuv
from .dice import dice
from .yuv import Planes

_INK = (14, 16, 22)  # behind transparent pictures
_ROOM = 1.14  # how much larger than the frame the picture is, so that the camera can move


def flat_frames(image: bytes, *, width: int, height: int, count: int, seed: int) -> Iterator[Planes]:
    """Frames of a slow eased drift and push over the picture, under a light that wanders."""
    big = yuv.planes(np.asarray(_cover(image, round(width * _ROOM), round(height * _ROOM))))
    rng = dice("flat", seed)
    heading, closer = rng.uniform(0, 2 * pi), rng.random() < 0.7
    glow = _glow(width, height)
    warm = yuv.color(255, 214, 150)
    for number in range(count):
        done = (1 - cos(pi * number / max(1, count - 1))) / 2
        box = _window(width, height, done, heading, closer)
        frame = _crop(big, box, width, height)
        _light(frame, glow, warm, done)
        yield frame


def _cover(image: bytes, width: int, height: int) -> Image.Image:
    """The upright picture on ink, cropped to fill width by height."""
    with Image.open(io.BytesIO(image)) as opened:
        opened.draft("RGB", (2 * width, 2 * height))
        upright = ImageOps.exif_transpose(opened)
        if upright.mode.startswith(("I", "F")):
            upright = _eight_bits(upright)
        paper = Image.new("RGB", upright.size, _INK)
        rgba = upright.convert("RGBA")
    paper.paste(rgba, mask=rgba.getchannel("A"))
    return ImageOps.fit(paper, (width, height), Image.Resampling.LANCZOS, centering=(0.5, 0.42))


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Wide gray values stretched over 0 to 255; Pillow's own conversion would clip them to white."""
    values = np.nan_to_num(np.asarray(picture, np.float64), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / ((high - low) or 1))).astype(np.uint8))


def _window(width: int, height: int, done: float, heading: float, closer: bool) -> tuple[float, float, float, float]:
    """The part of the large picture that is seen when this share of the move is done."""
    zoom = _ROOM - 0.02 - 0.07 * (done if closer else 1 - done)
    wide, high = width * zoom, height * zoom
    spare_x, spare_y = round(width * _ROOM) - wide, round(height * _ROOM) - high
    sway = 0.42 * (2 * done - 1)
    x = spare_x * (0.5 + sway * cos(heading))
    y = spare_y * (0.5 + sway * sin(heading))
    return max(0.0, x), max(0.0, y), x + wide, y + high


def _crop(big: Planes, box: tuple[float, float, float, float], width: int, height: int) -> Planes:
    half = (box[0] / 2, box[1] / 2, min(box[2] / 2, big.u.width), min(box[3] / 2, big.u.height))
    small = (width // 2, height // 2)
    linear = Image.Resampling.BILINEAR
    full = (box[0], box[1], min(box[2], big.y.width), min(box[3], big.y.height))
    return Planes(
        big.y.resize((width, height), linear, full),
        big.u.resize(small, linear, half),
        big.v.resize(small, linear, half),
    )


def _glow(width: int, height: int) -> Image.Image:
    """A soft round light, twice as wide as the frame so that it can travel."""
    y, x = np.mgrid[-1:1:90j, -1:1:160j]
    mask = np.clip(1 - np.hypot(x, y), 0, 1) ** 2 * 46
    return Image.fromarray(mask.astype(np.uint8)).resize((width * 2, height * 2), Image.Resampling.BICUBIC)


def _light(frame: Planes, glow: Image.Image, warm: tuple[int, int, int], done: float) -> None:
    width, height = frame.y.size
    x, y = round(width * (0.85 - 0.6 * done)), round(height * (0.62 - 0.1 * done))
    mask = glow.crop((x, y, x + width, y + height))
    small = mask.resize(frame.u.size, Image.Resampling.BOX)
    frame.y.paste(warm[0], (0, 0), mask)
    frame.u.paste(warm[1], (0, 0), small)
    frame.v.paste(warm[2], (0, 0), small)
