"""A submit costs money: an adapter makes it once, whatever comes back. The SDKs beside it are the control."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fal_client
import openai as openai_sdk
import pytest
import runwayml
from fal_client import client as fal_module
from google import genai
from google.genai import types

from providers import http
from providers.adapters import openai
from providers.adapters.fal import FalAdapter
from providers.adapters.google import GoogleAdapter
from providers.adapters.openai import OpenAIAdapter
from providers.adapters.pika import PikaAdapter
from providers.adapters.runway import RunwayAdapter
from providers.adapters.vertex import VertexAdapter
from providers.base import Adapter, JobRequest, Kind, ProviderError, Reason
from tests.simulator import KEYS, Simulator
from tests.witness.asks import PROMPT, request
from tests.witness.recorder import Recorder, Reply

IMAGE = "/images/generations$"
HTML = "<html><body>Internal Server Error</body></html>"
FATES = {
    "500": Reply(status=500, text=HTML, headers={"Content-Type": "text/html"}),
    "reset_after_accept": Reply(fate="reset"),
    "429": Reply({}, status=429, headers={"Retry-After": "7"}),
    "hang": Reply(fate="hang"),
    "bad_json": Reply(text='{"id": "1", "sta'),
}
# What the caller is told: why, and whether it may have been accepted all the same.
TOLD = {
    "500": (Reason.UNAVAILABLE, True),
    "reset_after_accept": (Reason.UNAVAILABLE, True),
    "429": (Reason.RATE_LIMITED, False),
    "hang": (Reason.TIMED_OUT, True),
    "bad_json": (Reason.UNAVAILABLE, True),
}


@dataclass(frozen=True)
class Buyer:
    """An adapter, what it is asked for, and the path that costs money."""

    adapter: Adapter
    request: JobRequest
    paid: str


BUYERS = {
    "openai": Buyer(OpenAIAdapter(), request("gpt-image-2.5-flare", Kind.IMAGE), IMAGE),
    "fal": Buyer(FalAdapter(), request("fal-ai/kling-video/v2.5-turbo/pro/image-to-video"), "/kling-video/"),
    "pika": Buyer(PikaAdapter(), request("fal-ai/pika/v2.2/image-to-video"), "/pika/"),
    "google": Buyer(GoogleAdapter(), request("gemini-omni-1.2-flash"), "/interactions$"),
    "vertex": Buyer(VertexAdapter(), request("veo-3.1-fast-generate-001", duration_seconds=6), ":predictLongRunning$"),
    "runway": Buyer(RunwayAdapter(), request("gen4_turbo"), "/image_to_video$"),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than 0.3 s for an answer."""
    monkeypatch.setitem(http.call.__kwdefaults__, "timeout", (http.CONNECT, 0.3))  # type: ignore[arg-type]
    monkeypatch.setattr(openai, "IMAGE_READ", 0.3)


@pytest.fixture
def free(here: Recorder) -> Recorder:
    """All that goes before a submit works."""
    grant = {"access_token": "ya29.witness", "expires_in": 3599, "token_type": "Bearer"}
    here.reply("POST", "/token$", grant | {"token": "cdn-token", "base_url": here.base})
    here.reply("POST", "/files/upload$", {"access_url": f"{here.base}/files/still.png"})
    return here


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("name", BUYERS)
def test_an_adapter_submits_once(free: Recorder, simulator_server: Simulator, name: str, fate: str) -> None:
    buyer = BUYERS[name]
    free.reply("POST", buyer.paid, **vars(FATES[fate]))
    key = KEYS.get(buyer.adapter.key_of or name) or simulator_server.service_account()
    with pytest.raises(ProviderError) as failure:
        buyer.adapter.submit(buyer.request, token=key)
    assert free.paid(buyer.paid) == 1
    assert (failure.value.reason, failure.value.sent) == TOLD[fate]


# --- The control: the same server, the same fates, the official clients as they come ---------------------------

# How often each sends the same paid request. google-genai gives a broken connection a name of its own before its retry
# looks at it, so it stops there; fal-client repeats a 5xx only when it looks like nginx.
SENT_BY_SDK = {
    "openai": {"500": 3, "reset_after_accept": 3, "429": 3, "hang": 3},
    "runway": {"500": 3, "reset_after_accept": 3, "429": 3, "hang": 3},
    "fal": {"500": 1, "reset_after_accept": 10, "429": 10, "hang": 10},
    "google": {"500": 5, "reset_after_accept": 1, "429": 5, "hang": 1},
}
CONTROLS = [(name, fate, times) for name, fates in SENT_BY_SDK.items() for fate, times in fates.items()]


def _openai(base: str) -> Any:
    with openai_sdk.OpenAI(api_key="sk-x", base_url=base, timeout=0.1) as client:
        client.images.generate(model="gpt-image-2.5-flare", prompt=PROMPT)


def _runway(base: str) -> Any:
    image = f"data:image/png;base64,{base64.b64encode(b'x').decode()}"
    with runwayml.RunwayML(api_key=KEYS["runway"], base_url=base, timeout=0.1) as client:
        client.image_to_video.create(model="gen4_turbo", prompt_image=image, prompt_text=PROMPT, ratio="1280:720")


def _fal(base: str) -> Any:
    client = fal_client.SyncClient(key=KEYS["fal"], default_timeout=0.1)
    with client._client:
        client.submit("fal-ai/pika/v2.2/image-to-video", {"prompt": PROMPT})


def _google(base: str) -> Any:
    options = types.HttpOptions(base_url=base, timeout=100)
    with genai.Client(api_key=KEYS["google"], http_options=options) as client:
        client.interactions.create(model="gemini-omni-1.2-flash", background=True, input=PROMPT)


SDKS: dict[str, Callable[[str], Any]] = {"openai": _openai, "runway": _runway, "fal": _fal, "google": _google}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, here: Recorder) -> None:
    """The clients wait as long as ever between two tries, but time flies."""
    monkeypatch.setattr(fal_module, "QUEUE_URL_FORMAT", f"{here.base}/")
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("name", "fate", "times"), CONTROLS)
def test_an_sdk_submits_again_and_again(here: Recorder, name: str, fate: str, times: int) -> None:
    paid = BUYERS["pika" if name == "fal" else name].paid
    here.reply("POST", paid, **vars(FATES[fate]))
    with pytest.raises(Exception):  # noqa: B017, PT011 (each has its own)
        SDKS[name](here.base)
    assert here.paid(paid) == times
    assert not any("idempotency-key" in one.headers for one in here.asked)
