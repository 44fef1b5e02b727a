"""Composes a scene: which layers a place is made of, where the light stands, where the subject goes."""

from collections.abc import Callable
from math import pi

import numpy as np
from PIL import Image

from . import city, deep, land, sky, water, weather
from .cast import Part, companions, part
from .dice import dice
from .paint import Floats, distances, noise, resized, speckle
from .palette import choose, mix, rgb
from .places import LAMP
from .sprite import Colors, Inks, sprite
from .stage import Actor, Beam, Paint, Stage
from .words import Scene, read


def compose(prompt: str, *, width: int, height: int, seed: int) -> Stage:
    """The stage of a prompt, complete."""
    scene = read(prompt, seed=seed)
    rng = dice("stage", seed, prompt)
    stage = Stage(width, height, scene, choose(scene, rng), rng)
    tall = stage.height > stage.width
    stage.horizon = round(height * _HORIZONS.get(scene.place, 0.62) + (0.04 * height if tall else 0))
    _place_light(stage)
    _PLACES[scene.place](stage)
    _air(stage)
    return stage


_HORIZONS = {"frozen": 0.6, "lake": 0.58, "sea": 0.62, "island": 0.6, "desert": 0.62, "mountains": 0.74, "forest": 0.72, "city": 0.72,
             "street": 0.7, "rooftops": 0.72, "meadow": 0.68, "moon": 0.66, "clouds": 0.7, "space": 1.0, "underwater": 1.0}  # fmt: skip


def _place_light(stage: Stage) -> None:
    side = stage.rng.choice([-1, 1])
    across = stage.rng.uniform(0.1, 0.2) if stage.palette.altitude < 0.5 else stage.rng.uniform(0.18, 0.3)
    limit = 0.24 if stage.height > stage.width else 0.4
    x = stage.width * (0.5 + side * min(across, limit))
    y = stage.horizon - stage.palette.altitude * min(stage.horizon, stage.unit * 0.9)
    stage.light = (x, max(y, stage.unit * 0.1))


def _heaven(stage: Stage, *, power: float = 0.8, clouded: bool = True, bottom: float | None = None) -> None:
    sky.sky(stage, power=power, bottom=bottom)
    sky.stars(stage)
    if stage.scene.time == "aurora":
        sky.aurora(stage)
    sky.luminary(stage)
    weather_word = stage.scene.weather
    amount = {"storm": 1.0, "rain": 0.85, "clouds": 0.75, "snow": 0.55, "fog": 0.3}.get(weather_word, stage.rng.uniform(0.12, 0.5))
    if clouded and not (stage.scene.time == "aurora" or (stage.palette.stars > 0.8 and weather_word == "clear")):
        sky.clouds(stage, amount)
    if weather_word == "storm":
        sky.lightning(stage)


def _range(stage: Stage, tall: float, *, count: int = 3) -> None:
    """Distant ranges, each nearer, darker and moving faster than the one behind."""
    snow = stage.scene.season == "winter" or stage.scene.place == "mountains"
    for i in range(count):
        share = i / max(1, count - 1)
        land.mountains(stage, base=stage.horizon + stage.unit * 0.02 * i, tall=stage.unit * tall * (1 - 0.35 * share), distance=0.9 - 0.42 * share,
                       depth=0.06 + 0.12 * share, snow=snow)  # fmt: skip
        land.mist(stage, at=stage.horizon - stage.unit * 0.02, tall=stage.unit * 0.2, strength=0.42, depth=0.08 + 0.12 * share)


def _shore(stage: Stage, *, woods: bool) -> None:
    """Hills and a wooded line on the far side of water."""
    snow = stage.scene.season == "winter"
    land.mountains(stage, base=stage.horizon + 2, tall=stage.unit * 0.26, distance=0.88, depth=0.05, snow=snow)
    land.mist(stage, at=stage.horizon - stage.unit * 0.03, tall=stage.unit * 0.16, strength=0.4, depth=0.06)
    land.hills(stage, base=stage.horizon + 1, tall=stage.unit * 0.13, distance=0.7, depth=0.09)
    if woods:
        land.wood(stage, base=stage.horizon + 1, tall=stage.unit * 0.075, distance=0.62, depth=0.1, dense=1.6, snow=snow, mist=0.7)
    land.mist(stage, at=stage.horizon - stage.unit * 0.008, tall=stage.unit * 0.1, strength=0.55, depth=0.1, drift=0.05)


