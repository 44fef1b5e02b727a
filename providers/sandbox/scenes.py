"""What each place is made of, from the sky to the grass before the lens."""

from collections.abc import Callable

import numpy as np

from . import city, deep, land, sky, water
from .paint import Floats, below, line_noise
from .palette import mix, rgb
from .stage import Actor, Stage
from .subject import enter, medium, second, subject
from .trees import palm_island


def _heaven(stage: Stage, *, power: float = 0.8, clouded: bool = True, bottom: float | None = None) -> None:
    sky.sky(stage, power=power, bottom=bottom)
    sky.stars(stage)
    if stage.scene.time == "aurora":
        sky.aurora(stage)
    sky.luminary(stage)
    weather_word = stage.scene.weather
    amount = {"storm": 1.0, "rain": 0.85, "clouds": 0.75, "snow": 0.55, "fog": 0.3}.get(
        weather_word, stage.rng.uniform(0.12, 0.5)
    )
    if clouded and not (stage.scene.time == "aurora" or (stage.palette.stars > 0.8 and weather_word == "clear")):
        sky.clouds(stage, amount)
    if weather_word == "storm":
        sky.lightning(stage)


def _range(stage: Stage, tall: float, *, count: int = 3) -> None:
    """Distant ranges, each nearer, darker and moving faster than the one behind."""
    snow = stage.scene.season == "winter" or stage.scene.place == "mountains"
    for i in range(count):
        share = i / max(1, count - 1)
        land.mountains(
            stage,
            base=stage.horizon + stage.unit * 0.02 * i,
            tall=stage.unit * tall * (1 - 0.35 * share),
            distance=0.9 - 0.42 * share,
            depth=0.06 + 0.12 * share,
            snow=snow,
        )
        land.mist(
            stage, at=stage.horizon - stage.unit * 0.02, tall=stage.unit * 0.2, strength=0.42, depth=0.08 + 0.12 * share
        )


def _shore(stage: Stage, *, woods: bool) -> None:
    """Hills and a wooded line on the far side of water."""
    snow = stage.scene.season == "winter"
    land.mountains(stage, base=stage.horizon + 2, tall=stage.unit * 0.26, distance=0.88, depth=0.05, snow=snow)
    land.mist(stage, at=stage.horizon - stage.unit * 0.03, tall=stage.unit * 0.16, strength=0.4, depth=0.06)
    land.hills(stage, base=stage.horizon + 1, tall=stage.unit * 0.13, distance=0.7, depth=0.09)
    if woods:
        land.wood(
            stage,
            base=stage.horizon + 1,
            tall=stage.unit * 0.075,
            distance=0.62,
            depth=0.1,
            dense=1.6,
            snow=snow,
            mist=0.7,
        )
    land.mist(stage, at=stage.horizon - stage.unit * 0.008, tall=stage.unit * 0.1, strength=0.55, depth=0.1, drift=0.05)


def _frozen(stage: Stage) -> None:
    _heaven(stage)
    _shore(stage, woods=True)
    pale = mix(mix(rgb(206, 222, 236), stage.palette.haze, 0.42), stage.palette.sky[1], 0.3)
    water.mirror(stage, tint=pale, share=0.34, ripple=0.004, smear=0.035, moving=0.0, waves=0.05)
    if stage.light[1] < stage.horizon:
        water.glitter(stage, strength=0.45)
    water.ice(stage)
    subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.6, reflection=0.42)
    snow = mix(mix(rgb(226, 234, 246), stage.palette.haze, 0.3), stage.palette.sky[0], 0.45)
    _bank(stage, snow)
    land.grass(
        stage, base=stage.height * 1.03, tall=stage.unit * 0.17, distance=0.1, depth=1.25, blur=stage.unit * 0.004
    )


def _bank(stage: Stage, color: Floats) -> None:
    """Snow lying close to the camera."""
    ridge = stage.height - stage.unit * (
        0.015 + 0.085 * line_noise(stage.rng, stage.full, cell=stage.unit * 1.1, octaves=2)
    )
    top = int(ridge.min()) - 2
    rows = np.arange(stage.height - top, dtype=np.float32)[:, None] / max(1, stage.height - top)
    stage.add(
        (color * (1 - 0.35 * rows)).astype(np.float32),
        below((ridge - top).astype(np.float32), stage.height - top),
        top=top,
        depth=1.0,
    )


