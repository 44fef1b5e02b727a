"""The simulator's Runway."""

import base64
from typing import Any

import pytest
import requests

from tests.providers.simulator.talk import look, measured, submit
from tests.simulator import KEYS, Simulator, picture

IMAGE = "/runway/v1/image_to_video"


def animate(simulator: Simulator, **changes: Any) -> requests.Response:
    asked = {"model": "gen4_turbo", "promptImage": f"data:image/png;base64,{picture()}", "ratio": "1280:720"}
    return simulator.ask("runway", "POST", IMAGE, asked | {"duration": 5, "promptText": "a fox"} | changes)


def test_a_task_ends_with_a_file(simulator: Simulator) -> None:
    job = animate(simulator)
    assert job.json()["estimatedCost"] == {"credits": 25.0}
    task = look(simulator, "runway", job.json()).json()
    assert (task["status"], task["cost"]) == ("SUCCEEDED", {"credits": 25})
    assert measured(requests.get(task["output"][0], timeout=30).content) == (1280, 720, 5.0)


def test_a_task_waits_runs_and_ends(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    simulator.control("concurrency", {"runway": 1})
    first, second = animate(simulator).json(), animate(simulator, promptText="second").json()
    running, waiting = (look(simulator, "runway", job).json() for job in (first, second))
    assert (running["status"], waiting["status"]) == ("RUNNING", "THROTTLED")
    assert 0 <= running["progress"] < 0.5
    simulator.advance(31)
    words = [look(simulator, "runway", job).json()["status"] for job in (first, second)]
    assert words == ["SUCCEEDED", "RUNNING"]


def test_each_look_signs_the_address_anew(simulator: Simulator) -> None:
    job = animate(simulator).json()
    first, second = (look(simulator, "runway", job).json()["output"][0] for _ in range(2))
    assert first != second


def test_an_address_is_signed_for_a_day(simulator: Simulator) -> None:
    job = animate(simulator).json()
    url = look(simulator, "runway", job).json()["output"][0]
    simulator.advance(25 * 3600)
    assert requests.get(url, timeout=30).status_code == 403
    assert requests.get(look(simulator, "runway", job).json()["output"][0], timeout=30).status_code == 200


def test_delete_cancels_what_runs_and_forgets_what_is_done(simulator: Simulator) -> None:
    done = animate(simulator).json()
    simulator.control("clock", {"speed": 1})
    running = animate(simulator, promptText="second").json()
    for job in (done, running):
        answer = simulator.ask("runway", "DELETE", f"/runway/v1/tasks/{job['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert look(simulator, "runway", done).status_code == 404
    assert look(simulator, "runway", running).json()["status"] == "CANCELLED"


@pytest.mark.parametrize(
    ("code", "credits"),
    [
        ("SAFETY.INPUT.TEXT", 25),
        ("INTERNAL.BAD_OUTPUT.CODE01", 0),
        ("THIRD_PARTY.UNAVAILABLE", 0),
        ("ASSET.INVALID", 0),
    ],
)
def test_a_failure_has_its_code_and_its_cost(simulator: Simulator, code: str, credits: int) -> None:
    job = animate(simulator, promptText=f"a fox #sim:fails={code}").json()
    task = look(simulator, "runway", job).json()
    assert (task["status"], task["failureCode"], task["cost"]["credits"]) == ("FAILED", code, credits)
    assert simulator.books()["providers"]["runway"]["cents"] == credits


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"ratio": "16:9"}, "invalid_value", ["ratio"]),
        ({"duration": "5"}, "invalid_type", ["duration"]),
        ({"duration": 11}, "too_big", ["duration"]),
        ({"promptText": "x" * 1001}, "too_big", ["promptText"]),
        ({"promptText": "\N{FOX FACE}" * 501}, "too_big", ["promptText"]),
        ({"promptText": ""}, "too_small", ["promptText"]),
        ({"prompt_text": "x"}, "unrecognized_keys", []),
        ({"seed": 2**32}, "too_big", ["seed"]),
        ({"model": "gen3a_turbo"}, "invalid_value", ["model"]),
        ({"promptImage": "http://example.com/a.png"}, "invalid_format", ["promptImage"]),
        ({"promptImage": "data:image/png;base64,AAAA"}, "invalid_format", ["promptImage"]),
        ({"promptImage": [{"uri": "https://example.com/a.png", "position": "last"}]}, "invalid_type", ["promptImage"]),
    ],
)
def test_a_body_is_held_to_its_model(simulator: Simulator, changes: Any, code: str, path: list[str]) -> None:
    answer = animate(simulator, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "Validation of body failed")
    assert (answer.json()["issues"][0]["code"], answer.json()["issues"][0]["path"]) == (code, path)
    assert simulator.books()["providers"] == {}


def test_five_hundred_foxes_are_a_thousand_units(simulator: Simulator) -> None:
    assert animate(simulator, promptText="\N{FOX FACE}" * 500).status_code == 200


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("X-Runway-Version", "", 400),
        ("X-Runway-Version", "2020-01-01", 400),
        ("Authorization", "", 401),
        ("Authorization", "Bearer key_short", 401),
    ],
)
def test_it_wants_a_key_and_a_version(simulator: Simulator, header: str, value: str, status: int) -> None:
    headers = simulator.headers("runway") | {header: value}
    assert simulator.ask("runway", "GET", "/runway/v1/organization", headers=headers).status_code == status


def test_the_organization_tells_credits_and_limits(simulator: Simulator) -> None:
    submit(simulator, "runway")
    found = simulator.ask("runway", "GET", "/runway/v1/organization").json()
    assert found["creditBalance"] > 0
    assert found["tier"]["models"]["gen4.5"]["maxConcurrentGenerations"] == 5
    assert found["usage"]["models"]["gen4.5"]["dailyGenerations"] == 1


def test_out_of_credits_is_400(simulator: Simulator) -> None:
    simulator.control("keys", {KEYS["runway"]: "exhausted"})
    answer = animate(simulator)
    assert (answer.status_code, answer.json()["error"]) == (400, "You do not have enough credits to run this task.")
    assert simulator.ask("runway", "GET", "/runway/v1/organization").status_code == 200


def test_an_upload_can_be_animated(simulator: Simulator) -> None:
    place = simulator.ask("runway", "POST", "/runway/v1/uploads", {"filename": "in.png", "type": "ephemeral"}).json()
    content = base64.b64decode(picture(600, 900))
    files = {"file": ("in.png", content, "image/png")}
    sent = requests.post(place["uploadUrl"], data=place["fields"], files=files, timeout=30)
    assert sent.status_code == 204
    asked = {"model": "kling2.5_turbo_pro", "promptImage": place["runwayUri"], "promptText": "x", "duration": 5}
    job = simulator.ask("runway", "POST", IMAGE, asked).json()
    url = look(simulator, "runway", job).json()["output"][0]
    assert measured(requests.get(url, timeout=30).content) == (720, 1080, 5.0)


def test_stills_are_made_too(simulator: Simulator) -> None:
    asked = {"model": "gen4_image", "promptText": "a fox", "ratio": "1280:720"}
    job = simulator.ask("runway", "POST", "/runway/v1/text_to_image", asked).json()
    url = look(simulator, "runway", job).json()["output"][0]
    assert requests.get(url, timeout=30).headers["content-type"] == "image/png"
