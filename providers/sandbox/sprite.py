"""Turns a figure into a lit silhouette: body, far side, rim light, lamps with their glow, reflection."""

from dataclasses import dataclass

import numpy as np

from .paint import Floats, blurred, over
from .shapes import Figure, Masks
from .stage import Actor, Paint

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sprite:
    """A small picture with coverage; `origin` is where the figure's own origin lies in it, in pixels."""

    color: Floats
    alpha: Floats
    origin: tuple[int, int]


def bounds_of(actor: Actor, phases: list[float]) -> Bounds:
    """Room enough for the actor in all phases, with its glow and reflection."""
    boxes = [posed(actor, phase).bounds() for phase in phases]
    left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, top = max(box[2] for box in boxes), max(box[3] for box in boxes)
    halo = _halo(actor) / actor.unit if any(ink == "light" for ink, _ in actor.draw(phases[0]).shapes) else 0.0
    mirrored = -top * 0.85 if actor.paint.reflection else bottom
    bottom = min(max(bottom, -actor.paint.sink), mirrored) if actor.paint.sink or actor.paint.reflection else bottom
    return left - halo, bottom - (0 if actor.paint.reflection or actor.paint.sink else halo), right + halo, top + halo


def posed(actor: Actor, phase: float) -> Figure:
    """The actor's figure at a phase, looking the right way."""
    figure = actor.draw(phase)
    return figure.mirrored() if actor.left else figure


def sprite(actor: Actor, phase: float, bounds: Bounds | None = None) -> Sprite:
    """The actor at a phase, as paint."""
    masks = posed(actor, phase).masks(actor.unit, bounds=bounds or bounds_of(actor, [phase]))
    if actor.paint.sink or actor.paint.reflection:
        _drown(masks, actor.paint.sink * actor.unit)
    color, alpha = _painted(masks, actor)
    if actor.paint.reflection:
        _reflect(color, alpha, masks.origin[1], actor.paint.reflection, phase, actor.unit)
    return Sprite(color, alpha, masks.origin)


def _halo(actor: Actor) -> float:
    return min(actor.unit * 0.5, 90.0 * max(1.0, actor.unit / 400))


def _drown(masks: Masks, sink: float) -> None:
    """Nothing is seen below the water line."""
    line = max(0, masks.origin[1] + round(0 if sink == 0 else 0))
    for mask in (masks.body, masks.far, masks.light):
        mask[line:] = 0


def _painted(masks: Masks, actor: Actor) -> tuple[Floats, Floats]:
    paint = actor.paint
    height, width = masks.body.shape
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    color = np.empty((height, width, 3), np.float32)
    color[:] = paint.far * (1 - 0.25 * rows)
    over(color, (paint.body * (1.12 - 0.3 * rows)).astype(np.float32), masks.body)
    whole = np.maximum(masks.body, masks.far)
    rim = _rim(whole, masks.body, paint, actor.unit)
    over(color, paint.rim, rim)
    over(color, paint.lamp, masks.light)
    alpha = np.maximum(whole, masks.light)
    if paint.halo and masks.light.any():
        alpha = _glowing(color, alpha, masks.light, paint, _halo(actor))
    return color, alpha


def _rim(whole: Floats, body: Floats, paint: Paint, unit: float) -> Floats:
    """Light along the edges that face it, thin and a little soft."""
    reach = max(1.0, min(unit * 0.011, 7.0))
    wide = _shifted(whole, round(-paint.light_x * reach * 2.4), round(paint.light_y * reach * 2.4))
    thin = _shifted(whole, round(-paint.light_x * reach), round(paint.light_y * reach))
    inner = _shifted(body, round(-paint.light_x * reach), round(paint.light_y * reach))
    edge = np.clip(whole - thin, 0, 1) * 0.85 + np.clip(whole - wide, 0, 1) * 0.28 + np.clip(body - inner, 0, 1) * 0.2
    return np.clip(edge * np.float32(paint.rim_strength), 0, 1)


def _shifted(mask: Floats, dx: int, dy: int) -> Floats:
    """The mask moved, with nothing coming in from outside."""
    out = np.zeros_like(mask)
    height, width = mask.shape
    if abs(dx) >= width or abs(dy) >= height:
        return out
    out[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] = mask[
        max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)
    ]
    return out


def _glowing(color: Floats, alpha: Floats, light: Floats, paint: Paint, reach: float) -> Floats:
    """Lays the glow of the lamps over and around the figure."""
    halo = blurred(light, reach * 0.34) * 1.5 + blurred(light, reach * 0.1) * 0.7
    halo = np.clip(halo * paint.halo, 0, 0.9) * (1 - light)
    whole = 1 - (1 - alpha) * (1 - halo)
    share = halo / np.maximum(whole, 1e-4)
    over(color, paint.lamp, np.where(alpha > 0.01, halo * 0.55 * alpha + share * (1 - alpha), 1.0).astype(np.float32))
    return whole.astype(np.float32)


def _reflect(color: Floats, alpha: Floats, line: int, strength: float, phase: float, unit: float) -> None:
    """The same upside down below the line, fading and shaken by the water."""
    height = alpha.shape[0]
    if line < 2 or line >= height:
        return
    count = height - line
    rows = np.clip(line - 1 - (np.arange(count) / 0.85).astype(np.int32), 0, line - 1)
    fade = np.clip(1 - np.arange(count, dtype=np.float32) / (line * 0.8), 0, 1)[:, None] * np.float32(strength)
    deep = np.arange(count) / max(1.0, unit * 0.1)
    shake = (np.sin(deep * 5 + phase * 2 * np.pi) * (0.4 + deep * 0.6) * unit * 0.006).astype(np.int32)
    columns = np.clip(np.arange(alpha.shape[1])[None, :] + shake[:, None], 0, alpha.shape[1] - 1)
    mirrored = alpha[rows[:, None], columns] * fade
    color[line:] = color[rows[:, None], columns]
    alpha[line:] = np.maximum(alpha[line:], mirrored)
