"""Things that people travel in: ships, trains, cars, balloons, rockets."""

from math import cos, pi, sin

from .shapes import Figure, wave

# A curve is read as a row of points.
# fmt: off


def sailing_ship(phase: float) -> Figure:
    """Three masts under full sail, leaning a little."""
    ship = Figure()
    ship.blob([(-1.0, 0.3), (-0.98, 0.16), (-0.86, -0.06), (0.75, -0.06), (0.96, 0.12), (1.12, 0.28),
        (0.9, 0.2), (0.5, 0.16), (0.0, 0.14), (-0.5, 0.17), (-0.72, 0.3)], smooth=5)
    ship.stroke([(0.95, 0.22, 0.018), (1.5, 0.46, 0.007)])
    full = 0.02 * wave(phase)
    for x, tall in ((-0.62, 1.25), (-0.02, 1.6), (0.52, 1.4)):
        ship.stroke([(x, 0.1, 0.022), (x, tall, 0.008)])
        low = 0.32
        for share, wide in ((0.36, 0.27), (0.33, 0.23), (0.22, 0.17)):
            top = low + (tall - 0.36) * share
            belly = 0.08 + full
            ship.blob([(x - wide, low), (x - wide * 0.86, (low + top) / 2), (x - wide * 0.8, top - 0.02),
                (x + wide * 0.84, top - 0.02), (x + wide + belly, (low + top) / 2), (x + wide * 1.04, low),
                (x, low + 0.05)], "far", smooth=6)
            ship.stroke([(x - wide * 0.85, top, 0.009), (x + wide * 0.88, top, 0.009)])
            low = top + 0.025
        ship.blob([(x, tall), (x - 0.12, tall + 0.03 + full), (x - 0.22, tall - 0.01),
            (x - 0.1, tall - 0.04)], smooth=4)
    for a, b in (((0.52, 1.3), (1.46, 0.45)), ((0.52, 0.9), (1.2, 0.34))):
        ship.blob([a, ((a[0] + b[0]) / 2 + 0.06, (a[1] + b[1]) / 2 - 0.02), b,
            (a[0] + 0.2, b[1] + 0.08)], "far", smooth=6)
    for x, y in ((-0.62, 1.2), (-0.02, 1.55), (0.52, 1.35)):
        ship.stroke([(x, y, 0.004), (x - 0.42, 0.2, 0.004)])
    for x in (-0.9, -0.8):
        ship.box(x, 0.16, x + 0.05, 0.21, "light")
    whole = Figure()
    whole.add(ship, turn=0.025 * wave(phase))
    return whole


def rowing_boat(phase: float) -> Figure:
    """One person, one oar, no hurry."""
    boat = Figure()
    boat.blob([(-0.85, 0.26), (-0.7, 0.02), (-0.4, -0.06), (0.4, -0.06), (0.7, 0.02), (0.9, 0.3), (0.6, 0.15),
        (0.0, 0.1), (-0.6, 0.14)])
    pull = 0.07 * wave(phase)
    boat.stroke([(-0.1, 0.14, 0.09), (-0.11 - pull * 0.3, 0.32, 0.085), (-0.1 - pull, 0.5, 0.09),
        (-0.09 - pull, 0.58, 0.035)])
    boat.disc(-0.07 - pull, 0.68, 0.085, 0.095)
    boat.blob([(-0.2 - pull, 0.71), (-0.07 - pull, 0.82), (0.06 - pull, 0.71)], smooth=4)
    boat.stroke([(-0.08 - pull, 0.5, 0.045), (0.06 - pull, 0.36, 0.035), (0.16 - pull, 0.4, 0.03)])
    boat.stroke([(0.14 - pull, 0.43, 0.014), (0.3, 0.17, 0.014), (0.46 + pull, -0.08, 0.014)])
    boat.stroke([(-0.1, 0.12, 0.07), (0.12, 0.2, 0.06), (0.22, 0.1, 0.05)])
    whole = Figure()
    whole.add(boat, turn=0.02 * wave(phase, 0.2))
    return whole