def _lake(stage: Stage) -> None:
    _heaven(stage)
    if stage.scene.season == "winter" or stage.rng.random() < 0.6:
        _range(stage, 0.4, count=2)
    _shore(stage, woods=True)
    behind = second(stage, base=stage.horizon + 2, distance=0.5)
    water.mirror(stage, tint=mix(stage.palette.sky[1], stage.palette.ink, 0.25), share=0.62, ripple=0.012, waves=0.09)
    if stage.light[1] < stage.horizon:
        water.glitter(stage, strength=0.7)
    land.mist(
        stage, at=stage.horizon + stage.unit * 0.012, tall=stage.unit * 0.08, strength=0.42, depth=0.14, drift=0.06
    )
    wading = stage.horizon + (stage.height - stage.horizon) * (0.42 if medium(stage) == "water" else 0.86)
    if medium(stage) == "ground":
        _near_bank(stage, wading)
    subject(stage, ground=wading, reflection=0.5 if medium(stage) in {"water", "air"} else 0.0, behind=behind)
    land.grass(
        stage, base=stage.height * 1.02, tall=stage.unit * 0.2, distance=0.02, depth=1.25, blur=stage.unit * 0.004
    )


def _near_bank(stage: Stage, at: float) -> None:
    """A dark shore for those who cannot swim."""
    land.hills(
        stage, base=at + stage.unit * 0.035, tall=stage.unit * 0.03, distance=0.06, depth=0.8, mist=0.1, octaves=5
    )


def _sea(stage: Stage) -> None:
    _heaven(stage)
    if stage.rng.random() < 0.5 or medium(stage) != "water":
        land.hills(
            stage,
            base=stage.horizon + 1,
            tall=stage.unit * 0.07,
            distance=0.85,
            depth=0.06,
            cell=0.5,
            mist=0.5,
            octaves=4,
        )
    land.mist(stage, at=stage.horizon - stage.unit * 0.01, tall=stage.unit * 0.08, strength=0.5, depth=0.06)
    behind = second(stage, base=stage.horizon + 2, distance=0.55)
    rough = 2.0 if stage.scene.weather == "storm" else 1.0
    water.mirror(
        stage,
        tint=mix(stage.palette.sky[1], stage.palette.ink, 0.35),
        share=0.5,
        ripple=0.03 * rough,
        smear=0.03,
        moving=2 * rough,
        waves=0.2 * rough,
    )
    if stage.light[1] < stage.horizon:
        water.glitter(stage, strength=1.0 / rough)
    if medium(stage) == "ground":
        at = stage.horizon + (stage.height - stage.horizon) * 0.72
        _beach(stage, at - stage.unit * 0.07)
        subject(stage, ground=at + stage.unit * 0.05, behind=behind)
    else:
        subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.34, reflection=0.45, behind=behind)
        _swell(stage, rough)


def _beach(stage: Stage, top: float) -> None:
    wet = mix(stage.palette.ink, stage.palette.haze, 0.32)
    land.hills(
        stage, base=top + stage.unit * 0.04, tall=stage.unit * 0.025, distance=0.42, depth=0.6, mist=0.2, octaves=4
    )
    land.ground(stage, top=top + stage.unit * 0.035, near=mix(stage.palette.ink, wet, 0.3), far=wet, depth=0.95)


def _swell(stage: Stage, rough: float) -> None:
    """Waves between the subject and the camera."""
    for i, depth in enumerate((0.7, 0.95, 1.25)):
        land.hills(
            stage,
            base=stage.height * (0.9 + 0.06 * i),
            tall=stage.unit * (0.022 + 0.018 * i) * (0.6 + 0.6 * rough),
            distance=0.3 - 0.12 * i,
            depth=depth,
            cell=0.28 + 0.1 * i,
            mist=0.05,
            octaves=4,
        )


def _island(stage: Stage) -> None:
    _heaven(stage)
    land.hills(stage, base=stage.horizon + 1, tall=stage.unit * 0.1, distance=0.75, depth=0.08, cell=0.5)
    water.mirror(
        stage, tint=mix(stage.palette.sky[1], rgb(20, 150, 160), 0.35), share=0.45, ripple=0.02, smear=0.02, waves=0.16
    )
    if stage.light[1] < stage.horizon:
        water.glitter(stage)
    _palms(stage)
    subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.5, reflection=0.45)
    _swell(stage, 0.8)


def _palms(stage: Stage) -> None:
    side = -1 if stage.light[0] > stage.width / 2 else 1
    actor = Actor(
        palm_island,
        stage.width * (0.5 + side * 0.27),
        stage.horizon + stage.unit * 0.06,
        stage.unit * 0.42,
        0.4,
        "still",
        5.0,
        left=side > 0,
    )
    enter(stage, actor, distance=0.12, reflection=0.5)


