"""Gemini Omni: interactions and files as google-genai 3.4.0 speaks them; see the facts, A2 and A5."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import types

from providers.adapters.google import GoogleAdapter
from providers.base import JobRef, Output, Status
from tests.simulator import KEYS, Simulator
from tests.witness.asks import OPTIONS, PNG, PROMPT, TYPED, Differs, request, same
from tests.witness.recorder import ABSENT, Recorder

ADAPTER = GoogleAdapter()
KEY = KEYS["google"]
MODEL = "gemini-omni-1.2-flash"
ID = "v1_Chdqb2JfMDAx"
JOB = JobRef(ID, MODEL)
WHEN = {"created": "2026-11-22T10:00:00Z", "updated": "2026-11-22T10:00:00Z"}
RUNNING = {"id": ID, "model": MODEL, "status": "in_progress", **WHEN}
FORM: dict[str, Any] = {"type": "video", "aspect_ratio": "16:9", "duration": "5s", "resolution": "720p"}


@pytest.fixture
def theirs(here: Recorder) -> Iterator[Any]:
    with genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=here.base)) as found:
        yield found


def create(client: Any, *content: dict[str, Any], task: str, **form: Any) -> Any:
    return client.interactions.create(
        model=MODEL,
        background=True,
        store=True,
        input=list(content),
        generation_config={"video_config": {"task": task}, "seed": OPTIONS["seed"]},
        response_format=FORM | form,
    )


IMAGE = {"type": "image", "data": base64.b64encode(PNG).decode(), "mime_type": "image/png"}
WORDS = {"type": "text", "text": PROMPT}
FIRST = {"type": "text", "text": f"<FIRST_FRAME> {PROMPT}"}


def test_a_video_from_an_image_is_asked_for_as_the_sdk_asks(here: Recorder, theirs: Any) -> None:
    here.reply("POST", "/v1/interactions$", RUNNING)
    said = here.during(lambda: create(theirs, IMAGE, FIRST, task="image_to_video"))
    ours = here.during(lambda: ADAPTER.submit(request(MODEL), token=KEY))
    same(said, ours)


def test_a_video_from_words_is_asked_for_as_the_sdk_asks(here: Recorder, theirs: Any) -> None:
    here.reply("POST", "/v1/interactions$", RUNNING)
    large = {"resolution": "1080p", "delivery": "uri"}
    said = here.during(lambda: create(theirs, WORDS, task="text_to_video", **large))
    ours = here.during(lambda: ADAPTER.submit(request(MODEL, image=False, resolution="1080p"), token=KEY))
    same(said, ours)


def test_an_interaction_is_looked_at_as_the_sdk_does(here: Recorder, theirs: Any) -> None:
    here.reply("GET", f"/v1/interactions/{ID}$", RUNNING)
    no_stream = Differs("query.stream", "false", ABSENT, "false is what is meant without it; A2")
    said = here.during(lambda: theirs.interactions.get(id=ID))
    same(said, here.during(lambda: ADAPTER.fetch(JOB, token=KEY)), no_stream, TYPED)


def test_an_interaction_is_canceled_as_the_sdk_does(here: Recorder, theirs: Any) -> None:
    here.reply("POST", f"/v1/interactions/{ID}/cancel$", RUNNING | {"status": "cancelled"})
    said = here.during(lambda: theirs.interactions.cancel(id=ID))
    same(said, here.during(lambda: ADAPTER.cancel(JOB, token=KEY)), TYPED)


def has_made_a_file(here: Recorder) -> str:
    """Let the interaction be done, with a video that lies in a file; where."""
    uri = f"{here.base}/v1beta/files/abc123:download?alt=media"
    steps = [{"type": "model_output", "content": [{"type": "video", "mime_type": "video/mp4", "uri": uri}]}]
    here.reply("GET", "/interactions/", RUNNING | {"status": "completed", "steps": steps})
    here.reply("GET", "/v1/files/abc123$", {"name": "files/abc123", "mimeType": "video/mp4", "state": "ACTIVE"})
    return uri


def test_a_file_is_asked_after_as_the_sdk_does(here: Recorder, theirs: Any) -> None:
    has_made_a_file(here)
    said = here.during(lambda: theirs.files.get(name="files/abc123"))
    ours = here.during(lambda: ADAPTER.fetch(JOB, token=KEY))
    same(said, ours[1:], TYPED)


def test_a_file_is_brought_as_the_sdk_does(here: Recorder, theirs: Any) -> None:
    has_made_a_file(here)
    here.reply("GET", "/files/abc123:download$", text="film", headers={"Content-Type": "video/mp4"})
    found = ADAPTER.fetch(JOB, token=KEY).outputs[0]
    said = here.during(lambda: theirs.files.download(file="files/abc123"))
    ours = here.during(lambda: ADAPTER.download(found, token=KEY).close())
    same(said, ours, TYPED)


def test_models_are_asked_for_as_the_sdk_asks(here: Recorder, theirs: Any) -> None:
    here.reply("GET", "/v1/models$", {"models": []})
    said = here.during(lambda: theirs.models.list(config={"page_size": 1}))
    same(said, here.during(lambda: ADAPTER.check(token=KEY)), TYPED)


# --- The SDK before the simulator ------------------------------------------------------------------------------


@pytest.fixture
def sdk(simulator: Simulator) -> Iterator[Any]:
    with genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=simulator.urls["google"])) as found:
        yield found


def test_the_sdk_gets_a_video_from_the_simulator(sdk: Any) -> None:
    made = create(sdk, IMAGE, FIRST, task="image_to_video")
    found = sdk.interactions.get(id=made.id)
    assert found.status == "completed"
    assert base64.b64decode(found.output_video.data)[4:8] == b"ftyp"


def test_the_sdk_gets_a_file_from_the_simulator(sdk: Any) -> None:
    made = create(sdk, WORDS, task="text_to_video", delivery="uri")
    found = sdk.interactions.get(id=made.id)
    name = found.output_video.uri.rpartition("/")[2].partition(":")[0]
    assert sdk.files.get(name=f"files/{name}").state == types.FileState.ACTIVE
    assert sdk.files.download(file=f"files/{name}")[4:8] == b"ftyp"


def test_the_sdk_cancels_and_deletes_at_the_simulator(simulator: Simulator, sdk: Any) -> None:
    simulator.reset(speed=1)
    made = create(sdk, WORDS, task="text_to_video")
    assert made.status == "in_progress"
    assert sdk.interactions.cancel(id=made.id).status == "cancelled"
    sdk.interactions.delete(id=made.id)
    assert [one.name for one in sdk.models.list()][:1] == [f"models/{MODEL}"]


def test_the_sdk_reads_the_simulators_refusal(sdk: Any) -> None:
    with pytest.raises(Exception, match="Supported values") as failure:
        create(sdk, WORDS, task="text_to_video", duration="99s")
    assert getattr(failure.value, "status_code", None) == 400


def test_our_adapter_gets_the_same_from_the_simulator(simulator: Simulator, settings: Any) -> None:
    settings.PROVIDER_URLS = simulator.urls
    job = ADAPTER.submit(request(MODEL), token=KEY)
    found = ADAPTER.fetch(JobRef(job.id, MODEL, job.handle), token=KEY)
    assert found.status == Status.SUCCEEDED
    assert found.outputs[0].content[4:8] == b"ftyp"


def test_the_sdk_takes_its_key_wherever_a_download_leads(here: Recorder, theirs: Any) -> None:
    """Why we follow redirects by hand: corrections, A5."""
    with Recorder().running() as elsewhere:
        there = elsewhere.base.replace("127.0.0.1", "localhost")
        elsewhere.reply("GET", "/film$", text="film")
        here.reply("GET", "/files/abc123:download$", text="-", status=302, headers={"Location": f"{there}/film"})
        theirs.files.download(file="files/abc123")
        place = Output(location=f"{here.base}/v1/files/abc123:download?alt=media")
        ADAPTER.download(place, token=KEY).close()
        assert [one.headers.get("x-goog-api-key") for one in elsewhere.asked] == [KEY, None]
