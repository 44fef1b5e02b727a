"""Animals on four legs: one skeleton that walks, and what makes each kind look like itself."""

from collections.abc import Callable
from dataclasses import dataclass

from .shapes import Figure, Ink, Knot, Point, bent, wave

# A curve is read as a row of points.
# fmt: off


_SIDES: tuple[Ink, Ink] = ("far", "body")

Extra = Callable[[Figure, Point, float], None]


@dataclass(frozen=True, slots=True)
class Build:
    """The body of an animal whose back is one unit above the ground."""

    length: float = 0.95  # hip to shoulder
    chest: float = 0.21
    waist: float = 0.155
    rump: float = 0.18
    belly: float = 0.0  # how far the middle sags
    neck: Point = (0.26, 0.16)  # shoulder to head
    neck_thick: tuple[float, float] = (0.15, 0.1)
    head: float = 0.115
    snout: Point = (0.24, -0.08)
    snout_tip: float = 0.035
    thigh: float = 0.15
    leg: float = 0.042
    paw: float = 0.07
    stride: float = 0.26
    nod: float = 0.02


def quadruped(build: Build, phase: float, tail: Extra, head: Extra, *, gallop: bool = False) -> Figure:
    """The animal at a phase of its step, in turns."""
    figure = Figure()
    half = build.length / 2
    lift = 0.05 * wave(phase) if gallop else 0.012 * wave(2 * phase)
    pitch = 0.04 * wave(phase, 0.2) if gallop else 0.0
    hip, shoulder = (-half, 0.76 + lift - pitch), (half, 0.74 + lift + pitch)
    steps = (0.55, 0.68, 0.0, 0.12) if gallop else (0.0, 0.5, 0.25, 0.75)
    _hind(figure, build, hip, phase + steps[0], gallop=gallop, ink="far")
    _fore(figure, build, shoulder, phase + steps[2], gallop=gallop, ink="far")
    tail(figure, (hip[0] - build.rump * 0.75, hip[1] + 0.1), phase)
    mid = 0.79 + lift
    figure.stroke(
        [(hip[0] - 0.1, hip[1] + 0.0, build.rump * 0.7), (hip[0] + 0.02, hip[1] + 0.03, build.rump),
            (-half * 0.35, mid - build.belly, build.waist + build.belly * 0.6),
            (half * 0.35, mid - 0.02 - build.belly, (build.waist + build.chest) / 2 + build.belly * 0.5),
            (shoulder[0] + 0.01, shoulder[1] + 0.03, build.chest)]
    )
    _hind(figure, build, hip, phase + steps[1], gallop=gallop, ink="body")
    _fore(figure, build, shoulder, phase + steps[3], gallop=gallop, ink="body")
    _head(figure, build, shoulder, phase, head)
    return figure


def _head(figure: Figure, build: Build, shoulder: Point, phase: float, extra: Extra) -> None:
    nod = build.nod * wave(2 * phase, 0.1)
    x, y = shoulder[0] + build.neck[0], shoulder[1] + 0.12 + build.neck[1] + nod
    thick, thin = build.neck_thick
    figure.stroke([(shoulder[0] + 0.02, shoulder[1] + 0.09, thick), ((shoulder[0] + x) / 2 + 0.02,
        (shoulder[1] + 0.1 + y) / 2, (thick + thin) / 2), (x - 0.01, y, thin)])
    figure.disc(x, y, build.head)
    sx, sy = build.snout
    figure.stroke([(x + 0.02, y - 0.01, build.head * 0.86), (x + sx * 0.55, y + sy * 0.62, build.head * 0.52),
        (x + sx, y + sy, build.snout_tip)])
    extra(figure, (x, y), phase)


def _foot(phase: float, stride: float, gallop: bool) -> Point:
    """Where a foot is below its joint: on the ground moving back, then lifted and swung forward."""
    phase %= 1.0
    ground = 0.4 if gallop else 0.64
    if phase < ground:
        return stride * (1 - 2 * phase / ground), 0.0
    swing = (phase - ground) / (1 - ground)
    ease = swing * swing * (3 - 2 * swing)
    return stride * (2 * ease - 1), (0.17 if gallop else 0.075) * max(0.0, wave(swing / 2))


