"""Every misbehavior, met by plain requests."""

import contextlib
import email.utils
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from providers.simulator.faults import FAULTS, Faults, expanded, tags_in
from tests.providers.simulator.talk import DONE, VIDEO, look, submit, word
from tests.simulator import Simulator

ALL = ("openai", *VIDEO)


def accepted(simulator: Simulator, provider: str) -> int:
    return int(simulator.books(provider)["providers"].get(provider, {}).get("accepted", 0))


@contextlib.contextmanager
def broken() -> Iterator[None]:
    """The answer breaks off, or there is none."""
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        yield


@pytest.mark.parametrize("provider", ALL)
@pytest.mark.parametrize(
    ("fault", "status"),
    [("rate_limited", 429), ("error_500", 500), ("error_502_html", 502), ("error_503_html", 503)],
)
def test_what_strikes_before_accepts_nothing(simulator: Simulator, provider: str, fault: str, status: int) -> None:
    simulator.faults({"fault": fault, "operation": provider})
    assert submit(simulator, provider).status_code == status
    assert accepted(simulator, provider) == 0
    assert submit(simulator, provider).status_code == 200


@pytest.mark.parametrize("provider", ALL)
def test_a_reset_before_accepts_nothing(simulator: Simulator, provider: str) -> None:
    simulator.faults({"fault": "reset_before"})
    with broken():
        submit(simulator, provider)
    assert accepted(simulator, provider) == 0


@pytest.mark.parametrize("provider", ALL)
def test_a_reset_after_has_accepted_and_bills(simulator: Simulator, provider: str) -> None:
    simulator.faults({"fault": "reset_after"})
    with broken():
        submit(simulator, provider)
    books = simulator.books(provider)
    assert (books["providers"][provider]["accepted"], books["providers"][provider]["billed"]) == (1, 1)
    assert books["entries"][0]["answered"] is False
    assert books["doubles"] == []
    submit(simulator, provider)
    assert [double["times"] for double in simulator.books(provider)["doubles"]] == [2]


@pytest.mark.parametrize("fault", ["error_500_after", "error_502_after"])
def test_an_error_after_has_accepted(simulator: Simulator, fault: str) -> None:
    simulator.faults({"fault": fault})
    answer = submit(simulator, "runway")
    assert answer.status_code == int(fault[6:9])
    assert accepted(simulator, "runway") == 1


def test_retry_after_comes_in_every_form(simulator: Simulator) -> None:
    def header(fault: str) -> str | None:
        simulator.faults({"fault": fault})
        return submit(simulator, "fal").headers.get("retry-after")

    assert header("rate_limited") == "2"
    assert header("rate_limited_absurd") == "86400"
    assert header("rate_limited_negative") == "-5"
    assert header("rate_limited_bare") is None
    date = email.utils.parsedate_to_datetime(header("rate_limited_date") or "").timestamp()
    assert -1 < date - time.time() < 4


def test_google_tells_how_long_in_its_details(simulator: Simulator) -> None:
    simulator.faults({"fault": "rate_limited_bare"})
    details = submit(simulator, "google").json()["error"]["details"]
    assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"} in details


@pytest.mark.parametrize(
    ("provider", "fault", "status"),
    [
        ("openai", "unauthorized", 401),
        ("openai", "out_of_quota", 429),
        ("openai", "forbidden", 403),
        ("openai", "retired", 404),
        ("fal", "unauthorized", 401),
        ("fal", "out_of_quota", 403),
        ("fal", "moderation_input", 422),
        ("google", "unauthorized", 400),
        ("google", "out_of_quota", 402),
        ("vertex", "unauthorized", 401),
        ("vertex", "moderation_input", 400),
        ("runway", "unauthorized", 401),
        ("runway", "out_of_quota", 400),
        ("runway", "moderation_input", 400),
    ],
)
def test_each_words_its_refusal_itself(simulator: Simulator, provider: str, fault: str, status: int) -> None:
    simulator.faults({"fault": fault})
    answer = submit(simulator, provider)
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)
    assert accepted(simulator, provider) == 0


@pytest.mark.parametrize("fault", ["malformed_json", "wrong_charset", "empty_answer"])
def test_answers_that_are_no_json(simulator: Simulator, fault: str) -> None:
    job = submit(simulator, "runway").json()
    simulator.faults({"fault": fault})
    answer = look(simulator, "runway", job)
    assert answer.status_code == 200
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
        json.loads(answer.content.decode())


def test_answers_of_another_shape(simulator: Simulator) -> None:
    job = submit(simulator, "runway").json()
    simulator.faults({"fault": "other_shape"}, {"fault": "wrong_types"}, {"fault": "deep_nesting"})
    assert isinstance(look(simulator, "runway", job).json(), list)
    twisted = look(simulator, "runway", job).json()
    assert (type(twisted["id"]), type(twisted["cost"]["credits"])) == (int, list)
    assert look(simulator, "runway", job).content.count(b"[") == 10_000


