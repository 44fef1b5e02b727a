"""Veo on Vertex: long-running predictions as google-genai 3.4.0 speaks them; see the facts, A3."""

from typing import Any

import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccount

from providers.adapters.vertex import SCOPE, VertexAdapter
from providers.base import JobRef, Status
from tests.simulator import Simulator
from tests.witness.asks import OPTIONS, PNG, PROMPT, request, same
from tests.witness.recorder import Recorder

ADAPTER = VertexAdapter()
MODEL = "veo-3.1-fast-generate-001"
PROJECT = "vidgenie-test"
HOME = f"projects/{PROJECT}/locations/us-central1/publishers/google/models/{MODEL}"
NAME = f"{HOME}/operations/0c335789-eab8-405f-8642-c583e12b1ddf"
TOKEN = "ya29.witness"


def client(base: str, credentials: Any) -> Any:
    options = types.HttpOptions(base_url=base)
    return genai.Client(
        vertexai=True, project=PROJECT, location="us-central1", credentials=credentials, http_options=options
    )


def generate(client: Any, *, image: bool, **more: Any) -> Any:
    start = types.Image(image_bytes=PNG, mime_type="image/png") if image else None
    config = types.GenerateVideosConfig(
        number_of_videos=1,
        duration_seconds=6,
        aspect_ratio="16:9",
        resolution="720p",
        generate_audio=True,
        seed=OPTIONS["seed"],
        **more,
    )
    source = types.GenerateVideosSource(prompt=PROMPT, image=start)
    return client.models.generate_videos(model=MODEL, source=source, config=config)


@pytest.fixture
def key(here: Recorder, simulator: Simulator, settings: Any) -> str:
    """A service account; the recording server grants it the token that the SDK has."""
    settings.VERTEX_LOCATION = "us-central1"
    here.reply("POST", "/token$", {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})
    here.reply("POST", ":(predictLongRunning|fetchPredictOperation)$", {"name": NAME})
    return simulator.service_account()


def test_a_video_from_an_image_is_asked_for_as_the_sdk_asks(here: Recorder, key: str) -> None:
    sdk = client(here.base, Credentials(token=TOKEN))
    theirs = here.during(lambda: generate(sdk, image=True, resize_mode="PAD"))
    ours = here.during(lambda: ADAPTER.submit(request(MODEL, duration_seconds=6), token=key))
    assert [one.path for one in ours[:-1]] == ["/token"]
    same(theirs, ours[1:])


def test_a_video_from_words_is_asked_for_as_the_sdk_asks(here: Recorder, key: str) -> None:
    theirs = here.during(lambda: generate(client(here.base, Credentials(token=TOKEN)), image=False))
    ours = here.during(lambda: ADAPTER.submit(request(MODEL, image=False, duration_seconds=6), token=key))
    same(theirs, ours[1:])


def test_an_operation_is_looked_at_as_the_sdk_does(here: Recorder, key: str) -> None:
    sdk = client(here.base, Credentials(token=TOKEN))
    theirs = here.during(lambda: sdk.operations.get(types.GenerateVideosOperation(name=NAME)))
    job = JobRef(NAME.rpartition("/")[2], MODEL, {"operation": NAME})
    same(theirs, here.during(lambda: ADAPTER.fetch(job, token=key))[1:])


def test_a_token_is_asked_for_as_google_auth_does(here: Recorder, key: str) -> None:
    import json

    import requests
    from google.auth.transport.requests import Request

    info = json.loads(key) | {"token_uri": f"{here.base}/token"}
    account = ServiceAccount.from_service_account_info(info, scopes=[SCOPE])
    with requests.Session() as session:
        theirs = here.during(lambda: account.refresh(Request(session)))
    ours = here.during(lambda: ADAPTER.check(token=key))[:1]
    assert theirs[0].facts().keys() == ours[0].facts().keys()
    assert theirs[0].body.partition(b"assertion=")[0] == ours[0].body.partition(b"assertion=")[0]


# --- The SDK before the simulator ------------------------------------------------------------------------------


@pytest.fixture
def sdk(simulator: Simulator) -> Any:
    return client(simulator.urls["vertex"], Credentials(token="ya29.simulated-abc-tester"))


def test_the_sdk_gets_a_video_from_the_simulator(sdk: Any) -> None:
    operation = sdk.operations.get(generate(sdk, image=True, resize_mode="PAD"))
    assert operation.done
    assert operation.response.generated_videos[0].video.video_bytes[4:8] == b"ftyp"


def test_the_sdk_waits_at_the_simulator(simulator: Simulator, sdk: Any) -> None:
    simulator.reset(speed=1)
    operation = generate(sdk, image=False)
    assert not sdk.operations.get(operation).done
    simulator.advance(600)
    assert sdk.operations.get(operation).done


def test_the_sdk_reads_the_simulators_refusal(sdk: Any) -> None:
    with pytest.raises(genai.errors.ClientError) as failure:
        sdk.models.generate_videos(
            model="veo-2.0-generate-001", source=types.GenerateVideosSource(prompt=PROMPT), config={}
        )
    assert (failure.value.code, failure.value.status) == (404, "NOT_FOUND")


def test_our_adapter_gets_the_same_from_the_simulator(simulator: Simulator, settings: Any) -> None:
    settings.PROVIDER_URLS = simulator.urls
    key = simulator.service_account()
    job = ADAPTER.submit(request(MODEL, duration_seconds=6), token=key)
    found = ADAPTER.fetch(JobRef(job.id, MODEL, job.handle), token=key)
    assert found.status == Status.SUCCEEDED
    assert found.outputs[0].content[4:8] == b"ftyp"