def _hind(figure: Figure, build: Build, hip: Point, phase: float, *, gallop: bool, ink: Ink) -> None:
    stride = build.stride * (1.7 if gallop else 1)
    dx, up = _foot(phase, stride, gallop)
    foot = (hip[0] + dx - 0.05, up + 0.035)
    hock = (foot[0] - 0.1 - 0.12 * min(1, up * 5), foot[1] + 0.23)
    knee = bent((hip[0], hip[1] - 0.04), hock, 0.28, 0.26, 1)
    _limb(figure, [(*hip, build.thigh), (*knee, build.leg * 2.1), (*hock, build.leg * 1.05),
        (*foot, build.leg * 0.9)], build.paw, ink)


def _fore(figure: Figure, build: Build, shoulder: Point, phase: float, *, gallop: bool, ink: Ink) -> None:
    stride = build.stride * (1.8 if gallop else 0.95)
    dx, up = _foot(phase, stride, gallop)
    foot = (shoulder[0] + dx + 0.02, up + 0.035)
    wrist = (foot[0] - 0.02 + 0.1 * min(1, up * 5), foot[1] + 0.17)
    top = (shoulder[0], shoulder[1] - 0.04)
    elbow = bent(top, wrist, 0.28, 0.27, -1)
    _limb(figure, [(*top, build.thigh * 0.8), (*elbow, build.leg * 1.7), (*wrist, build.leg),
        (*foot, build.leg * 0.85)], build.paw, ink)


def _limb(figure: Figure, knots: list[Knot], paw: float, ink: Ink) -> None:
    figure.stroke(knots, ink)
    x, y, radius = knots[-1]
    figure.stroke([(x, y - 0.002, radius), (x + paw, y - radius * 0.25, radius * 0.75)], ink)


def _ears(points: list[list[Point]]) -> Extra:
    """Pointed ears, given relative to the head."""

    def draw(figure: Figure, at: Point, phase: float) -> None:
        for ear in points:
            figure.blob([(at[0] + x, at[1] + y) for x, y in ear], smooth=5)

    return draw


def _tail(*knots: tuple[float, float, float], swing: float = 0.05) -> Extra:
    """A tail whose far end swings the most; knots are relative to the root."""

    def draw(figure: Figure, at: Point, phase: float) -> None:
        last = max(1, len(knots) - 1)
        figure.stroke([(at[0] + x, at[1] + y + swing * wave(phase, -i * 0.12) * i / last, r) for i,
            (x, y, r) in enumerate(knots)])

    return draw


def fox(phase: float) -> Figure:
    build = Build(length=0.98, chest=0.175, waist=0.13, rump=0.15, neck=(0.25, 0.08), neck_thick=(0.14, 0.11),
        head=0.125, snout=(0.31, -0.09), snout_tip=0.024, thigh=0.13, leg=0.034, paw=0.055)
    tail = _tail((0.06, 0.0, 0.05), (-0.14, -0.1, 0.075), (-0.4, -0.23, 0.135), (-0.66, -0.3, 0.125),
        (-0.86, -0.28, 0.055), (-0.94, -0.26, 0.012))
    ears = _ears([[(-0.11, 0.05), (-0.09, 0.17), (-0.075, 0.275), (0.0, 0.17), (0.045, 0.08)], [(0.0, 0.07),
        (0.035, 0.16), (0.075, 0.24), (0.095, 0.14), (0.1, 0.05)]])
    return quadruped(build, phase, tail, ears)


def wolf(phase: float) -> Figure:
    build = Build(length=1.0, chest=0.22, waist=0.15, neck=(0.3, 0.1), neck_thick=(0.2, 0.15), head=0.135,
        leg=0.042, snout=(0.31, -0.08), snout_tip=0.045)
    tail = _tail((0.05, 0.02, 0.06), (-0.12, -0.12, 0.08), (-0.24, -0.34, 0.085), (-0.32, -0.5, 0.03))
    ears = _ears([[(-0.1, 0.06), (-0.07, 0.23), (0.01, 0.12)], [(-0.01, 0.08), (0.04, 0.22), (0.08, 0.08)]])
    return quadruped(build, phase, tail, ears)