def test_a_huge_answer_is_as_long_as_asked(simulator: Simulator) -> None:
    simulator.faults({"fault": "huge_body", "detail": "3"})
    assert len(submit(simulator, "runway").content) > 3 * 1024 * 1024


def test_a_few_bytes_unpack_to_many(simulator: Simulator) -> None:
    simulator.faults({"fault": "gzip_bomb"})
    answer = simulator.ask("runway", "GET", "/runway/v1/organization", stream=True)
    assert int(answer.headers["content-length"]) < 300_000
    assert sum(map(len, answer.iter_content(1_000_000))) == 10 * 20_000_001


def test_a_slow_answer_comes_in_drops(simulator: Simulator) -> None:
    simulator.faults({"fault": "slow_body", "detail": "0.4"})
    start = time.monotonic()
    assert submit(simulator, "runway").json()["id"]
    assert time.monotonic() - start >= 0.38


def test_a_stall_has_accepted(simulator: Simulator) -> None:
    simulator.faults({"fault": "stalls", "detail": "0.2"})
    with broken():
        submit(simulator, "runway")
    assert accepted(simulator, "runway") == 1


def test_an_answer_breaks_off_in_the_middle(simulator: Simulator) -> None:
    simulator.faults({"fault": "cut_short"})
    with broken():
        submit(simulator, "runway")
    assert accepted(simulator, "runway") == 1


def test_a_redirect_notes_what_headers_arrive_elsewhere(simulator: Simulator) -> None:
    simulator.faults({"fault": "redirect"})
    answer = submit(simulator, "google")
    assert (answer.status_code, answer.headers["location"].split(":")[1]) == (307, "//localhost")
    requests.get(answer.headers["location"], headers={"x-goog-api-key": "leaked"}, timeout=30)
    assert simulator.control("headers")[0]["headers"]["x-goog-api-key"] == "leaked"


@pytest.mark.parametrize("provider", VIDEO)
def test_a_status_nobody_knows_passes(simulator: Simulator, provider: str) -> None:
    job = submit(simulator, provider, "a fox #sim:odd_status").json()
    words = [word(provider, look(simulator, provider, job).json()) for _ in range(3)]
    assert words[2] == DONE[provider]
    assert (
        words[:2]
        == [{"fal": "PAUSED", "google": "pending_review", "vertex": False, "runway": "REVIEWING"}[provider]] * 2
    )


@pytest.mark.parametrize("provider", ["fal", "google", "runway"])
def test_a_status_goes_backwards(simulator: Simulator, provider: str) -> None:
    job = submit(simulator, provider, "a fox #sim:goes_backwards").json()
    words = [word(provider, look(simulator, provider, job).json()) for _ in range(3)]
    assert (
        words
        == {
            "fal": ["IN_PROGRESS", "IN_QUEUE", "COMPLETED"],
            "google": ["in_progress", "queued", "completed"],
            "runway": ["RUNNING", "PENDING", "SUCCEEDED"],
        }[provider]
    )


@pytest.mark.parametrize("provider", VIDEO)
def test_a_job_appears_late(simulator: Simulator, provider: str) -> None:
    job = submit(simulator, provider, "a fox #sim:late_to_appear").json()
    assert [look(simulator, provider, job).status_code for _ in range(2)] == [404, 200]


@pytest.mark.parametrize("provider", VIDEO)
def test_done_without_anything_made(simulator: Simulator, provider: str) -> None:
    job = submit(simulator, provider, "a fox #sim:done_without_video").json()
    answer = look(simulator, provider, job).json()
    assert word(provider, answer) == DONE[provider]
    if provider == "fal":
        answer = simulator.ask("fal", "GET", job["response_url"]).json()
    assert "video/mp4" not in json.dumps(answer)
    assert ".mp4" not in json.dumps(answer)
    assert simulator.books(provider)["providers"][provider]["billed"] == 0


@pytest.mark.parametrize("provider", VIDEO)
@pytest.mark.parametrize("fault", ["fails", "moderation_output"])
def test_a_job_that_fails_is_not_billed(simulator: Simulator, provider: str, fault: str) -> None:
    tag = {"fails": "", "moderation_output": ""}[fault]
    if (provider, fault) == ("runway", "fails"):
        tag = "=INTERNAL"
    job = submit(simulator, provider, f"a fox #sim:{fault}{tag}").json()
    answer = look(simulator, provider, job).json()
    said = {"fal": "error_type", "google": "steps", "vertex": "done", "runway": "failureCode"}[provider]
    assert said in answer
    assert simulator.books(provider)["providers"][provider]["billed"] == 0


