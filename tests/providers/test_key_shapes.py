"""What each provider's keys look like, and that a key of one is not taken for another's."""

import json

import pytest

from providers import keys
from providers.adapters import ADAPTERS, key_owner
from providers.keys import KeyRefused

PROVIDERS = ["fal", "google", "openai", "runway", "vertex"]
KEYS = {
    "openai": "sk-proj-" + "aB3_-" * 20,
    "fal": "0a1b2c3d-0000-4000-8000-0123456789ab:" + "0f" * 16,
    "google": "AIza" + "Sy0_-" * 7,
    "runway": "key_" + "0123456789abcdef" * 8,
}


@pytest.fixture(scope="module")
def valid():
    """A key of each; the service account is one that nobody has."""
    return {**KEYS, "vertex": ADAPTERS["vertex"].sample_key()}


def complaint(provider, key):
    with pytest.raises(KeyRefused) as caught:
        keys.require_shape(provider, key)
    assert key not in str(caught.value)
    return str(caught.value)


def test_who_has_keys_of_their_own():
    assert keys.keyed_providers() == PROVIDERS
    assert key_owner("pika") == "fal"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_of_theirs_is_taken(valid, provider):
    keys.require_shape(provider, valid[provider])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_sample_for_the_simulator_has_the_right_shape(provider):
    keys.require_shape(provider, ADAPTERS[provider].sample_key())


@pytest.mark.parametrize(("provider", "other"), [(a, b) for a in PROVIDERS for b in PROVIDERS if a != b])
def test_a_key_of_another_provider_is_named_as_such(valid, provider, other):
    assert complaint(provider, valid[other]) == f"Key: this looks like a key of {other}, not of {provider}."


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize("spoil", ["{}\n", " {}", "{}\t", "\r\n{}", "\ufeff{}", "{}\u00a0", "{}\0"], ids=ascii)
def test_a_key_that_was_copied_badly_is_refused(provider, spoil):
    assert complaint(provider, spoil.format(KEYS[provider])).startswith("Key: ")


def test_a_key_cut_in_two_lines_is_told():
    cut = KEYS["runway"][:60] + "\n" + KEYS["runway"][60:]
    assert complaint("runway", cut) == "Key: there is a blank or a line break in it. Paste it without."


def test_a_service_account_may_be_pasted_with_its_line_breaks(valid):
    keys.require_shape("vertex", json.dumps(json.loads(valid["vertex"]), indent=2).replace("\n", "\r\n"))


@pytest.mark.parametrize("missing", ["private_key", "client_email", "type"])
def test_a_service_account_that_lacks_something_is_refused(valid, missing):
    account = json.loads(valid["vertex"])
    del account[missing]
    assert complaint("vertex", json.dumps(account)).startswith("Key: this is no key of vertex; they look like {")
