"""Pictures as a video encoder wants them: one full plane of brightness, two half-size planes of color (BT.709, 16-235).

Everything in a film is composed in this form. It has half the samples of RGB and needs no conversion per frame; and as
brightness never leaves 16 to 235, grain can be added to bytes without a thought for overflow.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .paint import Floats

BLACK, WHITE, NEUTRAL = 16, 235, 128

_RED, _BLUE = 0.2126, 0.0722
_GREEN = 1 - _RED - _BLUE
_MATRIX = np.array(
    [
        [_RED * 219, _GREEN * 219, _BLUE * 219],
        [-_RED / (2 - 2 * _BLUE) * 224, -_GREEN / (2 - 2 * _BLUE) * 224, 112],
        [112, -_GREEN / (2 - 2 * _RED) * 224, -_BLUE / (2 - 2 * _RED) * 224],
    ],
    np.float32,
) / np.float32(255)


@dataclass(slots=True)
class Planes:
    """A picture in three planes; `u` and `v` have half the width and height of `y`, rounded up."""

    y: Image.Image
    u: Image.Image
    v: Image.Image


def color(red: float, green: float, blue: float) -> tuple[int, int, int]:
    """The y, u and v of a color given as 0 to 255."""
    y, u, v = _MATRIX @ np.array([red, green, blue], np.float32) + (BLACK, NEUTRAL, NEUTRAL)
    return round(float(y)), round(float(u)), round(float(v))


def planes(rgb: NDArray[np.uint8]) -> Planes:
    """Converts an array of height by width by 3. An odd edge is repeated for the color planes."""
    y = rgb @ _MATRIX[0] + np.float32(BLACK + 0.5)
    small = halve(rgb.astype(np.float32))
    chroma = small @ _MATRIX[1:].T + np.float32(NEUTRAL + 0.5)
    return Planes(
        Image.fromarray(y.astype(np.uint8)),
        Image.fromarray(np.ascontiguousarray(chroma[..., 0]).astype(np.uint8)),
        Image.fromarray(np.ascontiguousarray(chroma[..., 1]).astype(np.uint8)),
    )


def halve(array: Floats) -> Floats:
    """The means of all 2 by 2 blocks."""
    height, width = array.shape[:2]
    if height % 2 or width % 2:
        pad = ((0, height % 2), (0, width % 2), *((0, 0) for _ in array.shape[2:]))
        array = np.pad(array, pad, mode="edge")
    return (array[0::2, 0::2] + array[1::2, 0::2] + array[0::2, 1::2] + array[1::2, 1::2]) * np.float32(0.25)
