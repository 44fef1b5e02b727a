"""The simulator's fal: queue, files, and what its models refuse."""

from typing import Any

import pytest
import requests

from tests.providers.simulator.talk import PATHS, body, look, measured, submit
from tests.simulator import KEYS, Simulator, picture


def result(simulator: Simulator, job: dict[str, Any]) -> requests.Response:
    return simulator.ask("fal", "GET", job["response_url"])


def test_a_job_goes_from_queue_to_file(simulator: Simulator) -> None:
    job = submit(simulator, "fal").json()
    assert job["status"] == "IN_QUEUE"
    assert job["status_url"] == f"{simulator.base}/fal-queue/fal-ai/pika/requests/{job['request_id']}/status"
    status = look(simulator, "fal", job)
    assert (status.status_code, status.json()["status"], status.json()["logs"]) == (200, "COMPLETED", [])
    video = result(simulator, job).json()["video"]
    assert video["content_type"] == "video/mp4"
    assert measured(requests.get(video["url"], timeout=30).content) == (1280, 720, 5.0)


def test_status_is_202_while_it_runs_and_the_result_400(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    job = submit(simulator, "fal").json()
    status = look(simulator, "fal", job)
    assert (status.status_code, status.json()["status"]) == (202, "IN_PROGRESS")
    assert isinstance(status.json()["logs"], list)
    assert result(simulator, job).status_code == 400
    simulator.advance(61)
    assert look(simulator, "fal", job).json()["status"] == "COMPLETED"


def test_the_third_job_waits_in_line(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    jobs = [submit(simulator, "fal", f"fox {n}").json() for n in range(4)]
    assert [job["queue_position"] for job in jobs] == [0, 0, 0, 1]
    assert look(simulator, "fal", jobs[3]).json()["queue_position"] == 1
    assert simulator.ask("fal", "PUT", jobs[2]["cancel_url"]).status_code == 202
    assert look(simulator, "fal", jobs[3]).json()["queue_position"] == 0
    simulator.advance(61)
    assert look(simulator, "fal", jobs[3]).json()["status"] == "IN_PROGRESS"


def test_cancel_says_what_became_of_it(simulator: Simulator) -> None:
    job = submit(simulator, "fal").json()
    late = simulator.ask("fal", "PUT", job["cancel_url"])
    assert (late.status_code, late.json()) == (400, {"status": "ALREADY_COMPLETED"})
    unknown = simulator.ask("fal", "PUT", job["cancel_url"].replace(job["request_id"], "nobody"))
    assert (unknown.status_code, unknown.json()) == (404, {"status": "NOT_FOUND"})


def test_only_owner_and_alias_are_in_its_addresses(simulator: Simulator) -> None:
    job = submit(simulator, "fal").json()
    whole = f"/fal-queue/fal-ai/pika/v2.2/image-to-video/requests/{job['request_id']}/status"
    assert simulator.ask("fal", "GET", whole).status_code == 404
    other = f"/fal-queue/fal-ai/kling-video/requests/{job['request_id']}/status"
    assert simulator.ask("fal", "GET", other).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field", "kind"),
    [
        ({"duration": 5}, "duration", "literal_error"),
        ({"duration": "7"}, "duration", "literal_error"),
        ({"aspect_ratio": "16:9"}, "aspect_ratio", "extra_forbidden"),
        ({"prompt": 7}, "prompt", "string_type"),
        ({"image_url": "http://10.0.0.1/in.png"}, "image_url", "file_download_error"),
        ({"image_url": "data:image/png;base64,AAAA"}, "image_url", "file_download_error"),
        ({"image_url": f"data:image/png;base64,{picture(64, 64)}"}, "image_url", "image_too_small"),
    ],
)
def test_bad_input_shows_in_the_result(simulator: Simulator, changes: Any, field: str, kind: str) -> None:
    job = submit(simulator, "fal", **changes).json()
    status = look(simulator, "fal", job).json()
    assert (status["status"], status["error"]) == ("COMPLETED", "Unprocessable Entity")
    answer = result(simulator, job)
    assert answer.status_code == 422
    assert [(one["loc"], one["type"]) for one in answer.json()["detail"]] == [(["body", field], kind)]
    assert simulator.books()["providers"]["fal"]["billed"] == 0


def test_bad_input_can_show_at_once(simulator: Simulator) -> None:
    assert submit(simulator, "fal", "a fox #sim:early_422", duration="7").status_code == 422
    assert simulator.books()["providers"] == {}


@pytest.mark.parametrize("header", ["", "Bearer x", "Key nocolon", f"Bearer {KEYS['fal']}"])
def test_it_wants_a_key_of_its_shape(simulator: Simulator, header: str) -> None:
    answer = simulator.ask(
        "fal", "POST", "/fal-queue/fal-ai/pika/v2.2/image-to-video", {}, headers={"Authorization": header}
    )
    assert answer.status_code == 401


def test_unknown_and_retired_endpoints_are_404(simulator: Simulator) -> None:
    for name in ("fal-ai/nothing", "fal-ai/veo3", "fal-ai/sora-2/text-to-video"):
        assert simulator.ask("fal", "POST", f"/fal-queue/{name}", {"prompt": "x"}).status_code == 404


def test_the_media_host_takes_no_key(simulator: Simulator) -> None:
    job = submit(simulator, "fal").json()
    url = result(simulator, job).json()["video"]["url"]
    assert simulator.ask("fal", "GET", url).status_code == 400
    assert simulator.ask("fal", "GET", url, headers={}).status_code == 200


def test_an_upload_by_token_is_seen_by_the_model(simulator: Simulator) -> None:
    import base64

    token = simulator.ask("fal", "POST", "/fal-rest/storage/auth/token?storage_type=fal-cdn-v3", {}).json()
    headers = {"Authorization": f"{token['token_type']} {token['token']}", "Content-Type": "image/png"}
    content = base64.b64decode(picture(900, 600))
    sent = requests.post(f"{token['base_url']}/files/upload", data=content, headers=headers, timeout=30).json()
    assert requests.get(sent["access_url"], timeout=30).content == content
    job = submit(simulator, "fal", image_url=sent["access_url"]).json()
    url = result(simulator, job).json()["video"]["url"]
    assert measured(requests.get(url, timeout=30).content) == (1080, 720, 5.0)


def test_an_upload_by_address_takes_no_key(simulator: Simulator) -> None:
    asked = {"file_name": "in.png", "content_type": "image/png"}
    place = simulator.ask("fal", "POST", "/fal-rest/storage/upload/initiate?storage_type=fal-cdn-v3", asked).json()
    assert simulator.ask("fal", "PUT", place["upload_url"], data=b"png").status_code == 400
    assert simulator.ask("fal", "PUT", place["upload_url"], data=b"png", headers={}).status_code == 200
    assert requests.get(place["file_url"], timeout=30).content == b"png"


def test_a_result_is_gone_after_an_hour(simulator: Simulator) -> None:
    job = submit(simulator, "fal").json()
    simulator.advance(3700)
    assert result(simulator, job).status_code == 404


@pytest.mark.parametrize(
    ("endpoint", "changes", "expected"),
    [
        (
            "fal-ai/kling-video/v2.5-turbo/pro/text-to-video",
            {"duration": "10", "aspect_ratio": "9:16"},
            (1080, 1920, 10.0),
        ),
        ("fal-ai/ltx-2.3/text-to-video", {"duration": 6, "aspect_ratio": "16:9"}, (1920, 1080, 6.0)),
        ("fal-ai/veo3.1/fast", {"duration": "4s", "resolution": "720p"}, (1280, 720, 4.0)),
    ],
)
def test_each_model_has_types_of_its_own(simulator: Simulator, endpoint: str, changes: Any, expected: Any) -> None:
    job = simulator.ask("fal", "POST", f"/fal-queue/{endpoint}", {"prompt": "a fox"} | changes).json()
    url = result(simulator, job).json()["video"]["url"]
    assert measured(requests.get(url, timeout=30).content) == expected


def test_a_job_that_cannot_start_in_time_fails(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    headers = simulator.headers("fal") | {"X-Fal-Request-Timeout": "10.0"}
    jobs = [
        simulator.ask("fal", "POST", PATHS["fal"], body("fal", f"fox {n}"), headers=headers).json() for n in range(3)
    ]
    simulator.advance(11)
    assert look(simulator, "fal", jobs[2]).json()["error_type"] == "request_timeout"
    assert result(simulator, jobs[2]).status_code == 504
    assert simulator.books("fal")["entries"][2]["headers"] == {"x-fal-request-timeout": "10.0"}


def test_a_queue_can_be_called_too_long(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    statuses = [
        simulator.ask("fal", "POST", f"{PATHS['fal']}?fal_max_queue_length=1", body("fal")).status_code
        for _ in range(4)
    ]
    assert statuses == [200, 200, 200, 429]