def dog(phase: float) -> Figure:
    build = Build(length=0.85, chest=0.21, waist=0.15, neck=(0.22, 0.27), neck_thick=(0.16, 0.11), head=0.14,
        snout=(0.28, -0.05), snout_tip=0.062, leg=0.045)
    tail = _tail((0.06, 0.0, 0.05), (-0.12, 0.1, 0.045), (-0.24, 0.27, 0.04), (-0.27, 0.42, 0.018), swing=0.1)
    ears = _ears([[(-0.1, 0.1), (-0.01, 0.1), (-0.01, -0.05), (-0.06, -0.2), (-0.13, -0.13)]])
    return quadruped(build, phase, tail, ears)


def cat(phase: float) -> Figure:
    build = Build(length=0.85, chest=0.165, waist=0.15, rump=0.17, neck=(0.22, 0.14), neck_thick=(0.13, 0.1),
        head=0.15, snout=(0.13, -0.045), snout_tip=0.055, thigh=0.14, leg=0.042, stride=0.2, paw=0.05)
    tail = _tail((0.06, 0.02, 0.05), (-0.16, 0.06, 0.045), (-0.34, 0.24, 0.042), (-0.38, 0.5, 0.04),
        (-0.28, 0.68, 0.03), swing=0.06)
    ears = _ears([[(-0.13, 0.08), (-0.115, 0.24), (-0.01, 0.14)], [(0.0, 0.13), (0.09, 0.235), (0.12, 0.08)]])
    return quadruped(build, phase, tail, ears)


def sitting_cat(phase: float) -> Figure:
    """A cat seen from behind its shoulder, looking out, its tail curling."""
    figure = Figure()
    sway = 0.04 * wave(phase)
    figure.stroke([(-0.24, 0.1, 0.06), (-0.42, 0.05, 0.05), (-0.6, 0.1, 0.045), (-0.66 + sway, 0.25, 0.042),
        (-0.56 + 1.5 * sway, 0.36 + sway, 0.03)])
    figure.blob([(-0.34, 0.0), (-0.37, 0.2), (-0.28, 0.44), (-0.14, 0.62), (0.0, 0.74), (0.17, 0.74),
        (0.22, 0.6), (0.21, 0.4), (0.23, 0.2), (0.25, 0.0)])
    figure.stroke([(0.15, 0.5, 0.1), (0.2, 0.25, 0.06), (0.21, 0.04, 0.05), (0.28, 0.03, 0.04)])
    figure.disc(0.11, 0.86, 0.175, 0.15)
    figure.stroke([(0.18, 0.83, 0.1), (0.27, 0.815, 0.05)])
    figure.blob([(-0.05, 0.9), (-0.06, 1.1), (0.08, 0.99)], smooth=5)
    figure.blob([(0.12, 1.0), (0.22, 1.09), (0.27, 0.9)], smooth=5)
    return figure


def horse(phase: float) -> Figure:
    build = Build(length=0.9, chest=0.19, waist=0.165, rump=0.185, neck=(0.4, 0.4), neck_thick=(0.19, 0.095),
        head=0.1, snout=(0.25, -0.2), snout_tip=0.062, thigh=0.16, leg=0.036, paw=0.035, stride=0.34, nod=0.04)
    tail = _tail((0.08, 0.06, 0.04), (-0.16, 0.08, 0.06), (-0.38, -0.04, 0.085), (-0.56, -0.2, 0.06),
        (-0.7, -0.26, 0.015), swing=0.12)

    def mane(figure: Figure, at: Point, phase: float) -> None:
        x, y = at
        figure.blob([(x - 0.05, y + 0.05), (x - 0.035, y + 0.17), (x + 0.03, y + 0.08)], smooth=5)
        for i in range(5):
            root = (x - 0.07 * i, y + 0.06 - 0.075 * i)
            sway = 0.05 * wave(phase, i * 0.17)
            figure.stroke([(*root, 0.06), (root[0] - 0.13, root[1] + 0.04 + sway / 2, 0.045),
                (root[0] - 0.26, root[1] - 0.01 + sway, 0.01)])

    return quadruped(build, phase, tail, mane, gallop=True)


