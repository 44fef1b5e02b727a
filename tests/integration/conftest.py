"""Where the contract is tried: at the simulator always, at the providers themselves where somebody has asked for it."""

import socket
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_socket

from providers import budget, gateway
from tests.simulator import Simulator, simulator, simulator_server

__all__ = ["simulator", "simulator_server"]

VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "fal": "FAL_KEY",
    "google": "GOOGLE_API_KEY",
    "vertex": "GOOGLE_APPLICATION_CREDENTIALS",
    "runway": "RUNWAYML_API_SECRET",
}


@dataclass(frozen=True)
class Place:
    """Where a provider is met, and how often to look at a job there, in seconds."""

    name: str
    look: float


@pytest.fixture
def simulated(simulator: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The simulator, where everything is done at once; what is spent there is not counted to the run."""
    settings.PROVIDER_MODE, settings.PROVIDER_URLS = "simulated", simulator.urls
    settings.MAX_TEST_CREDITS_PER_RUN = 1000
    monkeypatch.setattr(budget, "_spent", 0)
    return Place("simulated", 0.1)


def why_not_real(provider: str, price: int, settings: Any) -> str:
    """What is missing for a real call, as a reason to skip; "" when nothing is."""
    key = gateway.ADAPTERS[provider].key_of or provider
    left = settings.MAX_TEST_CREDITS_PER_RUN - budget.spent()
    if not settings.ENABLE_REAL_API_TESTS:
        return "ENABLE_REAL_API_TESTS is not true"
    if settings.PROVIDER_MODE != "real":
        return "VIDGENIE_PROVIDER_MODE is not real"
    if not settings.PROVIDER_KEYS[key]:
        return f"there is no key in {VARIABLES[key]}"
    if price > left:
        return f"it costs {price} credits, and MAX_TEST_CREDITS_PER_RUN leaves {left}"
    return ""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the network, for the rest of one test."""

    def open_it() -> Place:
        pytest_socket.enable_socket()
        monkeypatch.setattr(socket.socket, "connect", pytest_socket._true_connect)
        return Place("real", 5.0)

    return open_it