def _frozen(stage: Stage) -> None:
    _heaven(stage)
    _shore(stage, woods=True)
    pale = mix(mix(rgb(206, 222, 236), stage.palette.haze, 0.42), stage.palette.sky[1], 0.3)
    water.mirror(stage, tint=pale, share=0.34, ripple=0.004, smear=0.035, moving=0.0, waves=0.05)
    if stage.light[1] < stage.horizon:
        water.glitter(stage, strength=0.45)
    water.ice(stage)
    _subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.6, reflection=0.42)
    snow = mix(mix(rgb(226, 234, 246), stage.palette.haze, 0.3), stage.palette.sky[0], 0.45)
    _bank(stage, snow)
    land.grass(stage, base=stage.height * 1.03, tall=stage.unit * 0.17, distance=0.1, depth=1.25, blur=stage.unit * 0.004)


def _bank(stage: Stage, color: Floats) -> None:
    """Snow lying close to the camera."""
    from .paint import below, line_noise

    ridge = stage.height - stage.unit * (0.015 + 0.085 * line_noise(stage.rng, stage.full, cell=stage.unit * 1.1, octaves=2))
    top = int(ridge.min()) - 2
    rows = np.arange(stage.height - top, dtype=np.float32)[:, None] / max(1, stage.height - top)
    stage.add((color * (1 - 0.35 * rows)).astype(np.float32), below((ridge - top).astype(np.float32), stage.height - top), top=top, depth=1.0)


def _lake(stage: Stage) -> None:
    _heaven(stage)
    if stage.scene.season == "winter" or stage.rng.random() < 0.6:
        _range(stage, 0.4, count=2)
    _shore(stage, woods=True)
    behind = _second(stage, base=stage.horizon + 2, distance=0.5)
    water.mirror(stage, tint=mix(stage.palette.sky[1], stage.palette.ink, 0.25), share=0.62, ripple=0.012, waves=0.09)
    if stage.light[1] < stage.horizon:
        water.glitter(stage, strength=0.7)
    land.mist(stage, at=stage.horizon + stage.unit * 0.012, tall=stage.unit * 0.08, strength=0.42, depth=0.14, drift=0.06)
    wading = stage.horizon + (stage.height - stage.horizon) * (0.42 if _part(stage) and _medium(stage) == "water" else 0.86)
    if _medium(stage) == "ground":
        _near_bank(stage, wading)
    _subject(stage, ground=wading, reflection=0.5 if _medium(stage) in {"water", "air"} else 0.0, behind=behind)
    land.grass(stage, base=stage.height * 1.02, tall=stage.unit * 0.2, distance=0.02, depth=1.25, blur=stage.unit * 0.004)


def _near_bank(stage: Stage, at: float) -> None:
    """A dark shore for those who cannot swim."""
    land.hills(stage, base=at + stage.unit * 0.035, tall=stage.unit * 0.03, distance=0.06, depth=0.8, mist=0.1, octaves=5)


def _sea(stage: Stage) -> None:
    _heaven(stage)
    if stage.rng.random() < 0.5 or _medium(stage) != "water":
        land.hills(stage, base=stage.horizon + 1, tall=stage.unit * 0.07, distance=0.85, depth=0.06, cell=0.5, mist=0.5, octaves=4)
    land.mist(stage, at=stage.horizon - stage.unit * 0.01, tall=stage.unit * 0.08, strength=0.5, depth=0.06)
    behind = _second(stage, base=stage.horizon + 2, distance=0.55)
    rough = 2.0 if stage.scene.weather == "storm" else 1.0
    water.mirror(stage, tint=mix(stage.palette.sky[1], stage.palette.ink, 0.35), share=0.5, ripple=0.03 * rough, smear=0.03, moving=2 * rough, waves=0.2 * rough)
    if stage.light[1] < stage.horizon:
        water.glitter(stage, strength=1.0 / rough)
    if _medium(stage) == "ground":
        at = stage.horizon + (stage.height - stage.horizon) * 0.72
        _beach(stage, at - stage.unit * 0.07)
        _subject(stage, ground=at + stage.unit * 0.05, behind=behind)
    else:
        _subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.34, reflection=0.45, behind=behind)
        _swell(stage, rough)


