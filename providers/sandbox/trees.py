"""Palms on a small island."""

from math import cos, sin

from .shapes import Figure, wave

# A curve is read as a row of points.
# fmt: off


def palm_island(phase: float) -> Figure:
    """Two leaning palms on a low mound of sand."""
    figure = Figure()
    figure.blob([(-1.1, -0.02), (-0.7, 0.08), (-0.2, 0.15), (0.3, 0.12), (0.8, 0.05), (1.15, -0.02)])
    for x, lean, tall in ((-0.1, 0.35, 1.15), (0.16, -0.18, 0.9)):
        sway = 0.02 * wave(phase, x)
        top = (x + lean + sway, tall)
        figure.stroke([(x, 0.05, 0.045), (x + lean * 0.25, tall * 0.4, 0.03),
            (x + lean * 0.65, tall * 0.78, 0.026), (*top, 0.024)])
        for i in range(9):
            angle = -0.35 + i * 0.48
            _frond(figure, top, angle, 0.46 + 0.06 * cos(i * 2.0), sway)
        for dx in (-0.03, 0.03):
            figure.disc(top[0] + dx, top[1] - 0.035, 0.028)
    return figure


def _frond(figure: Figure, root: tuple[float, float], angle: float, reach: float, sway: float) -> None:
    x, y = root
    rib = []
    for i in range(7):
        t = i / 6
        rib.append((x + reach * t * cos(angle) + sway * t,
            y + reach * (t * sin(angle) * 0.6 + 0.22 * t - 0.66 * t * t)))
    figure.stroke([(px, py, 0.016 * (1 - i / 8)) for i, (px, py) in enumerate(rib)])
    for i in range(1, 7):
        px, py = rib[i]
        qx, qy = rib[i - 1]
        hang = 0.17 * (1 - abs(i - 3) / 6)
        figure.outline([(qx, qy), (px, py), (px + 0.02, py - hang), ((px + qx) / 2, (py + qy) / 2 - hang * 0.45)])
