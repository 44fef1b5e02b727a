"""Level, shining things: seas, lakes, ice and wet streets, all of which are a mirror with a texture."""

import numpy as np

from .paint import Floats, noise, resized, smoothstep
from .palette import Color, mix, rgb
from .stage import Stage


def mirror(
    stage: Stage,
    *,
    tint: Color,
    share: float,
    ripple: float,
    smear: float = 0.01,
    far_depth: float = 0.1,
    depth: float = 0.35,
    moving: float = 1.0,
    waves: float = 0.12,
) -> None:
    """Everything above the horizon, upside down in water of a tint; `share` of it near the camera, more far away.

    Ripple is how far rows are thrown sideways, smear how far light is drawn out downwards, both in units.
    """
    top = int(stage.horizon)
    height = stage.height - top
    image = _flipped(stage, top, height)
    image = _smeared(image, max(1, int(smear * stage.unit)))
    image = _shaken(stage, image, ripple)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    keep = np.clip(share + (0.93 - share) * (1 - down) ** 3, 0, 1)
    deep = mix(tint, stage.palette.ink, 0.35)
    base = mix(tint, stage.palette.sky[-1], 0.25) * (1 - down) + deep * down
    field = base * (1 - keep) + image * keep
    field = _waves(stage, field, waves) if waves else field
    stage.add(
        np.clip(field, 0, 255).astype(np.float32),
        None,
        top=top,
        depth=depth,
        far_depth=far_depth,
        ripple=moving * stage.unit * 0.006,
    )


def _flipped(stage: Stage, top: int, height: int) -> Floats:
    """The rows above the water from the horizon up, squeezed so that the mirror shows a little more than its height."""
    rows = np.clip(top - 1 - (np.arange(height) * 1.15).astype(np.int32), 0, max(0, top - 1))
    return stage.picture[rows].copy()


def _smeared(image: Floats, reach: int) -> Floats:
    if reach < 2:
        return image
    padded = np.concatenate([np.repeat(image[:1], reach, axis=0), image, np.repeat(image[-1:], reach, axis=0)])
    total = np.cumsum(padded, axis=0, dtype=np.float64)
    return ((total[2 * reach :] - total[: -2 * reach]) / (2 * reach)).astype(np.float32)[: image.shape[0]]


def _shaken(stage: Stage, image: Floats, ripple: float) -> Floats:
    """Rows thrown sideways in waves that grow towards the camera."""
    height, width = image.shape[:2]
    down = np.linspace(0.02, 1, height)
    scale = stage.unit / 720
    phase = np.cumsum(1 / (2.2 * scale + 9 * down * scale))
    thrown = np.sin(phase * 2.1) * 0.6 + np.sin(phase * 0.83 + 1.3) * 0.4
    rng = stage.rng
    jitter = np.array([rng.uniform(-1, 1) for _ in range(height)]) * 0.35
    shift = ((thrown + jitter) * ripple * stage.unit * down**0.9).astype(np.int32)
    columns = np.clip(np.arange(width)[None, :] + shift[:, None], 0, width - 1)
    shaken: Floats = image[np.arange(height)[:, None], columns]
    return shaken


def _waves(stage: Stage, field: Floats, strength: float) -> Floats:
    """Crests and troughs in perspective, finer towards the horizon."""
    height, width = field.shape[:2]
    rows = -(-height // 2)
    near = noise(stage.rng, rows, -(-width // 2), cell_x=stage.unit * 0.11, cell_y=stage.unit * 0.012, octaves=3)
    far = noise(stage.rng, rows, -(-width // 2), cell_x=stage.unit * 0.04, cell_y=stage.unit * 0.0035, octaves=2)
    down = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    swell = resized((near * down + far * (1 - down) - np.float32(0.5)).astype(np.float32), height, width)[..., None]
    crest = smoothstep(0.18, 0.4, swell) * np.float32(0.5)
    sky = mix(stage.palette.sky[-1], stage.palette.rim, 0.4)
    return field * (1 + swell * np.float32(strength * 2)) + (sky - field) * crest * np.float32(strength)


def glitter(stage: Stage, *, strength: float = 1.0) -> None:
    """The path of the light on the water: flakes that lie closer and finer towards the horizon."""
    top = int(stage.horizon)
    height = stage.height - top
    x0 = stage.light[0] + stage.pad
    rows = np.arange(height, dtype=np.float32)
    down = rows / height
    wide = np.float32(stage.unit) * (0.025 + 0.16 * down**1.2)
    across = (np.arange(stage.full, dtype=np.float32)[None, :] - np.float32(x0)) / wide[:, None]
    for beat in (0.0, 0.5):
        flakes = _flakes(stage, height, down)
        light = np.exp(-(across**2)) * flakes * (1.0 - 0.55 * down)[:, None]
        alpha = np.clip(light * np.float32(strength * min(1.1, 0.5 + 0.55 * stage.palette.glow)), 0, 0.95)
        stage.add(
            mix(stage.palette.sun, rgb(255, 255, 255), 0.25)[None, None],
            alpha.astype(np.float32),
            top=top,
            depth=0.12,
            pulse=0.5,
            beat=beat,
        )


def _flakes(stage: Stage, height: int, down: Floats) -> Floats:
    columns = -(-stage.full // 2)
    far = noise(stage.rng, height, columns, cell_x=stage.unit * 0.012, cell_y=stage.unit * 0.004, octaves=2)
    near = noise(stage.rng, height, columns, cell_x=stage.unit * 0.035, cell_y=stage.unit * 0.011, octaves=2)
    share = np.clip(down * 2.2, 0, 1)[:, None]
    return resized(smoothstep(0.52, 0.78, (far * (1 - share) + near * share).astype(np.float32)), height, stage.full)


def ice(stage: Stage) -> None:
    """Scratches and windblown snow on the mirror of a frozen lake."""
    top = int(stage.horizon)
    height = stage.height - top
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    rows, columns = -(-height // 2), -(-stage.full // 2)
    drifts = noise(stage.rng, rows, columns, cell_x=stage.unit * 0.32, cell_y=stage.unit * 0.022, octaves=5, fall=0.6)
    snow = resized(smoothstep(0.5, 0.8, drifts), height, stage.full) * (0.25 + 0.6 * down)
    white = mix(mix(rgb(236, 242, 250), stage.palette.haze, 0.5), stage.palette.sky[1], 0.22)
    stage.add(white[None, None], np.clip(snow, 0, 0.8).astype(np.float32), top=top, depth=0.85, far_depth=0.1)