def _beach(stage: Stage, top: float) -> None:
    wet = mix(stage.palette.ink, stage.palette.haze, 0.32)
    land.hills(stage, base=top + stage.unit * 0.04, tall=stage.unit * 0.025, distance=0.42, depth=0.6, mist=0.2, octaves=4)
    land.ground(stage, top=top + stage.unit * 0.035, near=mix(stage.palette.ink, wet, 0.3), far=wet, depth=0.95)


def _swell(stage: Stage, rough: float) -> None:
    """Waves between the subject and the camera."""
    for i, depth in enumerate((0.7, 0.95, 1.25)):
        land.hills(stage, base=stage.height * (0.9 + 0.06 * i), tall=stage.unit * (0.022 + 0.018 * i) * (0.6 + 0.6 * rough), distance=0.3 - 0.12 * i,
                   depth=depth, cell=0.28 + 0.1 * i, mist=0.05, octaves=4)  # fmt: skip


def _island(stage: Stage) -> None:
    _heaven(stage)
    land.hills(stage, base=stage.horizon + 1, tall=stage.unit * 0.1, distance=0.75, depth=0.08, cell=0.5)
    water.mirror(stage, tint=mix(stage.palette.sky[1], rgb(20, 150, 160), 0.35), share=0.45, ripple=0.02, smear=0.02, waves=0.16)
    if stage.light[1] < stage.horizon:
        water.glitter(stage)
    _palms(stage)
    _subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.5, reflection=0.45)
    _swell(stage, 0.8)


def _palms(stage: Stage) -> None:
    from .trees import palm_island

    side = -1 if stage.light[0] > stage.width / 2 else 1
    actor = Actor(palm_island, stage.width * (0.5 + side * 0.27), stage.horizon + stage.unit * 0.06, stage.unit * 0.42, 0.4, "still", 5.0,
                  left=side > 0)  # fmt: skip
    _enter(stage, actor, distance=0.12, reflection=0.5)


def _forest(stage: Stage) -> None:
    snow = stage.scene.season == "winter"
    _heaven(stage)
    inside = stage.rng.random() < 0.5 and _medium(stage) == "ground" and stage.scene.subject != "train"
    land.mountains(stage, base=stage.horizon, tall=stage.unit * 0.36, distance=0.92, depth=0.05, snow=snow)
    for i in range(4):
        share = i / 3
        land.wood(stage, base=stage.horizon + stage.unit * 0.012 * i, tall=stage.unit * (0.16 + 0.14 * share), distance=0.82 - 0.4 * share,
                  depth=0.1 + 0.2 * share, snow=snow, rise=0.5 - 0.3 * share)  # fmt: skip
        land.mist(stage, at=stage.horizon - stage.unit * 0.03, tall=stage.unit * 0.22, strength=0.55, depth=0.12 + 0.2 * share, drift=0.04)
    if inside:
        land.trunks(stage, distance=0.4, depth=0.42, count=round(9 * stage.width / stage.height), base=stage.horizon + stage.unit * 0.03)
        land.mist(stage, at=stage.horizon, tall=stage.unit * 0.3, strength=0.5, depth=0.45)
    _floor(stage, snow)
    _subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.5)
    if inside:
        land.trunks(stage, distance=0.02, depth=1.25, count=max(2, round(1.7 * stage.width / stage.height)), base=stage.height * 1.05)
    _front(stage, snow)


def _floor(stage: Stage, snow: bool) -> None:
    if snow:
        bright = mix(mix(rgb(230, 238, 250), stage.palette.haze, 0.35), stage.palette.sky[1], 0.35)
        land.ground(stage, top=stage.horizon, near=mix(bright, stage.palette.sky[0], 0.45), far=mix(bright, stage.palette.haze, 0.4), depth=0.9, texture=0.06)
        return
    land.ground(stage, top=stage.horizon, near=mix(stage.palette.ink, stage.palette.haze, 0.06), far=land.tone(stage, 0.42), depth=0.9)


