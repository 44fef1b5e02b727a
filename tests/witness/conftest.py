"""The official SDKs and our adapters before one server that writes down what each of them says."""

from collections.abc import Iterator
from typing import Any

import pytest

from providers import sdk
from providers.adapters import openai, vertex
from tests.simulator import simulator, simulator_server
from tests.witness.recorder import Recorder

__all__ = ["simulator", "simulator_server"]

PLACES = ("openai", "fal_queue", "fal_rest", "google", "vertex", "runway")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """The server, with nothing to say yet."""
    with Recorder().running() as found:
        yield found


@pytest.fixture(autouse=True)
def outside(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the providers themselves were asked; nothing is remembered from one test to the next."""
    settings.PROVIDER_MODE = "simulated"
    settings.OPENAI_MODERATION = False
    settings.PUBLIC_URL = ""
    monkeypatch.setattr(sdk, "_refused", {})
    monkeypatch.setattr(openai, "_unmoderated", set())
    monkeypatch.setattr(vertex, "_TOKENS", {})


@pytest.fixture
def here(recorder: Recorder, settings: Any) -> Recorder:
    """Every adapter's API is the recording server."""
    settings.PROVIDER_URLS = dict.fromkeys(PLACES, recorder.base)
    return recorder
