"""Runway: tasks, uploads and the organization as runwayml 5.24.0 speaks them; see the facts, part B."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import runwayml
from runwayml.lib import polling

from providers.adapters import runway
from providers.adapters.runway import RunwayAdapter
from providers.base import JobRef, Status
from tests.simulator import KEYS, Simulator
from tests.witness.asks import OPTIONS, PNG, PROMPT, TYPED, request, same
from tests.witness.recorder import Recorder

KEY = KEYS["runway"]
ID = "17f20503-6c24-4c16-946b-35dbbce2af2f"
JOB = JobRef(ID, "gen4.5")
IMAGE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
PENDING = {"id": ID, "createdAt": "2026-11-22T10:00:00Z", "status": "PENDING", "estimatedCost": {"credits": 60.0}}
WISH: dict[str, Any] = {"prompt_text": PROMPT, "ratio": "1280:720", "duration": 5, "seed": OPTIONS["seed"]}


@pytest.fixture
def adapter() -> RunwayAdapter:
    """A new one, that has deleted nothing."""
    return RunwayAdapter()


def client(base: str, **how: Any) -> runwayml.RunwayML:
    return runwayml.RunwayML(api_key=KEY, base_url=base, **how)


def test_a_video_from_an_image_is_asked_for_as_the_sdk_asks(here: Recorder, adapter: RunwayAdapter) -> None:
    here.reply("POST", "/v1/image_to_video$", {"id": ID, "estimatedCost": {"credits": 25.0}})
    create: Any = client(here.base).image_to_video.create
    theirs = here.during(lambda: create(model="gen4_turbo", prompt_image=IMAGE, **WISH))
    same(theirs, here.during(lambda: adapter.submit(request("gen4_turbo"), token=KEY)))


def test_a_video_from_words_is_asked_for_as_the_sdk_asks(here: Recorder, adapter: RunwayAdapter) -> None:
    here.reply("POST", "/v1/text_to_video$", {"id": ID, "estimatedCost": {"credits": 60.0}})
    create: Any = client(here.base).text_to_video.create
    theirs = here.during(lambda: create(model="gen4.5", **WISH))
    same(theirs, here.during(lambda: adapter.submit(request("gen4.5", image=False), token=KEY)))


def test_a_task_is_looked_at_as_the_sdk_does(here: Recorder, adapter: RunwayAdapter) -> None:
    here.reply("GET", f"/v1/tasks/{ID}$", PENDING)
    theirs = here.during(lambda: client(here.base).tasks.retrieve(ID))
    same(theirs, here.during(lambda: adapter.fetch(JOB, token=KEY)))


def test_a_task_is_deleted_as_the_sdk_does(here: Recorder, adapter: RunwayAdapter) -> None:
    here.reply("GET", f"/v1/tasks/{ID}$", PENDING)
    here.reply("DELETE", f"/v1/tasks/{ID}$", status=204)
    theirs = here.during(lambda: client(here.base).tasks.delete(ID))
    ours = here.during(lambda: adapter.cancel(JOB, token=KEY))
    assert [one.method for one in ours] == ["GET", "DELETE"]  # what has ended would be thrown away: B4
    same(theirs, ours[1:], TYPED)


def test_the_organization_is_asked_for_as_the_sdk_asks(here: Recorder, adapter: RunwayAdapter) -> None:
    here.reply("GET", "/v1/organization$", {"creditBalance": 1, "tier": {"models": {}}, "usage": {"models": {}}})
    theirs = here.during(client(here.base).organization.retrieve)
    same(theirs, here.during(lambda: adapter.check(token=KEY)))


def test_a_large_image_is_uploaded_as_the_sdk_does(
    here: Recorder, adapter: RunwayAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runway, "DATA_URI", 10)
    fields = {"key": "abc", "policy": "cG9saWN5"}
    ticket = {"runwayUri": "runway://abc", "uploadUrl": f"{here.base}/bucket", "fields": fields}
    here.reply("POST", "/v1/uploads$", ticket)
    here.reply("POST", "/bucket$", status=204)
    here.reply("POST", "/v1/image_to_video$", {"id": ID})
    theirs = here.during(lambda: client(here.base).uploads.create_ephemeral(file=("still.png", PNG, "image/png")))
    ours = here.during(lambda: adapter.submit(request("gen4_turbo"), token=KEY))
    same(theirs[:1], ours[:1])
    same(theirs[1:], ours[1:2])
    assert ours[2].json["promptImage"] == "runway://abc"


# --- The SDK before the simulator ------------------------------------------------------------------------------


@pytest.fixture
def sdk(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(polling, "POLL_TIME", 0.02)
    monkeypatch.setattr(polling, "POLL_JITTER", 0)
    with client(simulator.urls["runway"], max_retries=0) as found:
        yield found


def test_the_sdk_gets_a_video_from_the_simulator(simulator: Simulator, sdk: Any) -> None:
    task = sdk.image_to_video.create(model="gen4_turbo", prompt_image=IMAGE, **WISH).wait_for_task_output(timeout=10)
    assert (task.status, task.cost.credits) == ("SUCCEEDED", 25)
    assert simulator.ask("runway", "GET", task.output[0], headers={}).content[4:8] == b"ftyp"
    assert simulator.books("runway")["providers"]["runway"]["accepted"] == 1


def test_the_sdk_uploads_to_the_simulator(sdk: Any) -> None:
    uri = sdk.uploads.create_ephemeral(file=("still.png", PNG, "image/png")).uri
    task = sdk.image_to_video.create(model="gen4_turbo", prompt_image=uri, **WISH)
    assert task.wait_for_task_output(timeout=10).status == "SUCCEEDED"


def test_the_sdk_cancels_at_the_simulator(simulator: Simulator, sdk: Any) -> None:
    simulator.reset(speed=1)
    task = sdk.text_to_video.create(model="gen4.5", **WISH)
    assert sdk.tasks.retrieve(task.id).status in ("PENDING", "RUNNING")
    sdk.tasks.delete(task.id)
    assert sdk.tasks.retrieve(task.id).status == "CANCELLED"
    sdk.tasks.delete(task.id)
    with pytest.raises(runwayml.NotFoundError):
        sdk.tasks.retrieve(task.id)


def test_the_sdk_reads_the_simulators_organization_and_refusal(sdk: Any) -> None:
    organization = sdk.organization.retrieve()
    assert organization.credit_balance == 100_000
    assert organization.usage.models["gen4.5"].daily_generations == 0
    with pytest.raises(runwayml.BadRequestError) as failure:
        sdk.text_to_video.create(model="gen4.5", **WISH | {"ratio": "16:9"})
    assert failure.value.body["issues"][0]["path"] == ["ratio"]


def test_our_adapter_gets_the_same_from_the_simulator(
    simulator: Simulator, adapter: RunwayAdapter, settings: Any
) -> None:
    settings.PROVIDER_URLS = simulator.urls
    job = adapter.submit(request("gen4_turbo"), token=KEY)
    found = adapter.fetch(JobRef(job.id, "gen4_turbo", job.handle), token=KEY)
    assert (found.status, found.cost) == (Status.SUCCEEDED, 25)
    with adapter.download(found.outputs[0], token=KEY) as film:
        assert film.read(8)[4:] == b"ftyp"
