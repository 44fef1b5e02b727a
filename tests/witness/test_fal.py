"""fal, and Pika through it: the queue and the uploads as fal-client 1.0.3 speaks them; see the facts, part B.

The client knows https addresses only, so its constants are set to the server at hand.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fal_client
import pytest
from fal_client import client as module

from providers.adapters.fal import FalAdapter
from providers.adapters.pika import PikaAdapter
from providers.base import JobRef, Status
from tests.simulator import KEYS, Simulator
from tests.witness.asks import OPTIONS, PNG, PROMPT, Differs, request, same
from tests.witness.recorder import ABSENT, Recorder

FAL, PIKA = FalAdapter(), PikaAdapter()
KEY = KEYS["fal"]
KLING = "fal-ai/kling-video/v2.5-turbo/pro/image-to-video"
PIKA_22 = "fal-ai/pika/v2.2/image-to-video"
ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
KEPT = {"expiration_duration_seconds": 172_800}
LIFECYCLE = Differs("header.x-fal-object-lifecycle-preference", ABSENT, KEPT, "what was made is copied at once; B2")
NO_LOGS = Differs("query.logs", "false", ABSENT, "false is what is meant without it; B2")
Client = Callable[[str, str, str], fal_client.SyncClient]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """fal's own client, for a queue, a storage and a CDN somewhere."""
    made: list[fal_client.SyncClient] = []
    opened: list[Any] = []
    cdn_client = fal_client.SyncClient._get_cdn_client

    def kept(self: fal_client.SyncClient) -> Any:
        opened.append(cdn_client(self))  # it is opened for each upload and never closed
        return opened[-1]

    def there(queue: str, rest: str, cdn: str) -> fal_client.SyncClient:
        monkeypatch.setattr(module, "QUEUE_URL_FORMAT", f"{queue}/")
        monkeypatch.setattr(module, "REST_URL", rest)
        monkeypatch.setattr(module, "CDN_URL", cdn)
        monkeypatch.setattr(fal_client.SyncClient, "_get_cdn_client", kept)
        made.append(fal_client.SyncClient(key=KEY))
        return made[-1]

    yield there
    for one in [*opened, *(one._client for one in made)]:
        one.close()


def home(base: str, app: str) -> str:
    return f"{base}/{app}/requests/{ID}"


def accepts(here: Recorder, app: str) -> str:
    """Let the server accept uploads and jobs of an app; where such a job lives."""
    place = home(here.base, app)
    permission = {"token": "cdn-token", "token_type": "Bearer", "base_url": here.base}
    permission["expires_at"] = "2099-01-01T00:00:00+00:00"
    urls = {"response_url": place, "status_url": f"{place}/status", "cancel_url": f"{place}/cancel"}
    here.reply("POST", f"/{app}/", {"status": "IN_QUEUE", "request_id": ID, "queue_position": 0} | urls)
    here.reply("POST", "/storage/auth/token", permission)
    here.reply("POST", "/files/upload", {"access_url": f"{here.base}/files/still.png"})
    here.reply("GET", "/status$", {"status": "IN_QUEUE", "request_id": ID, "queue_position": 0} | urls, status=202)
    here.reply("GET", f"{ID}$", {"video": {"url": "https://v3.fal.media/out.mp4", "content_type": "video/mp4"}})
    here.reply("PUT", "/cancel$", {"status": "CANCELLATION_REQUESTED"}, status=202)
    return place


@dataclass(frozen=True)
class Case:
    """An endpoint, and what its own fields are for the usual options."""

    adapter: FalAdapter
    endpoint: str
    fields: dict[str, Any]


KLINGS = Case(FAL, KLING, {"duration": "5"})
PIKAS = Case(PIKA, PIKA_22, {"duration": "5", "resolution": "720p", "seed": OPTIONS["seed"]})


@pytest.mark.parametrize("case", [KLINGS, PIKAS], ids=["kling", "pika"])
def test_a_job_is_submitted_as_the_client_does(here: Recorder, client: Client, settings: Any, case: Case) -> None:
    accepts(here, "/".join(case.endpoint.split("/")[:2]))
    wish: dict[str, Any] = {"prompt": PROMPT, "image_url": f"{here.base}/files/still.png"} | case.fields
    wait = settings.WORKFLOW_DEADLINE_MINUTES * 60
    submit = client(here.base, here.base, here.base).submit
    theirs = here.during(lambda: submit(case.endpoint, wish, start_timeout=wait))
    ours = here.during(lambda: case.adapter.submit(request(case.endpoint), token=KEY))
    assert [one.path for one in ours[:-1]] == ["/storage/auth/token", "/files/upload"]
    same(theirs, ours[-1:], LIFECYCLE)


def test_a_webhook_is_asked_for_as_the_client_does(here: Recorder, client: Client, settings: Any) -> None:
    settings.PUBLIC_URL = "https://videos.example.org"
    accepts(here, "fal-ai/pika")
    ours = here.during(lambda: PIKA.submit(request(PIKA_22), token=KEY))[-1:]
    hook = ours[0].facts()["query.fal_webhook"]
    assert hook.startswith("https://videos.example.org/hooks/pika/")
    wait = {"start_timeout": settings.WORKFLOW_DEADLINE_MINUTES * 60}
    submit = client(here.base, here.base, here.base).submit
    theirs = here.during(lambda: submit(PIKA_22, ours[0].json, webhook_url=hook, **wait))
    same(theirs, ours, LIFECYCLE)


