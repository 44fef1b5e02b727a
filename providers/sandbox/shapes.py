"""Vector drawing for silhouettes: smooth curves in a space of their own, turned into soft masks of any size.

A figure stands on y = 0, y points up, and it looks to the right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import cos, pi, sin, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Ink = Literal["body", "far", "cut", "light"]  # near side, far side (paler), a hole, something that shines
Point = tuple[float, float]
Knot = tuple[float, float, float]  # x, y and half the thickness there
Path = NDArray[np.float64]

_SUPERSAMPLE = 3


@dataclass(slots=True)
class Masks:
    """A figure drawn at a size: coverage by each ink, and where the origin is, in pixels from the top left."""

    body: Image.Image
    far: Image.Image
    light: Image.Image
    origin: tuple[int, int]


@dataclass(slots=True)
class Figure:
    """Shapes in the order in which they are painted."""

    shapes: list[tuple[Ink, Path]] = field(default_factory=list)

    def outline(self, points: Sequence[Point], ink: Ink = "body") -> None:
        """A polygon with straight edges."""
        self.shapes.append((ink, np.asarray(points, np.float64)))

    def blob(self, points: Sequence[Point], ink: Ink = "body", smooth: int = 8) -> None:
        """A closed smooth curve through the points."""
        self.shapes.append((ink, spline(points, smooth, closed=True)))

    def stroke(self, knots: Sequence[Knot], ink: Ink = "body", smooth: int = 6) -> None:
        """A brush stroke of changing width with round ends."""
        path = spline(knots, smooth) if len(knots) > 2 else np.asarray(knots, np.float64)
        self.shapes.append((ink, _brushed(path)))
        for x, y, radius in (*path[::smooth], path[-1]):
            self.disc(x, y, max(0.0, radius), ink=ink, sides=12 if radius < 0.06 else 36)

    def disc(
        self,
        x: float,
        y: float,
        radius: float,
        tall: float = 0.0,
        *,
        ink: Ink = "body",
        sides: int = 40,
        tilt: float = 0.0,
    ) -> None:
        """A circle, or an ellipse of half height `tall`, turned by `tilt` radians."""
        points = _circle(sides) * (radius, tall or radius)
        if tilt:
            points = points @ np.array([[cos(tilt), sin(tilt)], [-sin(tilt), cos(tilt)]])
        self.shapes.append((ink, points + np.array((x, y))))

    def box(self, left: float, bottom: float, right: float, top: float, ink: Ink = "body") -> None:
        self.outline([(left, bottom), (right, bottom), (right, top), (left, top)], ink)

    def add(
        self, other: "Figure", at: Point = (0, 0), scale: float = 1, turn: float = 0, ink: Ink | None = None
    ) -> None:
        """Puts another figure into this one: scaled, turned about its origin by radians, then moved."""
        rotation = np.array([[cos(turn), sin(turn)], [-sin(turn), cos(turn)]]) * scale
        for own, path in other.shapes:
            self.shapes.append((ink or own, path @ rotation + np.asarray(at)))

    def mirrored(self) -> "Figure":
        """The same figure, looking left."""
        return Figure([(ink, path * (-1, 1)) for ink, path in self.shapes])

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        points = np.concatenate([path for _, path in self.shapes])
        (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
        return float(left), float(bottom), float(right), float(top)

    def masks(
        self, unit: float, *, bounds: tuple[float, float, float, float] | None = None, fine: bool = True
    ) -> Masks:
        """Draws the figure with `unit` pixels to its unit, smoothly, in the smallest box or in the given bounds."""
        left, bottom, right, top = bounds or self.bounds()
        x0, y0 = int(np.floor(left * unit)) - 2, int(np.floor(-top * unit)) - 2
        size = (int(np.ceil(right * unit)) + 2 - x0, int(np.ceil(-bottom * unit)) + 2 - y0)
        sharp = _SUPERSAMPLE if fine else 2
        used = {ink for ink, _ in self.shapes} - {"cut"}
        big = {ink: Image.new("L", (size[0] * sharp, size[1] * sharp)) for ink in used}
        pens = {ink: ImageDraw.Draw(image) for ink, image in big.items()}
        for ink, path in self.shapes:
            dots = ((path * (unit, -unit) - (x0, y0)) * sharp).ravel().tolist()
            _paint(pens, ink, dots)
        soft = {ink: image.reduce(sharp) for ink, image in big.items()}
        body, far, light = (soft.get(ink) or Image.new("L", size) for ink in ("body", "far", "light"))
        return Masks(body, far, light, (-x0, -y0))


def _paint(pens: dict[Ink, ImageDraw.ImageDraw], ink: Ink, dots: list[float]) -> None:
    if ink == "cut":
        for pen in pens.values():
            pen.polygon(dots, fill=0)
        return
    pens[ink].polygon(dots, fill=255)
    if ink == "body" and "light" in pens:
        pens["light"].polygon(dots, fill=0)


@cache
def _circle(sides: int) -> Path:
    turn = np.linspace(0, 2 * pi, sides, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


@cache
def _weights(smooth: int) -> NDArray[np.float64]:
    """What four knots in a row give to each step between the middle two."""
    t = np.linspace(0, 1, smooth, endpoint=False)
    return 0.5 * np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1)


def spline(points: Sequence[Sequence[float]], smooth: int = 8, *, closed: bool = False) -> Path:
    """A Catmull-Rom curve through points of any dimension, `smooth` steps between two of them."""
    knots = np.asarray(points, np.float64)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    windows = np.stack([knots[:-3], knots[1:-2], knots[2:-1], knots[3:]], axis=1)
    path: Path = (_weights(smooth) @ windows).reshape(-1, knots.shape[1])
    return path if closed else np.concatenate([path, knots[-2:-1]])


def _brushed(path: Path) -> Path:
    """The outline of a stroke: its left edge out, its right edge back."""
    step = np.empty((len(path), 2))
    step[1:-1] = path[2:, :2] - path[:-2, :2]
    step[0], step[-1] = path[1, :2] - path[0, :2], path[-1, :2] - path[-2, :2]
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    normal = np.stack([-step[:, 1], step[:, 0]], axis=1) / length[:, None] * np.maximum(path[:, 2:3], 0)
    return np.concatenate([path[:, :2] + normal, (path[:, :2] - normal)[::-1]])


def bent(start: Point, end: Point, upper: float, lower: float, side: float) -> Point:
    """Where the knee of a two-bone limb is, given both ends; `side` +1 bends it forward, -1 backward."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    reach = min(max(sqrt(dx * dx + dy * dy), 1e-6), (upper + lower) * 0.999)
    along = (upper**2 - lower**2 + reach**2) / (2 * reach)
    out = sqrt(max(0.0, upper**2 - along**2))
    ux, uy = dx / reach, dy / reach
    return start[0] + ux * along - uy * out * side, start[1] + uy * along + ux * out * side


def wave(phase: float, shift: float = 0.0) -> float:
    """The sine of a phase counted in turns."""
    return sin(2 * pi * (phase + shift))


def joined(figures: Iterable[Figure]) -> Figure:
    """Several figures as one."""
    whole = Figure()
    for figure in figures:
        whole.shapes.extend(figure.shapes)
    return whole
