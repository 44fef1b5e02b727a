"""Make an API token for somebody: the token on stdout and nothing else, so that a script can take it."""

import argparse
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from vidgenie import tokens
from vidgenie.models import Scope
from workflows.prompts import InvalidInput


class Command(BaseCommand):
    """`manage.py create_token USER`."""

    help = "Make an API token and print it, this one time."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, what it is called, for how long, and what for."""
        parser.add_argument("user", help="name of the user")
        parser.add_argument("--name", default="command line", help="what its owner will know it by")
        parser.add_argument("--days", type=_whole, help="how long it works; default: API_TOKEN_DAYS")
        meanings = "; ".join(f"{scope} ({scope.label})" for scope in Scope)
        parser.add_argument(
            "--scopes", type=_words, default=Scope.values, help=f"by comma, from: {meanings}; default: all of them"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, print it, say what to do with it."""
        user = User.objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']!r}.")
        try:
            token, text = tokens.create(user, options["name"], options["days"], options["scopes"])
        except InvalidInput as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)
        self.stderr.write(
            f"Send it as `Authorization: Bearer {text[:6]}…`. It works until {token.expiry:%Y-%m-%d} "
            f"for {', '.join(token.scopes)}, and is shown only now: keep it like a password."
        )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a whole number of days") from error
