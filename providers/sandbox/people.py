"""People and those built like them: one body that walks, dressed in different ways."""

from dataclasses import dataclass

from .shapes import Figure, Ink, Point, bent, wave

# A curve is read as a row of points.
# fmt: off


@dataclass(frozen=True, slots=True)
class Look:
    """A body one unit tall, and its clothes."""

    head: float = 0.068
    shoulder: float = 0.1
    hip: float = 0.075
    arm: float = 0.033
    leg: float = 0.052
    coat: float = 0.0  # how far a coat or dress reaches below the hip, as a share of the leg
    flare: float = 0.06
    stride: float = 0.17
    hood: bool = False


def biped(look: Look, phase: float) -> Figure:
    """Somebody in profile at a phase of the step, in turns."""
    figure = Figure()
    bob = 0.008 * wave(2 * phase, 0.25)
    hip, neck = (0.0, 0.5 + bob), (0.015, 0.82 + bob)
    _arm(figure, look, neck, phase, "far")
    _leg(figure, look, hip, phase, "far")
    _leg(figure, look, hip, phase + 0.5, "body")
    figure.stroke([(hip[0], hip[1] - 0.01, look.hip), (-0.005, 0.63 + bob, look.hip * 0.93),
        (0.005, 0.745 + bob, look.shoulder * 0.86), (neck[0] - 0.005, neck[1] - 0.035, look.shoulder * 0.5)])
    if look.coat:
        _coat(figure, look, hip, phase)
    figure.stroke([(*neck, 0.035), (neck[0] + 0.008, neck[1] + 0.05, 0.034)])
    figure.disc(neck[0] + 0.022, neck[1] + 0.04 + look.head, look.head * 0.92, look.head * 1.08)
    figure.stroke([(neck[0] + 0.05, neck[1] + 0.07, 0.02), (neck[0] + look.head + 0.022, neck[1] + 0.088, 0.009)])
    if look.hood:
        x, y = neck[0], neck[1]
        figure.blob([(x - 0.09, y - 0.06), (x - 0.08, y + 0.1), (x - 0.02, y + 0.19), (x + 0.07, y + 0.18),
            (x + 0.1, y + 0.1), (x + 0.06, y - 0.03)])
    _arm(figure, look, neck, phase + 0.5, "body")
    return figure


def _leg(figure: Figure, look: Look, hip: Point, phase: float, ink: Ink) -> None:
    phase %= 1.0
    if phase < 0.6:
        x, up = look.stride * (1 - 2 * phase / 0.6), 0.0
    else:
        swing = (phase - 0.6) / 0.4
        x, up = look.stride * (2 * swing * swing * (3 - 2 * swing) - 1), 0.06 * wave(swing / 2)
    heel = max(0.0, -x) * 0.25 if up == 0 else up
    ankle = (hip[0] + x, 0.045 + heel)
    knee = bent(hip, ankle, 0.25, 0.235, 1)
    figure.stroke([(*hip, look.leg * 1.35), (*knee, look.leg * 0.88), (*ankle, look.leg * 0.62)], ink)
    figure.stroke([(ankle[0] - 0.015, ankle[1] - 0.02, look.leg * 0.5),
        (ankle[0] + 0.065, max(0.016, ankle[1] - 0.03 - heel * 0.3), 0.02)], ink)


def _arm(figure: Figure, look: Look, neck: Point, phase: float, ink: Ink) -> None:
    swing = 0.1 * wave(phase, 0.25) * look.stride / 0.17
    top = (neck[0] - 0.005, neck[1] - 0.05)
    hand = (top[0] + swing * 1.3 + 0.025, top[1] - 0.3 + abs(swing) * 0.3)
    elbow = bent(top, hand, 0.165, 0.16, -1)
    figure.stroke([(*top, look.arm * 1.35), (*elbow, look.arm), (*hand, look.arm * 0.85)], ink)


def _coat(figure: Figure, look: Look, hip: Point, phase: float) -> None:
    hem = hip[1] - look.coat * 0.46
    sway = 0.02 * wave(phase, 0.1)
    wide = look.hip + look.flare
    figure.blob([(-0.05, 0.76), (0.07, 0.76), (0.075, 0.6), (wide, hem + 0.05), (wide + 0.005, hem),
        (0.0, hem - 0.012), (-wide - 0.02 - sway, hem), (-wide - 0.01 - sway, hem + 0.05), (-0.075, 0.58)])


def person(phase: float) -> Figure:
    """Somebody in a long coat."""
    figure = biped(Look(coat=0.55, flare=0.045), phase)
    figure.blob([(-0.09, 0.945), (0.0, 1.03), (0.09, 1.02), (0.12, 0.945)], smooth=5)
    figure.stroke([(-0.09, 0.95, 0.012), (0.04, 0.94, 0.014), (0.15, 0.945, 0.01)])
    return figure


