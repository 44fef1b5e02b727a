"""Places with no horizon of the usual kind: under water, in space, on the moon, above the clouds."""

from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

from .land import tone
from .paint import blurred, coverage, distances, gradient, line_noise, noise, resized, resized_rgb, smoothstep
from .palette import mix, rgb
from .shapes import Point
from .stage import Stage


def water_column(stage: Stage) -> None:
    """Light from above, swallowed by depth, with the surface shimmering at the top."""
    rows, columns = stage.height // 4, -(-stage.full // 4)
    colors = np.repeat(gradient(stage.palette.sky, rows, 0.75)[:, None], columns, axis=1)
    reach = distances(rows, columns, (stage.light[0] + stage.pad) / 4, -stage.unit * 0.02, 1.4)
    glow = np.exp(-reach / np.float32(stage.unit / 4 * 0.42))[..., None]
    colors += (stage.palette.sun - colors) * glow * np.float32(0.9)
    stage.add(resized_rgb(colors.astype(np.float32), stage.height, stage.full), None, depth=0.0)
    caustic = noise(stage.rng, rows // 4, columns, cell_x=stage.unit * 0.025, cell_y=stage.unit * 0.008, octaves=3)
    lines = np.exp(-np.abs(caustic - 0.5) * 22) * np.linspace(1, 0, rows // 4, dtype=np.float32)[:, None] ** 1.6
    stage.add(
        stage.palette.sun[None, None],
        np.clip(resized(lines.astype(np.float32), stage.height // 4, stage.full), 0, 0.75),
        depth=0.05,
        drift=0.03,
    )


def shafts(stage: Stage, *, strength: float = 0.5) -> None:
    """Rays that fan out from the light and come and go."""
    rows, columns = stage.height // 4, -(-stage.full // 4)
    x0, y0 = (stage.light[0] + stage.pad) / 4, -stage.height / 4 * 0.35
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    angle = np.arctan2(x - np.float32(x0), y - np.float32(y0))
    fade = np.clip(1 - y / rows, 0, 1) ** 0.9
    for beat in (0.0, 0.5):
        fan = line_noise(stage.rng, 720, cell=46, octaves=3)
        light = np.interp(angle, np.linspace(-1.6, 1.6, 720), fan).astype(np.float32)
        mask = smoothstep(0.52, 0.95, light) * fade * np.float32(strength)
        stage.add(
            stage.palette.sun[None, None],
            np.clip(resized(mask, stage.height, stage.full), 0, 1),
            depth=0.08,
            pulse=0.6,
            beat=beat,
            drift=0.02,
        )


def seabed(stage: Stage, *, base: float, tall: float, distance: float, depth: float, weed: bool) -> None:
    """Rocks, and weed and fans of coral growing on them."""
    top = int(base - tall * 1.9)
    height = stage.height - top
    image = Image.new("L", (stage.full * 2, height * 2))
    pen = ImageDraw.Draw(image)
    rng = stage.rng
    floor = base - top - tall * 0.6 * line_noise(rng, stage.full, cell=stage.unit * 0.4, octaves=4)
    pen.polygon(
        [
            (0, height * 2),
            *[(2 * x, 2 * float(floor[x])) for x in range(0, stage.full, 4)],
            (stage.full * 2, height * 2),
        ],
        fill=255,
    )
    for _ in range(int(stage.full / tall * (6 if weed else 2.5))):
        x = rng.uniform(0, stage.full - 1)
        foot, size = float(floor[int(x)]) * 2 + 6, tall * rng.uniform(0.4, 1.15) * 2
        if rng.random() < 0.6:
            _weed(pen, x * 2, foot, size, rng.random())
        else:
            _coral(
                stage, pen, (x * 2, foot), size=size * 0.42, angle=pi / 2 + rng.uniform(-0.3, 0.3), wide=size * 0.035
            )
    alpha = coverage(image.reduce(2))
    if distance < 0.1:
        alpha = blurred(alpha, stage.unit * 0.003)
    color = tone(stage, distance)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    stage.add((color + (stage.palette.ink - color) * rows * 0.6).astype(np.float32), alpha, top=top, depth=depth)


def _weed(pen: ImageDraw.ImageDraw, x: float, y: float, size: float, turn: float) -> None:
    left, right = [], []
    for i in range(13):
        t = i / 12
        bend = size * 0.1 * sin(t * 5 + turn * 9) * t
        wide = size * 0.028 * (1 - t) ** 0.6 * (1 + 0.5 * sin(t * 24))
        left.append((x + bend - wide, y - size * t))
        right.append((x + bend + wide, y - size * t))
    pen.polygon([*left, *right[::-1]], fill=255)


def _coral(
    stage: Stage, pen: ImageDraw.ImageDraw, root: Point, *, size: float, angle: float, wide: float, level: int = 0
) -> None:
    x, y = root
    nx, ny = x + size * 0.5 * cos(angle), y - size * 0.5 * sin(angle)
    pen.line([x, y, nx, ny], fill=255, width=max(1, round(wide)))
    pen.ellipse([nx - wide / 2, ny - wide / 2, nx + wide / 2, ny + wide / 2], fill=255)
    if level < 4:
        for way in (-1, 1):
            _coral(
                stage,
                pen,
                (nx, ny),
                size=size * stage.rng.uniform(0.62, 0.84),
                angle=angle + way * stage.rng.uniform(0.2, 0.55),
                wide=wide * 0.78,
                level=level + 1,
            )


def nebula(stage: Stage) -> None:
    """Colored gas with dark lanes in it."""
    rows, columns = stage.height // 4, -(-stage.full // 4)
    stage.add(np.repeat(gradient(stage.palette.sky, stage.height)[:, None], stage.full, axis=1), None, depth=0.0)
    lean = stage.rng.uniform(0.3, 0.6) * stage.rng.choice([-1, 1])
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    band = np.exp(-(((y - rows * 0.5 - lean * (x - columns / 2)) / np.float32(stage.unit / 4 * 0.36)) ** 2))
    hues = stage.rng.choice(
        [((230, 70, 130), (70, 110, 240)), ((250, 130, 70), (60, 160, 200)), ((90, 220, 190), (130, 80, 230))]
    )
    lanes = noise(stage.rng, rows, columns, cell_x=stage.unit * 0.09, cell_y=stage.unit * 0.07, octaves=6, fall=0.58)
    for i, hue in enumerate(hues):
        gas = noise(stage.rng, rows, columns, cell_x=stage.unit * 0.16, cell_y=stage.unit * 0.12, octaves=6, fall=0.56)
        mask = smoothstep(0.3, 0.95, gas) * (0.2 + band) * (1 - 0.75 * smoothstep(0.45, 0.75, lanes)) * np.float32(0.62)
        color = mix(rgb(*hue), rgb(255, 240, 230), 0.1)
        stage.add(
            color[None, None],
            np.clip(resized(mask.astype(np.float32), stage.height, stage.full), 0, 0.9),
            depth=0.02 + 0.02 * i,
            drift=0.008,
        )


def world(stage: Stage, *, x: float, y: float, radius: float, kind: str, depth: float) -> None:
    """A sphere lit from the side of the light: "earth" in blue and white, "gas" in bands."""
    top, height = int(y - radius * 1.12), int(radius * 2.24)
    rows, columns = -(-height // 2), -(-stage.full // 2)
    px, py = (x + stage.pad) / 2, (y - top) / 2
    r = np.float32(radius / 2)
    gx = (np.arange(columns, dtype=np.float32)[None, :] - np.float32(px)) / r
    gy = (np.arange(rows, dtype=np.float32)[:, None] - np.float32(py)) / r
    flat = gx**2 + gy**2
    z = np.sqrt(np.clip(1 - flat, 0, 1))
    way = 1 if stage.light[0] > x else -1
    light = np.clip(gx * 0.72 * way - gy * 0.42 + z * 0.42, 0, 1) ** 0.85
    if kind == "earth":
        land = smoothstep(
            0.52, 0.6, noise(stage.rng, rows, columns, cell_x=radius * 0.4, cell_y=radius * 0.33, octaves=5)
        )
        cover = smoothstep(
            0.5, 0.85, noise(stage.rng, rows, columns, cell_x=radius * 0.5, cell_y=radius * 0.16, octaves=6, fall=0.6)
        )
        color = rgb(28, 84, 166) + (rgb(96, 116, 74) - rgb(28, 84, 166)) * land[..., None]
        color = color + (rgb(246, 250, 255) - color) * cover[..., None] * np.float32(0.9)
        rim = rgb(120, 190, 255)
    else:
        hue = stage.rng.choice([rgb(222, 158, 104), rgb(120, 150, 206), rgb(206, 120, 110)])
        bands = line_noise(stage.rng, rows, cell=radius * 0.22, octaves=3)[:, None] + 0.25 * noise(
            stage.rng, rows, columns, cell_x=radius * 0.7, cell_y=radius * 0.05, octaves=3
        )
        color = hue + (mix(hue, rgb(255, 246, 230), 0.75) - hue) * np.clip(bands, 0, 1)[..., None]
        rim = mix(hue, rgb(255, 255, 255), 0.5)
    field = color * (0.03 + 1.02 * light)[..., None]
    edge = np.clip(1 - z, 0, 1) ** 3
    field += (rim - field) * (edge * light)[..., None] * np.float32(0.8)
    body = np.clip((1 - np.sqrt(flat)) * r + np.float32(0.5), 0, 1)
    air = (
        np.exp(-np.clip(np.sqrt(flat) - 1, 0, 9) * 26)
        * np.clip(gx * way * 0.8 - gy * 0.4 + 0.35, 0, 1)
        * np.float32(0.55)
    )
    alpha = np.maximum(body, air * (body < 0.5))
    field = np.where((body > 0.5)[..., None], field, rim)
    stage.add(
        np.clip(resized_rgb(field.astype(np.float32), height, stage.full), 0, 255),
        np.clip(resized(alpha.astype(np.float32), height, stage.full), 0, 1),
        top=top,
        depth=depth,
    )


def craters(stage: Stage, *, top: float) -> None:
    """The moon's ground: gray, hard light, rings of older and younger impacts."""
    first = int(top)
    height = stage.height - first
    rows, columns = -(-height // 2), -(-stage.full // 2)
    bump = noise(
        stage.rng, rows, columns, cell_x=stage.unit * 0.16, cell_y=stage.unit * 0.05, octaves=5, fall=0.6
    ) * np.float32(0.5)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    for _ in range(34):
        down = stage.rng.random() ** 0.8
        size = stage.unit * (0.006 + 0.06 * down * stage.rng.random() ** 1.5)
        cx, cy = stage.rng.uniform(0, columns), down * rows
        near = np.sqrt(((x - cx) / 1.0) ** 2 + ((y - cy) / 0.3) ** 2) / np.float32(size)
        bump += np.where(near < 1, -0.35 * (1 - near**2), np.exp(-(near - 1) * 5) * 0.12).astype(np.float32) * (
            near < 2.5
        )
    side = 2 if stage.light[0] > stage.width / 2 else -2
    slope = (np.roll(bump, side, axis=1) - np.roll(bump, -side, axis=1)) + 0.7 * (
        np.roll(bump, 1, axis=0) - np.roll(bump, -1, axis=0)
    )
    light = np.clip(0.5 - slope * np.float32(2.6), 0.04, 1.15)
    fall = np.linspace(1.0, 0.5, rows, dtype=np.float32)[:, None]
    color = rgb(150, 150, 162) * (light * fall)[..., None]
    stage.add(
        np.clip(resized_rgb(color.astype(np.float32), height, stage.full), 0, 255),
        None,
        top=first,
        depth=0.9,
        far_depth=0.15,
    )


def cloud_sea(stage: Stage, *, base: float, tall: float, distance: float, depth: float, drift: float) -> None:
    """A bank of cumulus seen from above: heaps of round heads, lit along their tops."""
    top = int(base - tall * 1.4)
    height = stage.height - top
    size = (stage.full, height)
    body = Image.new("L", size)
    pen = ImageDraw.Draw(body)
    rng = stage.rng
    swell = line_noise(rng, stage.full, cell=stage.unit * 0.5, octaves=3)
    for _ in range(int(stage.full / tall * 16)):
        x = rng.uniform(-tall * 0.3, stage.full + tall * 0.3)
        lift = float(swell[int(min(max(x, 0), stage.full - 1))]) * tall * 0.95
        r = tall * rng.uniform(0.1, 0.34)
        y = base - top - lift * rng.uniform(0.6, 1.0)
        pen.ellipse([x - r * 1.25, y - r, x + r * 1.25, y + r], fill=255)
    pen.rectangle([0, min(base - top, height), stage.full, height], fill=255)
    mask = coverage(body)
    soft = blurred(mask, tall * 0.05)
    alpha = np.clip(soft * 1.9 - 0.45, 0, 1)
    side = 1 if stage.light[0] > stage.width / 2 else -1
    shifted = np.roll(np.roll(blurred(mask, tall * 0.14), int(-side * tall * 0.1), axis=1), int(tall * 0.16), axis=0)
    puff = noise(rng, height, stage.full, cell_x=tall * 0.5, cell_y=tall * 0.3, octaves=5, fall=0.6)
    light = np.clip((1 - shifted) * 1.2 + (puff - 0.5) * 0.75, 0, 1)
    bright = mix(
        mix(stage.palette.sun, rgb(255, 255, 255), 0.3),
        stage.palette.haze,
        0.25 + 0.5 * distance if not stage.palette.moon else 0.75,
    )
    dark = mix(mix(stage.palette.sky[1], stage.palette.haze, 0.35), stage.palette.haze, 0.65 * distance)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 0.8
    shade = (light * (1 - 0.55 * down))[..., None]
    stage.add((dark + (bright - dark) * shade).astype(np.float32), alpha, top=top, depth=depth, drift=drift)
