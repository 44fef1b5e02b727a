"""Brushes: gradients, noise, glows and soft edges as arrays of numbers."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .dice import noise_bytes, uniform

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]


def coverage(image: Image.Image) -> Floats:
    """A mask of bytes as numbers from 0 to 1."""
    return np.asarray(image, np.float32) / np.float32(255)


def resized(array: Floats, height: int, width: int, how: Image.Resampling = Image.Resampling.BICUBIC) -> Floats:
    """The same field of numbers with another number of samples."""
    return np.asarray(Image.fromarray(array).resize((width, height), how))


def resized_rgb(array: Floats, height: int, width: int) -> Floats:
    """The same for three channels."""
    linear = Image.Resampling.BILINEAR
    return np.stack([resized(np.ascontiguousarray(array[..., c]), height, width, linear) for c in range(3)], axis=-1)


def noise(
    rng: Random, height: int, width: int, *, cell_x: float, cell_y: float, octaves: int = 4, fall: float = 0.5
) -> Floats:
    """Clouds of numbers from 0 to 1. A cell is the size of the largest clump, in samples."""
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for octave in range(octaves):
        rows = max(2, int(np.ceil(height / cell_y * 2**octave)) + 3)
        columns = max(2, int(np.ceil(width / cell_x * 2**octave)) + 3)
        if rows > height * 1.5 or columns > width * 1.5:
            break
        total += resized(uniform(rng, rows, columns), height, width) * np.float32(weight)
        weight *= fall
    low, high = float(total.min()), float(total.max())
    return (total - low) / np.float32((high - low) or 1)


def line_noise(rng: Random, width: int, *, cell: float, octaves: int = 5, fall: float = 0.5) -> Floats:
    """A curve of numbers from 0 to 1."""
    total = np.zeros(width, np.float32)
    for octave in range(octaves):
        count = int(np.ceil(width / cell * 2**octave)) + 3
        if count > width:
            break
        row = np.repeat(uniform(rng, 1, count), 2, axis=0)
        total += resized(row, 2, width)[0] * np.float32(fall**octave)
    low, high = float(total.min()), float(total.max())
    return (total - low) / np.float32((high - low) or 1)


def smoothstep(low: float, high: float, value: Floats) -> Floats:
    """0 below `low`, 1 above `high`, an S between them."""
    t: Floats = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def gradient(stops: Sequence[Floats], height: int, power: float = 1.0) -> Floats:
    """Colors from top to bottom as an array of height by 3, smooth through every stop."""
    at = np.linspace(0, 1, height, dtype=np.float32) ** np.float32(power) * (len(stops) - 1)
    table = np.stack(stops)
    smooth = np.stack([np.interp(at, np.arange(len(stops)), table[:, c]) for c in range(3)], axis=1)
    span = max(1, height // (len(stops) * 2))
    padded = np.pad(smooth, ((span, span), (0, 0)), mode="edge")
    total = np.cumsum(np.vstack([np.zeros((1, 3)), padded]), axis=0)
    ramp: Floats = ((total[2 * span + 1 :] - total[: -2 * span - 1]) / (2 * span + 1)).astype(np.float32)
    return ramp


def distances(height: int, width: int, x: float, y: float, stretch: float = 1.0) -> Floats:
    """Distance of each sample from a point, in samples; `stretch` above 1 makes the field wider than tall."""
    dx = (np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(stretch)
    dy = np.arange(height, dtype=np.float32) - np.float32(y)
    return np.sqrt(dx[None, :] ** 2 + dy[:, None] ** 2)


def below(ridge: Floats, height: int) -> Floats:
    """Coverage of what lies under a ridge line given in rows, with a soft edge."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    return np.clip(rows - ridge[None, :] + np.float32(0.5), 0, 1)


def blurred(mask: Floats, radius: float) -> Floats:
    """A mask of 0 to 1, out of focus; large radii are worked out on fewer samples."""
    height, width = mask.shape
    step = max(1, int(radius / 3))
    image = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    if step > 1:
        image = image.resize((max(1, width // step), max(1, height // step)), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(radius / step))
    if step > 1:
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return coverage(image)


def over(picture: Floats, color: Floats, alpha: Floats) -> None:
    """Lays a color (one, or one for each sample) over a picture, in place."""
    picture += (color - picture) * alpha[..., None]


def dithered(array: Floats, rng: Random) -> Bytes:
    """Bytes whose rounding is random, so that slow gradients show no steps."""
    height, width = array.shape[:2]
    tile = uniform(rng, min(height, 128), 256)
    grain = np.tile(tile, (-(-height // tile.shape[0]), -(-width // 256)))[:height, :width]
    if array.ndim == 3:
        grain = grain[..., None]
    rounded: Bytes = np.clip(array + grain, 0, 255).astype(np.uint8)
    return rounded


def speckle(rng: Random, height: int, width: int) -> Floats:
    """Film grain, about -1 to 1, more in the middle than at the ends."""
    one, other = noise_bytes(rng, height, width), noise_bytes(rng, height, width)
    return (one.astype(np.float32) + other - np.float32(255)) / np.float32(255)
