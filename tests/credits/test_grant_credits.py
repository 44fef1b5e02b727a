"""The operator's door to a grant."""

import io

import pytest
from django.core.management import CommandError, call_command

from credits import ledger
from tests.factories import UserFactory


def grant(*arguments, reason="for the demo"):
    said = io.StringIO()
    call_command("grant_credits", *arguments, *(["--reason", reason] if reason is not None else []), stdout=said)
    return said.getvalue()


def refused(message, *arguments, **options):
    with pytest.raises(CommandError, match=message) as refusal:
        grant(*arguments, **options)
    assert refusal.value.returncode == 1


@pytest.mark.parametrize("name", ["alice", "alice@example.org", "ALICE@Example.org"])
def test_it_grants_to_a_username_or_an_address(alice, name):
    ledger.hold(alice, 100, reference="run")
    assert grant(name, "50") == "alice has 350 credits now, 250 of them to spend.\n"
    entry = alice.account.entries.get(amount=50)
    assert (entry.kind, entry.reason, entry.actor) == ("grant", "for the demo", None)


def test_with_a_key_it_is_safe_to_repeat(alice):
    for _ in range(2):
        assert grant("alice", "50", "--key", "november") == "alice has 350 credits now, 350 of them to spend.\n"


def test_without_a_key_each_time_counts(alice):
    grant("alice", "50")
    grant("alice", "50")
    assert ledger.balance(alice).balance == 400


def test_it_refuses_the_same_key_for_another_amount(alice):
    grant("alice", "50", "--key", "november")
    refused("was used for something else", "alice", "60", "--key", "november")
    assert ledger.balance(alice).balance == 350


@pytest.mark.parametrize("name", ["nobody", "", "nobody@example.org"])
def test_it_says_that_there_is_no_such_user(alice, name):
    UserFactory(username="robot", email="")
    refused("There is no user", name, "50")


def test_it_does_not_choose_between_two_users_with_one_address(alice):
    UserFactory(username="twin", email="alice@example.org")
    refused("Several users", "alice@example.org", "50")
    assert ledger.balance(alice).balance == 300


@pytest.mark.parametrize("amount", ["0", "-5", str(2**63)])
def test_it_refuses_what_is_no_amount(alice, amount):
    refused("whole number of credits above 0", "alice", amount)
    assert ledger.balance(alice).balance == 300


@pytest.mark.parametrize("amount", ["many", "1.5"])
def test_it_refuses_what_is_no_number(alice, amount):
    with pytest.raises(CommandError, match="invalid int value"):
        grant("alice", amount)


def test_it_demands_a_reason(alice):
    with pytest.raises(CommandError, match="--reason"):
        grant("alice", "50", reason=None)
    refused("The reason must have", "alice", "50", reason="  ")
    assert ledger.balance(alice).balance == 300