def deer(phase: float) -> Figure:
    build = Build(length=0.9, chest=0.19, waist=0.15, neck=(0.24, 0.4), neck_thick=(0.14, 0.075), head=0.09,
        snout=(0.22, -0.1), snout_tip=0.04, thigh=0.15, leg=0.03, paw=0.03, stride=0.22)
    tail = _tail((0.06, 0.02, 0.05), (-0.06, -0.04, 0.04), (-0.1, -0.13, 0.02))

    def antlers(figure: Figure, at: Point, phase: float) -> None:
        x, y = at
        figure.stroke([(x - 0.05, y + 0.05, 0.035), (x - 0.14, y + 0.1, 0.035), (x - 0.19, y + 0.09, 0.008)])
        for lean, ink in zip((-0.1, 0.03), _SIDES, strict=True):
            beam = [(x, y + 0.07, 0.022), (x - 0.1 + lean, y + 0.26, 0.02), (x - 0.08 + lean, y + 0.46, 0.017),
                (x + 0.06 + lean, y + 0.62, 0.008)]
            figure.stroke(beam, ink)
            for bx, by, tx, ty in ((-0.06, 0.18, 0.16, 0.14), (-0.1, 0.32, 0.12, 0.16), (-0.08, 0.46, -0.1, 0.16)):
                figure.stroke([(x + bx + lean, y + by, 0.017),
                    (x + bx + lean + tx * 0.7, y + by + ty * 0.4, 0.014),
                    (x + bx + lean + tx, y + by + ty, 0.007)], ink)

    return quadruped(build, phase, tail, antlers)


def bear(phase: float) -> Figure:
    build = Build(length=0.85, chest=0.29, waist=0.27, rump=0.28, neck=(0.3, -0.02), neck_thick=(0.25, 0.17),
        head=0.17, snout=(0.27, -0.07), snout_tip=0.07, thigh=0.22, leg=0.085, paw=0.09, stride=0.2)
    tail = _tail((0.0, 0.0, 0.06), (-0.06, -0.04, 0.05))
    ears = _ears([[(-0.12, 0.1), (-0.11, 0.2), (-0.03, 0.21), (0.0, 0.13)], [(0.02, 0.13), (0.05, 0.21),
        (0.1, 0.17)]])
    return quadruped(build, phase, tail, ears)


def lion(phase: float) -> Figure:
    build = Build(length=1.0, chest=0.21, waist=0.16, neck=(0.27, 0.12), neck_thick=(0.25, 0.24), head=0.16,
        snout=(0.26, -0.07), snout_tip=0.075, thigh=0.17, leg=0.055, paw=0.08)
    tail = _tail((0.06, 0.02, 0.04), (-0.14, -0.06, 0.028), (-0.3, -0.32, 0.024), (-0.42, -0.46, 0.024),
        (-0.52, -0.42, 0.05), (-0.6, -0.37, 0.015))

    def mane(figure: Figure, at: Point, phase: float) -> None:
        x, y = at
        figure.disc(x - 0.1, y - 0.02, 0.27, 0.31)
        figure.blob([(x - 0.3, y - 0.1), (x - 0.2, y - 0.4), (x - 0.05, y - 0.42), (x + 0.1, y - 0.16)])

    return quadruped(build, phase, tail, mane)


def elephant(phase: float) -> Figure:
    build = Build(length=0.85, chest=0.31, waist=0.33, rump=0.3, neck=(0.3, 0.02), neck_thick=(0.26, 0.2),
        head=0.21, snout=(0.16, -0.1), snout_tip=0.1, thigh=0.18, leg=0.105, paw=0.03, stride=0.15)
    tail = _tail((0.0, 0.0, 0.03), (-0.08, -0.18, 0.018), (-0.1, -0.38, 0.025))

    def trunk(figure: Figure, at: Point, phase: float) -> None:
        x, y = at
        sway = 0.05 * wave(phase)
        figure.stroke([(x + 0.12, y - 0.06, 0.12), (x + 0.26, y - 0.28, 0.075),
            (x + 0.27 + sway / 2, y - 0.52, 0.055), (x + 0.3 + sway, y - 0.7, 0.045),
            (x + 0.4 + sway, y - 0.74, 0.03)])
        figure.stroke([(x + 0.17, y - 0.18, 0.03), (x + 0.34, y - 0.3, 0.024), (x + 0.46, y - 0.24, 0.006)])
        figure.blob([(x - 0.06, y + 0.16), (x - 0.3, y + 0.14), (x - 0.36, y - 0.12), (x - 0.2, y - 0.36),
            (x - 0.08, y - 0.18)])

    return quadruped(build, phase, tail, trunk)


