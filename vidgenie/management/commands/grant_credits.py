"""The operator's door to a grant: the same operation that staff have in the admin."""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from credits import ledger


class Command(BaseCommand):
    help = "Gives a user credits, with a reason, and prints the new balance."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="username or e-mail address")
        parser.add_argument("amount", type=int, help="credits to give; 1 credit is 1 US cent of list price")
        parser.add_argument("--reason", required=True, help="why; it stays in the books")
        parser.add_argument("--key", help="a name for this grant: the same again changes nothing")

    def handle(self, *, user: str, amount: int, reason: str, key: str | None, **options: Any) -> None:
        owner = find(user)
        try:
            ledger.grant(owner, amount, key=f"command:{key or uuid.uuid4()}", reason=reason)
        except (ledger.LedgerError, ValueError) as error:
            raise CommandError(str(error)) from error
        now = ledger.balance(owner)
        self.stdout.write(f"{owner.username} has {now.balance} credits now, {now.available} of them to spend.")


def find(name: str) -> User:
    """The user with this username, else the one with this e-mail address; raises CommandError."""
    exact = User.objects.filter(username=name).first()
    found = [exact] if exact else list(User.objects.filter(Q(email__iexact=name) & ~Q(email=""))[:2])
    if not found:
        raise CommandError(f"There is no user {name!r}. Give a username or an e-mail address.")
    if len(found) > 1:
        raise CommandError(f"Several users have the e-mail address {name!r}. Give a username.")
    return found[0]
