"""The operator's door to the question whether each provider answers, with the key that would be used."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers import keys
from providers.adapters import ADAPTERS


class Command(BaseCommand):
    help = (
        "Makes one unbilled call to each provider that has a key, and says what is wrong. Fails if one of them fails."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, **options: Any) -> None:
        verdicts = {name: keys.check(name, keys.chosen(name)) for name in sorted(ADAPTERS)}
        self.stdout.write(as_json(verdicts) if options["json"] else as_text(verdicts))
        failed = [name for name, verdict in verdicts.items() if verdict.state not in ("fine", "no_key")]
        if failed:
            raise CommandError(f"Not fine: {', '.join(failed)}")


def as_text(verdicts: dict[str, keys.Verdict]) -> str:
    """A line for each provider."""
    width = max(map(len, verdicts))
    return "\n".join(f"{name:{width}}  {verdict.text}" for name, verdict in verdicts.items())


def as_json(verdicts: dict[str, keys.Verdict]) -> str:
    """{"openai": {"state": "fine", "text": "…"}, …}"""
    return json.dumps({name: {"state": v.state, "text": v.text} for name, v in verdicts.items()}, ensure_ascii=False)