def _front(stage: Stage, snow: bool) -> None:
    if snow:
        _bank(stage, mix(mix(rgb(224, 232, 246), stage.palette.haze, 0.3), stage.palette.sky[0], 0.5))
    land.grass(stage, base=stage.height * 1.02, tall=stage.unit * (0.16 if snow else 0.22), distance=0.02, depth=1.25, blur=stage.unit * 0.005)


def _desert(stage: Stage) -> None:
    _heaven(stage, clouded=stage.rng.random() < 0.6)
    if stage.rng.random() < 0.6:
        land.mountains(stage, base=stage.horizon, tall=stage.unit * 0.2, distance=0.9, depth=0.05, snow=False)
    land.dunes(stage, base=stage.horizon + stage.unit * 0.06, tall=stage.unit * 0.16, distance=0.72, depth=0.1)
    land.mist(stage, at=stage.horizon, tall=stage.unit * 0.12, strength=0.4, depth=0.12)
    land.dunes(stage, base=stage.horizon + stage.unit * 0.14, tall=stage.unit * 0.17, distance=0.52, depth=0.22)
    behind = _second(stage, base=stage.horizon + stage.unit * 0.05, distance=0.5)
    ground = stage.horizon + (stage.height - stage.horizon) * 0.5
    ridge = land.dunes(stage, base=ground + stage.unit * 0.16, tall=stage.unit * 0.16, distance=0.3, depth=0.6)
    _subject(stage, ground=ground, ridge=ridge, behind=behind)
    land.dunes(stage, base=stage.height * 1.06, tall=stage.unit * 0.16, distance=0.06, depth=1.2)


def _mountains(stage: Stage) -> None:
    _heaven(stage)
    _range(stage, 0.62, count=4)
    behind = _second(stage, base=stage.horizon - stage.unit * 0.02, distance=0.42)
    snow = stage.scene.season == "winter"
    land.wood(stage, base=stage.horizon + stage.unit * 0.08, tall=stage.unit * 0.1, distance=0.36, depth=0.4, dense=1.4, snow=snow)
    land.mist(stage, at=stage.horizon + stage.unit * 0.04, tall=stage.unit * 0.14, strength=0.5, depth=0.45, drift=0.05)
    if _medium(stage) in {"ground", "water"}:
        at = stage.height - stage.unit * 0.13
        ridge = land.hills(stage, base=at + stage.unit * 0.08, tall=stage.unit * 0.1, distance=0.08, depth=0.8, cell=1.2, mist=0.05, octaves=5)
        _subject(stage, ground=at, ridge=ridge, behind=behind)
    else:
        _subject(stage, ground=stage.horizon, behind=behind)
        land.wood(stage, base=stage.height * 1.02, tall=stage.unit * 0.2, distance=0.1, depth=0.95, rise=0.7, snow=snow)


def _city(stage: Stage) -> None:
    _heaven(stage)
    dark = stage.scene.time in {"night", "dusk", "aurora", "sunset"} or stage.scene.style == "neon" or stage.scene.weather in {"rain", "storm"}
    lit = 1.0 if dark else 0.25
    for i, (distance, tall) in enumerate(((0.82, 0.42), (0.64, 0.5), (0.44, 0.44))):
        city.skyline(stage, base=stage.horizon, tall=stage.unit * tall, distance=distance, depth=0.07 + 0.09 * i, lit=lit * (0.6 + 0.2 * i), gap=0.25 * i)
        land.mist(stage, at=stage.horizon - stage.unit * 0.01, tall=stage.unit * 0.16, strength=0.45, depth=0.1 + 0.09 * i)
    water.mirror(stage, tint=mix(stage.palette.sky[1], stage.palette.ink, 0.4), share=0.66, ripple=0.016, smear=0.045, waves=0.12)
    if stage.light[1] < stage.horizon and stage.scene.weather not in {"rain", "storm"}:
        water.glitter(stage, strength=0.6)
    at = stage.height - stage.unit * 0.075
    if _medium(stage) == "ground":
        city.terrace(stage, top=at, depth=0.9)
        _subject(stage, ground=at + 2)
    else:
        _subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.6, reflection=0.4)


