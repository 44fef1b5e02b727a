"""The suites by name: what each measures, on what it stands, and its short form."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from providers import overhead as calls
from vidgenie.management.benchmarks import (
    adapters,
    api,
    encryption,
    inflight,
    ledger,
    memory,
    overhead,
    pipeline,
    recovery,
    stages,
    throughput,
)
from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.benchmarks.ground import Ground, ground
from vidgenie.management.benchmarks.rig import database

Lines = Iterator[Figure | str]


@dataclass(frozen=True)
class Suite:
    """One thing that is measured.

    `report` and its short form `quick` (None where there is none) are given the ground and, if asked for, `runs`.
    Those that are `shared` follow one another on one ground and in one database; the others get an empty database and
    start what they need. `minutes` is how long it takes, about.
    """

    name: str
    what: str
    report: Callable[..., Lines]
    method: str
    minutes: float
    quick: Callable[..., Lines] | None = None
    shared: bool = True
    hurried: bool = False  # takes --hurry

    def lines(self, at: Ground, *, runs: int | None, quick: bool, hurry: float) -> Lines:
        """Measure, line by line."""
        given: dict[str, Any] = {"runs": runs} if runs else {}
        given |= {"hurry": hurry} if self.hurried else {}
        report = self.quick if quick and self.quick else self.report
        return report(at, **given)


def _groundless(report: Callable[..., Lines]) -> Callable[..., Lines]:
    return lambda at, **given: report(**given)


def _alone(name: str, what: str, module: Any, minutes: float, **more: Any) -> Suite:
    return Suite(name, what, _groundless(module.report), module.METHOD, minutes, shared=False, **more)


_LEDGER, _ENCRYPTION = _groundless(ledger.report), _groundless(encryption.report)
_SHORT_LEDGER, _ONLY_DRAWN = partial(_LEDGER, short=True), partial(stages.image, simulated=False)
_FEW_ROUNDS = partial(_ENCRYPTION, runs=encryption.SHORT_ROUNDS)
_SMALL_FILMS = partial(pipeline.report, resolution="480p")
SUITES = {
    suite.name: suite
    for suite in (
        Suite("ledger", "hold and settle, beside psycopg alone", _LEDGER, ledger.METHOD, 1.2, _SHORT_LEDGER),
        Suite("encryption", "sealing and opening a key", _ENCRYPTION, encryption.METHOD, 0.1, _FEW_ROUNDS),
        Suite("adapters", "our CPU in a call", _groundless(adapters.report), calls.METHOD, 0.3),
        Suite("pipeline", "a run end to end", pipeline.report, pipeline.METHOD, 0.7, _SMALL_FILMS),
        Suite("image", "an image", stages.image, stages.IMAGE, 0.4, _ONLY_DRAWN),
        Suite("video", "creating a video job", stages.video, stages.VIDEO, 0.3, stages.video),
        Suite("enhance", "enhancing prompts", stages.enhance, stages.ENHANCE, 0.3, stages.enhance),
        Suite("api", "requests by route", api.report, api.METHOD, 0.5),
        Suite("memory", "web, worker and database", memory.report, memory.METHOD, 0.7),
        _alone("throughput", "complete runs a second", throughput, 12, quick=throughput.short),
        _alone("overhead", "a run beyond its providers' time", overhead, 10),
        _alone("recovery", "moving again after SIGKILL", recovery, 6),
        _alone("inflight", "10,000 renders in flight", inflight, 35, hurried=True),
    )
}
QUICK = tuple(name for name, suite in SUITES.items() if suite.quick)
USUAL = tuple(name for name, suite in SUITES.items() if suite.shared)


def each(names: list[str], quick: bool) -> Generator[tuple[Suite, Ground], None, None]:
    """Each of these suites in turn with what it stands on. To be closed, which ends what was started."""
    ordered = [suite for suite in SUITES.values() if suite.name in names]
    together = [suite for suite in ordered if suite.shared or quick]
    if together:
        with database(), ground() as at:
            yield from ((suite, at) for suite in together)
    for suite in ordered:
        if suite not in together:
            with database(), ground() as at:
                yield suite, at
