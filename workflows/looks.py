"""When to look at a running job again, planned from how long renders like it have taken here.

Each look comes as late as the earliest render still out can bear, and nobody looks where no render has ever ended. So
the first look is near the 30th percentile where renders differ little, and earlier where they differ much; the steps
are small where most renders end, and grow towards the stragglers.
"""

import datetime
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self
from uuid import UUID

from providers import catalog
from providers.adapters import ADAPTERS
from workflows.models import Attempt

PATIENCE, MOMENT = 0.05, 2.0  # how late one may notice that a render is made: this part of its time, or these seconds
FEW, MOST = 2.5, 5.6  # looks at an average render: more than a few only to notice in time, and never more than most
IN_TIME = 0.7  # of what is bearable; the rest is for the looking itself
EARLY = 0.03  # of the renders are so early that nobody hurries for them
LATER, LONGEST = 0.1, 300.0  # beyond all that was seen, a step is this part of the time so far, or these seconds
FUZZY = 0.1  # a render may have been made so much earlier than was noticed, unless somebody looked in between
NEWEST, ENOUGH = 200, 20  # renders that a plan is made from; where they are not enough, expectations fill them up
RANGE = 4.0  # the longest of the expectations is so many times the shortest
EXPLORERS, SOONER, STEPS = 32, 0.5, 3  # one attempt in so many is looked at so much sooner, so many times
FRESH = 10.0  # seconds that a plan is used
_SHARES = [IN_TIME * 1.25**step for step in range(-12, 15)]  # of what is bearable, fine to coarse


@dataclass(frozen=True)
class History:
    """How long renders took, in seconds, shortest first."""

    seconds: tuple[float, ...]
    is_guessed: bool = field(default=False, compare=False)  # in part at least

    @classmethod
    def expected(cls, seconds: float) -> Self:
        """What one expects of a model that usually takes so long."""
        return cls(tuple(seconds * RANGE ** (step / (ENOUGH - 1) - 0.5) for step in range(ENOUGH)), is_guessed=True)

    def __add__(self, other: "History") -> "History":
        return History(tuple(sorted(self.seconds + other.seconds)), self.is_guessed or other.is_guessed)

    def percentile(self, percent: float) -> float:
        """The time within which so many of a hundred were made."""
        return self.seconds[min(int(len(self.seconds) * percent / 100), len(self.seconds) - 1)]

    def looks(self, times: Sequence[float]) -> float:
        """How often an average one of these renders is looked at when that is done at these times."""
        return sum(bisect_left(times, seconds) + 1 for seconds in self.seconds) / len(self.seconds)


@dataclass(frozen=True)
class Plan:
    """Times to look, in seconds since the submit. Two looks are `shortest` apart at least; one may be `slack` early."""

    times: tuple[float, ...]
    shortest: float
    slack: float

    def after(self, elapsed: float, *, luck: float = 0.0) -> float:
        """Seconds until the next look. By their `luck`, 0 to 1, those who were submitted together look apart."""
        early = luck * self.slack
        following = bisect_left(self.times, elapsed + early + self.shortest / 2)
        if following < len(self.times):
            return max(self.times[following] - early - elapsed, self.shortest)
        return max(min(LATER * elapsed, LONGEST) * (1 - luck / 5), self.shortest)

    def exploring(self, left_out: int = 0) -> Self:
        """This plan, with looks long before its first: had it become far too late, nobody would know.

        `left_out`: so many of its own first looks make room for those.
        """
        sooner = [self.times[0] * SOONER**step for step in range(STEPS, 0, -1)]
        return replace(self, times=(*sooner, *self.times[min(left_out, len(self.times) - 1) :]))


def after(attempt: Attempt, elapsed: float) -> float:
    """Seconds until the next look at a job that was submitted `elapsed` seconds ago and is not made yet."""
    planned = _plan(attempt)
    if attempt.pk.int % EXPLORERS == 0:
        planned = planned.exploring(left_out=STEPS - 1)
    return planned.after(elapsed, luck=_luck(attempt.pk))