def _forest(stage: Stage) -> None:
    snow = stage.scene.season == "winter"
    _heaven(stage)
    inside = stage.rng.random() < 0.5 and medium(stage) == "ground" and stage.scene.subject != "train"
    land.mountains(stage, base=stage.horizon, tall=stage.unit * 0.36, distance=0.92, depth=0.05, snow=snow)
    for i in range(4):
        share = i / 3
        land.wood(
            stage,
            base=stage.horizon + stage.unit * 0.012 * i,
            tall=stage.unit * (0.16 + 0.14 * share),
            distance=0.82 - 0.4 * share,
            depth=0.1 + 0.2 * share,
            snow=snow,
            rise=0.5 - 0.3 * share,
        )
        land.mist(
            stage,
            at=stage.horizon - stage.unit * 0.03,
            tall=stage.unit * 0.22,
            strength=0.55,
            depth=0.12 + 0.2 * share,
            drift=0.04,
        )
    if inside:
        land.trunks(
            stage,
            distance=0.4,
            depth=0.42,
            count=round(9 * stage.width / stage.height),
            base=stage.horizon + stage.unit * 0.03,
        )
        land.mist(stage, at=stage.horizon, tall=stage.unit * 0.3, strength=0.5, depth=0.45)
    _floor(stage, snow)
    land.mist(stage, at=stage.horizon + stage.unit * 0.005, tall=stage.unit * 0.1, strength=0.5, depth=0.3, drift=0.05)
    if not snow:
        land.grass(stage, base=stage.horizon + stage.unit * 0.03, tall=stage.unit * 0.045, distance=0.42, depth=0.4)
    subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.5)
    if not snow:
        land.grass(
            stage,
            base=stage.horizon + (stage.height - stage.horizon) * 0.78,
            tall=stage.unit * 0.06,
            distance=0.2,
            depth=0.85,
        )
    if inside:
        land.trunks(
            stage,
            distance=0.02,
            depth=1.25,
            count=max(2, round(1.7 * stage.width / stage.height)),
            base=stage.height * 1.05,
        )
    _front(stage, snow)


def _floor(stage: Stage, snow: bool) -> None:
    if snow:
        bright = mix(mix(rgb(230, 238, 250), stage.palette.haze, 0.35), stage.palette.sky[1], 0.35)
        land.ground(
            stage,
            top=stage.horizon,
            near=mix(bright, stage.palette.sky[0], 0.45),
            far=mix(bright, stage.palette.haze, 0.4),
            depth=0.9,
            texture=0.06,
        )
        return
    land.ground(
        stage,
        top=stage.horizon,
        near=mix(stage.palette.ink, stage.palette.haze, 0.2),
        far=land.tone(stage, 0.5),
        depth=0.9,
    )


def _front(stage: Stage, snow: bool) -> None:
    if snow:
        _bank(stage, mix(mix(rgb(224, 232, 246), stage.palette.haze, 0.3), stage.palette.sky[0], 0.5))
    land.grass(
        stage,
        base=stage.height * 1.02,
        tall=stage.unit * (0.16 if snow else 0.22),
        distance=0.02,
        depth=1.25,
        blur=stage.unit * 0.005,
    )


def _desert(stage: Stage) -> None:
    _heaven(stage, clouded=stage.rng.random() < 0.6)
    if stage.rng.random() < 0.6:
        land.mountains(stage, base=stage.horizon, tall=stage.unit * 0.2, distance=0.9, depth=0.05, snow=False)
    land.dunes(stage, base=stage.horizon + stage.unit * 0.06, tall=stage.unit * 0.16, distance=0.72, depth=0.1)
    land.mist(stage, at=stage.horizon, tall=stage.unit * 0.12, strength=0.4, depth=0.12)
    land.dunes(stage, base=stage.horizon + stage.unit * 0.14, tall=stage.unit * 0.17, distance=0.52, depth=0.22)
    behind = second(stage, base=stage.horizon + stage.unit * 0.05, distance=0.5)
    ground = stage.horizon + (stage.height - stage.horizon) * 0.5
    ridge = land.dunes(stage, base=ground + stage.unit * 0.16, tall=stage.unit * 0.16, distance=0.3, depth=0.6)
    subject(stage, ground=ground, ridge=ridge, behind=behind)
    land.dunes(stage, base=stage.height * 1.06, tall=stage.unit * 0.16, distance=0.06, depth=1.2)


