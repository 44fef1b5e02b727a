"""Animals that fly, swim or never were: birds, whales, fish, dragons."""

import itertools
from math import cos, pi, sin

from .shapes import Figure, Knot, Point, wave

# A curve is read as a row of points.
# fmt: off


def gull(phase: float) -> Figure:
    """A bird in flight seen from the side and a little above, wings beating."""
    figure = Figure()
    beat = wave(phase)
    _wing(figure, (0.02, 0.02), beat, 0.9, far=True)
    figure.stroke([(-0.62, 0.05, 0.015), (-0.4, 0.02, 0.055), (-0.1, 0.0, 0.1), (0.2, 0.03, 0.09),
        (0.38, 0.09, 0.06), (0.5, 0.1, 0.045)])
    figure.outline([(0.5, 0.135), (0.66, 0.09), (0.5, 0.07)])
    figure.blob([(-0.4, 0.07), (-0.6, 0.07), (-0.84, 0.08), (-0.78, 0.0), (-0.4, -0.03)])
    _wing(figure, (-0.02, 0.03), beat, 1.0, far=False)
    return figure


def _wing(figure: Figure, root: Point, beat: float, scale: float, *, far: bool) -> None:
    side = 0.32 if far else -0.3
    lift = 0.2 + 0.5 * beat
    x, y = root
    tip = (x + side * 1.5 * scale, y + (lift * 1.15 + 0.14 * (1 if far else 0.4)) * scale)
    wrist = (x + side * 0.45 * scale + 0.12, y + (0.2 + lift * 0.65) * scale)
    path = [(x + 0.04, y, 0.17), ((x + wrist[0]) / 2, (y + wrist[1]) / 2, 0.14), (*wrist, 0.1), (*tip, 0.008)]
    figure.stroke(path, "far" if far else "body")


def eagle(phase: float) -> Figure:
    """Soaring, seen from below and in front: broad wings with spread fingers."""
    figure = Figure()
    lift = 0.1 + 0.07 * wave(phase)
    for side in (-1, 1):
        edge: list[Point] = [(0.0, 0.1), (0.35 * side, 0.2 + lift * 0.6), (0.75 * side, 0.17 + lift)]
        edge += [(1.1 * side, 0.08 + lift * 1.6), (0.8 * side, -0.05 + lift), (0.4 * side, -0.14 + lift * 0.5),
            (0.0, -0.14)]
        figure.blob(edge)
        for i in range(5):
            angle = 0.5 - i * 0.26
            root = ((0.84 - i * 0.05) * side, 0.1 + lift * 1.1 - i * 0.03)
            tip = (root[0] + 0.36 * cos(angle) * side, root[1] + 0.36 * sin(angle) * 0.8)
            figure.stroke([(*root, 0.05), ((root[0] + tip[0]) / 2, (root[1] + tip[1]) / 2 + 0.01, 0.036),
                (*tip, 0.008)])
    figure.blob([(-0.1, 0.05), (0.0, 0.2), (0.1, 0.05), (0.08, -0.2), (0.2, -0.45), (0.0, -0.5), (-0.2, -0.45),
        (-0.08, -0.2)])
    figure.disc(0.0, 0.19, 0.085)
    figure.outline([(-0.03, 0.24), (0.06, 0.3), (0.06, 0.2)])
    return figure


def butterfly(phase: float) -> Figure:
    figure = Figure()
    open_ = 0.62 + 0.38 * abs(wave(phase / 2))
    for side in (-1, 1):
        k = side * open_
        figure.blob([(0.02 * side, 0.12), (0.3 * k, 0.55), (0.72 * k, 0.66), (0.8 * k, 0.4), (0.55 * k, 0.1),
            (0.02 * side, 0.0)])
        figure.blob([(0.02 * side, 0.02), (0.5 * k, 0.02), (0.62 * k, -0.2), (0.42 * k, -0.48),
            (0.22 * k, -0.4), (0.03 * side, -0.1)])
        figure.blob([(0.3 * k, 0.4), (0.55 * k, 0.52), (0.62 * k, 0.38), (0.4 * k, 0.24)], "light")
        figure.blob([(0.22 * k, -0.1), (0.45 * k, -0.12), (0.4 * k, -0.32), (0.24 * k, -0.26)], "light")
        figure.stroke([(0.02 * side, 0.26, 0.012), (0.12 * side, 0.46, 0.009), (0.2 * side, 0.52, 0.014)])
    figure.stroke([(0.0, 0.28, 0.035), (0.0, 0.1, 0.045), (0.0, -0.15, 0.035), (0.0, -0.36, 0.012)])
    return figure


