"""Turns a figure into a lit silhouette: body, far side, rim light, lamps with their glow, reflection."""

from copy import copy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from .shapes import Figure, Masks
from .stage import Actor, Paint

Bounds = tuple[float, float, float, float]
_LARGE = 130  # pixels to a unit, from which on a film shows no difference
Inks = tuple[float, float, float]  # one color in whatever three channels the picture has


@dataclass(frozen=True, slots=True)
class Colors:
    """The inks of a figure in the channels of a picture."""

    far: Inks
    body: Inks
    shade: Inks
    rim: Inks
    lamp: Inks


@dataclass(frozen=True, slots=True)
class Sprite:
    """A small picture, channel by channel, with coverage; `origin` is where the figure's own origin lies in it."""

    channels: tuple[Image.Image, Image.Image, Image.Image]
    alpha: Image.Image
    origin: tuple[int, int]


def bounds_of(actor: Actor, phases: list[float]) -> Bounds:
    """Room enough for the actor in all phases, with its glow and reflection; some of many are measured."""
    boxes = [posed(actor, phase).bounds() for phase in phases[:: max(1, len(phases) // 8)]]
    left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, top = max(box[2] for box in boxes), max(box[3] for box in boxes)
    spare = 0.05 * (right - left) if len(phases) > 1 else 0.0
    left, bottom, right, top = left - spare, bottom - spare, right + spare, top + spare
    halo = _halo(actor) / actor.unit if any(ink == "light" for ink, _ in actor.draw(phases[0]).shapes) else 0.0
    low = -min(top * 0.85, 1.3) if actor.paint.reflection else bottom - halo
    return left - halo, low, right + halo, top + halo


def posed(actor: Actor, phase: float) -> Figure:
    """The actor's figure at a phase, looking the right way."""
    figure = actor.draw(phase)
    return figure.mirrored() if actor.left else figure


def sprite(actor: Actor, phase: float, colors: Colors, bounds: Bounds | None = None, *, video: bool = False) -> Sprite:
    """The actor at a phase, in these colors; for video the second and third channel have half the size."""
    box = bounds or bounds_of(actor, [phase])
    masks = posed(actor, phase).masks(actor.unit, bounds=box, fine=not video or actor.unit < _LARGE)
    line = masks.origin[1]
    if actor.paint.reflection:
        _drown(masks, line)
    light = _Light(masks, actor)
    inks = list(zip(*_inks(colors), strict=True))
    small = light.halved() if video else light
    channels = [_channel(light if n == 0 else small, ink) for n, ink in enumerate(inks)]
    alpha = light.whole()
    if actor.paint.reflection:
        _reflect(channels, alpha, line, actor, phase)
    return Sprite((channels[0], channels[1], channels[2]), alpha, masks.origin)


class _Light:
    """A figure's coverage and the light on it: shade, rim, glow."""

    def __init__(self, masks: Masks, actor: Actor) -> None:
        self.body, self.far, self.lamp = masks.body, masks.far, masks.light
        self.dark = ImageChops.multiply(masks.body, _gradient(masks.body.size))
        self.rim = _rim(masks, actor.paint, actor.unit)
        self.halo = _glow(masks.light, actor.paint, _halo(actor)) if masks.light.getbbox() else None

    def halved(self) -> "_Light":
        """The same for a picture of half the size."""
        small = copy(self)
        small.body, small.far, small.lamp = self.body.reduce(2), self.far.reduce(2), self.lamp.reduce(2)
        small.dark, small.rim = self.dark.reduce(2), self.rim.reduce(2)
        small.halo = self.halo and self.halo.reduce(2)
        return small

    def whole(self) -> Image.Image:
        """Everything that covers what is behind it."""
        solid = ImageChops.lighter(ImageChops.lighter(self.body, self.far), self.lamp)
        return ImageChops.screen(solid, self.halo) if self.halo else solid


def _inks(colors: Colors) -> tuple[Inks, Inks, Inks, Inks, Inks]:
    return colors.far, colors.body, colors.shade, colors.rim, colors.lamp


@lru_cache(maxsize=8)
def _gradient(size: tuple[int, int]) -> Image.Image:
    return Image.linear_gradient("L").resize(size)


def _channel(light: _Light, inks: tuple[float, ...]) -> Image.Image:
    """One channel of the figure; where nothing is, there is the color of the glow."""
    far, body, shade, edge, lamp = (round(max(0.0, min(255.0, ink))) for ink in inks)
    channel = Image.new("L", light.body.size, lamp if light.halo else far)
    if light.halo:
        channel.paste(far, (0, 0), ImageChops.lighter(light.far, light.body))
    channel.paste(body, (0, 0), light.body)
    channel.paste(shade, (0, 0), light.dark)
    channel.paste(edge, (0, 0), light.rim)
    if light.halo:
        channel.paste(lamp, (0, 0), light.halo.point(_HALF))
        channel.paste(lamp, (0, 0), light.lamp)
    return channel


_HALF = [v // 2 for v in range(256)]


def _halo(actor: Actor) -> float:
    """How far the glow of the lamps reaches, in pixels."""
    return min(actor.unit * 0.5, 90.0 * max(1.0, actor.unit / 400))


def _drown(masks: Masks, line: int) -> None:
    """Nothing is seen below the water line."""
    for mask in (masks.body, masks.far, masks.light):
        if line < mask.height:
            mask.paste(0, (0, line, mask.width, mask.height))


def _rim(masks: Masks, paint: Paint, unit: float) -> Image.Image:
    """Light along the edges that face it, thin with a wider, fainter fringe."""
    whole = ImageChops.lighter(masks.body, masks.far)
    reach = max(1.0, min(unit * 0.011, 7.0))
    strength = paint.rim_strength
    edge = _facing(whole, paint, reach).point([min(255, round(v * strength * 0.85)) for v in range(256)])
    fringe = _facing(whole, paint, reach * 2.6).point([min(255, round(v * strength * 0.3)) for v in range(256)])
    inner = _facing(masks.body, paint, reach).point([min(255, round(v * strength * 0.2)) for v in range(256)])
    return ImageChops.add(ImageChops.add(edge, fringe), inner)


def _facing(mask: Image.Image, paint: Paint, reach: float) -> Image.Image:
    """What of a mask is not covered when it moves away from the light."""
    moved = Image.new("L", mask.size)
    moved.paste(mask, (round(-paint.light_x * reach), round(paint.light_y * reach)))
    return ImageChops.subtract(mask, moved)


def _glow(light: Image.Image, paint: Paint, reach: float) -> Image.Image:
    """The air around the lamps; worked out small."""
    step = max(1, round(reach / 12))
    small = light.reduce(step)
    wide = small.filter(ImageFilter.GaussianBlur(reach * 0.34 / step)).point(
        [min(255, round(v * 1.5)) for v in range(256)]
    )
    tight = small.filter(ImageFilter.GaussianBlur(reach * 0.1 / step)).point([round(v * 0.7) for v in range(256)])
    soft = ImageChops.add(wide, tight).point([min(230, round(v * paint.halo)) for v in range(256)])
    return soft.resize(light.size, Image.Resampling.BICUBIC)


def _reflect(channels: list[Image.Image], alpha: Image.Image, line: int, actor: Actor, phase: float) -> None:
    """Paints the same upside down below the line, fading and shaken by the water."""
    height = alpha.height
    if line < 2 or line >= height:
        return
    count = height - line
    rows = np.clip(line - 1 - (np.arange(count) / 0.85).astype(np.int32), 0, line - 1)
    fade = np.clip(1 - np.arange(count, dtype=np.float32) / min(count, line * 0.8), 0, 1)[:, None]
    deep = np.arange(count) / max(1.0, actor.unit * 0.1)
    shake = (np.sin(deep * 5 + phase * 2 * np.pi) * (0.4 + deep * 0.6) * actor.unit * 0.006).astype(np.int32)
    columns = np.clip(np.arange(alpha.width)[None, :] + shake[:, None], 0, alpha.width - 1)
    above = np.asarray(alpha)
    seen = (above[rows[:, None], columns] * (fade * np.float32(actor.paint.reflection))).astype(np.uint8)
    alpha.paste(Image.fromarray(np.maximum(seen, above[line:])), (0, line))
    for channel in channels:
        step = 1 if channel.height == height else 2
        mirrored = np.asarray(channel)[rows[::step, None] // step, columns[::step, ::step] // step]
        channel.paste(Image.fromarray(mirrored), (0, line // step))
