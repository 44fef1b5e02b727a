"""Files that expire, break off, redirect and lie."""

import contextlib

import av
import pytest
import requests

from tests.providers.simulator.talk import look, measured, submit
from tests.simulator import Simulator


def address(simulator: Simulator, fault: str) -> str:
    job = submit(simulator, "runway", f"a fox #sim:{fault}").json()
    return str(look(simulator, "runway", job).json()["output"][0])


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=30, allow_redirects=False)


def test_an_expired_address_is_renewed_by_looking_again(simulator: Simulator) -> None:
    job = submit(simulator, "runway", "a fox #sim:expired_url").json()
    statuses = [get(look(simulator, "runway", job).json()["output"][0]).status_code for _ in range(2)]
    assert statuses == [403, 200]


def test_a_dead_address_stays_dead(simulator: Simulator) -> None:
    assert [get(address(simulator, "dead_url")).status_code for _ in range(2)] == [410, 410]


@pytest.mark.parametrize("fault", ["truncated_length", "truncated_chunked"])
def test_a_file_that_breaks_off_is_noticed(simulator: Simulator, fault: str) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(address(simulator, fault))


def test_a_file_breaks_off_once(simulator: Simulator) -> None:
    url = address(simulator, "truncated_once")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(url)
    assert measured(get(url).content)[2] == 5.0


def test_half_a_file_can_look_whole(simulator: Simulator) -> None:
    whole, half = get(address(simulator, "slow")).content, get(address(simulator, "truncated_quiet")).content
    assert half == whole[: len(whole) // 2]


@pytest.mark.parametrize("fault", ["html_as_mp4", "broken_film", "empty_file"])
def test_some_files_are_no_films(simulator: Simulator, fault: str) -> None:
    answer = get(address(simulator, fault))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    with pytest.raises((av.FFmpegError, IndexError)):
        measured(answer.content)


def test_a_film_may_be_shorter_than_asked(simulator: Simulator) -> None:
    assert measured(get(address(simulator, "wrong_length")).content) == (1280, 720, 1.0)


def test_a_good_film_may_call_itself_text(simulator: Simulator) -> None:
    answer = get(address(simulator, "wrong_content_type"))
    assert answer.headers["content-type"].startswith("text/plain")
    assert measured(answer.content)[2] == 5.0


def test_another_host_notes_what_arrives(simulator: Simulator) -> None:
    url = address(simulator, "cross_host")
    first = requests.get(url, headers={"X-Runway-Version": "2024-11-06"}, timeout=30, allow_redirects=False)
    assert first.headers["location"].startswith("http://localhost:")
    assert measured(get(first.headers["location"]).content)[2] == 5.0
    requests.get(url, headers={"X-Runway-Version": "2024-11-06"}, timeout=30)
    seen = [note["headers"].get("x-runway-version") for note in simulator.control("headers")]
    assert seen == [None, "2024-11-06"]


@pytest.mark.parametrize(
    ("fault", "location"), [("endless_redirect", "/out.mp4"), ("inward_redirect", "http://169.254.169.254/")]
)
def test_redirects_that_lead_nowhere_good(simulator: Simulator, fault: str, location: str) -> None:
    answer = get(address(simulator, fault))
    assert answer.status_code == 302
    assert location in answer.headers["location"]


def test_google_redirects_to_another_host_too(simulator: Simulator) -> None:
    shape = {"type": "video", "duration": "3s", "delivery": "uri"}
    job = submit(simulator, "google", "a fox #sim:cross_host", response_format=shape).json()
    uri = look(simulator, "google", job).json()["steps"][-1]["content"][0]["uri"]
    first = simulator.ask("google", "GET", uri)
    second = simulator.ask("google", "GET", first.headers["location"])
    assert second.headers["location"].startswith("http://localhost:")
    assert measured(get(second.headers["location"]).content)[2] == 3.0


def test_a_download_fails_once(simulator: Simulator) -> None:
    url = address(simulator, "file_502")
    assert [get(url).status_code for _ in range(2)] == [502, 200]


def test_a_download_can_meet_what_any_request_meets(simulator: Simulator) -> None:
    url = address(simulator, "slow")
    simulator.faults({"fault": "reset_before", "operation": "media.download"}, {"fault": "rate_limited"})
    with contextlib.suppress(requests.ConnectionError):
        get(url)
    assert [get(url).status_code for _ in range(2)] == [429, 200]
