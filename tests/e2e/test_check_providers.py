"""`manage.py check_providers` against the simulator: the one unbilled call that each adapter knows, over HTTP."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from providers import crypto, keys
from providers.models import ProviderCall, ProviderKey

pytestmark = pytest.mark.django_db


@pytest.fixture
def outside(simulator, settings):
    settings.PROVIDER_URLS, settings.PROVIDER_MODE, settings.PROVIDER_KEYS = simulator.urls, "simulated", {}
    settings.ENCRYPTION_KEYS = crypto.new_key()
    return simulator


def states(capsys):
    call_command("check_providers", "--json")
    return {name: verdict["state"] for name, verdict in json.loads(capsys.readouterr().out).items()}


def test_every_provider_of_the_simulator_is_fine_and_bills_nothing(outside, capsys):
    assert states(capsys) == dict.fromkeys(["fal", "google", "openai", "pika", "runway", "sandbox", "vertex"], "fine")
    assert outside.books()["entries"] == []


def test_without_keys_nobody_is_called(outside, capsys, settings):
    settings.PROVIDER_MODE = "real"
    assert set(states(capsys).values()) == {"no_key", "fine"}
    assert not ProviderCall.objects.exists()


@pytest.mark.parametrize("provider", ["fal", "google", "openai", "pika", "runway"])
def test_a_key_that_is_refused_is_told(outside, capsys, provider):
    outside.faults({"fault": "unauthorized", "times": 100})
    with pytest.raises(CommandError, match=provider):
        call_command("check_providers")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(provider)]
    assert "The key was refused." in line


def test_a_provider_that_is_not_there_is_told(outside, capsys, settings):
    settings.PROVIDER_URLS = {**outside.urls, "runway": "http://127.0.0.1:9/runway"}
    with pytest.raises(CommandError, match="Not fine: runway"):
        call_command("check_providers")
    assert "runway   The provider could not be reached." in capsys.readouterr().out


def test_a_key_from_the_admin_is_the_one_that_is_tried(outside, capsys):
    row = keys.store("runway", "key_" + "ab" * 64)
    assert states(capsys)["runway"] == "fine"
    assert ProviderKey.objects.get(pk=row.pk).verdict.startswith("Fine: ")
