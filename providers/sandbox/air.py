"""What the still shows of things that only move in the film: weather tiles and the lighthouse's beam."""

import numpy as np
from PIL import Image, ImageDraw

from .paint import Floats, blurred, coverage, over, resized
from .palette import rgb
from .stage import Beam, Fall, Stage

_COARSE = 4


def fallen(stage: Stage, picture: Floats) -> None:
    """Lays every tile and beam of the stage over the frame."""
    for element in stage.elements:
        if isinstance(element, Fall):
            over(picture, element.color, element.mask.astype(np.float32) / 255)
        elif isinstance(element, Beam):
            mask = beam_mask(element, stage.width, stage.height, 0.06)
            over(picture, rgb(255, 238, 196), resized(mask, stage.height, stage.width) * np.float32(0.62))


def beam_mask(beam: Beam, width: int, height: int, turn: float) -> Floats:
    """Two opposite cones at a quarter of the size; `turn` is where the lamp looks, in turns."""
    small = (max(8, width // _COARSE), max(8, height // _COARSE))
    image = Image.new("L", small)
    pen = ImageDraw.Draw(image)
    x, y, reach = beam.x / _COARSE, beam.y / _COARSE, beam.reach / _COARSE
    facing = np.cos(2 * np.pi * turn)
    for way in (1.0, -1.0):
        along = reach * facing * way
        spread = reach * (0.05 + 0.09 * (1 - abs(facing)))
        pen.polygon(
            [(x, y - 1), (x + along, y - reach * 0.04 - spread), (x + along, y - reach * 0.04 + spread), (x, y + 1)],
            fill=int(150 + 60 * way * abs(facing)),
        )
    mask = blurred(coverage(image), max(1.2, reach * 0.008))
    fade: Floats = np.exp(-np.abs(np.arange(small[0], dtype=np.float32) - np.float32(x)) / np.float32(reach * 0.42))
    faded: Floats = mask * fade[None, :]
    return faded
