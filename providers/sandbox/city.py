"""Built places: skylines with lit windows, a street in the rain, the roofs of Paris."""

import numpy as np
from PIL import Image, ImageDraw

from .land import tone
from .paint import blurred, coverage
from .palette import Color, mix, rgb
from .stage import Stage

_NEON = ((255, 60, 140), (60, 220, 255), (255, 170, 60), (150, 90, 255), (80, 255, 190))


def skyline(
    stage: Stage, *, base: float, tall: float, distance: float, depth: float, lit: float, gap: float = 0.0
) -> None:
    """A row of towers; the nearer, the larger and the darker. `gap` keeps the middle of the frame low."""
    top = int(max(0, base - tall * 1.25))
    height = int(min(stage.height, base + 2)) - top
    shape, lamps = Image.new("L", (stage.full * 2, height * 2)), Image.new("L", (stage.full * 2, height * 2))
    pens = ImageDraw.Draw(shape), ImageDraw.Draw(lamps)
    rng = stage.rng
    x = -rng.uniform(0, 0.05) * stage.unit
    while x < stage.full:
        wide = stage.unit * rng.uniform(0.035, 0.1) * (1.45 - distance)
        middle = abs((x + wide / 2 - stage.pad) / stage.width - 0.5) * 2
        keep = 1 - gap * max(0.0, 1 - middle * 1.5)
        high = tall * (0.25 + 0.75 * rng.random() ** 1.5) * keep
        _tower(
            stage,
            pens,
            x * 2,
            base=(base - top) * 2,
            wide=wide * 2,
            high=high * 2,
            lit=lit,
            cell=2 * stage.unit * (0.0085 + 0.007 * (1 - distance)),
        )
        x += wide * rng.uniform(0.8, 1.12)
    alpha = coverage(shape.reduce(2))
    light = coverage(lamps.reduce(2))
    light = np.clip(light + 0.5 * blurred(light, stage.unit * 0.006), 0, 1)
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 1.6
    color = tone(stage, distance)
    walls = color + (mix(color, stage.palette.haze, 0.5) - color) * share
    field = walls + (mix(stage.palette.lamps, color, 0.45 * distance) - walls) * light[..., None] * np.float32(
        0.9 - 0.35 * distance
    )
    stage.add(field.astype(np.float32), alpha, top=top, depth=depth)


def _tower(
    stage: Stage,
    pens: tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw],
    x: float,
    *,
    base: float,
    wide: float,
    high: float,
    lit: float,
    cell: float,
) -> None:
    rng = stage.rng
    top = base - high
    pens[0].rectangle([x, top, x + wide, base], fill=255)
    crown = rng.random()
    if crown < 0.3:
        pens[0].rectangle([x + wide * 0.22, top - high * 0.08, x + wide * 0.78, top], fill=255)
        pens[0].rectangle([x + wide * 0.48, top - high * 0.24, x + wide * 0.52, top], fill=255)
    elif crown < 0.5:
        pens[0].polygon([(x, top), (x + wide * 0.5, top - high * 0.16), (x + wide, top)], fill=255)
    elif crown < 0.62:
        pens[0].polygon([(x, top), (x + wide, top - high * 0.12), (x + wide, top)], fill=255)
    warm = rng.uniform(0.35, 1.0) * lit
    row = top + cell * 1.2
    while row < base - cell:
        glow = 1.7 if rng.random() < 0.06 else 1.0
        column = x + cell * 0.7
        while column < x + wide - cell * 0.9:
            if rng.random() < warm * 0.5 * glow:
                pens[1].rectangle([column, row, column + cell * 0.5, row + cell * 0.72], fill=rng.randint(90, 255))
            column += cell
        row += cell * 1.45


def street(stage: Stage) -> None:
    """House fronts closing in from both sides, with signs hanging over the wet stone."""
    for near, (distance, depth) in enumerate(((0.62, 0.18), (0.4, 0.32), (0.12, 0.55))):
        inner = (0.12, 0.25, 0.39)[near]
        _fronts(stage, distance=distance, depth=depth, inner=inner, tall=stage.height * (0.5, 0.8, 1.2)[near])


