"""Measures what was promised; printed with its method, never asserted: a busy machine is no defect of the program."""

import functools
import textwrap
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand

from providers import overhead as adapters
from vidgenie.management.benchmarks import encryption, inflight, ledger, overhead, pipeline, recovery, rig, throughput
from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.own_database import own_database

HERE = ("pipeline", "adapters", "encryption")  # run on our own database; the others make one
SUITES = (*HERE, "ledger", "throughput", "overhead", "recovery", "inflight")


class Command(BaseCommand):
    help = "Measures one of the things that were promised, or all of them, on this machine, with processes of its own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--suite", choices=[*SUITES, "all"], default="pipeline", help="default: pipeline")
        parser.add_argument("--runs", type=int, help="how many runs are measured; every suite has a number of its own")
        parser.add_argument("--hurry", type=float, default=1, help="inflight: renders so much shorter, to try it out")

    def handle(self, *, suite: str, runs: int | None, hurry: float, **options: Any) -> None:
        for name in SUITES if suite == "all" else [suite]:
            self.stdout.write(self.style.MIGRATE_HEADING(name))
            with own_database() if name in HERE else rig.database():
                for line in _report(name, runs, hurry):
                    self.stdout.write(textwrap.fill(str(line), 118, replace_whitespace=False))
                    self.stdout.flush()


def _report(suite: str, runs: int | None, hurry: float) -> Iterator[Figure | str]:
    """The suite's figures and words, as they come; a suite without runs has nothing to choose."""
    fixed: dict[str, Callable[[], Iterator[Figure | str]]] = {
        "adapters": adapters.report,
        "encryption": encryption.report,
        "ledger": ledger.report,
    }
    counted: dict[str, Callable[..., Iterator[Figure | str]]] = {
        "pipeline": pipeline.report,
        "throughput": throughput.report,
        "overhead": overhead.report,
        "recovery": recovery.report,
        "inflight": functools.partial(inflight.report, hurry=hurry),
    }
    if suite in fixed:
        return fixed[suite]()
    return counted[suite](runs) if runs else counted[suite]()
