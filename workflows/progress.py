"""Whether work gets done. That a process lives says nothing of it: a queue whose idle worker was killed lives on, takes
every message, and runs none, for ever.

So a part of a worker is judged by the rows: by its sign of life, by the last time that it got something done, by what
has been due for long and does not move, and by canaries: messages that do nothing but have to come round. Being slow
is no fault. What complains twice in a row has to be started anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import DurationField, ExpressionWrapper, Max, Min, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from workflows.models import Attempt, Worker
from workflows.workers import SILENCE

STARTING = 60.0  # seconds that a part may need to come up, on a busy machine
LOOKS = 6  # within its patience
TWICE = 2  # looks in a row: a single one may fall into the moment in which a machine wakes up
RARELY = 16  # times its patience: the pause between restarts that do not help grows to this
SAMPLE = 50  # attempts, the longest due; when none of them has moved, nothing moves
CANARY = 0.5  # of its patience: how long a message may take to come round; an idle queue needs a second

Overdue = frozenset[tuple[UUID, int]]  # attempts, each with the fence that rises when somebody takes it


@dataclass(frozen=True)
class Signs:
    """What the rows say of one part of a worker, in seconds by the database's clock; None for never."""

    seen: float | None = None  # since its last sign of life
    worked: float = 0.0  # since it got something done
    in_hand: bool = False  # whether it has claims that have not run out: calls may take minutes
    overdue: Overdue = frozenset()  # what anybody could have taken long ago


def signs(part: str, family: UUID, patience: float, pid: int | None = None) -> Signs:
    """What the rows say now of this part of this worker; an attempt is overdue after `patience` seconds.

    `pid`: of the one process that is meant, where a part has several that are alike.
    """
    mine = Worker.objects.filter(part=part, family=family)
    mine = mine if pid is None else mine.filter(pid=pid)
    last = mine.aggregate(seen=_since(Max("seen")), worked=_since(Max("worked")))
    if last["seen"] is None:
        return Signs()
    in_hand = Attempt.objects.filter(worker__in=mine, next_check_at__gt=Now()).exists()
    overdue = _overdue(patience) if part == Worker.Part.CLOCK else frozenset()
    return Signs(last["seen"].total_seconds(), last["worked"].total_seconds(), in_hand, overdue)


def _since(time: Max | Min) -> "ExpressionWrapper[CombinedExpression]":
    return ExpressionWrapper(Now() - time, DurationField())


def _overdue(patience: float) -> Overdue:
    long_due = Attempt.objects.filter(next_check_at__lt=Now() - timedelta(seconds=patience))
    return frozenset(long_due.order_by("next_check_at").values_list("pk", "fence")[:SAMPLE])


def longest_due() -> float:
    """Seconds that the oldest due attempt has been waiting for somebody to take it; 0 when nothing is due."""
    due = Attempt.objects.filter(next_check_at__lte=Now())
    longest: timedelta | None = due.aggregate(longest=_since(Min("next_check_at")))["longest"]
    return longest.total_seconds() if longest else 0.0


def claimed(family: UUID) -> "QuerySet[Attempt]":
    """What the parts of this worker have claimed and not let go of."""
    return Attempt.objects.filter(worker__family=family)


def paid_calls(family: UUID) -> dict[str, float]:
    """The providers that this worker has submits in hand with, and the seconds that these may still take."""
    sent = claimed(family).filter(phase=Attempt.Phase.SUBMITTING, next_check_at__gt=Now())
    longest = sent.values("provider").annotate(past=_since(Max("next_check_at"))).order_by("provider")
    return {row["provider"]: -row["past"].total_seconds() for row in longest}


def bury(
    family: UUID,
    part: str | None = None,
    *,
    before: float = 0.0,
    spared: Sequence[int] = (),
    innocent: bool = False,
) -> None:
    """Make due at once what was claimed by processes that are known to have ended, and forget their rows.

    `before`: only those that were started so many seconds ago, or earlier. `spared`: the ids of processes of the same
    part that live. `innocent`: they ended because they were told to, so no attempt is suspected of having killed them.
    """
    dead = Worker.objects.filter(family=family, started__lte=Now() - timedelta(seconds=before))
    dead = dead.exclude(pid__in=spared)
    if part:
        dead = dead.filter(part=part)
    left: dict[str, Any] = {"next_check_at": Now(), "worker": None} | ({"unanswered": 0} if innocent else {})
    Attempt.objects.filter(worker__in=dead).update(**left)
    dead.delete()


def queues() -> int:
    """How many workers have a queue that gives signs of life; at least one, ours."""
    alive = Worker.objects.filter(part=Worker.Part.QUEUE, seen__gt=Now() - SILENCE)
    return max(1, alive.values("family").distinct().count())


class Judge:
    """Makes up its mind about one part, look by look. Times are those of a monotonic clock.

    A restart that did not help is not repeated at once: the part is left alone for longer each time.
    """

    def __init__(self, part: str, patience: float, now: float) -> None:
        self.part = part
        self.patience = patience
        self.alone = 0.0  # seconds after a start in which nothing is complained of
        self.begins(now)

    def begins(self, now: float) -> None:
        """The part was started just now, or could not be seen until now: what was before says nothing."""
        self.began = now
        self.complaints = 0
        self.asked: float | None = None
        self.before: Overdue = frozenset()

    def hears(self, signs: Signs, now: float) -> str:
        """Why the part has to be started anew; "" when it has not."""
        complaint = self._complaint(signs, now)
        if not complaint:
            self.complaints = 0
            if signs.seen is not None and now - self.began > self.alone:
                self.alone = 0.0
            return ""
        self.complaints += 1
        if self.complaints < TWICE or now - self.began < self.alone:
            return ""
        self.alone = min(max(2 * self.alone, self.patience), RARELY * self.patience)
        return complaint

    @property
    def wants_canaries(self) -> bool:
        """Whether it waits for a sign of work that an idle queue gives only when it is sent a message."""
        return self.asked is not None

    def _complaint(self, signs: Signs, now: float) -> str:
        running = now - self.began
        if signs.seen is None or signs.seen > running:
            return f"it has not come up in {running:.0f} s" if running > STARTING else ""
        if signs.seen > self.patience:
            return f"no sign of life for {signs.seen:.0f} s"
        return self._of_queue(signs, now) if self.part == Worker.Part.QUEUE else self._of_clock(signs)

    def _of_clock(self, signs: Signs) -> str:
        unmoved = bool(self.before) and self.before <= signs.overdue
        self.before = signs.overdue
        if signs.in_hand:
            return ""
        if signs.worked > self.patience:
            return f"it has looked at nothing for {signs.worked:.0f} s"
        return f"what was due {self.patience:.0f} s ago and earlier does not move" if unmoved else ""

    def _of_queue(self, signs: Signs, now: float) -> str:
        if signs.worked < self.patience / LOOKS:
            self.asked = None
            return ""
        self.asked = now if self.asked is None else self.asked
        longest = CANARY * self.patience
        if now - self.asked < longest or signs.worked < longest:
            return ""
        return f"messages wait, and none has come round for {signs.worked:.0f} s"
