"""Things that stand still: lighthouses, castles, houses, trees, flowers, and small lights."""

from math import cos, pi, sin

from .dice import dice
from .shapes import Figure, wave

# A curve is read as a row of points.
# fmt: off


def lighthouse(phase: float) -> Figure:
    figure = Figure()
    figure.blob([(-0.95, -0.12), (-0.8, 0.08), (-0.52, 0.16), (-0.38, 0.26), (0.2, 0.3), (0.42, 0.2),
        (0.62, 0.14), (0.9, -0.12)], smooth=4)
    figure.outline([(-0.17, 0.24), (-0.105, 1.5), (0.105, 1.5), (0.17, 0.24)])
    for low, high in ((0.52, 0.76), (1.0, 1.22)):
        wide_low, wide_high = 0.17 - 0.05 * (low - 0.24), 0.17 - 0.05 * (high - 0.24)
        band = [(-wide_low, low), (-wide_high, high), (wide_high, high), (wide_low, low)]
        figure.outline(band, "cut")
        figure.outline(band, "far")
    figure.box(-0.165, 1.5, 0.165, 1.54)
    for x in (-0.15, -0.05, 0.05, 0.15):
        figure.box(x - 0.006, 1.54, x + 0.006, 1.6)
    figure.box(-0.16, 1.595, 0.16, 1.61)
    figure.box(-0.085, 1.54, 0.085, 1.76)
    figure.box(-0.07, 1.57, 0.07, 1.75, "light")
    figure.blob([(-0.12, 1.75), (-0.07, 1.83), (0.0, 1.88), (0.07, 1.83), (0.12, 1.75)], smooth=4)
    figure.stroke([(0.0, 1.86, 0.008), (0.0, 1.98, 0.005)])
    figure.box(0.22, 0.25, 0.52, 0.46)
    figure.outline([(0.18, 0.45), (0.37, 0.6), (0.56, 0.45)])
    figure.box(0.33, 0.33, 0.4, 0.4, "light")
    figure.box(-0.02, 0.85, 0.03, 0.92, "light")
    return figure


LAMP = (0.0, 1.66)  # of the lighthouse, where its beams begin


def castle(phase: float) -> Figure:
    """On its rock, with lit windows."""
    figure = Figure()
    figure.blob([(-1.5, -0.3), (-1.2, 0.08), (-0.98, 0.2), (-0.8, 0.42), (-0.45, 0.52), (0.4, 0.55),
        (0.66, 0.44), (0.82, 0.22), (1.1, 0.1), (1.5, -0.3)], smooth=3)
    towers = ((-0.72, 0.34, 0.13, 0.85, 0.4), (-0.36, 0.45, 0.17, 1.25, 0.52), (0.02, 0.48, 0.12, 1.58, 0.55),
        (0.34, 0.45, 0.18, 1.1, 0.42), (0.68, 0.35, 0.12, 0.95, 0.46), (-0.18, 0.45, 0.08, 1.42, 0.34))
    for x, low, wide, top, roof in towers:
        figure.outline([(x - wide, low - 0.2), (x - wide * 0.9, top), (x + wide * 0.9, top), (x + wide, low - 0.2)])
        figure.box(x - wide * 1.12, top - 0.05, x + wide * 1.12, top + 0.03)
        figure.outline([(x - wide * 1.15, top + 0.02), (x, top + roof), (x + wide * 1.15, top + 0.02)])
        figure.stroke([(x, top + roof - 0.02, 0.008), (x, top + roof + 0.1, 0.004)])
        figure.outline([(x, top + roof + 0.1), (x - 0.1, top + roof + 0.07 + 0.012 * wave(phase, x)),
            (x, top + roof + 0.045)])
        for row in range(2):
            y = top - 0.16 - row * 0.24
            figure.blob([(x - 0.022, y), (x - 0.022, y + 0.06), (x, y + 0.08), (x + 0.022, y + 0.06),
                (x + 0.022, y)], "light", smooth=3)
    figure.box(-0.72, 0.3, 0.68, 0.74)
    for i in range(12):
        x = -0.7 + i * 0.118
        figure.box(x, 0.72, x + 0.062, 0.8)
    figure.blob([(-0.07, 0.48), (-0.07, 0.6), (0.0, 0.67), (0.07, 0.6), (0.07, 0.48)], "light", smooth=4)
    return figure