def plan(history: History, shortest: float) -> Plan:
    """When to look at renders that take as long as these did; no two looks are less than `shortest` apart."""
    share, times = _finest(history, shortest, FEW)
    if share > IN_TIME:
        share, times = _finest(history, shortest, MOST, start=IN_TIME)
    return Plan(times, shortest, slack=share * bearable(times[0]) / 2)


def bearable(seconds: float) -> float:
    """How late, in seconds, one may notice that a render is made which took so many."""
    return max(MOMENT, PATIENCE * seconds)


def _finest(history: History, shortest: float, budget: float, start: float = 0.0) -> tuple[float, tuple[float, ...]]:
    """The smallest share of what is bearable that costs no more looks than this, and the times that keep to it."""
    for share in _SHARES:
        times = _times(history, share, shortest)
        if share >= start and history.looks(times) <= budget:
            break
    return share, times


def _times(history: History, share: float, shortest: float) -> tuple[float, ...]:
    times: list[float] = []
    for seconds in history.seconds[int(EARLY * len(history.seconds)) :]:
        if not times:
            times.append(seconds + share * bearable(seconds))
        elif seconds > times[-1]:
            times.append(max(seconds + share * bearable(seconds), times[-1] + shortest))
    return tuple(times)


# --- What was seen -----------------------------------------------------------------------------------------

_plans: dict[tuple[object, ...], tuple[float, Plan]] = {}


def _plan(attempt: Attempt) -> Plan:
    """The plan for such attempts, from what this process knew a few seconds ago at most."""
    key = (attempt.model, *_kind(attempt.options))
    until, known = _plans.get(key, (0.0, None))
    if known is None or time.monotonic() > until:
        known = _made(history(attempt), ADAPTERS[attempt.provider].shortest_look)
        _plans[key] = time.monotonic() + FRESH, known
    return known


def _made(known: History, shortest: float) -> Plan:
    """Where it is a guess, the first few renders are looked at sooner as well: it may be far too late."""
    planned = plan(known, shortest)
    return planned.exploring() if known.is_guessed else planned


def forget() -> None:
    """Make every plan anew."""
    _plans.clear()


def history(attempt: Attempt) -> History:
    """How long the newest renders of the same model took; those of the same length and size, where they are enough."""
    made = Attempt.objects.filter(model=attempt.model, made__isnull=False)
    newest = list(made.order_by("-made").only("options", "submitted", "looked", "made")[:NEWEST])
    alike = [one for one in newest if _kind(one.options) == _kind(attempt.options)]
    found = [
        taken(one.submitted, one.looked, one.made, luck=_luck(one.pk))
        for one in (alike if len(alike) >= ENOUGH else newest)
        if one.submitted and one.made
    ]
    known = History(tuple(sorted(found)))
    return known if len(found) >= ENOUGH else known + _expected(attempt.model)


def _kind(options: Mapping[str, object]) -> tuple[object, object]:
    return options.get("duration_seconds"), options.get("resolution")


def taken(
    submitted: datetime.datetime, looked: datetime.datetime | None, made: datetime.datetime, *, luck: float
) -> float:
    """How long a render took, in seconds, as far as one knows: until any moment since it was last seen unfinished.

    Were it the moment at which it was seen made, the first look could never come any sooner.
    """
    noticed = (made - submitted).total_seconds()
    unfinished = (looked - submitted).total_seconds() if looked else 0.0
    earliest = min(max(unfinished, noticed * (1 - FUZZY)), noticed)
    return max(noticed - (noticed - earliest) * luck, 0.0)


def _expected(model: str) -> History:
    return History.expected(catalog.expected_seconds(model))


def _luck(pk: UUID) -> float:
    """A number from 0 to 1 that stays the same for an attempt and has nothing to do with its neighbors'."""
    return (pk.int >> 8) % 997 / 997
