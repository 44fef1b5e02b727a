"""A session lasts as long as its row says."""

import datetime

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone


@pytest.fixture
def as_alice(client, alice):
    client.force_login(alice)
    return client


def test_whoever_has_signed_in_stays_so(as_alice):
    assert as_alice.get("/credits/").status_code == 200


def test_a_session_that_is_over_is_nobodys(as_alice):
    Session.objects.update(expire_date=timezone.now() - datetime.timedelta(seconds=1))
    assert as_alice.get("/credits/").headers["Location"].startswith("/accounts/login/")


def test_a_session_that_nobody_began_is_not_taken_up(client, alice):
    client.cookies["session"] = "a" * 32
    client.post("/accounts/login/", {"login": alice.username, "password": "wrong"})
    assert not Session.objects.filter(pk="a" * 32).exists()
    client.force_login(alice)
    assert client.cookies["session"].value != "a" * 32