def whale(phase: float) -> Figure:
    """A humpback, swimming level; its tail moves up and down."""
    figure = Figure()
    spine = _spine(phase, length=2.5, swing=0.16)
    thick = (0.05, 0.17, 0.25, 0.285, 0.29, 0.26, 0.2, 0.13, 0.075, 0.045)
    figure.stroke([(x, y, r) for (x, y), r in zip(spine, thick, strict=True)])
    figure.blob([(1.42, 0.0), (1.36, -0.13), (1.1, -0.25), (0.7, -0.36), (0.3, -0.36), (0.2, -0.2), (0.6, 0.0),
        (1.1, 0.1)])
    figure.stroke([(1.3, -0.02, 0.008), (1.05, -0.09, 0.014), (0.8, -0.05, 0.008)], "cut")
    beat = 0.1 * wave(phase, 0.3)
    figure.blob([(0.62, -0.2), (0.5, -0.22), (0.2, -0.58 + beat), (-0.04, -0.8 + beat * 1.5),
        (0.02, -0.62 + beat), (0.32, -0.2)], "far")
    tail = spine[-1]
    tilt = 0.9 * (spine[-1][1] - spine[-2][1])
    figure.blob(
        [(tail[0] + 0.1, tail[1] + 0.03), (tail[0] - 0.1, tail[1] + 0.1 + tilt),
            (tail[0] - 0.34, tail[1] + 0.2 + tilt), (tail[0] - 0.46, tail[1] + 0.14 + tilt),
            (tail[0] - 0.24, tail[1] + 0.0 + tilt), (tail[0] - 0.4, tail[1] - 0.12 + tilt),
            (tail[0] - 0.28, tail[1] - 0.14 + tilt), (tail[0] - 0.06, tail[1] - 0.06)]
    )
    hump = spine[6]
    figure.blob([(hump[0] + 0.26, hump[1] + 0.16), (hump[0] + 0.02, hump[1] + 0.31),
        (hump[0] - 0.06, hump[1] + 0.28), (hump[0] - 0.14, hump[1] + 0.1)])
    return figure


def breaching_whale(phase: float) -> Figure:
    """A humpback rising out of the water, leaning back, one long fin out."""
    figure = Figure()
    lean = 0.03 * wave(phase)
    figure.blob([(-0.42, -0.25), (-0.36, 0.2), (-0.22, 0.65), (0.02, 1.06), (0.27 + lean, 1.36),
        (0.46 + lean, 1.5), (0.56 + lean, 1.46), (0.58 + lean, 1.22), (0.56, 0.86), (0.44, 0.46), (0.34, 0.1),
        (0.34, -0.25)])
    for i in range(5):
        x = 0.46 - i * 0.055
        figure.stroke([(x + 0.08, 1.02 - i * 0.05, 0.004), (x + 0.01, 0.6, 0.009), (x - 0.08, 0.16, 0.004)], "cut")
    figure.stroke([(0.5 + lean, 1.36, 0.005), (0.36, 1.12, 0.011), (0.18, 0.98, 0.005)], "cut")
    figure.blob([(-0.1, 0.62), (-0.34, 0.78), (-0.72, 1.06 + lean), (-1.02, 1.12 + 2 * lean),
        (-0.84, 0.9 + lean), (-0.5, 0.6), (-0.18, 0.4)])
    figure.blob([(0.5, 0.62), (0.66, 0.5), (0.86, 0.24 - lean), (0.9, 0.06), (0.72, 0.2), (0.44, 0.4)], "far")
    return figure


def _spine(phase: float, *, length: float, swing: float) -> list[Point]:
    count = 10
    points = []
    for i in range(count):
        t = i / (count - 1)
        points.append((length * (0.55 - t), 0.02 + swing * t * t * wave(phase, -0.45 * t)))
    return points


def dolphin(phase: float) -> Figure:
    """Leaping in an arc."""
    figure = Figure()
    knots: list[Knot] = []
    radii = (0.03, 0.045, 0.13, 0.175, 0.17, 0.13, 0.08, 0.04)
    for i, radius in enumerate(radii):
        angle = pi * (0.16 + 0.66 * i / (len(radii) - 1))
        knots.append((1.02 * cos(angle), 0.75 * sin(angle) + 0.02 * wave(phase, i * 0.08), radius))
    figure.stroke(knots)
    figure.blob([(0.16, 0.86), (-0.04, 1.14), (-0.14, 1.16), (-0.16, 0.84)])
    figure.blob([(0.36, 0.56), (0.3, 0.32), (0.16, 0.22), (0.18, 0.5)], "far")
    x, y, _ = knots[-1]
    figure.blob([(x + 0.05, y + 0.06), (x - 0.2, y + 0.04), (x - 0.3, y - 0.02), (x - 0.1, y - 0.05),
        (x - 0.08, y - 0.24), (x + 0.02, y - 0.14)])
    return figure


