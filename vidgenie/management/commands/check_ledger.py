"""The operator's door to the question whether the books are right."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from credits.models import Verdict
from workflows import books


class Command(BaseCommand):
    help = "Makes every sum of the books again and compares them with the runs. Changes nothing; fails on drift."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, **options: Any) -> None:
        verdict = books.check()
        self.stdout.write(as_json(verdict) if options["json"] else as_text(verdict))
        if not verdict.is_clean:
            raise CommandError(f"{len(verdict.findings)} rules are broken.")


def as_text(verdict: Verdict) -> str:
    """The verdict, and a line for each broken rule."""
    return "\n".join([f"{verdict} ({verdict.seconds:.2f} s)", *verdict.lines])


def as_json(verdict: Verdict) -> str:
    """{"clean": true, "at": "…", "seconds": 1, "findings": [{"check": "…", "rule": "…", "count": 1, "ids": ["…"]}]}"""
    told = {"clean": verdict.is_clean, "at": verdict.at.isoformat()}
    return json.dumps(told | {"seconds": round(verdict.seconds, 3), "findings": verdict.findings})
