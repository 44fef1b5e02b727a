"""Turns a figure into a lit silhouette: body, far side, rim light, lamps with their glow, reflection."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from .shapes import Figure, Masks
from .stage import Actor, Paint

Bounds = tuple[float, float, float, float]
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


def sprite(actor: Actor, phase: float, colors: Colors, bounds: Bounds | None = None) -> Sprite:
    """The actor at a phase, in these colors."""
    masks = posed(actor, phase).masks(actor.unit, bounds=bounds or bounds_of(actor, [phase]))
    line = masks.origin[1]
    if actor.paint.reflection:
        _drown(masks, line)
    whole = ImageChops.lighter(ImageChops.lighter(masks.body, masks.far), masks.light)
    rim = _rim(masks, actor.paint, actor.unit)
    halo = _glow(masks.light, actor.paint, _halo(actor)) if masks.light.getbbox() else None
    channels = [_channel(masks, rim, halo, inks) for inks in zip(*_inks(colors), strict=True)]
    alpha = whole if halo is None else ImageChops.screen(whole, halo)
    if actor.paint.reflection:
        channels, alpha = _reflected(channels, alpha, line, actor, phase)
    return Sprite((channels[0], channels[1], channels[2]), alpha, masks.origin)


def _inks(colors: Colors) -> tuple[Inks, Inks, Inks, Inks, Inks]:
    return colors.far, colors.body, colors.shade, colors.rim, colors.lamp


def _channel(masks: Masks, rim: Image.Image, halo: Image.Image | None, inks: tuple[float, ...]) -> Image.Image:
    """One channel of the figure; where nothing is, there is the color of the glow."""
    far, body, shade, edge, lamp = (round(max(0.0, min(255.0, ink))) for ink in inks)
    channel = Image.new("L", masks.body.size, far if halo is None else lamp)
    if halo is not None:
        channel.paste(far, (0, 0), ImageChops.lighter(masks.far, masks.body))
    channel.paste(body, (0, 0), masks.body)
    dark = Image.linear_gradient("L").resize(masks.body.size)
    channel.paste(shade, (0, 0), ImageChops.multiply(masks.body, dark))
    channel.paste(edge, (0, 0), rim)
    if halo is not None:
        channel.paste(lamp, (0, 0), halo.point(_HALF))
        channel.paste(lamp, (0, 0), masks.light)
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


def _reflected(
    channels: list[Image.Image], alpha: Image.Image, line: int, actor: Actor, phase: float
) -> tuple[list[Image.Image], Image.Image]:
    """The same upside down below the line, fading and shaken by the water."""
    height, unit, strength = alpha.height, actor.unit, actor.paint.reflection
    if line < 2 or line >= height:
        return channels, alpha
    count = height - line
    rows = np.clip(line - 1 - (np.arange(count) / 0.85).astype(np.int32), 0, line - 1)
    fade = np.clip(1 - np.arange(count, dtype=np.float32) / min(count, line * 0.8), 0, 1)[:, None] * np.float32(
        strength
    )
    deep = np.arange(count) / max(1.0, unit * 0.1)
    shake = (np.sin(deep * 5 + phase * 2 * np.pi) * (0.4 + deep * 0.6) * unit * 0.006).astype(np.int32)
    columns = np.clip(np.arange(alpha.width)[None, :] + shake[:, None], 0, alpha.width - 1)
    above = np.asarray(alpha)
    seen = (above[rows[:, None], columns] * fade).astype(np.uint8)
    alpha.paste(Image.fromarray(np.maximum(seen, above[line:])), (0, line))
    for channel in channels:
        channel.paste(Image.fromarray(np.asarray(channel)[rows[:, None], columns]), (0, line))
    return channels, alpha
