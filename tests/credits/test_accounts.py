"""Whoever comes to exist, by whatever door, has an account and the newcomers' credits exactly once."""

import io

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from credits import ledger
from credits.ledger import Balance
from credits.models import Account, Entry


def grants(user):
    return list(
        Entry.objects.filter(account__user=user).order_by("created").values_list("kind", "amount", "key", "reason")
    )


def by_create_user():
    return User.objects.create_user("zoe")


def by_save():
    user = User(username="zoe")
    user.save()
    return user


def by_createsuperuser():
    call_command("createsuperuser", "--noinput", username="zoe", email="zoe@example.org", stdout=io.StringIO())
    return User.objects.get(username="zoe")


DOORS = [by_create_user, by_save, by_createsuperuser]


@pytest.mark.parametrize("door", DOORS)
def test_every_door_opens_an_account_with_the_sign_up_credits(db, settings, door):
    settings.SIGNUP_CREDITS = 40
    user = door()
    assert ledger.balance(user) == Balance(40, 0)
    assert grants(user) == [("grant", 40, f"signup:{user.pk}", "sign-up")]


@pytest.mark.parametrize("door", DOORS)
def test_with_no_sign_up_credits_there_is_an_account_and_no_line(db, settings, door):
    settings.SIGNUP_CREDITS = 0
    user = door()
    assert Account.objects.get(user=user).balance == 0
    assert grants(user) == []


def test_changing_a_user_gives_nothing_again(alice):
    alice.first_name = "Alice"
    alice.save()
    ledger.open_account(alice)
    assert ledger.balance(alice) == Balance(300, 0)


def test_an_account_that_was_opened_knows_its_balance(db, settings):
    settings.SIGNUP_CREDITS = 40
    (user,) = User.objects.bulk_create([User(username="zoe")])
    assert ledger.open_account(user).balance == 40


@pytest.mark.parametrize(
    ("verb", "after"),
    [
        (ledger.balance, Balance(300, 0)),
        (lambda user: ledger.hold(user, 100, reference="run"), Balance(300, 100)),
        (lambda user: ledger.grant(user, 5, key="g1", reason="a gift"), Balance(305, 0)),
        (lambda user: ledger.adjust(user, -5, key="a1", reason="a correction"), Balance(295, 0)),
    ],
    ids=["balance", "hold", "grant", "adjust"],
)
def test_users_made_without_a_signal_get_their_account_when_it_is_first_asked_for(db, verb, after):
    (user,) = User.objects.bulk_create([User(username="zoe")])
    verb(user)
    assert ledger.balance(user) == after
    assert grants(user)[0] == ("grant", 300, f"signup:{user.pk}", "sign-up")


def test_raising_the_sign_up_credits_later_gives_nothing_to_those_who_are_there(alice, settings):
    settings.SIGNUP_CREDITS = 1000
    ledger.open_account(alice)
    assert ledger.balance(alice) == Balance(300, 0)