def _street(stage: Stage) -> None:
    _heaven(stage)
    city.skyline(stage, base=stage.horizon, tall=stage.unit * 0.42, distance=0.78, depth=0.1, lit=0.9)
    land.mist(stage, at=stage.horizon - stage.unit * 0.06, tall=stage.unit * 0.3, strength=0.6, depth=0.12)
    city.street(stage)
    water.mirror(stage, tint=mix(stage.palette.ink, stage.palette.haze, 0.1), share=0.6, ripple=0.006, smear=0.07, moving=0.0, waves=0.1, far_depth=0.14)
    land.mist(stage, at=stage.horizon, tall=stage.unit * 0.12, strength=0.35, depth=0.3)
    _subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.5, reflection=0.5)


def _rooftops(stage: Stage) -> None:
    _heaven(stage)
    city.skyline(stage, base=stage.horizon, tall=stage.unit * 0.1, distance=0.86, depth=0.06, lit=0.5)
    _second(stage, base=stage.horizon, distance=0.66)
    for i in range(4):
        city.roofs(stage, base=stage.horizon + stage.unit * (0.02 + 0.06 * i), tall=stage.unit * (0.08 + 0.035 * i), distance=0.74 - 0.17 * i, depth=0.1 + 0.13 * i)
        land.mist(stage, at=stage.horizon + stage.unit * (0.01 + 0.05 * i), tall=stage.unit * 0.14, strength=0.4 - 0.06 * i, depth=0.12 + 0.13 * i)
    at = stage.height - stage.unit * 0.1
    city.terrace(stage, top=at, depth=0.85)
    _subject(stage, ground=at + 2)


def _meadow(stage: Stage) -> None:
    snow = stage.scene.season == "winter"
    _heaven(stage)
    land.mountains(stage, base=stage.horizon, tall=stage.unit * 0.22, distance=0.92, depth=0.05, snow=snow)
    land.mist(stage, at=stage.horizon - stage.unit * 0.02, tall=stage.unit * 0.16, strength=0.5, depth=0.06)
    land.hills(stage, base=stage.horizon + stage.unit * 0.02, tall=stage.unit * 0.14, distance=0.72, depth=0.09)
    land.wood(stage, base=stage.horizon + stage.unit * 0.02, tall=stage.unit * 0.06, distance=0.62, depth=0.12, dense=0.8, snow=snow)
    land.mist(stage, at=stage.horizon + stage.unit * 0.01, tall=stage.unit * 0.1, strength=0.5, depth=0.16)
    behind = _second(stage, base=stage.horizon + stage.unit * 0.03, distance=0.45)
    land.hills(stage, base=stage.horizon + stage.unit * 0.06, tall=stage.unit * 0.07, distance=0.46, depth=0.25)
    at = stage.horizon + (stage.height - stage.horizon) * 0.56
    _floor_from(stage, stage.horizon + stage.unit * 0.05, snow)
    if not snow:
        land.grass(stage, base=at - stage.unit * 0.02, tall=stage.unit * 0.05, distance=0.34, depth=0.5)
    _subject(stage, ground=at, behind=behind)
    if not snow:
        flowers = stage.scene.season == "spring" or stage.rng.random() < 0.4
        land.grass(stage, base=at + stage.unit * 0.075, tall=stage.unit * 0.085, distance=0.14, depth=0.85, flowers=flowers)
    _front(stage, snow)


def _floor_from(stage: Stage, top: float, snow: bool) -> None:
    horizon, stage.horizon = stage.horizon, top
    _floor(stage, snow)
    stage.horizon = horizon