def train(phase: float) -> Figure:
    """A steam engine with lit carriages, and its smoke."""
    figure = Figure()
    for puff in range(9):
        age = puff + phase % 1.0
        radius = (0.06 + 0.05 * age) * min(1.0, (9 - age) / 3.5)
        for dx, dy, share in ((0.0, 0.0, 1.0), (-0.8, 0.35, 0.75), (0.6, 0.3, 0.6)):
            figure.disc(1.2 - 0.3 * age + dx * radius,
                1.06 + 0.34 * age**0.62 + dy * radius + 0.03 * sin(puff * 2.4), radius * share, ink="far")
    figure.blob([(0.4, 0.2), (0.4, 0.62), (0.5, 0.68), (1.3, 0.68), (1.42, 0.62), (1.44, 0.3), (1.36, 0.2)], smooth=4)
    figure.box(0.05, 0.2, 0.52, 0.98)
    figure.blob([(-0.03, 0.95), (0.0, 1.03), (0.55, 1.03), (0.6, 0.95)], smooth=4)
    figure.box(0.18, 0.62, 0.4, 0.85, "light")
    figure.outline([(1.14, 0.66), (1.18, 0.92), (1.12, 1.02), (1.36, 1.02), (1.3, 0.92), (1.32, 0.66)])
    figure.disc(0.82, 0.68, 0.1, 0.13)
    figure.disc(1.46, 0.56, 0.055, ink="light")
    figure.outline([(1.36, 0.28), (1.72, 0.02), (1.36, 0.02)])
    for x, radius in ((0.22, 0.16), (0.6, 0.19), (1.0, 0.19), (1.33, 0.11)):
        figure.disc(x, radius, radius)
    figure.stroke([(0.6 + 0.08 * wave(phase, 0.25), 0.19 + 0.08 * wave(phase), 0.025),
        (1.0 + 0.08 * wave(phase, 0.25), 0.19 + 0.08 * wave(phase), 0.025)])
    for left in (-1.45, -3.0, -4.55, -6.1):
        figure.stroke([(left + 1.4, 0.24, 0.03), (left + 1.56, 0.24, 0.03)])
        figure.box(left, 0.18, left + 1.42, 0.86)
        figure.blob([(left - 0.03, 0.84), (left + 0.06, 0.97), (left + 1.36, 0.97), (left + 1.45, 0.84)], smooth=4)
        for window in range(6):
            x = left + 0.09 + window * 0.215
            figure.box(x, 0.52, x + 0.15, 0.75, "light")
        for x in (0.2, 0.42, 1.0, 1.22):
            figure.disc(left + x, 0.11, 0.11)
    return figure


def car(phase: float) -> Figure:
    figure = Figure()
    bounce = 0.006 * wave(2 * phase)
    figure.blob([(-1.05, 0.18), (-1.08, 0.42), (-0.98, 0.52), (-0.72, 0.55), (-0.5, 0.8), (-0.32, 0.86),
        (0.18, 0.86), (0.34, 0.8), (0.6, 0.56), (1.0, 0.48), (1.1, 0.36), (1.1, 0.18)], smooth=6)
    figure.blob([(-0.56, 0.57), (-0.42, 0.76), (-0.3, 0.8), (-0.12, 0.8), (-0.12, 0.57)], "cut", smooth=5)
    figure.blob([(-0.04, 0.57), (-0.04, 0.8), (0.16, 0.8), (0.27, 0.75), (0.45, 0.57)], "cut", smooth=5)
    figure.stroke([(0.02, 0.58, 0.08), (0.02, 0.64, 0.05)])
    figure.disc(0.03, 0.71, 0.06)
    for x in (-0.66, 0.66):
        figure.disc(x, 0.2 + bounce, 0.24, ink="cut")
        figure.disc(x, 0.2, 0.205)
    figure.disc(1.06, 0.4, 0.05, ink="light")
    figure.box(-1.09, 0.4, -1.03, 0.47, "light")
    return figure


def plane(phase: float) -> Figure:
    body = Figure()
    body.stroke([(-1.0, 0.1, 0.03), (-0.6, 0.03, 0.09), (0.0, 0.0, 0.13), (0.7, 0.0, 0.13), (0.98, -0.02, 0.08),
        (1.08, -0.03, 0.04)])
    body.outline([(-0.7, 0.06), (-1.08, 0.48), (-0.92, 0.48), (-0.45, 0.1)])
    body.outline([(-0.75, 0.08), (-1.12, 0.15), (-1.05, 0.06), (-0.7, 0.02)])
    body.outline([(0.3, 0.02), (-0.1, 0.36), (-0.22, 0.36), (-0.06, 0.02)], "far")
    body.outline([(0.34, -0.04), (-0.3, -0.46), (-0.48, -0.46), (-0.14, -0.04)])
    body.stroke([(0.02, -0.2, 0.06), (0.16, -0.2, 0.06)])
    for i in range(9):
        body.disc(-0.45 + i * 0.14, 0.05, 0.02, ink="light")
    whole = Figure()
    whole.add(body, turn=0.1 + 0.02 * wave(phase))
    return whole


def balloon(phase: float) -> Figure:
    """Hot air, a striped envelope, two people in the basket."""
    figure = Figure()
    figure.blob([(-0.12, 0.34), (-0.34, 0.6), (-0.52, 0.95), (-0.5, 1.28), (-0.3, 1.54), (0.0, 1.63),
        (0.3, 1.54), (0.5, 1.28), (0.52, 0.95), (0.34, 0.6), (0.12, 0.34)])
    for k in (-0.62, 0.0, 0.62):
        wide = 0.115
        figure.blob([(k * 0.13, 0.36), ((k - wide) * 0.52, 0.75), ((k - wide) * 0.545, 1.12),
            ((k - wide * 0.7) * 0.36, 1.5), (k * 0.12, 1.61), ((k + wide * 0.7) * 0.36, 1.5),
            ((k + wide) * 0.545, 1.12), ((k + wide) * 0.52, 0.75)], "far")
    _reorder_over(figure)
    for x in (-0.1, 0.1):
        figure.stroke([(x * 1.15, 0.36, 0.006), (x, 0.16, 0.006)])
    flame = 0.02 * wave(3 * phase)
    figure.blob([(-0.025, 0.27), (0.0, 0.37 + flame), (0.025, 0.27), (0.0, 0.25)], "light")
    figure.disc(-0.04, 0.2, 0.03)
    figure.disc(0.045, 0.19, 0.028)
    figure.blob([(-0.11, 0.17), (-0.09, 0.0), (0.09, 0.0), (0.11, 0.17)], smooth=3)
    return figure