def _mountains(stage: Stage) -> None:
    _heaven(stage)
    _range(stage, 0.62, count=4)
    behind = second(stage, base=stage.horizon - stage.unit * 0.02, distance=0.42)
    snow = stage.scene.season == "winter"
    land.wood(
        stage,
        base=stage.horizon + stage.unit * 0.08,
        tall=stage.unit * 0.1,
        distance=0.36,
        depth=0.4,
        dense=1.4,
        snow=snow,
    )
    land.mist(stage, at=stage.horizon + stage.unit * 0.04, tall=stage.unit * 0.14, strength=0.5, depth=0.45, drift=0.05)
    if medium(stage) in {"ground", "water"}:
        at = stage.height - stage.unit * 0.13
        ridge = land.hills(
            stage,
            base=at + stage.unit * 0.08,
            tall=stage.unit * 0.1,
            distance=0.08,
            depth=0.8,
            cell=1.2,
            mist=0.05,
            octaves=5,
        )
        subject(stage, ground=at, ridge=ridge, behind=behind)
    else:
        subject(stage, ground=stage.horizon, behind=behind)
        land.wood(stage, base=stage.height * 1.02, tall=stage.unit * 0.2, distance=0.1, depth=0.95, rise=0.7, snow=snow)


def _city(stage: Stage) -> None:
    _heaven(stage)
    dark = (
        stage.scene.time in {"night", "dusk", "aurora", "sunset"}
        or stage.scene.style == "neon"
        or stage.scene.weather in {"rain", "storm"}
    )
    lit = 1.0 if dark else 0.25
    for i, (distance, tall) in enumerate(((0.82, 0.42), (0.64, 0.5), (0.44, 0.44))):
        city.skyline(
            stage,
            base=stage.horizon,
            tall=stage.unit * tall,
            distance=distance,
            depth=0.07 + 0.09 * i,
            lit=lit * (0.6 + 0.2 * i),
            gap=0.25 * i,
        )
        land.mist(
            stage, at=stage.horizon - stage.unit * 0.01, tall=stage.unit * 0.16, strength=0.45, depth=0.1 + 0.09 * i
        )
    water.mirror(
        stage, tint=mix(stage.palette.sky[1], stage.palette.ink, 0.4), share=0.66, ripple=0.016, smear=0.045, waves=0.12
    )
    if stage.light[1] < stage.horizon and stage.scene.weather not in {"rain", "storm"}:
        water.glitter(stage, strength=0.6)
    at = stage.height - stage.unit * 0.075
    if medium(stage) == "ground":
        city.terrace(stage, top=at, depth=0.9)
        subject(stage, ground=at + 2)
    else:
        subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.6, reflection=0.4)


def _street(stage: Stage) -> None:
    _heaven(stage)
    city.skyline(stage, base=stage.horizon, tall=stage.unit * 0.42, distance=0.78, depth=0.1, lit=0.9)
    land.mist(stage, at=stage.horizon - stage.unit * 0.06, tall=stage.unit * 0.3, strength=0.6, depth=0.12)
    city.street(stage)
    water.mirror(
        stage,
        tint=mix(stage.palette.ink, stage.palette.haze, 0.1),
        share=0.6,
        ripple=0.006,
        smear=0.07,
        moving=0.0,
        waves=0.1,
        far_depth=0.14,
    )
    land.mist(stage, at=stage.horizon, tall=stage.unit * 0.12, strength=0.35, depth=0.3)
    subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.5, reflection=0.5)


def _rooftops(stage: Stage) -> None:
    _heaven(stage)
    land.hills(stage, base=stage.horizon, tall=stage.unit * 0.08, distance=0.88, depth=0.05, mist=0.7)
    second(stage, base=stage.horizon + stage.unit * 0.01, distance=0.66)
    land.mist(stage, at=stage.horizon, tall=stage.unit * 0.16, strength=0.45, depth=0.08)
    for i in range(4):
        city.roofs(
            stage,
            base=stage.horizon + stage.unit * (0.03, 0.1, 0.19, 0.3)[i],
            tall=stage.unit * (0.07, 0.11, 0.17, 0.26)[i],
            distance=0.74 - 0.17 * i,
            depth=(0.1, 0.2, 0.36, 0.55)[i],
        )
        if i < 3:
            land.mist(
                stage,
                at=stage.horizon + stage.unit * (0.02 + 0.08 * i),
                tall=stage.unit * 0.2,
                strength=0.5 - 0.08 * i,
                depth=0.12 + 0.13 * i,
            )
    at = stage.height - stage.unit * 0.1
    city.terrace(stage, top=at, depth=0.72)
    subject(stage, ground=at + 2)


