"""How soon everything moves again after every process of the worker was killed."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q
from django.db.models.functions import Now

from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.benchmarks.rig import Rig, kill, rig, unfinished, wait
from workflows.models import Attempt, Workflow

WITHIN = 60.0  # seconds
KILLS = (6.0, 35.0)  # seconds after the first start
SPEED = 1.0  # of the providers
METHOD = (
    "Complete runs (simulated OpenAI and Runway; words 1 s, still 10 s, film 30 s) at all their stages when every "
    "process of the worker gets SIGKILL, and the worker is started anew at once. All is moving again when each "
    "attempt that somebody had in hand, or that was due, has been claimed once more or is over. Starting the "
    "processes is in it. A submit whose answer died with the worker, to a provider that cannot be asked for it "
    "(OpenAI), is not repeated: such a run ends, and its credits are given back."
)
ENDS = {("succeeded", ""), ("failed", "lost")}
Phase = Attempt.Phase


@dataclass(frozen=True)
class Standing:
    """An attempt as it stood at the kill."""

    phase: str
    fence: int
    stuck: bool


def report(runs: int = 200) -> Iterator[Figure | str]:
    """Kill twice: once early, where most are submits, and once late, where most are looks and downloads."""
    with rig(speed=SPEED) as on:
        on.control("renders", {"median": 30.0, "sigma": 0.2})
        for when in KILLS:
            yield from _killed(on, runs, when)
    yield "The naive way moves nothing again: what died with its worker is lost, or paid for a second time."


def _killed(on: Rig, runs: int, when: float) -> Iterator[Figure | str]:
    with on.worker() as worker:
        ids = on.start(runs, on.quote())
        time.sleep(when / SPEED)
        kill(worker)
    before = _standing()
    with on.worker():
        taken = wait(lambda: not _still_stuck(before), 300, "there is work that nobody has taken up", every=0.2)
        wait(lambda: not unfinished(), 900, "the runs are not all settled")
    ends = Counter(Workflow.objects.filter(pk__in=ids).values_list("status", "reason"))
    if strange := ends.keys() - ENDS:
        raise CommandError(f"runs ended otherwise than they may: {dict(ends)}, strange: {strange}")
    phases = sorted({one.phase for one in before.values()})
    stuck = sum(one.stuck for one in before.values())
    yield Figure(f"after SIGKILL {when:.0f} s on, all is moving again", taken, "s", WITHIN, id=f"after-{when:.0f}-s")
    counts = ", ".join(f"{sum(one.phase == phase for one in before.values())} to {phase}" for phase in phases)
    yield f"    {len(before)} unfinished attempts ({counts}), {stuck} of them in hand or due"
    yield f"    in the end {ends['succeeded', '']} runs succeeded, {ends['failed', 'lost']} lost, not charged"


def _standing() -> dict[UUID, Standing]:
    """Every unfinished attempt; all but those that wait for their next look, held by nobody, should be moving."""
    rows = Attempt.objects.filter(next_check_at__isnull=False)
    stuck = set(rows.filter(_in_hand_or_due()).values_list("pk", flat=True))
    return {pk: Standing(phase, fence, pk in stuck) for pk, phase, fence in rows.values_list("pk", "phase", "fence")}


def _in_hand_or_due() -> Q:
    return Q(worker__isnull=False) | Q(next_check_at__lte=Now()) | ~Q(phase=Phase.FETCH)


def _still_stuck(before: dict[UUID, Standing]) -> int:
    now = dict(Attempt.objects.filter(next_check_at__isnull=False).values_list("pk", "fence"))
    return sum(now.get(pk) == one.fence for pk, one in before.items() if one.stuck)
