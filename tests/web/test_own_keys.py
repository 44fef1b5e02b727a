"""A user's own keys to providers: kept sealed, for that user alone, erased when asked."""

import pytest
from django.urls import reverse

from providers import crypto, keys
from providers.adapters import ADAPTERS
from providers.models import ProviderKey

KEY = "key_" + "0123456789abcdef" * 8
PAGE = reverse("own-keys")


@pytest.fixture(autouse=True)
def ring(settings, monkeypatch):
    settings.ENCRYPTION_KEYS = crypto.new_key()
    monkeypatch.setattr(type(ADAPTERS["runway"]), "check", lambda adapter, *, token: "120 credits")


def store(client, **form):
    return client.post(PAGE, {"provider": "runway", "key": KEY} | form)


def test_a_key_is_kept_tried_and_not_shown(client, alice, django_capture_on_commit_callbacks):
    client.force_login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        assert store(client).headers["Location"] == PAGE
    page = client.get(PAGE).content.decode()
    assert "…cdef" in page
    assert "Fine: 120 credits" in page
    assert KEY not in page
    assert keys.token(ADAPTERS["runway"], keys.chosen("runway", alice)) == KEY


def test_it_is_nobody_elses(client, alice, bob):
    client.force_login(alice)
    store(client)
    row = ProviderKey.objects.get()
    client.force_login(bob)
    assert "cdef" not in client.get(PAGE).content.decode()
    assert client.post(reverse("take-own-key-away", args=[row.pk])).status_code == 404
    assert (row.owner, ProviderKey.objects.get().active) == (alice, True)
    assert keys.chosen("runway") is None


def test_it_is_erased_when_asked(client, alice):
    client.force_login(alice)
    store(client)
    row = ProviderKey.objects.get()
    assert client.get(reverse("take-own-key-away", args=[row.pk])).status_code == 405
    assert client.post(reverse("take-own-key-away", args=[row.pk])).headers["Location"] == PAGE
    row.refresh_from_db()
    assert (row.active, row.sealed) == (False, "")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"key": KEY + " "}, "Key: there is a blank or a line break in it. Paste it without."),
        ({"provider": "fal"}, "Key: this looks like a key of runway, not of fal."),
        ({"key": ""}, "Key: it is empty. Paste the key of runway."),
    ],
)
def test_what_cannot_be_a_key_is_refused(client, alice, form, sentence):
    client.force_login(alice)
    answer = store(client, **form)
    page = answer.content.decode()
    assert (answer.status_code, sentence in page, KEY in page) == (422, True, False)
    assert not ProviderKey.objects.exists()


def test_the_platforms_key_cannot_be_set_or_erased_here(client, alice):
    platform = keys.store("runway", KEY)
    client.force_login(alice)
    store(client, owner="", key="key_" + "ab" * 64)
    assert client.post(reverse("take-own-key-away", args=[platform.pk])).status_code == 404
    assert keys.token(ADAPTERS["runway"]) == KEY


def test_without_an_encryption_key_the_page_says_so(client, alice, settings):
    settings.ENCRYPTION_KEYS = ""
    client.force_login(alice)
    assert "This site cannot keep keys yet" in client.get(PAGE).content.decode()
    assert store(client).status_code == 422
    assert not ProviderKey.objects.exists()


def test_strangers_are_sent_to_the_sign_in(client, db):
    assert client.get(PAGE).headers["Location"].startswith("/accounts/login/")
    assert store(client).headers["Location"].startswith("/accounts/login/")