def _reorder_over(figure: Figure) -> None:
    """Cuts the pale stripes out of the dark envelope, as the far ink lies under the near one."""
    stripes = [path for ink, path in figure.shapes if ink == "far"]
    envelope = [shape for shape in figure.shapes if shape[0] == "body"]
    figure.shapes = [*envelope, *(("cut", path) for path in stripes), *(("far", path) for path in stripes)]


def rocket(phase: float) -> Figure:
    """Climbing on its flame."""
    figure = Figure()
    flame = 0.08 * wave(3 * phase)
    figure.blob([(-0.13, 0.0), (-0.17, -0.2), (-0.07, -0.55 - flame), (0.0, -0.85 - flame * 1.5),
        (0.07, -0.55 - flame), (0.17, -0.2), (0.13, 0.0)], "light")
    figure.blob([(-0.16, 0.02), (-0.2, 0.4), (-0.19, 0.75), (-0.11, 1.08), (0.0, 1.3), (0.11, 1.08),
        (0.19, 0.75), (0.2, 0.4), (0.16, 0.02)])
    figure.blob([(-0.18, 0.42), (-0.4, 0.1), (-0.42, -0.16), (-0.3, -0.06), (-0.14, 0.04)], smooth=6)
    figure.blob([(0.18, 0.42), (0.4, 0.1), (0.42, -0.16), (0.3, -0.06), (0.14, 0.04)], smooth=6)
    figure.disc(0.0, 0.78, 0.1, ink="cut")
    figure.disc(0.0, 0.78, 0.075, ink="light")
    whole = Figure()
    whole.add(figure, turn=-0.3)
    return whole


def ufo(phase: float) -> Figure:
    """A saucer with a ring of lights."""
    figure = Figure()
    figure.blob([(-0.34, 0.1), (-0.28, 0.3), (0.0, 0.4), (0.28, 0.3), (0.34, 0.1)])
    figure.blob([(-0.95, 0.0), (-0.4, 0.16), (0.4, 0.16), (0.95, 0.0), (0.4, -0.14), (-0.4, -0.14)])
    for i in range(7):
        turn = pi * (i + 0.5 + 0.5 * wave(phase)) / 7
        figure.disc(-0.72 * cos(turn), 0.015 - 0.06 * sin(turn), 0.035, 0.026, ink="light")
    return figure


def cyclist(phase: float) -> Figure:
    """Somebody on a bicycle."""
    figure = Figure()
    for x in (-0.5, 0.5):
        figure.disc(x, 0.32, 0.32)
        figure.disc(x, 0.32, 0.285, ink="cut")
        for spoke in range(5):
            turn = 2 * pi * (spoke / 5 - phase)
            figure.stroke([(x, 0.32, 0.006), (x + 0.29 * cos(turn), 0.32 + 0.29 * sin(turn), 0.005)])
    for a, b in (((-0.5, 0.32), (-0.05, 0.3)), ((-0.05, 0.3), (-0.2, 0.78)), ((-0.17, 0.7), (0.38, 0.74)),
        ((0.38, 0.74), (-0.05, 0.3)), ((-0.5, 0.32), (-0.17, 0.7)), ((0.5, 0.32), (0.36, 0.86)), ((0.3, 0.87),
        (0.46, 0.9)), ((-0.3, 0.79), (-0.1, 0.79))):
        figure.stroke([(*a, 0.018), (*b, 0.018)])
    for shift in (0.5, 0.0):
        turn = 2 * pi * (shift - phase)
        pedal = (-0.05 + 0.13 * cos(turn), 0.3 + 0.13 * sin(turn))
        figure.stroke([(-0.2, 0.84, 0.075), (0.1 + 0.04 * cos(turn), 0.66 + 0.06 * sin(turn), 0.055),
            (pedal[0] - 0.02, pedal[1] + 0.05, 0.035)], "far" if shift else "body")
        figure.stroke([(pedal[0] - 0.04, pedal[1] + 0.01, 0.025),
            (pedal[0] + 0.08, pedal[1], 0.018)], "far" if shift else "body")
    rider = Figure()
    rider.stroke([(-0.2, 0.86, 0.09), (-0.1, 1.08, 0.095), (0.04, 1.24, 0.08)])
    rider.stroke([(0.04, 1.26, 0.05), (0.22, 1.06, 0.038), (0.4, 0.92, 0.03)])
    rider.stroke([(0.04, 1.26, 0.045), (0.09, 1.34, 0.04)])
    rider.disc(0.13, 1.42, 0.095, 0.105)
    figure.shapes.extend(rider.shapes)
    return figure