def hiker(phase: float) -> Figure:
    """Somebody with a pack and a stick."""
    figure = biped(Look(), phase)
    figure.blob([(-0.06, 0.8), (-0.19, 0.8), (-0.22, 0.66), (-0.18, 0.53), (-0.06, 0.54)])
    tip = 0.2 + 0.1 * wave(phase, 0.25)
    figure.stroke([(0.12, 0.6, 0.012), (tip, 0.0, 0.009)])
    figure.stroke([(0.02, 0.75, 0.04), (0.08, 0.63, 0.033), (0.12, 0.6, 0.03)])
    return figure


def child(phase: float) -> Figure:
    figure = biped(Look(head=0.095, shoulder=0.095, hip=0.08, leg=0.055, coat=0.3, flare=0.05, stride=0.14), phase)
    figure.disc(0.02, 0.965, 0.1, 0.085)
    figure.stroke([(-0.04, 0.94, 0.05), (-0.14, 0.87 + 0.01 * wave(phase), 0.035), (-0.17, 0.8, 0.01)])
    return figure


def dancer(phase: float) -> Figure:
    """On one toe, arms high, the skirt turning."""
    figure = Figure()
    sway = 0.015 * wave(phase)
    figure.stroke([(0.0, 0.52, 0.05), (0.005, 0.28, 0.036), (0.0, 0.08, 0.024), (0.01, 0.0, 0.012)])
    figure.stroke([(0.0, 0.52, 0.05), (-0.2, 0.47, 0.038), (-0.4, 0.52 + sway, 0.024),
        (-0.54, 0.585 + 2 * sway, 0.01)])
    figure.blob([(-0.05, 0.58), (0.05, 0.58), (0.22 + sway, 0.5), (0.33, 0.46 - sway), (0.2, 0.44), (0.0, 0.43),
        (-0.22, 0.45), (-0.34, 0.48 + sway), (-0.2, 0.52)])
    figure.stroke([(0.0, 0.54, 0.05), (0.01, 0.66, 0.046), (0.03, 0.75, 0.055), (0.03, 0.81, 0.03),
        (0.045, 0.86, 0.025)])
    figure.disc(0.055, 0.92, 0.055, 0.06)
    figure.disc(0.01, 0.965, 0.03)
    figure.stroke([(0.0, 0.775, 0.028), (-0.1, 0.93 + sway, 0.022), (-0.05, 1.07 + sway, 0.017), (0.04, 1.13, 0.01)])
    figure.stroke([(0.07, 0.775, 0.028), (0.22, 0.86, 0.02), (0.37, 0.84 - sway, 0.014),
        (0.46, 0.88 - sway, 0.008)], "body")
    return figure


def couple(phase: float) -> Figure:
    """Two people hand in hand, seen from behind."""
    figure = Figure()
    for x, tall, dress in ((-0.17, 1.0, 0.0), (0.17, 0.92, 0.075)):
        one = Figure()
        lean = 0.012 * wave(phase, x)
        one.stroke([(-0.045, 0.5, 0.062), (-0.05, 0.26, 0.046), (-0.05 + lean, 0.02, 0.03)])
        one.stroke([(0.045, 0.5, 0.062), (0.05, 0.26, 0.046), (0.05 - lean, 0.02, 0.03)])
        one.blob([(-0.09, 0.5), (-0.075, 0.62), (-0.115, 0.78), (-0.05, 0.835), (0.05, 0.835), (0.115, 0.78),
            (0.075, 0.62), (0.09, 0.5), (0.095 + dress, 0.44 - dress * 2), (-0.095 - dress, 0.44 - dress * 2)])
        one.stroke([(0, 0.82, 0.034), (0, 0.88, 0.034)])
        one.disc(0, 0.925, 0.062, 0.072)
        if dress:
            one.blob([(-0.065, 0.95), (-0.075, 0.8), (-0.05, 0.7), (0.05, 0.7), (0.075, 0.8), (0.065, 0.95),
                (0, 1.0)])
        outer = -1 if x < 0 else 1
        one.stroke([(outer * 0.1, 0.77, 0.036), (outer * 0.15, 0.62, 0.03), (outer * 0.14, 0.48, 0.025)])
        one.stroke([(-outer * 0.1, 0.77, 0.036), (-outer * 0.13, 0.63, 0.03), (-outer * 0.18, 0.5 / tall, 0.024)])
        figure.add(one, (x, 0), tall)
    return figure


def astronaut(phase: float) -> Figure:
    figure = biped(Look(head=0.12, shoulder=0.13, hip=0.105, arm=0.055, leg=0.078, stride=0.13), phase)
    figure.blob([(-0.06, 0.88), (-0.2, 0.88), (-0.25, 0.8), (-0.25, 0.54), (-0.2, 0.48), (-0.06, 0.5)])
    figure.disc(0.035, 0.94, 0.145, 0.145)
    figure.blob([(0.05, 1.03), (0.14, 1.015), (0.172, 0.95), (0.155, 0.87), (0.08, 0.845), (0.04, 0.94)], "light")
    figure.stroke([(-0.18, 0.88, 0.01), (-0.18, 1.06, 0.006)])
    figure.disc(-0.18, 1.07, 0.016, ink="light")
    return figure


