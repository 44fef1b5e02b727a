"""A true camera move: layers slide at the speed of their depth, light and weather go on, actors act.

Everything is prepared once as planes, in four positions a quarter of a pixel apart, so that a frame is only cut and
laid together. The four lie off the pixel grid, all equally soft: a slow move neither stutters nor pulses.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from math import cos, floor, pi, sin
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import yuv
from .air import beam_mask
from .paint import Bytes, distances, resized
from .sprite import Colors, Sprite, bounds_of, sprite
from .stage import Actor, Beam, Element, Fall, Layer, Stage
from .subject import colors_of
from .yuv import Planes

_STEPS = 4  # positions within a pixel
_OFFSET = 1 / (2 * _STEPS)
_REACH = 0.082  # of the camera to either side, in frame widths, for depth 1
_MOST_PHASES, _FAR_PHASES = 36, 16
_GRAY = 6  # so near to neutral a layer leaves color alone
_BORDER = 2  # empty pixels around an actor, so that it can stand between pixels
_BOB = {"bob": 0.012, "float": 0.016, "rise": 0.05, "fly": 0.014, "swim": 0.02}


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a frame lies in the film."""

    number: int
    seconds: float
    length: float
    pan: float  # of the camera, -1 to 1

    @property
    def done(self) -> float:
        return self.seconds / self.length


class Part(Protocol):
    """Something that can lay itself into a frame."""

    def lay(self, frame: Planes, at: Moment) -> None: ...


def layered_frames(stage: Stage, *, count: int, fps: int) -> Iterator[Planes]:
    """Frames of a move along the stage, eased at both ends."""
    way = 1 if stage.rng.random() < 0.5 else -1
    leader = next((e for e in reversed(stage.elements) if isinstance(e, Actor) and e.motion in {"walk", "ride"}), None)
    if leader:
        way = -1 if leader.left else 1
    length = count / fps
    parts = [_prepared(stage, element, way, length, fps) for element in _visible(stage)]
    stage.elements.clear()
    vignette = _Vignette(stage.width, stage.height)
    for number in range(count):
        share = number / max(1, count - 1)
        moment = Moment(number, number / fps, length, way * _eased(share))
        frame = Planes(Image.new("L", (stage.width, stage.height), yuv.BLACK), *(_chroma(stage) for _ in range(2)))
        for part in parts:
            part.lay(frame, moment)
        vignette.lay(frame, moment)
        yield frame