def eiffel_tower(phase: float) -> Figure:
    figure = Figure()
    edge = ((0.34, 0.0), (0.24, 0.2), (0.165, 0.36), (0.1, 0.6), (0.055, 0.9), (0.028, 1.2), (0.012, 1.42))
    figure.outline([*((-x, y) for x, y in edge), (0.0, 1.52), *((x, y) for x, y in reversed(edge))])
    figure.blob([(-0.2, -0.02), (-0.14, 0.16), (0.0, 0.22), (0.14, 0.16), (0.2, -0.02)], "cut", smooth=6)
    for low, high, wide in ((0.3, 0.36, 0.085), (0.42, 0.62, 0.05), (0.66, 0.8, 0.028)):
        figure.outline([(-wide, low), (-wide * 0.5, high), (wide * 0.5, high), (wide, low)], "cut")
    for y, wide in ((0.235, 0.26), (0.375, 0.185), (0.63, 0.1), (1.2, 0.045)):
        figure.box(-wide, y, wide, y + 0.022)
    figure.disc(0.0, 1.44, 0.012, ink="light")
    return figure


def cabin(phase: float) -> Figure:
    figure = Figure()
    figure.box(-0.55, 0.0, 0.55, 0.52)
    figure.outline([(-0.7, 0.46), (0.0, 1.0), (0.7, 0.46), (0.62, 0.42), (0.0, 0.9), (-0.62, 0.42)])
    figure.outline([(-0.6, 0.48), (0.0, 0.96), (0.6, 0.48)])
    figure.box(0.26, 0.66, 0.4, 1.02)
    for left, right in ((-0.4, -0.2), (0.2, 0.4)):
        figure.box(left, 0.2, right, 0.4, "light")
        middle = (left + right) / 2
        figure.box(middle - 0.01, 0.2, middle + 0.01, 0.4)
        figure.box(left, 0.29, right, 0.31)
    figure.box(-0.08, 0.0, 0.1, 0.34, "far")
    figure.blob([(-0.07, 0.62), (0.0, 0.7), (0.07, 0.62), (0.0, 0.56)], "light", smooth=4)
    return figure


def windmill(phase: float) -> Figure:
    figure = Figure()
    figure.outline([(-0.3, 0.0), (-0.17, 1.0), (0.17, 1.0), (0.3, 0.0)])
    figure.blob([(-0.22, 0.98), (-0.16, 1.15), (0.0, 1.24), (0.16, 1.15), (0.22, 0.98)], smooth=4)
    figure.box(-0.06, 0.0, 0.06, 0.2, "cut")
    figure.box(-0.05, 0.55, 0.05, 0.66, "light")
    figure.box(-0.36, 0.34, 0.36, 0.37)
    for i in range(4):
        sail = Figure()
        sail.stroke([(0.0, 0.0, 0.018), (0.0, 0.95, 0.012)])
        for k in range(9):
            sail.box(-0.005, 0.2 + k * 0.085, 0.19, 0.214 + k * 0.085)
        for x in (0.06, 0.125, 0.18):
            sail.box(x, 0.2, x + 0.01, 0.895)
        figure.add(sail, (0.02, 1.08), 0.95, 2 * pi * (i / 4 + 0.08 - phase / 4))
    figure.disc(0.02, 1.08, 0.05)
    return figure


def tent(phase: float) -> Figure:
    """A lit tent and somebody sitting by a small fire."""
    figure = Figure()
    figure.outline([(-0.75, 0.0), (-0.12, 0.66), (0.02, 0.66), (0.5, 0.0)])
    figure.outline([(-0.5, 0.02), (-0.06, 0.58), (0.3, 0.02)], "light")
    figure.outline([(-0.09, 0.56), (-0.13, 0.02), (0.0, 0.02)])
    figure.stroke([(-0.05, 0.66, 0.008), (-0.05, 0.72, 0.005)])
    flick = 0.03 * wave(3 * phase)
    figure.blob([(0.98, 0.03), (0.96, 0.14), (1.03, 0.28 + flick), (1.09, 0.14), (1.08, 0.03)], "light", smooth=5)
    figure.stroke([(0.92, 0.03, 0.022), (1.15, 0.02, 0.022)])
    figure.stroke([(0.72, 0.1, 0.08), (0.7, 0.26, 0.075), (0.73, 0.36, 0.04)])
    figure.disc(0.755, 0.44, 0.062, 0.07)
    figure.stroke([(0.72, 0.1, 0.06), (0.86, 0.2, 0.045), (0.9, 0.04, 0.03)])
    figure.stroke([(0.72, 0.3, 0.035), (0.82, 0.2, 0.028), (0.9, 0.2, 0.02)])
    return figure


