"""The ground: ranges, hills, dunes, woods, grass and snow, each layer paler the farther away it is."""

from math import sin

import numpy as np
from PIL import Image, ImageDraw

from .paint import Floats, below, blurred, coverage, line_noise, noise, resized, smoothstep
from .palette import Color, mix, rgb
from .stage import Stage


def tone(stage: Stage, distance: float) -> Color:
    """The color of a silhouette at a distance: 0 at the camera, 1 at the horizon."""
    return mix(stage.palette.ink, mix(stage.palette.haze, stage.palette.sky[-2], 0.25), distance**0.85)


def fill(
    stage: Stage,
    ridge: Floats,
    distance: float,
    *,
    mist: float = 0.5,
    depth: float,
    light: Floats | None = None,
    bottom: float | None = None,
) -> None:
    """Fills under a ridge line (in rows of the frame), paler towards its foot, where mist lies."""
    top = max(0, int(ridge.min()) - 2)
    height = int(min(stage.height, bottom or stage.height)) - top
    if height < 4:
        return
    color = tone(stage, distance)
    foot = mix(color, stage.palette.haze, mist)
    reach = (
        max(8.0, float(stage.horizon + stage.unit * 0.05 - ridge.min()))
        if ridge.min() < stage.horizon
        else stage.unit * 0.3
    )
    share = np.clip((np.arange(height, dtype=np.float32)) / np.float32(reach), 0, 1)[:, None] ** 1.4
    rows = color + (foot - color) * share
    alpha = below(ridge - top, height)
    if light is None:
        stage.add(rows.astype(np.float32), alpha, top=top, depth=depth)
        return
    lit = mix(color, stage.palette.rim, 0.5)
    field = rows[:, None] + (lit - rows[:, None]) * light[:height, :, None]
    stage.add(field.astype(np.float32), alpha, top=top, depth=depth)


def mountains(stage: Stage, *, base: float, tall: float, distance: float, depth: float, snow: bool) -> None:
    """A sharp range whose faces turn to or from the light, with snow on it where it is high."""
    steep = 1 - np.abs(2 * line_noise(stage.rng, stage.full, cell=stage.unit * 0.85, octaves=6, fall=0.44) - 1)
    broad = line_noise(stage.rng, stage.full, cell=stage.unit * 1.3, octaves=2)
    ridge = (base - tall * (0.25 + 0.75 * steep) * (0.35 + 0.65 * broad)).astype(np.float32)
    top = max(0, int(ridge.min()) - 2)
    height = int(min(stage.height, base + stage.unit * 0.12)) - top
    fill(
        stage,
        ridge,
        distance,
        mist=0.72,
        depth=depth,
        light=_faces(stage, ridge, top=top, height=height, distance=distance, snow=snow, tall=tall),
        bottom=top + height,
    )


