"""Tokens: shown once, kept as a digest, good until they expire or are revoked, and for the API alone."""

import datetime

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.urls import get_resolver
from django.utils import timezone

from tests.problems import assert_problem
from vidgenie import tokens
from vidgenie.models import ApiToken
from workflows.prompts import InvalidInput


def ask(client, header):
    return client.get("/api/credits", headers={"Authorization": header})


def test_a_token_opens_the_api(client, alice):
    _, text = tokens.create(alice, "a program")
    assert ask(client, f"Bearer {text}").json()["balance"] == 300


def test_only_its_digest_is_kept(alice):
    token, text = tokens.create(alice, "a program")
    kept = ApiToken.objects.filter(pk=token.pk).values().get()
    assert text not in str(kept)
    assert text[3:] not in str(kept)
    assert len(text) == 67
    assert text.startswith("vg_")


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Bearer vg_", "Bearer vg_" + "0" * 64, "Bearer vg_" + "0" * 63,
     "Bearer vg_é" + "0" * 63, "Bearer two words", "Bearer " + "x" * 5000, "Token {}", "Basic {}", "{}", "vg_",
     "Bearer {} ", "Bearer {}0", "Bearer\x00{}"],
    ids=lambda header: ascii(header)[:30],
)  # fmt: skip
def test_anything_else_does_not(client, alice, header):
    _, text = tokens.create(alice, "a program")
    response = ask(client, header.format(text) if header != "Bearer {} " else f"Bearer  {text[:-1]}")
    assert response.status_code == 401
    assert_problem(response, 401, response.json()["code"])
    assert response.json()["code"] in ("not_authenticated", "invalid_token", "authentication_failed")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert text not in response.content.decode()


def test_it_expires(client, alice, settings):
    with time_machine.travel("2026-11-22T10:00:00Z", tick=False) as now:
        token, text = tokens.create(alice, "a program")
        assert token.expiry == timezone.now() + datetime.timedelta(days=settings.API_TOKEN_DAYS)
        now.shift(datetime.timedelta(days=settings.API_TOKEN_DAYS, seconds=-1))
        assert ask(client, f"Bearer {text}").status_code == 200
        assert not token.is_expired
        now.shift(1)
        assert_problem(ask(client, f"Bearer {text}"), 401, "invalid_token")
        assert token.is_expired


def test_it_can_be_revoked_twice(client, alice):
    token, text = tokens.create(alice, "a program")
    tokens.revoke(token)
    tokens.revoke(token)
    assert_problem(ask(client, f"Bearer {text}"), 401, "invalid_token")


def test_it_is_refused_while_its_user_is_not_active(client, alice):
    _, text = tokens.create(alice, "a program")
    alice.is_active = False
    alice.save()
    assert_problem(ask(client, f"Bearer {text}"), 401, "invalid_token")


def test_a_bad_token_is_refused_even_with_a_good_session(client, alice):
    client.force_login(alice)
    assert_problem(ask(client, "Bearer vg_" + "0" * 64), 401, "invalid_token")


def test_its_use_is_noted_once_a_minute(client, alice):
    with time_machine.travel("2026-11-22T10:00:00Z", tick=False) as now:
        _, text = tokens.create(alice, "a program")
        noted = []
        for seconds in (0, 59, 1):
            now.shift(seconds)
            ask(client, f"Bearer {text}")
            noted.append(ApiToken.objects.get().last_used.strftime("%H:%M:%S"))
    assert noted == ["10:00:00", "10:00:00", "10:01:00"]


def test_there_is_no_way_from_a_token_to_a_token(client, alice):
    routes = [str(route.pattern) for route in get_resolver("vidgenie.api_urls").url_patterns]
    assert [route for route in routes if "token" in route] == []
    _, text = tokens.create(alice, "a program")
    client.post("/accounts/tokens/", {"name": "another"}, headers={"Authorization": f"Bearer {text}"})
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b", "two\nlines"])
def test_a_token_needs_a_name(alice, name):
    with pytest.raises(InvalidInput, match="name"):
        tokens.create(alice, name)
    assert ApiToken.objects.count() == 0


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_token_lives_a_year_at_most(alice, days):
    with pytest.raises(InvalidInput, match="days"):
        tokens.create(alice, "a program", days)
    assert ApiToken.objects.count() == 0


def test_the_command_prints_the_token_alone(client, alice, capsys):
    call_command("create_token", "alice", "--name", "nightly", "--days", "7")
    printed = capsys.readouterr()
    assert ask(client, f"Bearer {printed.out.strip()}").status_code == 200
    assert printed.out.count("\n") == 1
    assert printed.out.strip() not in printed.err
    assert "keep it like a password" in printed.err
    token = ApiToken.objects.get()
    assert (token.name, round((token.expiry - token.created) / datetime.timedelta(days=1))) == ("nightly", 7)


@pytest.mark.parametrize("arguments", [["nobody"], ["alice", "--days", "0"], ["alice", "--name", " "]])
def test_the_command_refuses_what_cannot_be(alice, capsys, arguments):
    with pytest.raises(CommandError):
        call_command("create_token", *arguments)
    assert capsys.readouterr().out == ""
    assert ApiToken.objects.count() == 0