def _fronts(stage: Stage, *, distance: float, depth: float, inner: float, tall: float) -> None:
    base = stage.horizon + stage.unit * (0.0 + 0.012 * (1 - distance))
    height = int(min(stage.height, base + 2))
    size = (stage.full * 2, height * 2)
    shape, lamps, signs = Image.new("L", size), Image.new("L", size), Image.new("RGB", size)
    pens = ImageDraw.Draw(shape), ImageDraw.Draw(lamps)
    sign_pen = ImageDraw.Draw(signs)
    middle, rng = stage.pad + stage.width / 2, stage.rng
    for way in (-1, 1):
        edge = inner * stage.width
        while edge < stage.full / 2 + stage.unit * 0.2:
            wide = stage.unit * rng.uniform(0.16, 0.3) * (1.3 - distance)
            high = tall * rng.uniform(0.75, 1.1)
            left = middle + edge if way > 0 else middle - edge - wide
            _tower(
                stage,
                pens,
                left * 2,
                base=height * 2,
                wide=wide * 2,
                high=high * 2,
                lit=0.6,
                cell=2 * stage.unit * (0.018 + 0.02 * (1 - distance)),
            )
            for _ in range(3):
                _sign(stage, sign_pen, (left if way > 0 else left + wide), way=way, height=height, distance=distance)
            edge += wide * rng.uniform(0.97, 1.05)
    alpha = coverage(shape.reduce(2))
    light = coverage(lamps.reduce(2))
    neon = np.asarray(signs.reduce(2), np.float32)
    bright = neon.max(axis=-1) / 255
    color = tone(stage, distance)
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 2
    walls = color + (mix(color, stage.palette.haze, 0.6) - color) * share
    field = walls + (stage.palette.lamps - walls) * (light * (0.75 - 0.4 * distance))[..., None]
    hue = neon / np.maximum(bright, 1e-3)[..., None]
    field += (
        (np.minimum(hue * 1.0 + 70, 255) - field) * (bright > 0.02)[..., None] * np.clip(bright * 1.2, 0, 1)[..., None]
    )
    stage.add(np.clip(field, 0, 255).astype(np.float32), np.maximum(alpha, bright), depth=depth)
    _signs_glow(stage, neon, depth)


def _sign(stage: Stage, pen: ImageDraw.ImageDraw, x: float, *, way: int, height: int, distance: float) -> None:
    rng = stage.rng
    if rng.random() < 0.25:
        return
    scale = stage.unit * (1.25 - distance)
    wide, high = scale * rng.uniform(0.022, 0.04), scale * rng.uniform(0.06, 0.2)
    if rng.random() < 0.3:
        wide, high = high * 0.7, wide
    y = height - stage.unit * rng.uniform(0.14, 0.62)
    left = x - wide if way > 0 else x
    color = rng.choice(_NEON)
    dim = tuple(int(c * rng.uniform(0.75, 1.0) * (1 - 0.3 * distance)) for c in color)
    box = [left * 2, y * 2, (left + wide) * 2, (y + high) * 2]
    pen.rectangle(box, outline=dim, width=max(2, round(scale * 0.006)))
    cells = max(2, int(max(wide, high) / min(wide, high) * 1.1))
    for i in range(cells):
        cut = 0.2
        if high > wide:
            cell = [
                left + wide * cut,
                y + high * (i + cut) / cells,
                left + wide * (1 - cut),
                y + high * (i + 1 - cut) / cells,
            ]
        else:
            cell = [
                left + wide * (i + cut) / cells,
                y + high * cut,
                left + wide * (i + 1 - cut) / cells,
                y + high * (1 - cut),
            ]
        if rng.random() < 0.85:
            pen.rectangle([v * 2 for v in cell], fill=dim)