def rabbit(phase: float) -> Figure:
    """Sitting up, ears high, sniffing."""
    figure = Figure()
    ear = 0.03 * wave(phase)
    figure.disc(-0.42, 0.14, 0.1)
    figure.blob([(-0.42, 0.02), (-0.46, 0.3), (-0.32, 0.52), (-0.05, 0.62), (0.16, 0.56), (0.26, 0.36), (0.26, 0.0)])
    figure.stroke([(0.18, 0.3, 0.08), (0.24, 0.05, 0.05), (0.34, 0.035, 0.035)])
    figure.stroke([(-0.25, 0.12, 0.12), (0.02, 0.04, 0.045), (0.14, 0.04, 0.035)])
    figure.disc(0.26, 0.68, 0.16, 0.14)
    figure.stroke([(0.32, 0.66, 0.11), (0.42, 0.63, 0.06)])
    for x, lean, ink in zip((0.2, 0.24), (-0.16, -0.07), _SIDES, strict=True):
        figure.stroke([(x, 0.78, 0.04), (x + lean * 0.6, 0.98, 0.062), (x + lean + ear, 1.16, 0.05),
            (x + lean * 1.1 + ear, 1.25, 0.012)], ink)
    return figure


def cow(phase: float) -> Figure:
    build = Build(length=1.0, chest=0.26, waist=0.24, rump=0.24, belly=0.03, neck=(0.32, 0.02), neck_thick=(0.2,
        0.14), head=0.13, snout=(0.24, -0.17), snout_tip=0.08, thigh=0.17, leg=0.052, paw=0.03, stride=0.18)
    tail = _tail((0.0, 0.06, 0.03), (-0.1, -0.2, 0.018), (-0.12, -0.46, 0.03))
    horns = _ears([[(-0.02, 0.1), (0.08, 0.26), (0.03, 0.08)], [(-0.08, 0.07), (-0.22, 0.03), (-0.1, 0.0)]])
    return quadruped(build, phase, tail, horns)


def sheep(phase: float) -> Figure:
    build = Build(length=0.7, chest=0.3, waist=0.3, rump=0.3, neck=(0.3, 0.12), neck_thick=(0.2, 0.12),
        head=0.11, snout=(0.18, -0.11), snout_tip=0.06, thigh=0.12, leg=0.042, paw=0.03, stride=0.14)
    return quadruped(build, phase, _tail((0.0, 0.0, 0.08), (-0.1, -0.1, 0.06)), _ears([[(-0.08, 0.06),
        (-0.2, 0.01), (-0.1, -0.04)]]))


def camel(phase: float) -> Figure:
    build = Build(length=0.92, chest=0.19, waist=0.19, rump=0.17, neck=(0.5, 0.3), neck_thick=(0.12, 0.07),
        head=0.085, snout=(0.2, -0.05), snout_tip=0.05, thigh=0.13, leg=0.036, paw=0.05, stride=0.22)
    figure = quadruped(build, phase, _tail((0.04, 0.0, 0.03), (-0.06, -0.2, 0.018),
        (-0.08, -0.34, 0.03)), _ears([[(-0.04, 0.05), (-0.05, 0.13), (0.01, 0.06)]]))
    figure.blob([(-0.36, 0.85), (-0.16, 1.06), (0.0, 1.24), (0.14, 1.07), (0.34, 0.85)])
    figure.stroke([(0.46, 0.76, 0.15), (0.66, 0.74, 0.1), (0.82, 0.86, 0.075), (0.95, 1.12, 0.06)])
    return figure