def _moon(stage: Stage) -> None:
    sky.sky(stage, power=1.4)
    sky.stars(stage)
    away = stage.width * (0.3 if stage.light[0] > stage.width / 2 else 0.7)
    deep.world(stage, x=away, y=stage.horizon * 0.36, radius=stage.unit * 0.12, kind="earth", depth=0.02)
    hill = mix(rgb(110, 110, 120), stage.palette.ink, 0.35)
    from .paint import below, line_noise

    for i in range(2):
        ridge = (stage.horizon + stage.unit * (0.01 + 0.03 * i) - stage.unit * (0.12 - 0.04 * i) * line_noise(stage.rng, stage.full, cell=stage.unit * 0.6, octaves=5)).astype(np.float32)
        top = int(ridge.min()) - 2
        stage.add((hill * (0.7 + 0.3 * i))[None, None], below(ridge - top, int(stage.horizon + stage.unit * 0.1) - top), top=top, depth=0.08 + 0.08 * i)
    deep.craters(stage, top=stage.horizon + stage.unit * 0.02)
    _subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.55, shadow=True)


def _space(stage: Stage) -> None:
    deep.nebula(stage)
    sky.stars(stage)
    side = 0.86 if stage.light[0] < stage.width / 2 else 0.14
    deep.world(stage, x=stage.width * side, y=stage.height * 1.02, radius=stage.unit * 0.62, kind=stage.rng.choice(["gas", "earth"]), depth=0.1)
    if stage.scene.subject != "planet":
        _subject(stage, ground=stage.height * 0.62, floating=True)
    else:
        deep.world(stage, x=stage.width * (1 - side), y=stage.height * 0.32, radius=stage.unit * 0.12, kind="gas", depth=0.05)


def _clouds(stage: Stage) -> None:
    _heaven(stage, power=1.0, bottom=stage.height)
    for i in range(5):
        share = i / 4
        if i == 3:
            _subject(stage, ground=stage.horizon, floating=True)
        deep.cloud_sea(stage, base=stage.horizon + stage.height * 0.4 * share**1.4, tall=stage.unit * (0.07 + 0.24 * share), distance=0.9 - 0.75 * share,
                       depth=0.08 + 0.8 * share**1.5, drift=0.02 + 0.04 * share)  # fmt: skip


def _underwater(stage: Stage) -> None:
    stage.light = (stage.light[0], 0.0)
    deep.water_column(stage)
    stage.horizon = stage.height * 0.8
    for i in range(3):
        deep.seabed(stage, base=stage.height * (0.88 + 0.05 * i), tall=stage.unit * (0.2 + 0.06 * i), distance=0.75 - 0.22 * i, depth=0.12 + 0.18 * i, weed=i > 0)
    deep.shafts(stage, strength=0.42)
    _subject(stage, ground=stage.height * 0.6, floating=True)
    deep.seabed(stage, base=stage.height * 1.04, tall=stage.unit * 0.26, distance=0.03, depth=1.2, weed=True)


_PLACES: dict[str, Callable[[Stage], None]] = {
    "frozen": _frozen, "lake": _lake, "sea": _sea, "island": _island, "forest": _forest, "desert": _desert, "mountains": _mountains, "city": _city,
    "street": _street, "rooftops": _rooftops, "meadow": _meadow, "moon": _moon, "space": _space, "clouds": _clouds, "underwater": _underwater,
}  # fmt: skip


def _part(stage: Stage) -> Part | None:
    return part(stage.scene.subject, stage.scene.place)


def _medium(stage: Stage) -> str:
    found = _part(stage)
    return found.medium if found else ""


def _paint(stage: Stage, distance: float, x: float, y: float, reflection: float = 0.0) -> Paint:
    """The light on a figure at a place in the frame."""
    body = land.tone(stage, distance)
    if stage.scene.place in {"space", "moon"}:
        body = rgb(44, 46, 58)
    dx, dy = stage.light[0] - x, y - stage.light[1]
    length = max(1.0, float(np.hypot(dx, dy)))
    dim = 0.5 if stage.scene.weather in {"storm", "rain", "fog"} else 0.95
    return Paint(body=body, far=mix(body, stage.palette.haze, 0.26), lamp=stage.palette.lamps, rim=stage.palette.rim,
                 rim_strength=dim * (1 - 0.6 * distance), light_x=dx / length, light_y=max(0.2, dy / length), reflection=reflection,
                 halo=0.8 if stage.scene.time in {"night", "dusk", "aurora", "sunset", "dawn"} else 0.45)  # fmt: skip