def _signs_glow(stage: Stage, neon: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]", depth: float) -> None:
    """The air around the signs takes their color."""
    height, width = neon.shape[:2]
    small = Image.fromarray(neon.astype(np.uint8)).resize((width // 6, height // 6), Image.Resampling.BOX)
    soft = np.stack([blurred(coverage(part), stage.unit * 0.05 / 6 * 1.6) for part in small.split()], axis=-1)
    strength = soft.max(axis=-1)
    hue = soft / np.maximum(strength, 1e-3)[..., None] * 255
    color = np.asarray(
        Image.fromarray(hue.astype(np.uint8)).resize((width, height), Image.Resampling.BILINEAR), np.float32
    )
    mask = Image.fromarray((np.clip(strength * 2.6, 0, 0.6) * 255).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    stage.add(color, coverage(mask), depth=depth)


def roofs(stage: Stage, *, base: float, tall: float, distance: float, depth: float) -> None:
    """Slate roofs in a row: slanted gray fronts with dormers, chimneys with their pots."""
    top = int(base - tall * 1.9)
    height = stage.height - top
    size = (stage.full * 2, height * 2)
    shape, slate, lamps = Image.new("L", size), Image.new("L", size), Image.new("L", size)
    body, face, lamp = ImageDraw.Draw(shape), ImageDraw.Draw(slate), ImageDraw.Draw(lamps)
    rng = stage.rng
    x = -tall * rng.random()
    while x < stage.full:
        wide, high = tall * rng.uniform(1.1, 2.0), tall * rng.uniform(0.5, 0.95)
        foot, eave = (base - top) * 2, (base - top - high * 0.55) * 2
        ridge = (base - top - high) * 2
        a, b = x * 2, (x + wide) * 2
        inset = tall * 0.3
        body.rectangle([a, eave, b, height * 2], fill=255)
        body.polygon([(a - 6, eave), (a + inset, ridge), (b - inset, ridge), (b + 6, eave)], fill=255)
        face.polygon([(a, eave), (a + inset, ridge + 3), (b - inset, ridge + 3), (b, eave)], fill=rng.randint(70, 150))
        face.line([(a - 6, eave), (b + 6, eave)], fill=200, width=max(1, int(tall * 0.02)))
        for k in range(max(1, int(wide / tall * 2.4))):
            wx = a + (k + 0.75) * tall * 0.78
            if wx + tall * 0.26 < b - inset:
                body.polygon(
                    [
                        (wx, eave),
                        (wx, eave - high * 0.5),
                        (wx + tall * 0.12, eave - high * 0.64),
                        (wx + tall * 0.24, eave - high * 0.5),
                        (wx + tall * 0.24, eave),
                    ],
                    fill=255,
                )
                face.rectangle([wx, eave - high * 0.5, wx + tall * 0.24, eave], fill=30)
                if rng.random() < 0.5:
                    lamp.rectangle(
                        [wx + tall * 0.05, eave - high * 0.42, wx + tall * 0.19, eave - high * 0.08],
                        fill=rng.randint(140, 255),
                    )
        for _ in range(rng.randint(1, 3)):
            cx = rng.uniform(a + inset, b - inset - tall * 0.3)
            cap = ridge - tall * rng.uniform(0.35, 0.75)
            body.rectangle([cx, cap, cx + tall * 0.34, foot], fill=255)
            body.rectangle([cx - 4, cap, cx + tall * 0.34 + 4, cap + tall * 0.05], fill=255)
            for pot in range(4):
                px = cx + tall * (0.02 + pot * 0.085)
                body.rectangle([px, cap - tall * 0.14, px + tall * 0.05, cap], fill=255)
        x += wide * 0.98
    alpha = coverage(shape.reduce(2))
    light = np.asarray(lamps.reduce(2), np.float32)[..., None] / 255
    sheen = np.asarray(slate.reduce(2), np.float32)[..., None] / 255
    color = tone(stage, distance)
    gray = mix(mix(rgb(120, 132, 156), stage.palette.haze, 0.4), color, 0.45)
    field = color + (gray - color) * sheen * np.float32(0.55)
    field = field + (stage.palette.lamps - field) * light * np.float32(1 - 0.5 * distance)
    stage.add(field.astype(np.float32), alpha, top=top, depth=depth)


def terrace(stage: Stage, *, top: float, depth: float) -> Color:
    """The roof under the subject's feet."""
    first = int(top)
    height = stage.height - first
    color = tone(stage, 0.08)
    rows = np.arange(height, dtype=np.float32)[:, None]
    edge = np.exp(-rows / np.float32(stage.unit * 0.006))
    seams = np.zeros((height, stage.full), np.float32)
    step = int(stage.unit * 0.12)
    for x in range(step // 2, stage.full, step):
        seams[:, x : x + max(1, step // 26)] = 1
    field = (color * (1 - 0.4 * rows / height) + (stage.palette.rim - color) * edge * 0.55)[:, None] * np.ones(
        (1, stage.full, 1), np.float32
    )
    field += (mix(color, stage.palette.haze, 0.3) - field) * (seams * 0.35)[..., None]
    stage.add(field.astype(np.float32), None, top=first, depth=depth)
    return color
