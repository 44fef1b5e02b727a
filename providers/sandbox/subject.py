"""Puts the subject into a scene: where it stands, how large, in which light, with whom."""

import numpy as np
from PIL import Image

from . import land
from .cast import TINTS, Part, companions, part
from .landmarks import LAMP
from .paint import Floats
from .palette import mix, rgb
from .sprite import Colors, Inks, sprite
from .stage import Actor, Beam, Paint, Stage


def _part(stage: Stage) -> Part | None:
    return part(stage.scene.subject, stage.scene.place)


def medium(stage: Stage) -> str:
    found = _part(stage)
    return found.medium if found else ""


def _paint(
    stage: Stage, actor: Actor, *, distance: float, reflection: float, tint: Floats | None, pale: float
) -> Paint:
    """The light on a figure at a place in the frame."""
    body = land.tone(stage, distance)
    if tint is not None and stage.scene.style != "noir":
        day = 0.1 if stage.palette.moon else 0.26
        body = mix(body, tint, day * (1 - distance))
    if stage.scene.place in {"space", "moon"}:
        body = rgb(44, 46, 58)
    dx, dy = stage.light[0] - actor.x, actor.y - stage.light[1]
    length = max(1.0, float(np.hypot(dx, dy)))
    dim = 0.5 if stage.scene.weather in {"storm", "rain", "fog"} else 0.95
    far = mix(body, stage.palette.haze, pale)
    if tint is not None and stage.scene.style != "noir":
        far = mix(far, tint, 0.16)
    return Paint(
        body=body,
        far=far,
        lamp=stage.palette.lamps,
        rim=stage.palette.rim,
        rim_strength=dim * (1 - 0.6 * distance),
        light_x=dx / length,
        light_y=max(0.2, dy / length),
        reflection=reflection,
        halo=0.8 if stage.scene.time in {"night", "dusk", "aurora", "sunset", "dawn"} else 0.45,
    )


def colors_of(paint: Paint) -> Colors:
    """The inks of a figure in red, green and blue."""

    def inks(color: Floats) -> Inks:
        return float(color[0]), float(color[1]), float(color[2])

    return Colors(inks(paint.far), inks(paint.body * 1.1), inks(paint.body * 0.78), inks(paint.rim), inks(paint.lamp))


def enter(
    stage: Stage,
    actor: Actor,
    *,
    distance: float,
    reflection: float = 0.0,
    tint: Floats | None = None,
    pale: float = 0.26,
) -> None:
    """Puts an actor on the stage and into the picture."""
    actor.paint = _paint(stage, actor, distance=distance, reflection=reflection, tint=tint, pale=pale)
    drawn = sprite(actor, actor.rest, colors_of(actor.paint))
    stage.paste(
        np.asarray(Image.merge("RGB", drawn.channels)),
        np.asarray(drawn.alpha),
        round(actor.x) - drawn.origin[0],
        round(actor.y) - drawn.origin[1],
    )
    stage.elements.append(actor)


def subject(
    stage: Stage,
    *,
    ground: float,
    reflection: float = 0.0,
    ridge: Floats | None = None,
    behind: bool = False,
    floating: bool = False,
    shadow: bool = False,
) -> None:
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
    actor = Actor(
        found.draw,
        x,
        y,
        unit,
        depth,
        found.motion,
        found.period,
        rest,
        left=side > 0 and found.draw.__name__ not in {"lighthouse", "castle"},
        travel=found.travel,
    )
    for k in range(companions(stage.scene.subject)):
        _companion(stage, found, actor, k, reflection)
    if found.medium == "ground" and not reflection and not floating:
        _shadow(stage, actor, 0.55 if shadow else 0.3)
    if found.draw.__name__ == "lighthouse":
        stage.elements.append(Beam(x + LAMP[0] * unit, y - LAMP[1] * unit, stage.unit * 1.3, depth))
    water_like = reflection if found.medium in {"ground", "water"} else 0.0
    enter(
        stage,
        actor,
        distance=0.05 if found.medium != "deep" else 0.18,
        reflection=water_like,
        tint=_tint(stage),
        pale=found.pale,
    )


def _tint(stage: Stage) -> Floats | None:
    found = TINTS.get(stage.scene.subject)
    return rgb(*found) if found else None


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
    lift = (
        stage.unit * stage.rng.uniform(-0.16, 0.14)
        if found.medium in {"air", "deep"}
        else -stage.unit * stage.rng.uniform(0.015, 0.03)
    )
    actor = Actor(
        found.draw,
        leader.x + away,
        leader.y + lift,
        leader.unit * scale,
        leader.depth * 0.6,
        found.motion,
        found.period * stage.rng.uniform(0.9, 1.15),
        stage.rng.random(),
        leader.left,
        found.travel * 0.6,
    )
    enter(
        stage, actor, distance=0.42, reflection=reflection * 0.7 if found.medium == "water" else 0.0, tint=_tint(stage)
    )


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
    stage.add(
        mix(stage.palette.ink, rgb(0, 0, 0), 0.4)[None, None], mask.astype(np.float32), top=top, depth=actor.depth
    )


def second(stage: Stage, *, base: float, distance: float) -> bool:
    """What else the prompt names, small and far off."""
    found = part(stage.scene.second, stage.scene.place)
    if not found:
        return False
    side = 1 if stage.light[0] > stage.width / 2 else -1
    x = stage.width * (0.5 + side * (0.21 if stage.height <= stage.width else 0.14))
    unit = stage.unit * found.size * (0.62 if found.motion == "still" else 0.45)
    y = base if found.medium != "air" else stage.horizon * 0.5
    actor = Actor(found.draw, x, y, unit, 0.3, found.motion, found.period, 0.1, False, found.travel * 0.5)
    enter(stage, actor, distance=distance)
    return True
