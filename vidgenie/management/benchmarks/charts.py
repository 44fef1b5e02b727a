"""Where the dots of a chart go: every run of every figure, those of one suite and unit beside each other."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from vidgenie.management.benchmarks.figures import written

WIDTH, LEFT, RIGHT = 360, 8, 352  # units of the drawing; about pixels on a phone
LANE, TOP, BOTTOM = 40, 8, 24
MOST_DOTS = 60  # in a lane; of more runs, as many in equal steps


@dataclass(frozen=True)
class Lane:
    """One figure in a chart: its runs as dots, its value as a line, its target as a mark."""

    name: str
    told: str
    verdict: str
    y: int
    dots: list[str]
    value: str
    target: str = ""
    bar: str = ""  # from here to the value, where there are no runs to show

    @property
    def below(self) -> int:
        """Where its dots are, under its name."""
        return self.y + 24


@dataclass(frozen=True)
class Chart:
    """Lanes on one axis, and the rows that they show."""

    unit: str
    lanes: list[Lane]
    ticks: list[tuple[str, str]]
    rows: list[dict[str, Any]] = field(default_factory=list)
    zero: str = ""

    @property
    def foot(self) -> int:
        """Where the axis is."""
        return TOP + LANE * len(self.lanes)

    @property
    def height(self) -> int:
        return self.foot + BOTTOM

    @property
    def described(self) -> str:
        """For those who do not see it."""
        return "; ".join(f"{lane.name}: {lane.told}" for lane in self.lanes)


class Axis:
    """From values to places."""

    def __init__(self, low: float, high: float) -> None:
        step = _step((high - low) / 4)
        self.low, self.high = (
            math.floor(low / step) * step,
            max(math.ceil(high / step), math.floor(low / step) + 1) * step,
        )
        self.marks = [self.low + step * number for number in range(round((self.high - self.low) / step) + 1)]

    def at(self, value: float) -> str:
        """The place of a value, as the drawing has it."""
        share = (value - self.low) / (self.high - self.low)
        return f"{LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0):.1f}"


def of_figures(rows: list[dict[str, Any]], figures: dict[str, Any]) -> list[Chart]:
    """A chart for each unit that these rows have; rows without a number are in none."""
    units: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        units.setdefault(row["unit"], []).append(row)
    return [_chart(unit, same, figures) for unit, same in units.items()]


def _chart(unit: str, rows: list[dict[str, Any]], figures: dict[str, Any]) -> Chart:
    shown = [(row, figures[row["id"]]) for row in rows if figures.get(row["id"], {}).get("value") is not None]
    values = [value for row, figure in shown for value in (figure["value"], *_runs(figure), *_target(row))]
    axis = Axis(min(0.0, *values, 0.0), max(*values, 1e-9, 0.0))
    lanes = [_lane(number, row, figure, axis) for number, (row, figure) in enumerate(shown)]
    return Chart(unit, lanes, [(axis.at(mark), written(mark)) for mark in axis.marks], rows)


def _lane(number: int, row: dict[str, Any], figure: dict[str, Any], axis: Axis) -> Lane:
    runs, target = _runs(figure), _target(row)
    return Lane(
        name=row["title"].partition(": ")[2] or row["title"],
        told=f"{written(figure['value'])} {row['unit']}".strip(),
        verdict=row["verdict"],
        y=TOP + LANE * number,
        dots=[axis.at(value) for value in runs],
        value=axis.at(figure["value"]),
        target=axis.at(target[0]) if target else "",
        bar="" if runs else axis.at(0.0),
    )


def of_changes(found: dict[str, Any]) -> Chart | None:
    """What has moved since the other report, with intervals around no change; None where nothing could be compared."""
    known = [(name, one) for name, one in found.items() if one["change"] is not None]
    if not known:
        return None
    known.sort(key=lambda item: (item[1]["movement"] == "within the noise", -abs(item[1]["change"])))
    ends = [one[name] for _, one in known for name in ("low", "high")]
    axis = Axis(max(-1.0, min(ends)), min(2.0, max(ends)))
    lanes = [
        Lane(name, f"{one['change']:+.1%}, {one['movement']}", one["movement"], TOP + LANE * number,
             [axis.at(one["low"]), axis.at(one["high"])], axis.at(one["change"]))
        for number, (name, one) in enumerate(known)
    ]  # fmt: skip
    return Chart("", lanes, [(axis.at(mark), f"{mark:+.0%}") for mark in axis.marks], zero=axis.at(0.0))


def _runs(figure: dict[str, Any]) -> list[float]:
    runs = [value for value in figure["runs"] if value is not None]
    if len(runs) <= MOST_DOTS:
        return runs
    ordered = sorted(runs)
    return [ordered[round(step * (len(runs) - 1) / (MOST_DOTS - 1))] for step in range(MOST_DOTS)]


def _target(row: dict[str, Any]) -> list[float]:
    """The number in the target's words."""
    return list(_numbers(row["target"].split()))[:1]


def _numbers(words: Iterable[str]) -> Iterable[float]:
    for word in words:
        try:
            yield float(word.replace(",", ""))
        except ValueError:
            continue


def _step(rough: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, not smaller than this."""
    size = 10.0 ** math.floor(math.log10(max(rough, 1e-9)))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