def test_runway_throttles_first(simulator: Simulator) -> None:
    job = submit(simulator, "runway", "a fox #sim:throttled").json()
    words = [look(simulator, "runway", job).json()["status"] for _ in range(3)]
    assert words == ["THROTTLED", "THROTTLED", "SUCCEEDED"]


def test_a_job_never_ends(simulator: Simulator) -> None:
    job = submit(simulator, "runway", "a fox #sim:never_ends").json()
    simulator.advance(86400)
    assert look(simulator, "runway", job).json()["status"] == "RUNNING"


def test_a_tag_strikes_as_often_and_where_it_says(simulator: Simulator) -> None:
    prompt = "a fox #sim:rate_limited@runway.submit*2"
    assert [submit(simulator, "runway", prompt).status_code for _ in range(3)] == [429, 429, 200]
    assert submit(simulator, "google", prompt).status_code == 200


def test_a_tag_of_the_job_strikes_its_looks(simulator: Simulator) -> None:
    job = submit(simulator, "fal", "a fox #sim:error_502_html@fal.status").json()
    assert [look(simulator, "fal", job).status_code for _ in range(2)] == [502, 200]


def test_a_script_skips_and_counts(simulator: Simulator) -> None:
    simulator.faults({"fault": "error_500", "operation": "runway.submit", "skip": 1, "times": 2})
    assert [submit(simulator, "runway").status_code for _ in range(4)] == [200, 500, 500, 200]
    assert simulator.control("faults")["struck"] == {"error_500": 2}


def test_the_same_seed_draws_the_same_faults() -> None:
    def drawn(seed: int) -> list[Any]:
        faults = Faults({"rate_limited": 0.3, "reset_after": 0.3}, seed)
        return [faults.on_request("fal.submit") for _ in range(50)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_rate_is_kept() -> None:
    faults = Faults({"rate_limited": 0.1}, 3)
    hits = sum(faults.on_request("fal.status") is not None for _ in range(10_000))
    assert 900 < hits < 1100


def test_all_means_what_may_be_drawn() -> None:
    rates = expanded({"all": 0.1, "slow": 0})
    assert rates["reset_after"] == 0.1
    assert rates["slow"] == 0
    assert "never_ends" not in rates


def test_a_rate_can_be_for_a_stage_and_for_one_place() -> None:
    faults = Faults({"after@fal.submit": 1})
    assert faults.on_request("fal.submit") is not None
    assert faults.on_request("runway.submit") is None
    assert {FAULTS[name.partition("@")[0]].stage for name in faults.rates} == {"after"}


@pytest.mark.parametrize("rates", [{"nonsense": 0.1}, {"slow": 2}, {"slow": "much"}])
def test_rates_that_make_no_sense_are_refused(rates: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"nonsense|slow|much"):
        expanded(rates)


def test_a_prompt_may_say_anything() -> None:
    assert tags_in(b"#sim: #sim:nonsense #sim:slow #sim:slow") == tags_in(b"#sim:slow")


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.drawn])
def test_no_fault_breaks_the_simulator_itself(simulator: Simulator, name: str) -> None:
    simulator.faults(rates={name: 1.0})
    for provider in ("openai", "fal"):
        with contextlib.suppress(requests.RequestException):
            submit(simulator, provider)
    simulator.faults()
    assert submit(simulator, "runway").status_code == 200


@pytest.mark.parametrize("provider", ["fal", "google", "runway"])
def test_a_cancel_may_change_nothing(simulator: Simulator, provider: str) -> None:
    simulator.control("clock", {"speed": 1})
    job = submit(simulator, provider, "a fox #sim:ignores_cancel").json()
    method, path = {
        "fal": ("PUT", job.get("cancel_url", "")),
        "google": ("POST", f"/google/v1/interactions/{job.get('id')}/cancel"),
        "runway": ("DELETE", f"/runway/v1/tasks/{job.get('id')}"),
    }[provider]
    assert simulator.ask(provider, method, path).status_code < 300
    simulator.advance(100)
    assert word(provider, look(simulator, provider, job).json()) == DONE[provider]


def test_a_tag_strikes_looks_at_vertex_and_downloads_too(simulator: Simulator) -> None:
    job = submit(simulator, "vertex", "a fox #sim:error_500@vertex.fetch").json()
    assert [look(simulator, "vertex", job).status_code for _ in range(2)] == [500, 200]
    task = submit(simulator, "runway", "a fox #sim:error_500@media.download").json()
    url = look(simulator, "runway", task).json()["output"][0]
    assert [requests.get(url, timeout=30).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("status", ["incomplete", "budget_exceeded", "requires_action"])
def test_omni_stops_in_many_ways(simulator: Simulator, status: str) -> None:
    job = submit(simulator, "google", f"a fox #sim:fails={status}").json()
    assert look(simulator, "google", job).json()["status"] == status