def _faces(stage: Stage, ridge: Floats, *, top: int, height: int, distance: float, snow: bool, tall: float) -> Floats:
    """How much light each point of a range gets: slopes of the ridge carried down the faces, broken up by noise."""
    rows, columns = -(-height // 2), -(-stage.full // 2)
    crest = ridge[::2][:columns]
    down = np.maximum(np.arange(rows, dtype=np.float32)[:, None] * 2 + top - crest[None, :], 0)
    rough = noise(stage.rng, rows, columns, cell_x=stage.unit * 0.06, cell_y=stage.unit * 0.08, octaves=5, fall=0.6)
    side = 1 if stage.light[0] > stage.width / 2 else -1
    shift = (down * side * (0.3 + 0.55 * rough)).astype(np.int32) // 2
    at = np.clip(np.arange(columns)[None, :] - shift, 2, columns - 3)
    slope = (crest[at + 2] - crest[at - 2]) * side
    lit = smoothstep(-1.0, 3.2, slope * np.float32(720 / stage.unit))
    fade = np.exp(-down / np.float32(tall * 0.5))
    high = smoothstep(0.15, 0.85, np.exp(-down / np.float32(tall * 0.36)) + 0.5 * (rough - 0.5))
    cap = high * np.float32(snow)
    light = lit * fade * (0.38 - 0.16 * distance) + cap * (0.22 + 0.55 * lit) * (1 - 0.55 * distance)
    return resized(np.clip(light, 0, 0.95).astype(np.float32), height, stage.full)


def hills(
    stage: Stage,
    *,
    base: float,
    tall: float,
    distance: float,
    depth: float,
    cell: float = 0.9,
    mist: float = 0.5,
    octaves: int = 3,
) -> Floats:
    """Rounded ground; gives back its ridge line."""
    curve = line_noise(stage.rng, stage.full, cell=stage.unit * cell, octaves=octaves, fall=0.38)
    ridge = (base - tall * curve).astype(np.float32)
    fill(stage, ridge, distance, mist=mist, depth=depth)
    return ridge


def dunes(stage: Stage, *, base: float, tall: float, distance: float, depth: float) -> Floats:
    """A dune: a long lit back and a short shaded face, parted by a crest that winds down into the sand."""
    rng = stage.rng
    curve = line_noise(rng, stage.full, cell=stage.unit * 1.25, octaves=2, fall=0.3)
    ridge = (base - tall * smoothstep(0.0, 1.0, curve)).astype(np.float32)
    top = max(0, int(ridge.min()) - 2)
    height = stage.height - top
    fill(stage, ridge, distance, mist=0.25, depth=depth, light=_sand(stage, ridge, top, height, distance))
    return ridge


def _sand(stage: Stage, ridge: Floats, top: int, height: int, distance: float) -> Floats:
    """Light by the side a slope turns to; the crest line bends as it comes down, ripples run along the slope."""
    rows, columns = -(-height // 2), -(-stage.full // 2)
    crest = ridge[::2][:columns]
    down = np.maximum(np.arange(rows, dtype=np.float32)[:, None] * 2 + top - crest[None, :], 0) / np.float32(stage.unit)
    side = 1 if stage.light[0] > stage.width / 2 else -1
    sway = np.sin(down * 9 + distance * 5) * 0.06 * np.clip(down * 6, 0, 1) + down * 0.55
    at = np.clip(np.arange(columns)[None, :] + (sway * side * stage.unit / 2).astype(np.int32), 3, columns - 4)
    slope = (crest[at + 3] - crest[at - 3]) * np.float32(side * 720 / stage.unit)
    lit = smoothstep(-0.5, 0.7, slope)
    ripples = noise(
        stage.rng, rows, columns, cell_x=stage.unit * 0.16, cell_y=stage.unit * 0.007, octaves=2
    ) - np.float32(0.5)
    light = (0.12 + 0.62 * lit) * np.exp(-down * 2.6) * (1 + 0.5 * ripples * (1 - distance))
    edge = np.exp(-down * stage.unit / 2.2) * 0.3 * lit
    return resized(np.clip(light * (0.95 - 0.4 * distance) + edge, 0, 0.9).astype(np.float32), height, stage.full)


def wood(
    stage: Stage,
    *,
    base: float,
    tall: float,
    distance: float,
    depth: float,
    dense: float = 1.0,
    mist: float = 0.5,
    rise: float = 0.3,
    snow: bool = False,
) -> None:
    """A row of conifers on rolling ground."""
    ground = base - tall * rise * line_noise(stage.rng, stage.full, cell=stage.unit * 0.9, octaves=3)
    top = int(max(0, ground.min() - tall * 1.35))
    height = int(min(stage.height, base + stage.unit * (0.1 if distance > 0.4 else 1.0))) - top
    image = Image.new("L", (stage.full * 2, height * 2))
    caps = Image.new("L", (stage.full * 2, height * 2))
    pens = ImageDraw.Draw(image), ImageDraw.Draw(caps)
    x = -tall * 0.3
    while x < stage.full + tall * 0.3:
        at = int(min(max(x, 0), stage.full - 1))
        size = tall * stage.rng.uniform(0.5, 1.1) * (0.85 + 0.3 * sin(x / stage.unit * 5 + distance * 9))
        _conifer(stage, pens, x * 2, (float(ground[at]) - top) * 2 + 4, size=size * 2, snow=snow)
        x += tall * stage.rng.uniform(0.1, 0.32) / dense
    trees = coverage(image.reduce(2))
    alpha = np.maximum(trees, below((ground - top).astype(np.float32), height))
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 1.5
    color = tone(stage, distance)
    rows = color + (mix(color, stage.palette.haze, mist) - color) * share
    field: Floats = rows
    if snow:
        white = mix(mix(rgb(232, 238, 248), stage.palette.haze, 0.35 + 0.4 * distance), stage.palette.ink, 0.3)
        powder = np.asarray(caps.reduce(2), np.float32)[..., None] / 255 * np.float32(0.5 - 0.25 * distance)
        field = rows[:, None] + (white - rows[:, None]) * powder
    stage.add(field.astype(np.float32), alpha, top=top, depth=depth)


def _conifer(
    stage: Stage, pens: tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw], x: float, y: float, *, size: float, snow: bool
) -> None:
    tiers = max(5, min(11, int(size / 14)))
    wide = size * stage.rng.uniform(0.17, 0.24)
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    for tier in range(tiers):
        share = (tier + 1) / tiers
        reach = wide * share**0.85
        low = y - size * (1 - share * 0.95)
        wobble = stage.rng.uniform(0.8, 1.15)
        left += [(x - reach * wobble, low + size * 0.02), (x - reach * 0.5, low - size * 0.012)]
        right += [(x + reach * (2 - wobble), low + size * 0.02), (x + reach * 0.5, low - size * 0.012)]
        if snow:
            drop = size * 0.035
            pens[1].polygon(
                [
                    (x - reach * 0.5, low - drop),
                    (x - reach * wobble * 0.96, low + size * 0.012),
                    (x - reach * 0.1, low - drop * 0.2),
                    (x + reach * 0.75, low + size * 0.004),
                    (x + reach * 0.3, low - drop),
                ],
                fill=255,
            )
    pens[0].polygon([(x, y - size), *left, (x, y), *right[::-1]], fill=255)
    pens[0].rectangle([x - size * 0.014, y - size * 0.1, x + size * 0.014, y + 4], fill=255)


def trunks(stage: Stage, *, distance: float, depth: float, count: int, base: float) -> None:
    """Tall bare stems that leave the frame at the top, as one sees a wood from inside."""
    height = int(min(stage.height, base + stage.unit * 0.05))
    image = Image.new("L", (stage.full * 2, height * 2))
    pen = ImageDraw.Draw(image)
    rng = stage.rng
    for i in range(count):
        x = 2 * stage.full * (i + rng.uniform(0.05, 0.95)) / count
        wide = 2 * stage.unit * (0.011 + 0.02 * (1 - distance)) * rng.uniform(0.55, 1.25)
        lean = rng.uniform(-0.03, 0.03) * height
        foot = height * 2 - rng.uniform(0, 0.03) * stage.unit
        pen.polygon(
            [
                (x - wide * 1.5, foot),
                (x - wide * 0.8, foot - wide * 4),
                (x - wide * 0.55 + lean, 0),
                (x + wide * 0.55 + lean, 0),
                (x + wide * 0.8, foot - wide * 4),
                (x + wide * 1.5, foot),
            ],
            fill=255,
        )
        for _ in range(rng.randint(3, 7)):
            y = rng.uniform(0.0, 0.7) * height * 2
            way, reach = rng.choice([-1, 1]), wide * rng.uniform(3, 9)
            bx = x + lean * (1 - y / foot)
            pen.polygon(
                [(bx, y - wide * 0.22), (bx + way * reach, y + reach * rng.uniform(-0.25, 0.4)), (bx, y + wide * 0.22)],
                fill=255,
            )
    alpha = coverage(image.reduce(2))
    color = tone(stage, distance)
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 2
    stage.add((color + (mix(color, stage.palette.haze, 0.55) - color) * share).astype(np.float32), alpha, depth=depth)


def ground(stage: Stage, *, top: float, near: Color, far: Color, depth: float, texture: float = 0.1) -> None:
    """Level ground from a line to the bottom of the frame, with the light lying on it in streaks."""
    first = int(top)
    height = stage.height - first
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 0.7
    rows = (far + (near - far) * share)[:, None]
    streak = noise(
        stage.rng, -(-height // 2), -(-stage.full // 2), cell_x=stage.unit * 0.35, cell_y=stage.unit * 0.02, octaves=4
    )
    lift = resized(streak, height, stage.full)[..., None] - np.float32(0.5)
    x = np.abs(np.arange(stage.full, dtype=np.float32) - np.float32(stage.light[0] + stage.pad)) / np.float32(
        stage.unit
    )
    pool = (
        np.exp(-((x / 0.5) ** 2))[None, :, None] * np.float32(0.22 * stage.palette.glow) * (1 - share * 0.75)[:, None]
    )
    field = rows * (1 + lift * np.float32(texture * 2)) + (stage.palette.rim - rows) * pool
    stage.add(np.clip(field, 0, 255).astype(np.float32), None, top=first, depth=depth, far_depth=0.12)


def grass(
    stage: Stage, *, base: float, tall: float, distance: float, depth: float, blur: float = 0.0, flowers: bool = False
) -> None:
    """Blades along a line, bent by wind; out of focus when close to the lens."""
    top = int(base - tall * 1.2)
    height = stage.height - top
    image = Image.new("L", (stage.full * 2, height * 2))
    heads = Image.new("L", (stage.full * 2, height * 2))
    pen, dots = ImageDraw.Draw(image), ImageDraw.Draw(heads)
    rng = stage.rng
    swell = line_noise(rng, stage.full, cell=stage.unit * 0.5, octaves=3)
    for _ in range(int(stage.full / tall * 46)):
        x = rng.uniform(0, stage.full)
        size = tall * rng.uniform(0.35, 1.0) * (0.45 + 0.75 * float(swell[int(x)])) * 2
        foot = (base - top + tall * 0.15) * 2
        lean, wide = size * rng.gauss(0.12, 0.2), max(1.0, size * 0.018)
        pen.polygon(
            [
                (2 * x - wide, foot),
                (2 * x + lean * 0.35 - wide * 0.7, foot - size * 0.6),
                (2 * x + lean, foot - size),
                (2 * x + lean * 0.35 + wide * 0.9, foot - size * 0.6),
                (2 * x + wide, foot),
            ],
            fill=255,
        )
        if rng.random() < 0.07:
            r = size * (0.05 if flowers else 0.03)
            (dots if flowers else pen).ellipse(
                [2 * x + lean - r, foot - size - r * 1.3, 2 * x + lean + r, foot - size + r * 1.3], fill=255
            )
    pen.rectangle([0, min((base - top + tall * 0.1) * 2, height * 2), stage.full * 2, height * 2], fill=255)
    alpha, bloom = (coverage(part.reduce(2)) for part in (image, heads))
    if blur:
        alpha, bloom = blurred(alpha, blur), blurred(bloom, blur)
    color = tone(stage, distance)
    tip = mix(color, stage.palette.rim, 0.3 * (1 - distance * 0.5))
    share = np.clip(np.arange(height, dtype=np.float32) / np.float32(tall * 1.1), 0, 1)[:, None]
    rows = (tip + (color - tip) * share)[:, None]
    petal = mix(mix(rgb(226, 60, 70), stage.palette.rim, 0.3), color, 0.25)
    field = rows + (petal - rows) * bloom[..., None]
    stage.add(field.astype(np.float32), np.clip(alpha + bloom, 0, 1), top=top, depth=depth)


def mist(stage: Stage, *, at: float, tall: float, strength: float, depth: float, drift: float = 0.03) -> None:
    """A bank of mist around a line."""
    top, height = int(at - tall / 2), int(tall)
    rows, columns = max(4, height // 4), stage.full // 4
    cloud = noise(stage.rng, rows, columns, cell_x=stage.unit * 0.16, cell_y=max(4.0, rows / 2.5), octaves=4)
    bell = np.sin(np.linspace(0, 3.14, rows, dtype=np.float32))[:, None] ** 1.3
    alpha = resized((bell * (0.35 + 0.65 * cloud) * np.float32(strength)).astype(np.float32), height, stage.full)
    color = mix(stage.palette.haze, stage.palette.sky[-1], 0.4)
    stage.add(color[None, None], np.clip(alpha, 0, 1), top=top, depth=depth, drift=drift)
