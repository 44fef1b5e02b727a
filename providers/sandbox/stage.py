"""The stage on which a picture is built, layer by layer from the back, and what a camera needs to move through it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import numpy as np

from .paint import Bytes, Floats, dithered, over
from .palette import Palette
from .shapes import Figure
from .words import Scene

Motion = Literal["still", "walk", "fly", "float", "bob", "swim", "rise", "ride"]


@dataclass(slots=True)
class Layer:
    """A strip of picture, wider than the frame. Its left edge lies `pad` pixels left of the frame's."""

    rgb: Bytes
    alpha: Bytes | None  # none where it is opaque
    solid: Floats | None  # its color, where it has only one
    top: int
    depth: float  # how far it moves with the camera: 0 at infinity, 1 close
    drift: float = 0.0  # of its own, in frame widths per ten seconds
    pulse: float = 0.0  # how much of it comes and goes, 0 to 1
    beat: float = 0.0  # where in its coming and going it begins, in turns
    flash: bool = False  # seen only in a flash of lightning
    far_depth: float | None = None  # a plane on the ground: the depth of its first row, `depth` being that of its last
    ripple: float = 0.0  # of a plane, in pixels at its last row


@dataclass(slots=True)
class Actor:
    """A figure that moves on its own."""

    draw: Callable[[float], Figure]
    x: float  # of its origin at rest, in pixels of the frame
    y: float
    unit: float  # pixels
    depth: float
    motion: Motion
    period: float  # seconds for one turn of its phase
    rest: float = 0.0  # phase in the still
    left: bool = False  # looks left
    travel: float = 0.0  # on its own, in frame widths over the whole film
    paint: "Paint" = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Paint:
    """How a silhouette meets the light."""

    body: Floats
    far: Floats
    lamp: Floats
    rim: Floats
    rim_strength: float
    light_x: float  # -1 from the left, 1 from the right
    light_y: float  # 1 from above
    reflection: float = 0.0
    halo: float = 0.8


@dataclass(frozen=True, slots=True)
class Fall:
    """Something that falls, rises or floats through the whole frame: a tile that scrolls and joins at its edges."""

    mask: Bytes
    color: Floats
    across: float  # frame widths per second
    down: float  # frame heights per second


@dataclass(frozen=True, slots=True)
class Beam:
    """A lighthouse's light, turning."""

    x: float
    y: float
    reach: float
    depth: float


Element = Layer | Actor | Fall | Beam


@dataclass(slots=True)
class Stage:
    """Everything in one picture. `picture` is all layers so far at rest, with the camera's margins."""

    width: int
    height: int
    scene: Scene
    palette: Palette
    rng: Random
    horizon: float = 0.0
    light: tuple[float, float] = (0.0, 0.0)
    elements: list[Element] = field(default_factory=list)
    picture: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.picture = np.zeros((self.height, self.full, 3), np.float32)

    @property
    def pad(self) -> int:
        """How far layers reach beyond the frame on either side, in pixels; even, for the color planes."""
        return 2 * round(self.width * 0.062)

    @property
    def full(self) -> int:
        return self.width + 2 * self.pad

    @property
    def unit(self) -> float:
        """The measure of things in the frame: its short side, or a little more where the long side is near."""
        return min(self.height, self.width * 0.8)

    def add(
        self,
        color: Floats,
        alpha: Floats | None,
        *,
        top: int = 0,
        depth: float,
        hidden: bool = False,
        drift: float = 0.0,
        pulse: float = 0.0,
        beat: float = 0.0,
        flash: bool = False,
        far_depth: float | None = None,
        ripple: float = 0.0,
    ) -> None:
        """Lays a layer over the picture. A color may be one color, one for each row, or one for each pixel."""
        height = alpha.shape[0] if alpha is not None else color.shape[0]
        first, last = max(0, -top), min(height, self.height - top)
        if last <= first:
            return
        rgb = np.broadcast_to(color[:, None] if color.ndim == 2 else color, (height, self.full, 3))[first:last]
        top += first
        alpha = None if alpha is None else alpha[first:last]
        target = self.picture[top : top + rgb.shape[0]]
        if not hidden:
            target[:] = rgb if alpha is None else target + (rgb - target) * alpha[..., None]
        mask = None if alpha is None else (np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)
        solid = color[0, 0] if color.shape[:2] == (1, 1) else None
        self.elements.append(
            Layer(dithered(rgb, self.rng), mask, solid, top, depth, drift, pulse, beat, flash, far_depth, ripple)
        )

    def paste(self, color: Bytes, alpha: Bytes, x: int, y: int) -> None:
        """Puts a small drawing on the picture only; the camera gets it from an actor of its own."""
        height, width = alpha.shape
        left, top = max(0, x + self.pad), max(0, y)
        right, bottom = min(self.full, x + self.pad + width), min(self.height, y + height)
        if right > left and bottom > top:
            dx, dy = left - x - self.pad, top - y
            part = (slice(dy, dy + bottom - top), slice(dx, dx + right - left))
            over(self.picture[top:bottom, left:right], color[part].astype(np.float32), alpha[part] / np.float32(255))

    def frame(self) -> Floats:
        """The picture as the camera sees it at rest."""
        return self.picture[:, self.pad : self.pad + self.width]