def colors_of(paint: Paint) -> Colors:
    """The inks of a figure in red, green and blue."""

    def inks(color: Floats) -> Inks:
        return float(color[0]), float(color[1]), float(color[2])

    return Colors(inks(paint.far), inks(paint.body * 1.1), inks(paint.body * 0.78), inks(paint.rim), inks(paint.lamp))


def _enter(stage: Stage, actor: Actor, *, distance: float, reflection: float = 0.0) -> None:
    """Puts an actor on the stage and into the picture."""
    actor.paint = _paint(stage, distance, actor.x, actor.y, reflection)
    drawn = sprite(actor, actor.rest, colors_of(actor.paint))
    stage.paste(np.asarray(Image.merge("RGB", drawn.channels)), np.asarray(drawn.alpha), round(actor.x) - drawn.origin[0], round(actor.y) - drawn.origin[1])
    stage.elements.append(actor)


def _subject(stage: Stage, *, ground: float, reflection: float = 0.0, ridge: Floats | None = None, behind: bool = False, floating: bool = False,
             shadow: bool = False) -> None:  # fmt: skip
    """The subject, off the middle and turned to the open side of the frame; with it, its kind farther off."""
    found = _part(stage)
    if not found:
        return
    side = -1 if stage.light[0] > stage.width / 2 else 1
    narrow = stage.height > stage.width
    x = stage.width * (0.5 + side * stage.rng.uniform(0.06, 0.13) * (0.5 if narrow else 1))
    y = float(ridge[int(x) + stage.pad]) + 3 if ridge is not None and found.medium == "ground" else ground
    if found.medium in {"air", "deep"} or floating:
        high = stage.horizon if not floating else stage.height
        y = high * (1 - found.height) if not floating else stage.height * (0.52 if found.medium != "air" else 0.58)
    unit = stage.unit * found.size * (1.0 if found.medium in {"air", "deep"} or not narrow else 0.95)
    unit = _fitted(stage, found, unit)
    rest = stage.rng.choice([0.05, 0.1, 0.55, 0.6]) if found.motion == "walk" else 0.1
    y = _inside(stage, found, y + found.low * unit, unit)
    depth = {"ground": 0.72, "water": 0.5, "air": 0.42, "deep": 0.5}[found.medium]
    actor = Actor(found.draw, x, y, unit, depth, found.motion, found.period, rest, left=side > 0 and found.draw.__name__ not in {"lighthouse", "castle"},
                  travel=found.travel)  # fmt: skip
    for k in range(companions(stage.scene.subject)):
        _companion(stage, found, actor, k, reflection)
    if found.medium == "ground" and not reflection and not floating:
        _shadow(stage, actor, 0.55 if shadow else 0.3)
    if found.draw.__name__ == "lighthouse":
        stage.elements.append(Beam(x + LAMP[0] * unit, y - LAMP[1] * unit, stage.unit * 1.3, depth))
    water_like = reflection if found.medium in {"ground", "water"} else 0.0
    _enter(stage, actor, distance=0.05 if found.medium != "deep" else 0.18, reflection=water_like)


def _fitted(stage: Stage, found: Part, unit: float) -> float:
    """Not wider than the frame can bear."""
    left, _, right, _ = found.draw(0.1).bounds()
    most = stage.width * (2.6 if found.motion == "ride" else 0.78)
    return min(unit, most / (right - left))


def _inside(stage: Stage, found: Part, y: float, unit: float) -> float:
    """Fliers and swimmers stay clear of the edges of the frame."""
    if found.medium not in {"air", "deep"}:
        return y
    boxes = [found.draw(k / 6).bounds() for k in range(6)]
    low, high = min(box[1] for box in boxes) * unit, max(box[3] for box in boxes) * unit
    return min(max(y, stage.height * 0.06 + high), max(stage.height * 0.94 + low, stage.height * 0.06 + high))


