"""What the suites of one group stand on together: a simulator and a worker that is awake, started when first asked for.

Suites that measure stages of runs share it, so that a short benchmark need not start the same processes five times.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil  # type: ignore[import-untyped]

from vidgenie.management.benchmarks.rig import Rig, rig, wait
from workflows.models import Step, Workflow
from workflows.states import UNFINISHED

PATIENCE = 300.0  # seconds for some runs to be settled


class Ground:
    """A rig and a worker for as long as the group of suites lasts."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._rig: Rig | None = None
        self._worker: psutil.Process | None = None
        self.films: list[Any] = []  # the sandbox's complete runs that were measured here

    @property
    def rig(self) -> Rig:
        if self._rig is None:
            self._rig = self._stack.enter_context(rig(speed=1))
        return self._rig

    @property
    def worker(self) -> psutil.Process:
        """A worker that has settled a run of each kind of model."""
        if self._worker is None:
            on = self.rig
            self._worker = self._stack.enter_context(on.worker())
            self.providers(speed=0)
            settled(on.start(2, on.quote("image-only")))
            self.providers(speed=1)
        return self._worker

    def providers(self, *, speed: float, refuse_images: bool = False) -> None:
        """From now on the simulated providers are so fast, and decline every image or none."""
        self.rig.control("clock", {"speed": speed})
        self.rig.control("faults", {"rates": {"moderation_input": 1.0} if refuse_images else {}})


@contextmanager
def ground() -> Iterator[Ground]:
    """Nothing is started before a suite asks for it."""
    with ExitStack() as stack:
        yield Ground(stack)


def settled(ids: list[Any]) -> float:
    """Wait until these runs are over; the seconds it took."""
    mine = Workflow.objects.filter(pk__in=ids, status__in=UNFINISHED)
    return wait(lambda: not mine.exists(), PATIENCE, "the runs are not all settled", every=0.05)


def finished(ids: list[Any], stage: str) -> float:
    """Wait until this stage of the runs is over, whatever comes after; the seconds it took."""
    mine = Step.objects.filter(workflow__in=ids, stage=stage, finished=None, workflow__status__in=UNFINISHED)
    return wait(lambda: not mine.exists(), PATIENCE, f"a run has not come through its stage {stage}", every=0.05)
