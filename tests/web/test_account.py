"""Signing up, in and out, a forgotten password, API tokens, theme and language."""

import re

import pytest
from django.contrib.auth.models import User
from django.core import mail

from credits import ledger
from credits.ledger import Balance
from tests.factories import PASSWORD
from vidgenie.models import ApiToken

TOKEN = {"name": "my program", "days": "30", "scopes": ["read", "account"]}
NEW = {"email": "ada@example.org", "password1": PASSWORD}


def test_the_front_page_says_what_it_is_and_what_it_costs(client, db):
    page = client.get("/").content.decode()
    assert "Write a sentence, watch it move." in page
    assert "A video of five seconds: <b>15 credits</b>." in page
    assert "You start with 300 credits." in page


def test_who_has_signed_in_goes_straight_to_the_box(as_alice):
    assert as_alice.get("/").headers["Location"] == "/workflows/create/"


def test_signing_up_takes_two_fields_and_gives_credits(client, db):
    answer = client.post("/accounts/signup/", NEW)
    assert answer.headers["Location"] == "/workflows/create/"
    assert ledger.balance(User.objects.get(email="ada@example.org")) == Balance(300, 0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"email": "ada"}, "Enter a valid email address."),
        ({"password1": "short"}, "This password is too short. It must contain at least 10 characters."),
        ({"password1": "0123456789"}, "This password is too common."),
    ],
)
def test_signing_up_says_what_is_wrong(client, db, wrong, sentence):
    answer = client.post("/accounts/signup/", NEW | wrong)
    assert sentence in answer.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["alice", "alice@example.org"])
def test_signing_in_by_name_or_address(client, alice, name):
    answer = client.post("/accounts/login/", {"login": name, "password": PASSWORD})
    assert answer.headers["Location"] == "/workflows/create/"


def test_a_wrong_password_does_not_say_which_was_wrong(client, alice):
    known = client.post("/accounts/login/", {"login": "alice@example.org", "password": "wrong"}).content.decode()
    assert "_auth_user_id" not in client.session
    assert "not correct" in known


def test_signing_out_is_a_button_not_a_link(as_alice):
    assert "_auth_user_id" in as_alice.session
    as_alice.get("/accounts/logout/")
    assert "_auth_user_id" in as_alice.session
    assert as_alice.post("/accounts/logout/").headers["Location"] == "/"
    assert "_auth_user_id" not in as_alice.session


def test_a_forgotten_password_is_chosen_anew_by_a_link(client, alice):
    client.post("/accounts/password/reset/", {"email": "alice@example.org"})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mail.outbox[0].body)
    page = client.get(link[1], follow=True)
    assert "Choose a new password" in page.content.decode()
    client.post(page.request["PATH_INFO"], {"password1": "another-horse-staple", "password2": "another-horse-staple"})
    alice.refresh_from_db()
    assert alice.check_password("another-horse-staple")


def test_the_letter_is_short_and_plain(client, alice):
    client.post("/accounts/password/reset/", {"email": "alice@example.org"})
    letter = mail.outbox[0]
    assert letter.subject == "Choose a new password"
    assert "If it was not you, you need not do anything." in letter.body
    assert "example.com" not in letter.body + letter.subject


def test_an_unknown_address_gets_the_same_answer(client, alice):
    answers = [
        client.post("/accounts/password/reset/", {"email": email}, follow=True).content.decode()
        for email in ("alice@example.org", "nobody@example.org")
    ]
    assert all("If there is an account with this address, a link is on its way." in answer for answer in answers)


# --- Tokens


def test_a_new_token_is_shown_once(as_alice, alice):
    answer = as_alice.post("/accounts/tokens/", TOKEN)
    shown = re.search(r'<code id="token">(vg_\w+)</code>', answer.content.decode())[1]
    assert answer.status_code == 201
    assert shown not in as_alice.get("/accounts/tokens/").content.decode()
    assert shown not in str(ApiToken.objects.values_list().get())


def test_a_new_token_works_until_it_is_revoked(as_alice, client, alice):
    answer = as_alice.post("/accounts/tokens/", TOKEN)
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {answer.context['new']}"}
    assert client.get("/api/credits", **bearer).status_code == 200
    as_alice.post(f"/accounts/tokens/{ApiToken.objects.get().pk}/revoke/")
    assert client.get("/api/credits", **bearer).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 61}, {"name": "two\twords"}, {"days": "0"}, {"days": "366"}, {"days": "soon"},
     {"scopes": []}, {"scopes": ["all"]}],
)  # fmt: skip
def test_a_token_needs_a_name_an_end_and_a_purpose(as_alice, wrong):
    answer = as_alice.post("/accounts/tokens/", TOKEN | wrong)
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_may_do_what_was_chosen_and_the_list_says_so(as_alice):
    new = as_alice.post("/accounts/tokens/", TOKEN).context["new"]
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {new}"}
    assert as_alice.get("/api/credits", **bearer).status_code == 200
    assert as_alice.post("/api/workflow/execute", **bearer).status_code == 403
    assert "read, account · valid until" in as_alice.get("/accounts/tokens/").content.decode()


def test_seeing_and_making_runs_is_what_the_page_proposes(as_alice):
    page = as_alice.get("/accounts/tokens/").content.decode()
    boxes = re.findall(r'<input type="checkbox" name="scopes" value="(\w+)"[^>]*?(checked)?>', page)
    assert boxes == [("read", "checked"), ("run", "checked"), ("account", "")]


def test_somebody_elses_token_cannot_be_revoked(as_alice, as_bob):
    as_alice.post("/accounts/tokens/", TOKEN)
    token = ApiToken.objects.get()
    assert as_bob.post(f"/accounts/tokens/{token.pk}/revoke/").status_code == 404
    assert "my program" not in as_bob.get("/accounts/tokens/").content.decode()
    assert ApiToken.objects.filter(pk=token.pk).exists()


# --- Theme and language


def test_the_theme_is_remembered_and_forgotten(client, db):
    client.post("/accounts/theme/", {"theme": "dark", "next": "/credits/rules/"})
    assert 'data-theme="dark"' in client.get("/").content.decode()
    client.post("/accounts/theme/", {"theme": ""})
    assert "data-theme" not in client.get("/").content.decode()


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_the_theme_leads_nowhere_else(client, db, elsewhere):
    assert client.post("/accounts/theme/", {"theme": "dark", "next": elsewhere}).headers["Location"] == "/"


def test_the_pages_speak_french(client, db):
    client.post("/accounts/language/", {"language": "fr", "next": "/"})
    page = client.get("/").content.decode()
    assert '<html lang="fr"' in page
    assert "Écrivez une phrase, regardez-la bouger." in page