def fish(phase: float) -> Figure:
    figure = Figure()
    sway = 0.08 * wave(phase)
    figure.blob([(0.62, 0.0), (0.42, 0.17), (0.05, 0.26), (-0.3, 0.12), (-0.52, 0.03 + sway * 0.4),
        (-0.52, -0.03 + sway * 0.4), (-0.3, -0.12), (0.05, -0.22), (0.42, -0.14)])
    figure.blob([(-0.46, 0.02 + sway * 0.4), (-0.74, 0.2 + sway), (-0.86, 0.22 + sway), (-0.76, 0.0 + sway),
        (-0.86, -0.2 + sway), (-0.72, -0.18 + sway)])
    figure.blob([(0.22, 0.2), (0.02, 0.38), (-0.2, 0.34), (-0.22, 0.12)])
    figure.blob([(0.1, -0.18), (-0.08, -0.34), (-0.14, -0.16)])
    figure.disc(0.42, 0.05, 0.025, ink="cut")
    return figure


def shoal(phase: float) -> Figure:
    """Many fish that keep their distance."""
    figure = Figure()
    for i in range(17):
        angle, ring = i * 2.4, 0.28 + 0.24 * i**0.5
        at = (1.5 * ring * cos(angle), 0.8 * ring * sin(angle) + 0.03 * wave(phase, i * 0.21))
        figure.add(fish(phase + i * 0.17), at, 0.3 + 0.05 * (i % 3), 0.08 * cos(i), "far" if i % 3 == 1 else None)
    return figure


def jellyfish(phase: float) -> Figure:
    """A pulsing bell with a lit rim and long trailing arms."""
    figure = Figure()
    pulse = 0.06 * wave(phase)
    wide, tall = 0.5 - pulse, 0.5 + pulse
    for i in range(9):
        x = (i - 4) / 4 * wide * 0.84
        knots: list[Knot] = [(x, 0.05, 0.016)]
        for k in range(1, 6):
            drift = 0.05 * k * wave(phase, i * 0.13 - k * 0.16) * 0.6
            knots.append((x * (1 - 0.05 * k) + drift, 0.05 - 0.3 * k * (0.75 + 0.25 * cos(i * 2.1)),
                0.014 - 0.002 * k))
        figure.stroke(knots, "far")
    for i in (-1, 0, 1):
        figure.stroke([(i * 0.13, 0.1, 0.07), (i * 0.17 + 0.04 * wave(phase, 0.1 * i), -0.25, 0.055),
            (i * 0.1 + 0.08 * wave(phase, -0.2 + 0.1 * i), -0.6, 0.035),
            (i * 0.12 + 0.1 * wave(phase, -0.4), -0.9, 0.008)])
    figure.blob([(-wide, 0.05), (-wide * 0.93, tall * 0.5), (-wide * 0.5, tall * 0.95), (0, tall * 1.08),
        (wide * 0.5, tall * 0.95), (wide * 0.93, tall * 0.5), (wide, 0.05), (wide * 0.5, 0.0), (0, 0.04),
        (-wide * 0.5, 0.0)])
    figure.stroke([(-wide * 0.95, 0.06, 0.014), (-wide * 0.5, 0.02, 0.018), (0, 0.06, 0.016),
        (wide * 0.5, 0.02, 0.018), (wide * 0.95, 0.06, 0.014)], "light")
    for i in (-1, 0, 1):
        figure.stroke([(i * 0.2, tall * 0.8, 0.012), (i * 0.27, tall * 0.45, 0.022), (i * 0.3, 0.12, 0.01)], "light")
    return figure


def turtle(phase: float) -> Figure:
    figure = Figure()
    beat = 0.16 * wave(phase)
    figure.blob([(0.3, 0.05), (0.2, 0.3 + beat), (0.02, 0.66 + 1.6 * beat), (-0.1, 0.7 + 1.6 * beat),
        (0.0, 0.3), (0.05, 0.05)], "far")
    figure.blob([(-0.62, 0.04), (-0.5, 0.22), (-0.1, 0.36), (0.3, 0.3), (0.52, 0.1), (0.4, -0.08), (0.0, -0.16),
        (-0.42, -0.1)])
    figure.stroke([(0.46, 0.08, 0.09), (0.64, 0.14, 0.085), (0.78, 0.15, 0.1), (0.86, 0.12, 0.06)])
    figure.blob([(0.4, -0.02), (0.28, -0.3 - beat), (0.06, -0.66 - 1.6 * beat), (-0.08, -0.74 - 1.6 * beat),
        (0.0, -0.36 - beat), (0.1, -0.08)])
    figure.blob([(-0.5, 0.02), (-0.78, -0.1 - beat * 0.5), (-0.86, -0.22), (-0.6, -0.14), (-0.42, -0.06)])
    figure.disc(0.81, 0.17, 0.02, ink="cut")
    return figure


