"""Complete runs by real providers, with the site's own keys and its money: never unasked, never above a limit.

They run on a database of their own. Its ledger has no more credits than the limit, so nothing can be started above it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import psutil  # type: ignore[import-untyped]
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.db import DatabaseError
from django.test import override_settings

from credits import ledger
from providers.models import ProviderCall, ProviderKey
from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.benchmarks.rig import Rig, database, database_url, succeeded, wait
from vidgenie.management.own_database import own_database
from workflows import pipeline
from workflows.models import Attempt, Step, Workflow
from workflows.quote import Quote
from workflows.states import UNFINISHED

PROMPT = "a fox crossing a frozen lake at dawn"
FREE = "sandbox"
PATIENCE = 3600.0  # seconds for one run
TARGETS = {"enhance": 5.0, "image": 10.0}  # seconds
SUBMIT, WHOLE = 2.0, 15.0  # seconds
METHOD = (
    "Complete runs by real providers, with the keys of this site and the models that it would choose itself, one after "
    "the other, the first left out, worker and PostgreSQL on this machine. A provider's time is in every figure; what "
    "calls took, from request to answer, is told beside it."
)


@dataclass
class Spending:
    """So many runs at this price, and what is needed to make them."""

    quote: Quote
    user: User
    runs: int
    on: Rig

    @property
    def credits(self) -> int:
        """The most that all of it costs, in US cents of list price."""
        return self.quote.credits * (self.runs + 1)

    @property
    def told(self) -> str:
        """What is about to be spent, by whom, in a sentence."""
        lines = ", ".join(f"{line.stage} by {line.model} ({line.credits})" for line in self.quote.lines)
        return f"{self.runs} runs and one to warm up by REAL providers: {lines}. At most {self.credits} US cents."

    def report(self) -> Iterator[Figure | str]:
        """Make the runs. Raises CommandError at the first one that fails: what follows would cost, too."""
        ids = []
        with self.on.worker():
            for number in range(self.runs + 1):
                ids.append(pipeline.start(self.user, self.quote).pk)
                mine = Workflow.objects.filter(pk=ids[-1], status__in=UNFINISHED)
                wait(lambda mine=mine: not mine.exists(), PATIENCE, "a run is not over", every=0.2)  # type: ignore[misc]
                succeeded(ids[-1:])
                yield f"run {number}{'' if number else ' (warm-up)'}: succeeded"
        yield from _figures(ids[1:])
        yield from self._calls()

    def _calls(self) -> Iterator[str]:
        for provider in dict.fromkeys(line.provider for line in self.quote.lines):
            calls = ProviderCall.objects.filter(provider=provider, operation="submit")
            taken = sorted(calls.values_list("milliseconds", flat=True))
            if taken:
                yield f"  submits to {provider} took {taken[0]} to {taken[-1]} ms, {len(taken)} of them"


@contextmanager
def prepared(runs: int, limit: int) -> Iterator[Spending]:
    """Everything but the first call. Raises CommandError where it cannot be, or would cost more than the limit."""
    if settings.PROVIDER_MODE != "real":
        raise CommandError("--providers real: VIDGENIE_PROVIDER_MODE is simulated here. Nothing was called.")
    keys = _sealed_keys()
    with database(), _media() as media, override_settings(MEDIA_ROOT=media, SIGNUP_CREDITS=0):
        ProviderKey.objects.bulk_create(keys)
        user = User.objects.create(username="benchmark")
        quote = pipeline.quote("complete", PROMPT, {"duration_seconds": 5}, user=user)
        spending = Spending(quote, user, runs, _rig(media))
        require_real(quote)
        if spending.credits > limit:
            raise CommandError(f"{spending.told} The limit is {limit} (--max-credits). Nothing was called.")
        ledger.grant(user, limit, key="benchmark", reason="benchmark")
        yield spending


def require_real(quote: Quote) -> None:
    """Raise CommandError for a run in which no provider is real."""
    if all(line.provider == FREE for line in quote.lines):
        raise CommandError("--providers real: there is no key to any provider here. Nothing was called.")


def _sealed_keys() -> list[ProviderKey]:
    """The site's own, sealed as they are: they open in any database that has their rows."""
    try:
        with own_database():
            return list(ProviderKey.objects.filter(owner=None, active=True))
    except DatabaseError as error:
        told = str(error).splitlines()[0]
        raise CommandError(f"The site's database, where its keys are, cannot be read: {told}") from error


@contextmanager
def _media() -> Iterator[Path]:
    folder = Path(settings.VAR_DIR) / "benchmark" / f"media-{os.getpid()}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rig(media: Path) -> Rig:
    """A worker's surroundings, without a simulator."""
    environment = {**os.environ, "DATABASE_URL": database_url(), "MEDIA_ROOT": str(media)}
    return Rig("", psutil.Process(), environment, Path(settings.VAR_DIR) / "benchmark" / "log")


def _figures(ids: list[UUID]) -> Iterator[Figure]:
    for stage, bar in TARGETS.items():
        steps = Step.objects.filter(workflow__in=ids, stage=stage).order_by("started")
        times = [_between(step.started, step.finished) for step in steps]
        statistic = "mean" if stage == "enhance" else "median"
        yield Figure.of(f"{stage} takes", times, statistic, unit="s", at_most=bar, strictly=True, id=f"{stage}-seconds")
    attempts = Attempt.objects.filter(step__workflow__in=ids, step__stage="video", number=1).order_by("created")
    sent = [_between(one.created, one.submitted) for one in attempts]
    yield Figure.of("a video job is created within", sent, unit="s", at_most=SUBMIT, strictly=True, id="submit-seconds")
    whole = [_between(run.created, run.finished) for run in Workflow.objects.filter(pk__in=ids).order_by("created")]
    yield Figure.of("one run takes, end to end", whole, unit="s", at_most=WHOLE, strictly=True, id="seconds")


def _between(start: datetime | None, end: datetime | None) -> float:
    """Seconds; nan where one of them was not noted."""
    return (end - start).total_seconds() if start and end else float("nan")