def test_a_picture_is_uploaded_as_the_client_does(here: Recorder, client: Client) -> None:
    accepts(here, "fal-ai/pika")
    kept = fal_client.StorageSettings(expires_in=KEPT["expiration_duration_seconds"])
    upload = client(here.base, here.base, here.base).upload
    theirs = here.during(lambda: upload(PNG, "image/png", "picture.png", lifecycle=kept))
    ours = here.during(lambda: PIKA.submit(request(PIKA_22), token=KEY))
    same(theirs[:1], ours[:1])
    twice = Differs(
        "header.x-fal-object-lifecycle-preference", KEPT, ABSENT, "is for storage by address; client.py says which"
    )
    same(theirs[1:], ours[1:2], twice)
    assert KEY not in ours[1].headers["authorization"]


def test_a_job_is_looked_at_and_canceled_as_the_client_does(here: Recorder, client: Client) -> None:
    place = accepts(here, "fal-ai/pika")
    theirs = client(here.base, here.base, here.base)
    handle = theirs.get_handle(PIKA_22, ID)
    assert handle.response_url == place
    ours = JobRef(ID, PIKA_22)
    same(here.during(handle.status), here.during(lambda: PIKA.fetch(ours, token=KEY)), NO_LOGS)
    same(here.during(handle.cancel), here.during(lambda: PIKA.cancel(ours, token=KEY)))


def test_a_result_is_brought_as_the_client_does(here: Recorder, client: Client) -> None:
    accepts(here, "fal-ai/kling-video")
    here.reply("GET", "/status$", {"status": "COMPLETED", "request_id": ID, "logs": [], "metrics": {}})
    handle = client(here.base, here.base, here.base).get_handle(KLING, ID)
    theirs = here.during(handle.get)
    ours = here.during(lambda: FAL.fetch(JobRef(ID, KLING), token=KEY))
    same(theirs[:1], ours[:1], NO_LOGS)
    same(theirs[1:], ours[1:])


# --- The client before the simulator ---------------------------------------------------------------------------


@pytest.fixture
def theirs(simulator: Simulator, client: Client) -> fal_client.SyncClient:
    urls = simulator.urls
    return client(urls["fal_queue"], urls["fal_rest"], f"{simulator.base}/fal-media")


def test_the_client_gets_a_video_from_the_simulator(simulator: Simulator, theirs: fal_client.SyncClient) -> None:
    image = theirs.upload(PNG, "image/png", "still.png")
    handle = theirs.submit(PIKA_22, {"prompt": PROMPT, "image_url": image, "duration": "5", "resolution": "720p"})
    events = list(itertools.islice(handle.iter_events(with_logs=True, interval=0), 20))
    assert isinstance(events[-1], fal_client.Completed)
    assert events[-1].error is None
    file = handle.get()["video"]
    assert file["content_type"] == "video/mp4"
    assert simulator.ask("fal", "GET", file["url"], headers={}).content[4:8] == b"ftyp"
    assert simulator.books("fal")["providers"]["fal"]["accepted"] == 1


def test_the_client_uploads_by_address_too(simulator: Simulator, theirs: fal_client.SyncClient) -> None:
    """It sends its key along to the signed address (a leak), which the simulator refuses as a bucket would."""
    with pytest.raises(fal_client.FalClientHTTPError) as failure:
        theirs.upload(PNG, "image/png", "still.png", repository="fal", fallback_repository=[])
    assert failure.value.status_code == 400


def test_the_client_sees_a_line_and_a_cancellation(simulator: Simulator, theirs: fal_client.SyncClient) -> None:
    simulator.reset(speed=1)
    wish = {"prompt": PROMPT, "image_url": theirs.upload(PNG, "image/png", "a.png"), "duration": "5"}
    running, _second, waiting = (theirs.submit(PIKA_22, wish) for _ in range(3))
    status = waiting.status()
    assert isinstance(status, fal_client.Queued)
    assert status.position == 0
    simulator.advance(5)
    assert isinstance(running.status(with_logs=True), fal_client.InProgress)
    waiting.cancel()
    assert isinstance(waiting.status(), fal_client.Completed)


def test_the_client_reads_the_simulators_refusal(theirs: fal_client.SyncClient) -> None:
    handle = theirs.submit(PIKA_22, {"prompt": PROMPT, "image_url": "https://example.org/a.png", "duration": 7})
    with pytest.raises(fal_client.FalClientHTTPError) as failure:
        handle.get(interval=0)
    assert failure.value.status_code == 422
    assert failure.value.error_type == "validation_error"


def test_our_adapter_gets_the_same_from_the_simulator(simulator: Simulator, settings: Any) -> None:
    settings.PROVIDER_URLS = simulator.urls
    job = PIKA.submit(request(PIKA_22), token=KEY)
    found = PIKA.fetch(JobRef(job.id, PIKA_22, job.handle), token=KEY)
    assert found.status == Status.SUCCEEDED
    with PIKA.download(found.outputs[0], token=KEY) as film:
        assert film.read(8)[4:] == b"ftyp"
