"""Measures what was promised; printed with its method, never asserted: a busy machine is no defect of the program."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from providers import overhead
from vidgenie.management.benchmarks import encryption, pipeline
from vidgenie.management.own_database import own_database

SUITES = ("pipeline", "adapters", "encryption")


class Command(BaseCommand):
    help = "Times complete sandbox runs with a worker of its own, what adapters cost, or the sealing of keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--suite", choices=[*SUITES, "all"], default="pipeline", help="default: pipeline")
        parser.add_argument("--runs", type=int, default=5, help="measured runs of the pipeline; default: 5")

    def handle(self, *, suite: str, runs: int, **options: Any) -> None:
        with own_database():
            for name in SUITES if suite == "all" else [suite]:
                self.stdout.write(self.style.MIGRATE_HEADING(name))
                for line in _lines(name, runs):
                    self.stdout.write(line)
                    self.stdout.flush()


def _lines(suite: str, runs: int) -> Iterator[str]:
    reports = {
        "pipeline": lambda: pipeline.report(runs),
        "adapters": overhead.report,
        "encryption": encryption.report,
    }
    return reports[suite]()