def _companion(stage: Stage, found: Part, leader: Actor, number: int, reflection: float) -> None:
    scale = stage.rng.uniform(0.3, 0.6) / (1 + 0.3 * number)
    away = stage.width * stage.rng.uniform(0.2, 0.36) * (-1 if (number % 2 == 0) == (leader.x > stage.width / 2) else 1)
    lift = stage.unit * stage.rng.uniform(-0.16, 0.14) if found.medium in {"air", "deep"} else -stage.unit * stage.rng.uniform(0.015, 0.03)
    actor = Actor(found.draw, leader.x + away, leader.y + lift, leader.unit * scale, leader.depth * 0.6, found.motion, found.period * stage.rng.uniform(0.9, 1.15),
                  stage.rng.random(), leader.left, found.travel * 0.6)  # fmt: skip
    _enter(stage, actor, distance=0.42, reflection=reflection * 0.7 if found.medium == "water" else 0.0)


def _shadow(stage: Stage, actor: Actor, strength: float) -> None:
    """A soft dark patch under the feet."""
    left, _, right, _ = actor.draw(actor.rest).bounds()
    middle = actor.x + (left + right) / 2 * actor.unit * (-1 if actor.left else 1)
    wide, tall = (right - left) * actor.unit * 0.46, actor.unit * 0.05 + 2
    top, height = int(actor.y - tall * 2), int(tall * 4)
    if top + height > stage.height:
        return
    x = (np.arange(stage.full, dtype=np.float32) - np.float32(middle + stage.pad)) / np.float32(wide)
    y = (np.arange(height, dtype=np.float32) - height / 2) / np.float32(tall)
    mask = np.exp(-((x[None, :] ** 2) * 1.4 + y[:, None] ** 2) * 1.2) * np.float32(strength)
    stage.add(mix(stage.palette.ink, rgb(0, 0, 0), 0.4)[None, None], mask.astype(np.float32), top=top, depth=actor.depth)


def _second(stage: Stage, *, base: float, distance: float) -> bool:
    """What else the prompt names, small and far off."""
    found = part(stage.scene.second, stage.scene.place)
    if not found:
        return False
    side = 1 if stage.light[0] > stage.width / 2 else -1
    x = stage.width * (0.5 + side * 0.12)
    unit = stage.unit * found.size * (0.62 if found.motion == "still" else 0.45)
    y = base if found.medium != "air" else stage.horizon * 0.5
    actor = Actor(found.draw, x, y, unit, 0.3, found.motion, found.period, 0.1, False, found.travel * 0.5)
    _enter(stage, actor, distance=distance)
    return True


def _air(stage: Stage) -> None:
    """Weather in front of everything."""
    scene = stage.scene
    if scene.place in {"space", "moon", "clouds"}:
        return
    if scene.place == "underwater":
        weather.bubbles(stage)
    elif scene.weather == "storm":
        weather.rain(stage, hard=True)
    elif scene.weather == "rain":
        weather.rain(stage, hard=False)
    elif scene.weather == "snow":
        weather.snow(stage)
    elif scene.season == "autumn":
        weather.leaves(stage)
    elif scene.time in {"dusk", "night"} and scene.place in {"meadow", "forest"} and scene.season != "winter":
        weather.fireflies(stage)
    elif scene.time in {"golden", "dawn", "sunset", "morning"}:
        weather.dust(stage)


def developed(stage: Stage) -> Floats:
    """The finished still: what falls, the beam, then vignette, grain and a filmic curve."""
    picture = stage.frame().copy()
    from .air import fallen

    fallen(stage, picture)
    height, width = picture.shape[:2]
    reach = distances(height, width, width / 2, height * 0.48, width / height) / np.float32(height * 0.72)
    picture *= (1 - 0.34 * np.clip(reach - 0.35, 0, 1) ** 1.7)[..., None]
    tone = picture / 255
    tone = tone + 0.10 * (tone - 0.5) * tone * (1 - tone) * 4
    rng = dice("grain", stage.width, stage.height)
    tone += (speckle(rng, height, width) * np.float32(0.016))[..., None]
    return tone * np.float32(255)
