"""Colors and light for an hour, a weather and a place."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .words import Scene

Color = NDArray[np.floating[Any]]
Change = Callable[[Color], Color]


def rgb(*values: float) -> Color:
    """A color given as 0 to 255."""
    return np.array(values, np.float32)


def mix(one: Color, other: Color, share: float) -> Color:
    """`share` of the other color in the first."""
    return (one * np.float32(1 - share) + other * np.float32(share)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Palette:
    """What everything in one picture is painted with."""

    sky: tuple[Color, ...]  # from the zenith to the horizon
    haze: Color  # what distance fades to
    ink: Color  # what stands close to the camera
    sun: Color  # the disc and its halo, be it sun or moon
    rim: Color  # edges that face the light
    altitude: float  # of the light above the horizon, as a share of the sky
    glow: float = 1.0
    stars: float = 0.0
    moon: bool = False
    lamps: Color = field(default_factory=lambda: rgb(255, 196, 112))  # lit windows and lanterns


def _sky(*stops: tuple[int, int, int]) -> tuple[Color, ...]:
    return tuple(rgb(*stop) for stop in stops)


# fmt: off
_HOURS = {
    "dawn": Palette(_sky((36, 50, 92), (84, 92, 140), (170, 132, 156), (240, 170, 146), (255, 214, 172)),
        rgb(232, 172, 160), rgb(20, 24, 46), rgb(255, 238, 208), rgb(255, 204, 160), 0.11, 1.0, 0.12),
    "morning": Palette(_sky((84, 140, 182), (134, 178, 202), (186, 208, 208), (228, 224, 202), (252, 238, 208)),
        rgb(214, 222, 210), rgb(24, 48, 62), rgb(255, 250, 226), rgb(255, 246, 216), 0.42, 0.8),
    "day": Palette(_sky((30, 96, 166), (74, 142, 198), (134, 184, 216), (190, 216, 226), (224, 234, 230)),
        rgb(188, 212, 222), rgb(18, 46, 62), rgb(255, 252, 236), rgb(246, 250, 240), 0.72, 0.6),
    "golden": Palette(_sky((92, 100, 132), (160, 132, 128), (228, 160, 104), (253, 190, 104), (255, 222, 146)),
        rgb(250, 188, 118), rgb(46, 26, 28), rgb(255, 244, 206), rgb(255, 220, 140), 0.24, 1.25),
    "sunset": Palette(_sky((40, 30, 84), (104, 44, 106), (202, 66, 92), (250, 120, 72), (255, 188, 96)),
        rgb(228, 100, 92), rgb(24, 12, 36), rgb(255, 226, 150), rgb(255, 168, 96), 0.1, 1.2, 0.05),
    "dusk": Palette(_sky((10, 18, 50), (22, 40, 88), (54, 74, 128), (132, 106, 142), (242, 160, 116)),
        rgb(92, 92, 136), rgb(8, 12, 30), rgb(255, 206, 160), rgb(250, 184, 150), 0.02, 0.8, 0.4),
    "night": Palette(_sky((4, 8, 24), (8, 18, 46), (18, 36, 76), (36, 62, 104), (70, 102, 138)),
        rgb(52, 80, 116), rgb(4, 7, 18), rgb(240, 244, 250), rgb(176, 206, 244), 0.62, 0.7, 1.0, True),
    "aurora": Palette(_sky((3, 7, 24), (5, 16, 40), (8, 30, 54), (16, 54, 70), (44, 92, 96)),
        rgb(36, 80, 88), rgb(3, 8, 18), rgb(226, 250, 240), rgb(140, 250, 206), 0.7, 0.35, 1.0, True),
}
# fmt: on


def choose(scene: Scene, rng: Random) -> Palette:
    """The palette of a scene; dice turn its colors a little, so that two dawns differ."""
    palette = _HOURS[scene.time]
    palette = _of_place(palette, scene)
    palette = _of_weather(palette, scene)
    palette = _of_style(palette, scene)
    turn = rng.uniform(-0.07, 0.07)
    return _map(palette, lambda color: _warmer(color, turn))


def _of_place(palette: Palette, scene: Scene) -> Palette:
    if scene.place == "desert":
        return replace(
            palette, haze=mix(palette.haze, rgb(228, 148, 92), 0.5), ink=mix(palette.ink, rgb(96, 34, 16), 0.5)
        )
    if scene.place == "mars":
        butter = _sky((58, 26, 30), (122, 56, 44), (190, 100, 66), (228, 150, 98), (246, 196, 142))
        if palette.moon or scene.time == "dusk":
            butter = tuple(mix(one, other, 0.55) for one, other in zip(butter, palette.sky, strict=True))
        return replace(
            palette,
            sky=butter,
            haze=mix(rgb(214, 122, 84), butter[3], 0.4),
            ink=rgb(44, 14, 14),
            rim=rgb(255, 206, 160),
        )
    if scene.place in {"space", "moon"}:
        dark = _sky((3, 4, 14), (6, 7, 22), (12, 12, 34), (20, 20, 48), (30, 30, 62))
        return replace(
            _HOURS["night"], sky=dark, haze=rgb(86, 88, 104), stars=1.6, rim=rgb(236, 236, 246), altitude=0.72
        )
    if scene.place == "underwater":
        deep = _sky((150, 226, 220), (58, 168, 190), (16, 104, 146), (8, 58, 100), (4, 28, 62))
        if palette.moon or scene.time == "dusk":
            deep = _sky((92, 170, 190), (30, 104, 146), (10, 62, 108), (6, 34, 72), (3, 16, 42))
        return replace(
            palette,
            sky=deep,
            haze=mix(deep[2], deep[1], 0.4),
            ink=rgb(2, 16, 34),
            rim=rgb(170, 240, 232),
            sun=rgb(220, 255, 246),
            stars=0.0,
        )
    if scene.season == "autumn":
        return replace(
            palette, ink=mix(palette.ink, rgb(70, 24, 8), 0.45), haze=mix(palette.haze, rgb(224, 150, 90), 0.25)
        )
    return palette


def _of_weather(palette: Palette, scene: Scene) -> Palette:
    if scene.place in {"space", "moon", "underwater"}:
        return palette
    if scene.weather == "storm":
        stormy = _map(palette, lambda color: _grayer(color, 0.45) * 0.72 + rgb(2, 6, 12))
        return replace(stormy, stars=0.0, glow=palette.glow * 0.4, lamps=palette.lamps, rim=rgb(190, 206, 226))
    if scene.weather in {"rain", "clouds"}:
        return replace(
            _map(palette, lambda color: _grayer(color, 0.3) * 0.88),
            stars=0.0,
            glow=palette.glow * 0.5,
            lamps=palette.lamps,
        )
    if scene.weather == "fog":
        return replace(
            palette,
            haze=mix(palette.haze, palette.sky[-1], 0.55),
            ink=mix(palette.ink, palette.haze, 0.12),
            stars=palette.stars * 0.3,
        )
    if scene.weather == "snow":
        return replace(
            _map(palette, lambda color: _grayer(color, 0.22)), stars=palette.stars * 0.5, lamps=palette.lamps
        )
    return palette


def _of_style(palette: Palette, scene: Scene) -> Palette:
    if scene.style == "noir":
        return _map(palette, lambda color: _grayer(color, 0.96))
    if scene.style == "neon":
        violet = _sky((10, 4, 34), (30, 8, 70), (84, 16, 110), (196, 30, 128), (255, 104, 140))
        return replace(
            palette,
            sky=violet,
            haze=rgb(122, 40, 132),
            ink=rgb(8, 5, 24),
            rim=rgb(90, 230, 255),
            sun=rgb(255, 150, 170),
            stars=0.3,
            lamps=rgb(120, 236, 255),
        )
    if scene.style == "pastel":
        return _map(palette, lambda color: color * 0.72 + rgb(66, 62, 64))
    if scene.style == "vintage":
        return _map(palette, lambda color: _grayer(color, 0.45) * rgb(1.04, 0.97, 0.84) + rgb(14, 10, 4))
    return palette


def _map(palette: Palette, change: Change) -> Palette:
    def to(color: Color) -> Color:
        return np.clip(change(color), 0, 255).astype(np.float32)

    return replace(
        palette,
        sky=tuple(to(color) for color in palette.sky),
        haze=to(palette.haze),
        ink=to(palette.ink),
        sun=to(palette.sun),
        rim=to(palette.rim),
        lamps=to(palette.lamps),
    )


def _grayer(color: Color, share: float) -> Color:
    gray = float(color @ rgb(0.3, 0.59, 0.11))
    return mix(color, rgb(gray, gray, gray), share)


def _warmer(color: Color, turn: float) -> Color:
    return color * rgb(1 + turn, 1 + turn * 0.1, 1 - turn)
