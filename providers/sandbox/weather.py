"""What is in the air: snow and rain at three distances, dust in the light, bubbles, fireflies, falling leaves."""

import numpy as np
from PIL import Image, ImageDraw

from .paint import Bytes, Floats, blurred, coverage
from .palette import mix, rgb
from .stage import Fall, Stage


def snow(stage: Stage, *, hard: bool = False) -> None:
    flake = mix(rgb(248, 250, 255), stage.palette.haze, 0.15)
    for size, count, down, blur in ((0.0016, 420, 0.07, 0.0), (0.003, 200, 0.12, 0.4), (0.0065, 46, 0.2, 1.8)):
        mask = _dots(stage, count * (2 if hard else 1), size, blur, 0.75)
        stage.elements.append(Fall(mask, flake, down * 0.5, down))


def rain(stage: Stage, *, hard: bool) -> None:
    drop = mix(rgb(214, 226, 240), stage.palette.haze, 0.3)
    for long, count, down, strength in ((0.035, 420, 1.2, 0.16), (0.075, 220, 2.0, 0.24), (0.15, 50, 3.0, 0.26)):
        mask = _streaks(stage, count * (2 if hard else 1), long, strength, 0.28 if hard else 0.1)
        stage.elements.append(Fall(mask, drop, -down * (0.28 if hard else 0.1) * stage.height / stage.width, down))


def dust(stage: Stage) -> None:
    """Motes in the light."""
    mask = _dots(stage, 70, 0.0026, 0.8, 0.4)
    stage.elements.append(Fall(mask, stage.palette.sun, 0.012, -0.008))


def bubbles(stage: Stage) -> None:
    for size, count, down in ((0.002, 110, -0.03), (0.004, 40, -0.06)):
        stage.elements.append(Fall(_dots(stage, count, size, 0.4, 0.42), stage.palette.rim, 0.004, down))


def fireflies(stage: Stage) -> None:
    mask = _dots(stage, 26, 0.0034, 0.3, 0.95, low=0.5)
    glow = np.maximum(
        mask, np.clip(blurred(mask.astype(np.float32) / 255, stage.unit * 0.014) * 900, 0, 120).astype(np.uint8)
    )
    stage.elements.append(Fall(glow, rgb(255, 226, 120), 0.01, -0.012))


def leaves(stage: Stage) -> None:
    tile = Image.new("L", (stage.width, stage.height))
    pen = ImageDraw.Draw(tile)
    rng = stage.rng
    for _ in range(46):
        x, y, r = rng.uniform(0, stage.width), rng.uniform(0, stage.height), stage.unit * rng.uniform(0.004, 0.011)
        dx, dy = rng.uniform(-1, 1) * r, rng.uniform(-1, 1) * r
        pen.polygon([(x - r, y - dy), (x + dx, y - r * 0.5), (x + r, y + dy), (x - dx, y + r * 0.5)], fill=220)
    stage.elements.append(Fall(np.asarray(tile), mix(rgb(214, 96, 30), stage.palette.rim, 0.2), 0.07, 0.09))


def _dots(stage: Stage, count: int, size: float, blur: float, strength: float, *, low: float = 0.0) -> Bytes:
    """A tile of round specks that joins at its edges."""
    scale = 2
    tile = Image.new("L", (stage.width * scale, stage.height * scale))
    pen = ImageDraw.Draw(tile)
    rng = stage.rng
    number = int(count * max(0.5, min(stage.width / stage.height, 2.4)) / 1.78)
    for _ in range(number):
        r = max(0.7, stage.unit * size * scale * rng.uniform(0.5, 1.2))
        x, y = rng.uniform(r, tile.width - r), rng.uniform(r + low * tile.height, tile.height - r)
        pen.ellipse([x - r, y - r, x + r, y + r], fill=int(255 * strength * rng.uniform(0.45, 1)))
    mask: Floats = coverage(tile.reduce(scale))
    if blur:
        mask = blurred(mask, blur * stage.unit / 720)
    return (mask * 255).astype(np.uint8)


def _streaks(stage: Stage, count: int, long: float, strength: float, slant: float) -> Bytes:
    scale = 2
    tile = Image.new("L", (stage.width * scale, stage.height * scale))
    pen = ImageDraw.Draw(tile)
    rng = stage.rng
    for _ in range(int(count * stage.width / stage.height / 1.78)):
        reach = stage.unit * long * scale * rng.uniform(0.6, 1.1)
        x, y = rng.uniform(0, tile.width), rng.uniform(0, tile.height)
        value, wide = int(255 * strength * rng.uniform(0.4, 1)), max(1, round(stage.unit * long * 0.014 * scale))
        for ox in (0, tile.width, -tile.width):
            for oy in (0, tile.height, -tile.height):
                pen.line([x + ox, y + oy, x + ox - reach * slant, y + oy + reach], fill=value, width=wide)
    return np.asarray(tile.reduce(scale))
