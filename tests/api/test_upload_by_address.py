"""A picture at an address that a user gave: fetched like a provider's file, and never from our own network."""

import io
import socket

import pytest

from providers import gateway
from providers.base import ProviderError, Reason
from providers.models import ProviderCall
from tests.pictures import picture
from tests.problems import assert_problem
from workflows.models import Asset

INSIDE = (
    "https://127.0.0.1/a.png",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/a.png",
    "https://10.0.0.7/a.png",
    "https://192.168.1.1/a.png",
    "https://[64:ff9b::7f00:1]/a.png",
    "https://2130706433/a.png",
    "https://example.org\\@127.0.0.1/a.png",
    "https://user:word@example.org/a.png",
)


def send(api, url):
    return api.post("/api/assets", {"url": url}, content_type="application/json")


def test_a_picture_is_fetched_and_drawn_anew(api, alice, monkeypatch):
    monkeypatch.setattr(gateway, "at_address", lambda url, limit: io.BytesIO(picture()))
    answer = send(api, "https://example.org/a.png")
    assert (answer.status_code, Asset.objects.get().user, Asset.objects.get().uploaded) == (201, alice, True)


@pytest.mark.parametrize("url", INSIDE)
def test_our_own_network_is_not_looked_into(api, url):
    assert_problem(send(api, url), 400, "invalid_input", "url")
    assert not Asset.objects.exists()


def test_nor_by_a_name_that_leads_there(api, monkeypatch):
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: inside)
    assert_problem(send(api, "https://pictures.example.org/a.png"), 400, "invalid_input", "url")
    assert [call.status for call in ProviderCall.objects.all()] == [0]


@pytest.mark.parametrize(
    "url", ["http://example.org/a.png", "file:///etc/passwd", "", None, 7, ["https://a"], "x" * 3000]
)
def test_only_https_addresses_are_taken(api, url):
    assert_problem(send(api, url), 400, "invalid_input", "url")
    assert not ProviderCall.objects.exists()


def test_what_the_other_side_said_is_not_told(api, monkeypatch):
    def refuse(url, limit):
        raise ProviderError(Reason.UNAVAILABLE, "500 secret words")

    monkeypatch.setattr(gateway, "at_address", refuse)
    assert b"secret" not in send(api, "https://example.org/a.png").content