def flower(phase: float) -> Figure:
    """A poppy, close, with two smaller ones behind."""
    figure = Figure()
    for x, tall, size, lean, ink in ((-0.5, 0.9, 0.7, -0.1, "far"), (0.42, 0.74, 0.6, 0.12, "far"),
        (0.0, 1.3, 1.0, 0.05, "body")):
        sway = 0.03 * wave(phase, x)
        head = (x + lean + sway, tall)
        one = Figure()
        one.stroke([(x, 0.0, 0.02), (x + 0.02, tall * 0.5, 0.016), (*head, 0.018)])
        for side in (-1, 1):
            one.blob([(x, tall * 0.15), (x + 0.2 * side, tall * 0.3), (x + 0.34 * side, tall * 0.52),
                (x + 0.14 * side, tall * 0.36)], smooth=5)
        for turn in (-0.9, -0.35, 0.35, 0.9):
            petal = Figure()
            petal.blob([(0.0, 0.0), (-0.13, 0.12), (-0.15, 0.3), (0.0, 0.36), (0.15, 0.3), (0.13, 0.12)])
            one.add(petal, head, size, turn)
        one.blob([(head[0] - 0.2 * size, head[1] + 0.2 * size), (head[0], head[1] + 0.27 * size),
            (head[0] + 0.2 * size, head[1] + 0.2 * size), (head[0], head[1] + 0.08 * size)], "light", smooth=4)
        figure.add(one, ink="far" if ink == "far" else None)
    return figure


def tree(phase: float) -> Figure:
    """An old broad tree, grown from dice."""
    figure = Figure()
    rng = dice("tree")
    sway = 0.012 * wave(phase)
    figure.blob([(-0.26, -0.02), (-0.09, 0.12), (-0.075, 0.4), (-0.1, 0.62), (0.1, 0.62), (0.07, 0.4),
        (0.1, 0.12), (0.3, -0.02)], smooth=5)
    for i in range(9):
        turn = -1.25 + 2.5 * i / 8 + rng.uniform(-0.1, 0.1)
        reach = 0.62 + 0.2 * cos(turn * 1.2) + rng.uniform(-0.08, 0.08)
        tip = (reach * 1.15 * sin(turn) + sway, 0.55 + reach * cos(turn) * 0.95)
        figure.stroke([(0.0, 0.5, 0.055), (tip[0] * 0.4, 0.5 + (tip[1] - 0.5) * 0.5, 0.032), (*tip, 0.01)])
        for _ in range(5):
            x, y = tip[0] + rng.uniform(-0.22, 0.22), tip[1] + rng.uniform(-0.14, 0.14)
            _leaves(figure, x * 0.96 + sway, y, rng.uniform(0.09, 0.17), rng.random())
    for _ in range(15):
        turn, reach = rng.uniform(-1.1, 1.1), rng.uniform(0.3, 0.75)
        _leaves(figure, reach * 1.2 * sin(turn) + sway, 0.72 + reach * cos(turn) * 0.75, rng.uniform(0.1, 0.19),
            rng.random())
    return figure


def _leaves(figure: Figure, x: float, y: float, size: float, turn: float) -> None:
    """A clump with a leafy, uneven edge."""
    points = []
    for i in range(15):
        angle = 2 * pi * (i / 15 + turn)
        reach = size * (1.0 + 0.24 * sin(i * 2.6 + turn * 9) + 0.1 * sin(i * 5.1))
        points.append((x + reach * cos(angle) * 1.2, y + reach * sin(angle) * 0.8))
    figure.blob(points, smooth=3)


def lanterns(phase: float) -> Figure:
    """Paper lanterns rising, each on its own breath."""
    figure = Figure()
    rng = dice("lanterns")
    for i in range(13):
        near = (13 - i) / 13
        x, y = rng.uniform(-1.25, 1.25), 0.15 + rng.uniform(0.0, 1.5)
        size = 0.05 + 0.12 * near * rng.uniform(0.6, 1.0)
        y += 0.05 * wave(phase, i * 0.23)
        figure.blob([(x - size * 0.62, y), (x - size * 0.8, y + size), (x - size * 0.5, y + size * 1.6),
            (x, y + size * 1.75), (x + size * 0.5, y + size * 1.6), (x + size * 0.8, y + size),
            (x + size * 0.62, y)], "light")
        figure.blob([(x - size * 0.62, y), (x + size * 0.62, y), (x + size * 0.56, y - size * 0.16),
            (x - size * 0.56, y - size * 0.16)], smooth=3)
    return figure


def planet(phase: float) -> Figure:
    """A ringed planet, lit from one side."""
    figure = Figure()
    figure.disc(0.0, 0.0, 0.62, sides=90)
    figure.disc(0.0, 0.0, 1.2, 0.26, ink="far", sides=90, tilt=0.3)
    figure.disc(0.0, 0.0, 0.96, 0.2, ink="cut", sides=90, tilt=0.3)
    figure.disc(0.0, 0.06, 0.62, ink="body", sides=90)
    return figure
