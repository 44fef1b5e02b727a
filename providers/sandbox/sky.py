"""What is above: the gradient of the hour, sun or moon with their halo, stars, clouds, aurora, lightning."""

from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

from .paint import Floats, blurred, coverage, distances, gradient, noise, resized, resized_rgb, smoothstep
from .palette import mix, rgb
from .shapes import Point
from .stage import Stage

_COARSE = 4  # smooth things are worked out on every fourth pixel


def sky(stage: Stage, *, power: float = 0.8, bottom: float | None = None) -> None:
    """Gradient and halo, down to a little below the horizon."""
    height = stage.height
    rows, columns = -(-height // _COARSE), -(-stage.full // _COARSE)
    upper = min(rows, round((bottom or stage.horizon + 0.04 * height) / _COARSE))
    ramp = np.concatenate([gradient(stage.palette.sky, upper, power), np.tile(stage.palette.haze, (rows - upper, 1))])
    colors = np.repeat(ramp[:, None], columns, axis=1).astype(np.float32)
    x, y = (stage.light[0] + stage.pad) / _COARSE, stage.light[1] / _COARSE
    unit = stage.unit / _COARSE
    glow = stage.palette.glow
    far = distances(rows, columns, x, y, 1.5)
    near = distances(rows, columns, x, y)
    wide = np.exp(-far / np.float32(unit * 0.42)) * np.float32(0.5 * glow)
    tight = np.exp(-((near / np.float32(unit * 0.16)) ** 1.2)) * np.float32(0.55 * glow)
    warm = mix(stage.palette.sun, stage.palette.sky[-1], 0.35)
    colors += (warm - colors) * np.clip(wide, 0, 1)[..., None]
    colors += (stage.palette.sun - colors) * np.clip(tight, 0, 1)[..., None]
    stage.add(resized_rgb(colors.astype(np.float32), height, stage.full), None, depth=0.0)


def stars(stage: Stage) -> None:
    """Two sets that twinkle against each other, denser in a band across the sky."""
    if stage.palette.stars < 0.05:
        return
    height = int(min(stage.height, stage.horizon + 2))
    count = int(stage.palette.stars * stage.full * height / 1500 * (720 / stage.unit) ** 1.2)
    fade = np.linspace(1, 0.15, height, dtype=np.float32)[:, None]
    for beat in (0.0, 0.5):
        mask = np.zeros((height, stage.full), np.float32)
        for _ in range(count // 2):
            _star(mask, stage)
        if stage.palette.stars > 0.8 and beat == 0.0:
            _milky_way(stage, height)
        stage.add(rgb(236, 240, 255)[None, None], np.clip(mask * fade, 0, 1), depth=0.01, pulse=0.45, beat=beat)


def _star(mask: Floats, stage: Stage) -> None:
    height, width = mask.shape
    rng = stage.rng
    x, y = rng.randrange(1, width - 2), int(rng.random() ** 1.25 * (height - 4)) + 1
    bright = 0.12 + 0.88 * rng.random() ** 5
    size = max(1, round(stage.unit / 900 + bright * stage.unit / 800))
    mask[y : y + size, x : x + size] = bright
    if bright > 0.7:
        mask[y - 1 : y + size + 1, x : x + size] = np.maximum(mask[y - 1 : y + size + 1, x : x + size], bright * 0.4)
        mask[y : y + size, x - 1 : x + size + 1] = np.maximum(mask[y : y + size, x - 1 : x + size + 1], bright * 0.4)


def _milky_way(stage: Stage, height: int) -> None:
    rows, columns = -(-height // 6), -(-stage.full // 6)
    lean = stage.rng.uniform(0.35, 0.7) * stage.rng.choice([-1, 1])
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    across = np.abs(y - rows * 0.3 - lean * (x - columns * 0.5)) / np.float32(rows * 0.34)
    cloud = noise(stage.rng, rows, columns, cell_x=columns / 5, cell_y=rows / 3, octaves=5, fall=0.6)
    band = np.clip(1 - across, 0, 1) ** 1.5 * (0.25 + cloud) * np.float32(0.28)
    stage.add(
        mix(stage.palette.sky[-1], rgb(214, 214, 240), 0.6)[None, None], resized(band, height, stage.full), depth=0.01
    )


def luminary(stage: Stage) -> None:
    """The disc of sun or moon."""
    if stage.scene.weather in {"storm", "rain"} and not stage.palette.moon:
        return
    x, y = stage.light
    radius = stage.unit * (0.052 if stage.palette.moon else 0.06)
    if stage.light[1] > stage.horizon + radius:
        return
    top, size = int(y - radius - 2), int(2 * radius + 4)
    reach = distances(size, stage.full, x + stage.pad, y - top)
    mask = np.clip(np.float32(radius + 0.5) - reach, 0, 1)
    color = np.broadcast_to(mix(stage.palette.sun, rgb(255, 255, 255), 0.45), (size, stage.full, 3)).astype(np.float32)
    if stage.palette.moon:
        seas = noise(stage.rng, size, size, cell_x=size / 2.4, cell_y=size / 2.4, octaves=4)
        left = int(x + stage.pad - radius - 2)
        color[:, left : left + size] -= (smoothstep(0.45, 0.8, seas) * 34)[..., None] * rgb(1.0, 0.95, 0.82)
    stage.add(color, mask, top=top, depth=0.015)


def clouds(stage: Stage, amount: float) -> None:
    """Two sheets, stretched by perspective, lit from the side of the light."""
    height = int(stage.horizon + 0.02 * stage.height)
    for sheet, (depth, drift, share) in enumerate(((0.03, 0.018, 1.0), (0.07, 0.045, 0.8))):
        rows, columns = -(-height // 3), -(-stage.full // 3)
        cell_x, cell_y = stage.unit / 3 * (1.1 if sheet else 0.8), stage.unit / 3 * (0.16 if sheet else 0.08)
        field = noise(stage.rng, rows, columns, cell_x=cell_x, cell_y=cell_y, octaves=6, fall=0.55)
        y = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
        band = np.clip(1.25 - np.abs(y - (0.62 if sheet == 0 else 0.3)) * 1.7, 0, 1)
        cover = (
            smoothstep(0.66 - 0.42 * amount, 0.98 - 0.3 * amount, field * band)
            * np.float32(0.5 + 0.42 * amount)
            * np.float32(share)
        )
        side = 3 if stage.light[0] > stage.width / 2 else -3
        lit = np.clip(0.5 + (field - np.roll(np.roll(field, -side, axis=1), -2, axis=0)) * 5.0, 0, 1)
        dark = mix(stage.palette.sky[1], stage.palette.haze, 0.35)
        bright = mix(stage.palette.sky[-1], stage.palette.sun, 0.5 if not stage.palette.moon else 0.12)
        near = np.exp(
            -distances(rows, columns, (stage.light[0] + stage.pad) / 3, stage.light[1] / 3, 1.6)
            / np.float32(stage.unit * 0.2)
        )
        light = np.clip(lit * (0.4 + 0.9 * near) * stage.palette.glow, 0, 1)[..., None]
        color = dark + (bright - dark) * light
        stage.add(
            resized_rgb(color.astype(np.float32), height, stage.full),
            np.clip(resized(cover, height, stage.full), 0, 1),
            depth=depth,
            drift=drift,
        )


def aurora(stage: Stage) -> None:
    """Curtains: each hangs from a wandering line, brightest at its hem, and fades upward."""
    height = int(stage.horizon)
    rows, columns = height // 4, stage.full // 4
    y = np.arange(rows, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, columns, dtype=np.float32)
    for curtain in range(4):
        rng = stage.rng
        turn, bend = rng.random(), rng.uniform(0.7, 1.4)
        hem = rows * (
            0.46
            + 0.1 * curtain
            + 0.14 * np.sin(2 * pi * (x * bend + turn))
            + 0.05 * np.sin(2 * pi * (x * bend * 2.7 + turn * 3))
            - 0.12
        )
        rays = noise(rng, 4, columns, cell_x=columns / 40, cell_y=4, octaves=3)[1] * 0.6 + 0.4
        sway = noise(rng, 4, columns, cell_x=columns / 4, cell_y=4, octaves=2)[1]
        reach = np.float32(rows) * (0.16 + 0.34 * rays * sway)
        rise = (hem - y) / reach
        light = np.where(rise > 0, np.exp(-rise * 1.5), np.exp(rise * reach / np.float32(rows * 0.012)))
        light *= (rays * sway * (0.95 if curtain else 0.75)).astype(np.float32)
        share = np.clip(rise / 2.2, 0, 1)[..., None]
        color = rgb(70, 255, 170) * (1 - share) + rgb(130, 70, 230) * share
        stage.add(
            resized_rgb(color.astype(np.float32), height, stage.full),
            np.clip(resized(light.astype(np.float32), height, stage.full), 0, 0.85),
            depth=0.02,
            drift=(-1) ** curtain * (0.03 + 0.015 * curtain),
            pulse=0.35,
            beat=curtain / 4,
        )


def lightning(stage: Stage) -> None:
    """A forked bolt and the clouds it lights up."""
    height = int(stage.horizon)
    image = Image.new("L", (stage.full, height))
    pen = ImageDraw.Draw(image)
    x = stage.pad + stage.width * (
        stage.rng.uniform(0.14, 0.3) if stage.light[0] < stage.width / 2 else stage.rng.uniform(0.7, 0.86)
    )
    _bolt(stage, pen, (x, 0.0), end=height, thick=stage.unit * 0.0055)
    bolt = coverage(image)
    mask = np.clip(
        blurred(bolt, stage.unit / 900)
        + 0.8 * blurred(bolt, stage.unit * 0.018)
        + 1.6 * blurred(bolt, stage.unit * 0.09),
        0,
        1,
    )
    stage.add(rgb(226, 232, 255)[None, None], mask, depth=0.03, flash=True)


def _bolt(stage: Stage, pen: ImageDraw.ImageDraw, start: Point, *, end: float, thick: float, fork: int = 0) -> None:
    x, y = start
    turn = 0.0
    while y < end and thick > 0.6:
        turn = turn * 0.4 + stage.rng.uniform(-0.9, 0.9)
        step = stage.unit * stage.rng.uniform(0.012, 0.04)
        nx, ny = x + step * sin(turn), y + step * max(0.35, cos(turn))
        pen.line([x, y, nx, ny], fill=255, width=max(1, round(thick)))
        x, y = nx, ny
        if fork < 2 and stage.rng.random() < 0.13:
            reach = stage.unit * stage.rng.uniform(0.1, 0.25)
            _bolt(stage, pen, (x + 1, y), end=y + reach, thick=thick * 0.55, fork=fork + 1)
        thick *= 0.992
