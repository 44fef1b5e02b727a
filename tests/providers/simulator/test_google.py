"""The simulator's Gemini Omni and Veo."""

import base64
import json
from typing import Any

import google.auth.exceptions
import google.auth.transport.requests
import google.oauth2.service_account
import pytest

from tests.providers.simulator.talk import VEO, look, measured, submit
from tests.simulator import Simulator, picture


def video(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["steps"][-1]["content"][0]
    return found


def test_omni_gives_the_film_inline(simulator: Simulator) -> None:
    job = submit(simulator, "google").json()
    answer = look(simulator, "google", job).json()
    assert (answer["status"], video(answer)["type"]) == ("completed", "video")
    assert measured(base64.b64decode(video(answer)["data"])) == (1280, 720, 6.0)
    assert answer["usage"]["total_output_tokens"] == 6 * 5792


def test_omni_gives_an_address_when_asked(simulator: Simulator) -> None:
    shape = {"type": "video", "duration": "3s", "delivery": "uri"}
    job = submit(simulator, "google", response_format=shape).json()
    uri = video(look(simulator, "google", job).json())["uri"]
    home, name = uri.removesuffix(":download?alt=media").rsplit("/", 1)
    assert simulator.ask("google", "GET", f"{home}/{name}").json()["state"] == "ACTIVE"
    first = simulator.ask("google", "GET", uri)
    assert first.status_code == 302
    second = simulator.ask("google", "GET", first.headers["location"])
    assert measured(second.content) == (1280, 720, 3.0)
    assert simulator.ask("google", "GET", first.headers["location"], headers={}).status_code == 403


def test_a_file_is_being_processed_first(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    shape = {"type": "video", "duration": "3s", "delivery": "uri"}
    job = submit(simulator, "google", response_format=shape).json()
    assert job["status"] == "in_progress"
    path = f"/google/v1beta/files/{job['id'].removeprefix('v1_')}"
    assert simulator.ask("google", "GET", path).status_code == 404
    simulator.advance(41)
    assert simulator.ask("google", "GET", path).json()["state"] == "PROCESSING"
    simulator.advance(2)
    assert simulator.ask("google", "GET", path).json()["state"] == "ACTIVE"


def test_omni_takes_a_picture_by_both_versions(simulator: Simulator) -> None:
    blocks = [{"type": "image", "mime_type": "image/png", "data": picture()}, {"type": "text", "text": "a fox"}]
    asked = {
        "model": "gemini-omni-1.1-flash",
        "background": True,
        "input": [{"type": "user_input", "content": blocks}],
        "generation_config": {"video_config": {"task": "image_to_video"}},
        "response_format": {"type": "video", "aspect_ratio": "9:16", "duration": "3s"},
    }
    job = simulator.ask("google", "POST", "/google/v1/interactions", asked).json()
    answer = simulator.ask("google", "GET", f"/google/v1/interactions/{job['id']}").json()
    assert measured(base64.b64decode(video(answer)["data"])) == (720, 1280, 3.0)


def test_omni_can_be_canceled_and_deleted(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    job = submit(simulator, "google").json()
    path = f"/google/v1beta/interactions/{job['id']}"
    assert simulator.ask("google", "POST", f"{path}/cancel").json()["status"] == "cancelled"
    assert simulator.ask("google", "DELETE", path).json() == {}
    assert simulator.ask("google", "GET", path).status_code == 404
    assert simulator.books()["providers"]["google"]["billed"] == 0


@pytest.mark.parametrize("form", ["text", "failed", "step_error"])
def test_omni_filters_in_three_forms(simulator: Simulator, form: str) -> None:
    job = submit(simulator, "google", f"a fox #sim:moderation_output={form}").json()
    answer = look(simulator, "google", job).json()
    assert answer["status"] == ("failed" if form == "failed" else "completed")
    assert "video" not in json.dumps([step.get("content") for step in answer["steps"]]).replace("create that video", "")
    assert simulator.books()["providers"]["google"]["billed"] == 0


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"response_format": {"type": "video", "duration": "16s"}}, 400, "invalid_request"),
        ({"response_format": {"type": "video", "duration": 8}}, 400, "invalid_request"),
        ({"response_format": {"type": "video", "aspect_ratio": "1:1"}}, 400, "invalid_request"),
        ({"negative_prompt": "blur"}, 400, "invalid_request"),
        ({"background": "yes"}, 400, "invalid_request"),
        ({"store": False}, 400, "invalid_request"),
        ({"input": [{"type": "image", "mime_type": "image/png", "data": "AAAA"}]}, 400, "invalid_request"),
        ({"model": "gemini-omni-flash-preview"}, 404, "not_found"),
        ({"input": "a fox #sim:moderation_input"}, 400, "content_blocked"),
    ],
)
def test_omni_refuses_with_a_code_that_is_a_string(simulator: Simulator, changes: Any, status: int, code: str) -> None:
    answer = submit(simulator, "google", **changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert simulator.books()["providers"] == {}


def test_a_bad_key_is_400_at_google(simulator: Simulator) -> None:
    answer = simulator.ask("google", "GET", "/google/v1beta/models", headers={"x-goog-api-key": "short"})
    assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    assert simulator.ask("google", "GET", "/google/v1beta/models", headers={}).status_code == 403


def test_veo_is_gone_from_the_key_host(simulator: Simulator) -> None:
    path = "/google/v1beta/models/veo-3.1-generate-preview:predictLongRunning"
    answer = simulator.ask("google", "POST", path, {"instances": [{"prompt": "a fox"}]})
    assert answer.status_code == 404
    assert "is no longer available" in answer.json()["error"]["message"]


def test_vertex_gives_the_film_in_its_json(simulator: Simulator) -> None:
    job = submit(simulator, "vertex").json()
    answer = look(simulator, "vertex", job).json()
    assert (answer["done"], answer["response"]["raiMediaFilteredCount"]) == (True, 0)
    film = base64.b64decode(answer["response"]["videos"][0]["bytesBase64Encoded"])
    assert measured(film) == (1280, 720, 6.0)


def test_a_vertex_operation_cannot_be_got(simulator: Simulator) -> None:
    name = submit(simulator, "vertex").json()["name"]
    assert simulator.ask("vertex", "GET", f"/vertex/v1beta1/{name}").status_code == 404


@pytest.mark.parametrize(("form", "part"), [("rai", "response"), ("error", "error")])
def test_vertex_filters_in_two_forms(simulator: Simulator, form: str, part: str) -> None:
    job = submit(simulator, "vertex", f"a fox #sim:moderation_output={form}").json()
    answer = look(simulator, "vertex", job).json()
    assert answer["done"]
    assert part in answer
    assert "videos" not in answer.get("response", {})


@pytest.mark.parametrize(
    "parameters",
    [
        {"durationSeconds": 5},
        {"durationSeconds": "8"},
        {"duration_seconds": 8},
        {"resolution": "1080p", "durationSeconds": 4},
        {"resolution": "4k"},
        {"aspectRatio": "1:1"},
        {"seed": -1},
    ],
)
def test_vertex_refuses_bad_parameters(simulator: Simulator, parameters: Any) -> None:
    answer = submit(simulator, "vertex", parameters=parameters)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert simulator.books()["providers"] == {}


def test_vertex_wants_a_token_of_its_own(simulator: Simulator) -> None:
    for header in ("", "Bearer eyJhbGciOi", "Key a:b"):
        answer = simulator.ask("vertex", "POST", f"{VEO}:predictLongRunning", {}, headers={"Authorization": header})
        assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def credentials(simulator: Simulator) -> Any:
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    account = json.loads(simulator.service_account())
    return google.oauth2.service_account.Credentials.from_service_account_info(account, scopes=scopes)


def test_a_service_account_gets_a_token(simulator: Simulator) -> None:
    found = credentials(simulator)
    found.refresh(google.auth.transport.requests.Request())
    headers = {"Authorization": f"Bearer {found.token}"}
    asked = {"instances": [{"prompt": "a fox"}]}
    answer = simulator.ask("vertex", "POST", f"{VEO}:predictLongRunning", asked, headers=headers)
    assert answer.status_code == 200


def test_a_revoked_service_account_gets_none(simulator: Simulator) -> None:
    simulator.control("keys", {"tester@vidgenie-test.iam.gserviceaccount.com": "revoked"})
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        credentials(simulator).refresh(google.auth.transport.requests.Request())