def knight(phase: float) -> Figure:
    """Armed and cloaked, a sword on the shoulder."""
    figure = biped(Look(coat=0.35, flare=0.03, shoulder=0.125, arm=0.042), phase)
    sway = 0.03 * wave(phase)
    figure.blob([(0.0, 0.82), (-0.12, 0.78), (-0.2, 0.5), (-0.3 - sway, 0.14), (-0.12, 0.1), (-0.04, 0.4)])
    figure.blob([(-0.06, 0.84), (-0.065, 0.97), (0.02, 1.03), (0.1, 0.98), (0.12, 0.9), (0.08, 0.84)])
    figure.stroke([(0.04, 0.93, 0.006), (0.13, 0.925, 0.008)], "cut")
    figure.stroke([(0.02, 1.02, 0.02), (-0.07, 1.1, 0.028), (-0.15, 1.06 + sway, 0.02), (-0.2, 0.98 + sway, 0.006)])
    figure.stroke([(0.16, 0.52, 0.012), (0.3, 0.02, 0.008)])
    figure.stroke([(0.1, 0.47, 0.011), (0.23, 0.52, 0.011)])
    return figure


def wanderer(phase: float) -> Figure:
    """A hooded figure holding up a lantern."""
    figure = biped(Look(coat=0.92, flare=0.09, hood=True, stride=0.12), phase)
    swing = 0.012 * wave(phase, 0.3)
    figure.stroke([(0.02, 0.76, 0.045), (0.14, 0.68, 0.036), (0.25, 0.74, 0.026)])
    figure.stroke([(0.25, 0.74, 0.006), (0.25 + swing, 0.67, 0.006)])
    figure.blob([(0.215 + swing, 0.66), (0.285 + swing, 0.66), (0.3 + swing, 0.6), (0.28 + swing, 0.545),
        (0.22 + swing, 0.545), (0.2 + swing, 0.6)], "light")
    return figure


def umbrella(phase: float) -> Figure:
    """Somebody walking under an umbrella."""
    figure = biped(Look(coat=0.6, flare=0.05), phase)
    figure.stroke([(0.02, 0.76, 0.042), (0.08, 0.64, 0.034), (0.1, 0.72, 0.028)])
    figure.stroke([(0.1, 0.68, 0.009), (0.07, 1.22, 0.008)])
    figure.blob([(-0.31, 1.02), (-0.25, 1.13), (-0.1, 1.21), (0.07, 1.235), (0.24, 1.2), (0.38, 1.11),
        (0.44, 1.0), (0.34, 1.035), (0.25, 1.005), (0.16, 1.04), (0.06, 1.01), (-0.04, 1.045), (-0.13, 1.015),
        (-0.22, 1.05)], smooth=6)
    return figure


def robot(phase: float) -> Figure:
    """Large, patient, rusting; one eye lit."""
    figure = Figure()
    for side, ink, shift in ((-0.1, "far", 0.0), (0.06, "body", 0.5)):
        x = 0.1 * wave(phase, shift)
        limb: Ink = "far" if ink == "far" else "body"
        figure.stroke([(side, 0.42, 0.05), (side + x * 0.6, 0.24, 0.05), (side + x, 0.05, 0.045)], limb)
        figure.outline([(side + x - 0.1, 0.0), (side + x - 0.07, 0.08), (side + x + 0.08, 0.08),
            (side + x + 0.14, 0.0)], limb)
        figure.disc(side + x * 0.6, 0.24, 0.065, ink=limb)
    swing = 0.06 * wave(phase, 0.5)
    figure.stroke([(-0.16, 0.72, 0.05), (-0.24 - swing, 0.52, 0.04), (-0.2 - swing * 2, 0.34, 0.045)], "far")
    figure.blob([(-0.24, 0.46), (-0.26, 0.62), (-0.24, 0.78), (-0.16, 0.84), (0.16, 0.84), (0.24, 0.78),
        (0.26, 0.62), (0.22, 0.46), (0.14, 0.4), (-0.14, 0.4)])
    figure.box(-0.05, 0.83, 0.05, 0.89)
    figure.blob([(-0.14, 0.88), (-0.15, 1.0), (-0.1, 1.08), (0.1, 1.08), (0.16, 1.0), (0.15, 0.88)])
    figure.disc(0.08, 0.985, 0.042, ink="light")
    figure.disc(0.1, 0.66, 0.03, ink="light")
    figure.stroke([(-0.06, 1.08, 0.01), (-0.1, 1.2, 0.007)])
    figure.disc(-0.1, 1.21, 0.02, ink="light")
    figure.stroke([(0.16, 0.74, 0.06), (0.24 + swing, 0.55, 0.045), (0.28 + swing * 2, 0.37, 0.05)])
    figure.stroke([(0.28 + swing * 2, 0.36, 0.03), (0.25 + swing * 2, 0.27, 0.018)])
    figure.stroke([(0.29 + swing * 2, 0.36, 0.03), (0.33 + swing * 2, 0.28, 0.018)])
    return figure