def _meadow(stage: Stage) -> None:
    snow = stage.scene.season == "winter"
    _heaven(stage)
    land.mountains(stage, base=stage.horizon, tall=stage.unit * 0.22, distance=0.92, depth=0.05, snow=snow)
    land.mist(stage, at=stage.horizon - stage.unit * 0.02, tall=stage.unit * 0.16, strength=0.5, depth=0.06)
    land.hills(stage, base=stage.horizon + stage.unit * 0.02, tall=stage.unit * 0.14, distance=0.72, depth=0.09)
    land.wood(
        stage,
        base=stage.horizon + stage.unit * 0.02,
        tall=stage.unit * 0.06,
        distance=0.62,
        depth=0.12,
        dense=0.8,
        snow=snow,
    )
    land.mist(stage, at=stage.horizon + stage.unit * 0.01, tall=stage.unit * 0.1, strength=0.5, depth=0.16)
    behind = second(stage, base=stage.horizon + stage.unit * 0.03, distance=0.45)
    land.hills(stage, base=stage.horizon + stage.unit * 0.06, tall=stage.unit * 0.07, distance=0.46, depth=0.25)
    at = stage.horizon + (stage.height - stage.horizon) * 0.56
    _floor_from(stage, stage.horizon + stage.unit * 0.05, snow)
    if not snow:
        land.grass(stage, base=at - stage.unit * 0.02, tall=stage.unit * 0.05, distance=0.34, depth=0.5)
    subject(stage, ground=at, behind=behind)
    if not snow:
        flowers = stage.scene.season == "spring" or stage.rng.random() < 0.4
        land.grass(
            stage, base=at + stage.unit * 0.075, tall=stage.unit * 0.085, distance=0.14, depth=0.85, flowers=flowers
        )
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
    for i in range(2):
        ridge = (
            stage.horizon
            + stage.unit * (0.01 + 0.03 * i)
            - stage.unit * (0.12 - 0.04 * i) * line_noise(stage.rng, stage.full, cell=stage.unit * 0.6, octaves=5)
        ).astype(np.float32)
        top = int(ridge.min()) - 2
        stage.add(
            (hill * (0.7 + 0.3 * i))[None, None],
            below(ridge - top, int(stage.horizon + stage.unit * 0.1) - top),
            top=top,
            depth=0.08 + 0.08 * i,
        )
    deep.craters(stage, top=stage.horizon + stage.unit * 0.02)
    subject(stage, ground=stage.horizon + (stage.height - stage.horizon) * 0.55, shadow=True)


def _space(stage: Stage) -> None:
    deep.nebula(stage)
    sky.stars(stage)
    side = 0.86 if stage.light[0] < stage.width / 2 else 0.14
    deep.world(
        stage,
        x=stage.width * side,
        y=stage.height * 1.02,
        radius=stage.unit * 0.62,
        kind=stage.rng.choice(["gas", "earth"]),
        depth=0.1,
    )
    if stage.scene.subject != "planet":
        subject(stage, ground=stage.height * 0.62, floating=True)
    else:
        deep.world(
            stage, x=stage.width * (1 - side), y=stage.height * 0.32, radius=stage.unit * 0.12, kind="gas", depth=0.05
        )


def _clouds(stage: Stage) -> None:
    _heaven(stage, power=1.0, bottom=stage.height)
    for i in range(5):
        share = i / 4
        if i == 3:
            subject(stage, ground=stage.horizon, floating=True)
        deep.cloud_sea(
            stage,
            base=stage.horizon + stage.height * 0.4 * share**1.4,
            tall=stage.unit * (0.07 + 0.24 * share),
            distance=0.9 - 0.75 * share,
            depth=0.08 + 0.8 * share**1.5,
            drift=0.02 + 0.04 * share,
        )


def _underwater(stage: Stage) -> None:
    stage.light = (stage.light[0], 0.0)
    deep.water_column(stage)
    stage.horizon = stage.height * 0.8
    for i in range(3):
        deep.seabed(
            stage,
            base=stage.height * (0.88 + 0.05 * i),
            tall=stage.unit * (0.2 + 0.06 * i),
            distance=0.75 - 0.22 * i,
            depth=0.12 + 0.18 * i,
            weed=i > 0,
        )
    deep.shafts(stage, strength=0.42)
    subject(stage, ground=stage.height * 0.6, floating=True)
    deep.seabed(stage, base=stage.height * 1.04, tall=stage.unit * 0.26, distance=0.03, depth=1.2, weed=True)


# fmt: off
PLACES: dict[str, Callable[[Stage], None]] = {
    "frozen": _frozen, "lake": _lake, "sea": _sea, "island": _island, "forest": _forest, "desert": _desert,
    "mars": _desert, "mountains": _mountains, "city": _city, "street": _street, "rooftops": _rooftops,
    "meadow": _meadow, "moon": _moon, "space": _space, "clouds": _clouds, "underwater": _underwater,
}