def dragon(phase: float) -> Figure:
    """In flight: long neck and tail, ribbed wings that beat."""
    figure = Figure()
    beat = wave(phase)
    _membrane(figure, (0.08, 0.1), beat, 0.86, 0.32, far=True)
    body: list[Knot] = [(1.2, 0.42, 0.05), (1.02, 0.44, 0.07), (0.82, 0.26, 0.075), (0.55, 0.05, 0.11),
        (0.2, 0.0, 0.185), (-0.15, 0.02, 0.175), (-0.5, 0.02, 0.11)]
    body += [(-0.5 - 0.24 * i, 0.02 + 0.16 * wave(phase, -0.14 * i) * i / 6 - 0.03 * i, 0.11 * (1 - i / 6.4))
             for i in range(1, 7)]
    figure.stroke(body)
    x, y, _ = body[-1]
    figure.outline([(x + 0.05, y + 0.02), (x - 0.1, y + 0.13), (x - 0.3, y - 0.01), (x - 0.1, y - 0.13),
        (x + 0.05, y - 0.02)])
    figure.blob([(1.06, 0.52), (1.22, 0.5), (1.42, 0.4), (1.52, 0.39), (1.5, 0.34), (1.3, 0.34), (1.16, 0.33),
        (1.02, 0.36)])
    figure.outline([(1.3, 0.35), (1.5, 0.29), (1.42, 0.26), (1.16, 0.34)])
    for back in (0.0, 0.09):
        figure.stroke([(1.1 - back, 0.5, 0.03), (0.94 - back, 0.6, 0.022), (0.8 - back, 0.62, 0.004)])
    for i in range(11):
        bx, by, br = body[min(2 + i * 10 // 11, len(body) - 2)]
        figure.outline([(bx + 0.06, by + br * 0.9), (bx - 0.05, by + br + 0.075), (bx - 0.07, by + br * 0.8)])
    for lx in (0.3, -0.3):
        figure.stroke([(lx, -0.08, 0.085), (lx - 0.14, -0.26, 0.045), (lx - 0.3, -0.3, 0.03),
            (lx - 0.42, -0.36, 0.01)])
    _membrane(figure, (0.18, 0.1), beat, 1.0, -0.1, far=False)
    return figure


def _membrane(figure: Figure, root: Point, beat: float, scale: float, lean: float, *, far: bool) -> None:
    x, y = root
    up = 0.55 + 0.5 * beat
    wrist = (x + (0.2 + lean * 0.5) * scale, y + (0.25 + up * 0.62) * scale)
    tips = [(wrist[0] + (dx + lean * 0.4) * scale, wrist[1] + (dy + (up - 0.5) * ky) * scale) for dx, dy,
        ky in ((-0.42, 0.52, 0.9), (-0.92, 0.2, 0.7), (-1.06, -0.22, 0.4), (-0.86, -0.52, 0.1))]
    edge: list[Point] = [(x + 0.12, y), wrist, tips[0]]
    for a, b in itertools.pairwise(tips):
        middle = ((a[0] + b[0]) / 2 * 0.8 + wrist[0] * 0.2, (a[1] + b[1]) / 2 * 0.8 + wrist[1] * 0.2)
        edge += [middle, b]
    edge += [(x - 0.5, y - 0.02), (x - 0.3, y - 0.08)]
    ink = "far" if far else "body"
    figure.outline(edge, "far" if far else "body")
    arm = [(x + 0.1, y, 0.06), ((x + wrist[0]) / 2 + 0.06, (y + wrist[1]) / 2, 0.04), (*wrist, 0.035)]
    figure.stroke(arm, "far" if ink == "far" else "body")
    for tip in tips[:3]:
        figure.stroke([(*wrist, 0.026), (*tip, 0.006)], "far" if far else "body")
    figure.outline([(wrist[0] - 0.02, wrist[1]), (wrist[0] + 0.1, wrist[1] + 0.12),
        (wrist[0] + 0.04, wrist[1] - 0.02)], "far" if far else "body")