def _chroma(stage: Stage) -> Image.Image:
    return Image.new("L", (stage.width // 2, stage.height // 2), yuv.NEUTRAL)


def _eased(share: float) -> float:
    """-1 to 1, slower at both ends, but never at rest: a film begins and ends in motion."""
    return (1 - cos(pi * share)) * 0.62 + 0.76 * share - 1


def _merged(elements: list[Element]) -> list[Element]:
    """Neighbors that move alike, as one layer."""
    out: list[Element] = []
    for element in elements:
        last = out[-1] if out else None
        if isinstance(element, Layer) and isinstance(last, Layer) and _alike(last, element):
            out[-1] = _flattened(last, element)
        else:
            out.append(element)
    return out


def _alike(one: Layer, other: Layer) -> bool:
    plain = not (one.drift or other.drift or one.pulse or other.pulse or one.flash or other.flash)
    level = ((one.far_depth is None) == (other.far_depth is None) and one.top == other.top) or (
        one.far_depth is None and other.far_depth is None
    )
    return plain and level and abs(one.depth - other.depth) < 0.025 and one.ripple == other.ripple


def _flattened(back: Layer, front: Layer) -> Layer:
    """The front layer laid on the back one."""
    top = min(back.top, front.top)
    rows = max(back.top + back.rgb.shape[0], front.top + front.rgb.shape[0]) - top
    base = np.zeros((rows, *back.rgb.shape[1:]), np.uint8)
    cover = np.zeros(base.shape[:2], np.uint8)
    behind = slice(back.top - top, back.top - top + back.rgb.shape[0])
    base[behind] = back.rgb
    cover[behind] = 255 if back.alpha is None else back.alpha
    ahead = slice(front.top - top, front.top - top + front.rgb.shape[0])
    share = np.ones(front.rgb.shape[:2], np.float32) if front.alpha is None else front.alpha / np.float32(255)
    under = cover[ahead] / np.float32(255)
    whole = 1 - (1 - share) * (1 - under)
    weight = (share / np.maximum(whole, 1e-4))[..., None]
    base[ahead] = (base[ahead] + (front.rgb.astype(np.float32) - base[ahead]) * weight + 0.5).astype(np.uint8)
    cover[ahead] = (whole * 255 + 0.5).astype(np.uint8)
    return replace(front, solid=None, rgb=base, alpha=None if cover.min() == 255 else cover, top=top, depth=back.depth)


def _visible(stage: Stage) -> list[Element]:
    """The elements without what level ground in front of them always hides."""
    seen: list[Element] = []
    bottom = stage.height
    for element in reversed(_merged(stage.elements)):
        if isinstance(element, Layer):
            rows = bottom - element.top
            if rows < 2:
                continue
            alpha = None if element.alpha is None else element.alpha[:rows]
            seen.append(replace(element, rgb=element.rgb[:rows], alpha=alpha))
            if alpha is None and element.top + element.rgb.shape[0] >= bottom:
                bottom = min(bottom, element.top + element.top % 2)
        else:
            seen.append(element)
    return seen[::-1]


def _prepared(stage: Stage, element: Element, way: int, length: float, fps: int) -> Part:
    if isinstance(element, Layer):
        return _Plane(stage, element) if element.far_depth is not None else _Strip(stage, element)
    if isinstance(element, Actor):
        return _Figure(stage, element, way, length, fps)
    return _Scroll(stage, element) if isinstance(element, Fall) else _Lamp(stage, element)


def _steps(plane: Image.Image) -> list[Image.Image]:
    """The plane moved left by an eighth, three, five and seven eighths of a pixel."""
    nearby = plane.transform(plane.size, Image.Transform.AFFINE, (1, 0, 1, 0, 1, 0))
    nearby.paste(plane.crop((plane.width - 1, 0, plane.width, plane.height)), (plane.width - 1, 0))
    return [Image.blend(plane, nearby, _OFFSET + step / _STEPS) for step in range(_STEPS)]


def _cut(position: float) -> tuple[int, int]:
    """Whole pixels and the nearest prepared step of a position."""
    whole = floor(position)
    return whole, min(_STEPS - 1, int((position - whole) * _STEPS))


def _even(layer: Layer) -> tuple[Bytes, Bytes | None, int]:
    """The strip with an even top, so that the color planes fall into place."""
    if layer.top % 2 == 0:
        return layer.rgb, layer.alpha, layer.top
    alpha = layer.alpha if layer.alpha is not None else np.full(layer.rgb.shape[:2], 255, np.uint8)
    return (
        np.concatenate([layer.rgb[:1], layer.rgb]),
        np.concatenate([np.zeros_like(alpha[:1]), alpha]),
        layer.top - 1,
    )


def _small(mask: Bytes) -> Image.Image:
    return Image.fromarray(yuv.halve(mask.astype(np.float32)).astype(np.uint8))


class _Strip:
    """A layer that slides as a whole."""

    def __init__(self, stage: Stage, layer: Layer) -> None:
        rgb, alpha, self._top = _even(layer)
        self._layer, self._pad, self._width = layer, stage.pad, stage.width
        self._solid = None if layer.solid is None else yuv.color(*(float(c) for c in layer.solid))
        self._colored = self._solid is None or max(abs(c - yuv.NEUTRAL) for c in self._solid[1:]) > _GRAY
        self._planes = []
        if self._solid is None:
            planes = yuv.planes(rgb)
            self._planes = [_steps(p) for p in (planes.y, planes.u, planes.v)]
        self._masks = [_steps(m) for m in (Image.fromarray(alpha), _small(alpha))] if alpha is not None else []

    def lay(self, frame: Planes, at: Moment) -> None:
        layer = self._layer
        strength = _strength(layer, at)
        if strength < 0.01:
            return
        drift = layer.drift * self._width * (at.seconds - at.length / 2) / 10
        limit = self._pad - 2.0
        x = self._pad + min(limit, max(-limit, at.pan * _REACH * self._width * layer.depth - drift))
        self._lay(frame.y, 0, x, self._top, self._mask(0, x, strength))
        if not self._colored:
            return
        coarse = self._mask(1, x / 2, strength)
        self._lay(frame.u, 1, x / 2, self._top // 2, coarse)
        self._lay(frame.v, 2, x / 2, self._top // 2, coarse)

    def _mask(self, size: int, x: float, strength: float) -> Image.Image | None:
        if not self._masks:
            return None
        mask = self._masks[size][_cut(x)[1]]
        return mask if strength > 0.995 else mask.point(_scaled(round(strength * 64)))

    def _lay(self, target: Image.Image, channel: int, x: float, top: int, mask: Image.Image | None) -> None:
        """Pasting far to the left lets Pillow cut the frame out of the strip without a copy."""
        whole, step = _cut(x)
        if self._solid and mask:
            target.paste(self._solid[channel], (-whole, top, mask.width - whole, top + mask.height), mask)
        else:
            target.paste(self._planes[channel][step], (-whole, top), mask)


@cache
def _scaled(share: int) -> list[int]:
    """A table that weakens coverage to so many 64ths."""
    return [round(v * share / 64) for v in range(256)]


def _strength(layer: Layer, at: Moment) -> float:
    if layer.flash:
        return max(_flash(at.seconds - moment) for moment in (0.22 * at.length, 0.72 * at.length))
    if not layer.pulse:
        return 1.0
    return 1 - layer.pulse * (0.5 - 0.5 * cos(2 * pi * (at.seconds / 3.2 + layer.beat)))


def _flash(since: float) -> float:
    """Two strokes and a long fading."""
    if since < 0:
        return 0.0
    first = 1 - since / 0.5
    again = 0.8 - (since - 0.16) / 0.9 if since > 0.16 else 0.0
    return max(0.0, min(1.0, since / 0.05) * first, again)


class _Plane:
    """Level ground or water: every row has its own distance and slides at its own speed."""

    def __init__(self, stage: Stage, layer: Layer) -> None:
        rgb, alpha, self._top = _even(layer)
        self._layer, self._pad, self._width = layer, stage.pad, stage.width
        planes = yuv.planes(rgb)
        self._planes = [np.stack([np.asarray(s) for s in _steps(p)]) for p in (planes.y, planes.u, planes.v)]
        self._masks = []
        if alpha is not None:
            self._masks = [
                np.stack([np.asarray(s) for s in _steps(m)]) for m in (Image.fromarray(alpha), _small(alpha))
            ]
        rows = rgb.shape[0]
        self._share = np.linspace(0, 1, rows)
        self._waves = np.cumsum(1 / (2.0 + 12 * self._share)) * 2.2 * 720 / stage.unit

    def lay(self, frame: Planes, at: Moment) -> None:
        layer = self._layer
        far = layer.depth if layer.far_depth is None else layer.far_depth
        depth = far + (layer.depth - far) * self._share
        x = self._pad + at.pan * _REACH * self._width * depth
        if layer.ripple:
            swing = np.sin(self._waves - at.seconds * 3.1) + 0.6 * np.sin(self._waves * 0.43 + at.seconds * 2.3)
            x = x + layer.ripple * self._share**0.8 * swing
        x = np.clip(x, 1, 2 * self._pad - 2)
        self._put(frame.y, 0, x, self._top)
        self._put(frame.u, 1, x[::2] / 2, self._top // 2)
        self._put(frame.v, 2, x[::2] / 2, self._top // 2)

    def _put(self, target: Image.Image, channel: int, x: NDArray[np.float64], top: int) -> None:
        rows = min(self._planes[channel].shape[1], target.height - top)
        cut = _sheared(self._planes[channel], x, target.width, rows)
        mask = Image.fromarray(_sheared(self._masks[min(channel, 1)], x, target.width, rows)) if self._masks else None
        target.paste(Image.fromarray(cut), (0, top), mask)


def _sheared(steps: Bytes, x: NDArray[np.float64], width: int, rows: int) -> Bytes:
    """Each row of a prepared plane, cut where its own position says."""
    out = np.empty((rows, width), np.uint8)
    whole = np.floor(x).astype(int)
    nearest = np.minimum(_STEPS - 1, ((x - whole) * _STEPS).astype(int))
    for row, (left, step) in enumerate(zip(whole[:rows].tolist(), nearest[:rows].tolist(), strict=True)):
        out[row] = steps[step, row, left : left + width]
    return out


class _Figure:
    """An actor in all phases of its motion."""

    def __init__(self, stage: Stage, actor: Actor, way: int, length: float, fps: int) -> None:
        self._actor, self._width, self._unit = actor, stage.width, stage.unit
        turns = actor.period
        most = _MOST_PHASES if actor.unit > 0.15 * stage.unit else _FAR_PHASES
        count = max(8, min(most, round(turns * fps)))
        if actor.motion == "still" and actor.period >= 5 and actor.draw.__name__ in {"lighthouse", "castle", "cabin"}:
            count = 1
        self._phases = [actor.rest + k / count for k in range(count)]
        self._bounds = bounds_of(actor, self._phases)
        rgb = colors_of(actor.paint)
        self._colors = Colors(*(yuv.color(*ink) for ink in (rgb.far, rgb.body, rgb.shade, rgb.rim, rgb.lamp)))
        self._sprites: dict[int, _Bordered] = {}
        self._way = -1 if actor.left else 1

    def lay(self, frame: Planes, at: Moment) -> None:
        actor = self._actor
        turn = (at.seconds - at.length / 2) / actor.period
        drawn = self._drawn(floor(turn * len(self._phases)) % len(self._phases))
        x = (
            actor.x
            - at.pan * _REACH * self._width * actor.depth
            + self._way * actor.travel * self._width * (at.done - 0.5)
        )
        y = actor.y + _BOB.get(actor.motion, 0.0) * min(actor.unit, self._unit * 0.3) * sin(
            2 * pi * at.seconds / max(actor.period, 2.2)
        )
        left, top = x - drawn.origin[0] - _BORDER, y - drawn.origin[1] - _BORDER
        planes = drawn.planes
        _place(((frame.y, planes.y),), drawn.mask, left, top)
        _place(((frame.u, planes.u), (frame.v, planes.v)), drawn.half, left / 2, top / 2)

    def _drawn(self, number: int) -> "_Bordered":
        """A phase, drawn when it is first needed."""
        if number not in self._sprites:
            self._sprites[number] = _bordered(
                sprite(self._actor, self._phases[number], self._colors, self._bounds, video=True)
            )
        return self._sprites[number]


@dataclass(frozen=True, slots=True)
class _Bordered:
    """A sprite as planes, and its coverage for the full and the half size."""

    planes: Planes
    mask: Image.Image
    half: Image.Image
    origin: tuple[int, int]


def _bordered(drawn: Sprite) -> _Bordered:
    """A sprite as planes of even size with an empty border, for moves within a pixel."""
    width, height = drawn.alpha.size
    size = (width + width % 2 + 2 * _BORDER, height + height % 2 + 2 * _BORDER)
    mask = Image.new("L", size)
    mask.paste(drawn.alpha, (_BORDER, _BORDER))
    half = (size[0] // 2, size[1] // 2)
    planes = [_framed(channel, size if n == 0 else half) for n, channel in enumerate(drawn.channels)]
    return _Bordered(Planes(*planes), mask, mask.reduce(2), drawn.origin)


def _framed(channel: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The channel with a border of its own corner's color."""
    border = _BORDER if size[0] >= channel.width + 2 * _BORDER else _BORDER // 2
    plane = Image.new("L", size, channel.getpixel((0, 0)))
    plane.paste(channel, (border, border))
    return plane


def _place(pairs: tuple[tuple[Image.Image, Image.Image], ...], mask: Image.Image, left: float, top: float) -> None:
    """Lays a small picture at a position between pixels: its coverage is moved by the fraction."""
    x, y = floor(left), floor(top)
    moved = _nudged(mask, left - x, top - y)
    for target, plane in pairs:
        target.paste(plane, (x, y), moved)


def _nudged(mask: Image.Image, dx: float, dy: float) -> Image.Image:
    if dx > 0.02:
        mask = Image.blend(mask, _offset(mask, 1, 0), dx)
    if dy > 0.02:
        mask = Image.blend(mask, _offset(mask, 0, 1), dy)
    return mask


def _offset(mask: Image.Image, dx: int, dy: int) -> Image.Image:
    out = Image.new("L", mask.size)
    out.paste(mask, (dx, dy))
    return out


class _Scroll:
    """A tile of weather that moves through the frame and comes back."""

    def __init__(self, stage: Stage, fall: Fall) -> None:
        self._fall, self._size = fall, (stage.width, stage.height)
        wide = np.tile(fall.mask, (2, 2))
        self._mask, self._half = Image.fromarray(wide), _small(wide)
        self._color = yuv.color(*(float(c) for c in fall.color))

    def lay(self, frame: Planes, at: Moment) -> None:
        width, height = self._size
        time = at.seconds - at.length / 2
        x = int(-self._fall.across * time * width + at.pan * 0.05 * width) % width
        y = int(-self._fall.down * time * height) % height
        x, y = x - x % 2, y - y % 2
        frame.y.paste(self._color[0], (-x, -y, 2 * width - x, 2 * height - y), self._mask)
        half = (-x // 2, -y // 2, width - x // 2, height - y // 2)
        frame.u.paste(self._color[1], half, self._half)
        frame.v.paste(self._color[2], half, self._half)


class _Lamp:
    """The lighthouse's beam, once around in six seconds."""

    def __init__(self, stage: Stage, beam: Beam) -> None:
        self._beam, self._size = beam, (stage.width, stage.height)
        self._color = yuv.color(255, 238, 196)

    def lay(self, frame: Planes, at: Moment) -> None:
        width, height = self._size
        beam = self._beam
        moved = Beam(beam.x - at.pan * _REACH * width * beam.depth, beam.y, beam.reach, beam.depth)
        small = beam_mask(moved, width, height, 0.06 + (at.seconds - at.length / 2) / 6) * np.float32(160)
        first = max(0, int((beam.y - 0.3 * beam.reach) / 4))
        last = min(small.shape[0], int((beam.y + 0.2 * beam.reach) / 4) + 1)
        mask = Image.fromarray(small[first:last].astype(np.uint8))
        linear, top = Image.Resampling.BILINEAR, round(first * height / small.shape[0] / 2) * 2
        rows = round((last - first) * height / small.shape[0] / 2) * 2
        frame.y.paste(self._color[0], (0, top, width, top + rows), mask.resize((width, rows), linear))
        half = mask.resize((width // 2, rows // 2), linear)
        for plane, color in ((frame.u, self._color[1]), (frame.v, self._color[2])):
            plane.paste(color, (0, top // 2, width // 2, top // 2 + rows // 2), half)


class _Vignette:
    """Darker corners, which stay with the lens."""

    def __init__(self, width: int, height: int) -> None:
        reach = distances(height // 4, width // 4, width / 8, height * 0.12, width / height) / np.float32(
            height / 4 * 0.72
        )
        dark = (0.34 * np.clip(reach - 0.35, 0, 1) ** 1.7 * 255).astype(np.float32)
        self._mask = Image.fromarray(np.clip(resized(dark, height, width), 0, 255).astype(np.uint8))

    def lay(self, frame: Planes, at: Moment) -> None:
        frame.y.paste(yuv.BLACK, (0, 0), self._mask)
