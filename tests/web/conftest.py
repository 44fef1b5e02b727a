"""Browsers of the cast, as Django's test client sees them."""

import pytest
from django.test import Client
from django.utils import translation


@pytest.fixture
def as_alice(alice):
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def as_bob(bob):
    client = Client()
    client.force_login(bob)
    return client


@pytest.fixture(autouse=True)
def english():
    """A request in another language leaves its thread in that language."""
    yield
    translation.activate("en")
