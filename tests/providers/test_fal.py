"""fal's adapter: what exactly goes over the line, and what is made of each answer."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import responses

from providers import catalog, gateway
from providers.adapters.fal import ASKS, FalAdapter
from providers.base import JobRef, JobRequest, Kind, Output, Picture, ProviderError, Reason, Status
from providers.models import ProviderCall
from tests.providers.contract import Canned, Contract, Spec

QUEUE = "https://queue.fal.run"
TOKEN_URL = "https://rest.fal.ai/storage/auth/token"
UPLOAD_URL = "https://v3.fal.media/files/upload"
KEY = "11111111-2222-3333-4444-555555555555:planted0123456789abcdef"
KLING = "fal-ai/kling-video/v2.5-turbo/pro/image-to-video"
ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
HOME = f"{QUEUE}/fal-ai/kling-video/requests/{ID}"
PICTURE = Picture(b"\x89PNG pixels", "image/png")
OPTIONS = {"aspect_ratio": "9:16", "resolution": "720p", "duration_seconds": 5, "seed": 7}
REQUEST = JobRequest(Kind.VIDEO, KLING, "a fox in snow", OPTIONS, "attempt-1", PICTURE)
JOB = JobRef(ID, KLING)
ADAPTER = FalAdapter()
MODERATED = [{"loc": ["body", "prompt"], "msg": "flagged", "type": "content_policy_violation"}]
LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."


def sample(name, provider="fal"):
    return json.loads((Path(__file__).parent / "samples" / provider / f"{name}.json").read_text())["body"]


PERMISSION = Canned("POST", TOKEN_URL, 200, sample("upload_token"))
UPLOAD = Canned("POST", UPLOAD_URL, 200, sample("uploaded"))
SUBMIT = Canned("POST", f"{QUEUE}/{KLING}", 200, sample("submit"))
STATUS = Canned("GET", f"{HOME}/status", 202, sample("in_progress"))
COMPLETED = Canned("GET", f"{HOME}/status", 200, sample("completed"))
RESULT = Canned("GET", HOME, 200, sample("result"))
REFUSALS = (
    (401, {"detail": "Cannot access application: invalid key credentials"}, Reason.UNAUTHORIZED),
    (403, {"detail": LOCKED}, Reason.OUT_OF_QUOTA),
    (403, {"detail": "Access denied"}, Reason.UNAUTHORIZED),
    (404, {"detail": "Application not found"}, Reason.RETIRED),
    (422, {"detail": MODERATED}, Reason.CONTENT_POLICY),
    (422, sample("result_invalid"), Reason.INVALID_INPUT),
    (422, {"detail": "some sentence"}, Reason.INVALID_INPUT),
    (429, {"detail": [{"loc": [], "msg": "busy", "type": "concurrent_requests_limit"}]}, Reason.RATE_LIMITED),
    (500, {"detail": "no", "error_type": "internal_error"}, Reason.UNAVAILABLE),
    (503, {"detail": "no", "error_type": "runner_scheduling_failure"}, Reason.UNAVAILABLE),
    (504, {"detail": "no", "error_type": "request_timeout"}, Reason.TIMED_OUT),
    (503, {"detail": "no", "error_type": "a_new_word"}, Reason.UNAVAILABLE),
)


class TestFalContract(Contract):
    spec = Spec(
        adapter=ADAPTER,
        token=KEY,
        secrets=(KEY, KEY.partition(":")[2]),
        request=REQUEST,
        submit=SUBMIT,
        around=(PERMISSION, UPLOAD),
        job=JOB,
        fetch=STATUS,
        finished=(COMPLETED, RESULT),
        unlisted=(Canned("GET", f"{HOME}/status", 202, {"status": "PAUSED"}),),
        check=PERMISSION,
        output=Output(location="https://v3b.fal.media/files/b/out.mp4"),
        refusals=REFUSALS,
        origins=(f"{QUEUE}/", "https://rest.fal.ai/"),
    )


@pytest.fixture
def net(db):
    with responses.mock:
        yield responses


def submit(request=REQUEST, canned=SUBMIT):
    for one in (PERMISSION, UPLOAD, canned):
        one.put()
    return ADAPTER.submit(request, token=KEY)


def fetch(*canned, job=JOB):
    for one in canned:
        one.put()
    return ADAPTER.fetch(job, token=KEY)


def failure(*canned):
    with pytest.raises(ProviderError) as failed:
        fetch(*canned)
    return failed.value


def said_to(url):
    return next(call.request for call in responses.calls if call.request.url.startswith(url))


# --- Submit


def test_it_asks_in_the_words_of_the_model(net):
    submit()
    asked = said_to(f"{QUEUE}/{KLING}")
    assert json.loads(asked.body) == sample("kling_request")
    assert asked.headers["Authorization"] == f"Key {KEY}"
    assert asked.headers["X-Fal-Request-Timeout"] == "3600.0"
    assert "?" not in asked.url


def test_it_uploads_the_picture_with_a_token_and_without_the_key(net):
    submit()
    permission, upload = said_to(TOKEN_URL), said_to(UPLOAD_URL)
    assert permission.url == f"{TOKEN_URL}?storage_type=fal-cdn-v3"
    assert (permission.headers["Authorization"], permission.body) == (f"Key {KEY}", b"{}")
    assert (upload.headers["Authorization"], upload.body) == ("Bearer upload-token-0123456789", PICTURE.content)
    assert upload.headers["Content-Type"] == "image/png"
    assert json.loads(upload.headers["X-Fal-Object-Lifecycle"]) == {"expiration_duration_seconds": 172_800}


@pytest.mark.parametrize(
    "told", ["https://elsewhere.example", "https://fal.media.example", "http://v3.fal.media", None, 7]
)
def test_a_picture_goes_to_fals_own_storage_only(net, told):
    replace(PERMISSION, answer=sample("upload_token") | {"base_url": told}).put()
    submit()
    assert [call.request.url for call in responses.calls][1] == UPLOAD_URL


@pytest.mark.parametrize(
    "broken", [replace(PERMISSION, status=503, answer="no"), replace(UPLOAD, status=500, answer="no")]
)
def test_an_upload_that_fails_has_bought_nothing(net, broken):
    broken.put()
    with pytest.raises(ProviderError) as failed:
        submit()
    assert (failed.value.reason, failed.value.sent) == (Reason.UNAVAILABLE, False)
    assert SUBMIT.calls == 0


def test_the_job_keeps_the_addresses_that_came_back(net):
    job = submit()
    home = f"/fal-ai/kling-video/requests/{ID}"
    assert (job.id, job.status, job.position) == (ID, Status.QUEUED, 3)
    assert job.handle == {"status": f"{home}/status", "response": home, "cancel": f"{home}/cancel"}


@pytest.mark.parametrize("url", ["https://evil.example/x/status", "http://queue.fal.run/x", "//evil.example", 7, None])
def test_an_address_outside_the_queue_is_forgotten(net, url):
    job = submit(canned=replace(SUBMIT, answer=sample("submit") | {"status_url": url}))
    assert sorted(job.handle) == ["cancel", "response"]


@pytest.mark.parametrize("name", [None, "", 7, "../../x", "a b", "x" * 201])
def test_an_accepted_job_without_a_usable_id_is_in_doubt(net, name):
    with pytest.raises(ProviderError) as failed:
        submit(canned=replace(SUBMIT, answer=sample("submit") | {"request_id": name}))
    assert (failed.value.reason, failed.value.sent) == (Reason.UNAVAILABLE, True)


def test_a_labelled_server_error_with_an_id_is_in_doubt(net):
    answer = {"detail": "no", "error_type": "runner_disconnected"}
    with pytest.raises(ProviderError) as failed:
        submit(canned=replace(SUBMIT, status=503, answer=answer, headers={"x-fal-request-id": ID}))
    assert failed.value.sent


def test_an_endpoint_without_a_table_is_not_called(net):
    with pytest.raises(ProviderError) as failed:
        ADAPTER.submit(replace(REQUEST, model="fal-ai/unknown"), token=KEY)
    assert (failed.value.reason, failed.value.sent) == (Reason.INVALID_INPUT, False)
    assert len(responses.calls) == 0


# --- Fields


@pytest.mark.parametrize("provider", ["fal", "pika"])
def test_every_model_in_the_catalog_has_a_table(provider):
    endpoints = {model.endpoint for model in catalog.MODELS if model.provider == provider}
    assert endpoints <= set(gateway.ADAPTERS[provider].asks)


@pytest.mark.parametrize(
    ("endpoint", "options", "expected"),
    [
        ("fal-ai/kling-video/v2.6/pro/image-to-video", {}, {"start_image_url": "u", "generate_audio": True}),
        ("fal-ai/minimax/hailuo-2.3-fast/standard/image-to-video", {"duration_seconds": 6},
         {"image_url": "u", "duration": "6", "prompt_optimizer": False}),
        ("fal-ai/minimax/hailuo-02/standard/image-to-video", {"resolution": "720p"},
         {"image_url": "u", "resolution": "768P", "prompt_optimizer": False}),
        ("fal-ai/ltx-2.3/image-to-video", {"resolution": "1080p", "aspect_ratio": "9:16", "duration_seconds": 8},
         {"image_url": "u", "resolution": "1080p", "aspect_ratio": "9:16", "duration": 8, "generate_audio": True}),
        ("fal-ai/ltx-2.3/image-to-video", {"aspect_ratio": "1:1"}, {"image_url": "u", "generate_audio": True}),
        ("fal-ai/wan-25-preview/image-to-video", {"resolution": "480p", "seed": 0, "aspect_ratio": "16:9"},
         {"image_url": "u", "resolution": "480p", "seed": 0, "enable_prompt_expansion": False}),
        ("fal-ai/luma-dream-machine/ray-2/image-to-video", {"duration_seconds": 5},
         {"image_url": "u", "duration": "5s"}),
    ],
)  # fmt: skip
def test_names_and_types_are_the_models_own(endpoint, options, expected):
    assert ASKS[endpoint].body(replace(REQUEST, options=options), "u") == {"prompt": "a fox in snow"} | expected


def test_a_prompt_is_as_long_as_the_model_takes():
    body = ASKS["fal-ai/wan-25-preview/image-to-video"].body(replace(REQUEST, prompt="x" * 900), "u")
    assert len(body["prompt"]) == 800


# --- Fetch


def test_the_place_in_line_is_known(net):
    job = fetch(replace(STATUS, answer=sample("in_queue")))
    assert (job.status, job.position) == (Status.QUEUED, 1)


@pytest.mark.parametrize("position", [True, -1, "3", None, 1.5, 10**30])
def test_a_place_that_is_no_place_is_left_out(net, position):
    job = fetch(replace(STATUS, answer=sample("in_queue") | {"queue_position": position}))
    assert (job.status, job.position) == (Status.QUEUED, None)


def test_it_looks_where_it_was_told_to(net):
    canned = Canned("GET", f"{QUEUE}/somewhere/else", 200, sample("in_progress"))
    assert fetch(canned, job=replace(JOB, handle={"status": "/somewhere/else"})).status == Status.RUNNING


def test_a_path_cannot_lead_elsewhere(net):
    responses.add("GET", "https://evil.example/x", json={})
    with pytest.raises(ProviderError):
        ADAPTER.fetch(replace(JOB, handle={"status": "@evil.example/x"}), token=KEY)
    assert len(responses.calls) == 0


def test_a_video_and_what_it_cost(net):
    job = fetch(COMPLETED, replace(RESULT, headers={"X-Fal-Billable-Units": "5"}))
    assert job.status == Status.SUCCEEDED
    assert job.outputs == (Output(location="https://v3.fal.media/files/b/out.mp4", content_type="video/mp4"),)
    assert job.cost == 35
    assert ProviderCall.objects.get(operation="result").cost == 35


def test_a_failed_job_is_completed_and_its_result_says_why(net):
    failed = replace(COMPLETED, answer=sample("completed_failed"))
    job = fetch(failed, replace(RESULT, status=422, answer=sample("result_refused")))
    assert (job.status, job.reason) == (Status.FAILED, Reason.CONTENT_POLICY)
    assert "flagged by a content checker" in job.detail


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (422, sample("result_invalid"), Reason.INVALID_INPUT),
        (422, {"detail": [{"type": "a_new_word", "msg": "no"}]}, Reason.OTHER),
        (422, {"detail": [{"type": "a_new_word"}, {"type": "content_policy_violation"}]}, Reason.CONTENT_POLICY),
        (500, {"detail": [{"type": "internal_server_error", "msg": "no"}]}, Reason.UNAVAILABLE),
        (504, {"detail": [{"type": "generation_timeout", "msg": "no"}]}, Reason.TIMED_OUT),
        (400, {"detail": "no", "error_type": "bad_request"}, Reason.INVALID_INPUT),
    ],
)
def test_a_model_s_error_is_a_failed_job(net, status, answer, reason):
    job = fetch(COMPLETED, replace(RESULT, status=status, answer=answer))
    assert (job.status, job.reason) == (Status.FAILED, reason)


def test_the_status_alone_tells_a_failure_when_the_result_is_gone(net):
    answer = sample("completed") | {"error": "Runner disconnected", "error_type": "runner_disconnected"}
    job = fetch(replace(COMPLETED, answer=answer), replace(RESULT, status=502, answer="<html>"))
    assert (job.status, job.reason, job.detail) == (
        Status.FAILED, Reason.UNAVAILABLE, "502 runner_disconnected Runner disconnected"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (400, {"detail": "Request is still in progress"}, Reason.UNAVAILABLE),
        (401, {"detail": "no"}, Reason.UNAUTHORIZED),
        (404, {"status": "NOT_FOUND"}, Reason.LOST),
        (429, {"detail": "no"}, Reason.RATE_LIMITED),
        (429, {"detail": [{"type": "concurrent_requests_limit", "msg": "no"}]}, Reason.RATE_LIMITED),
        (500, {"detail": "no", "error_type": "internal_error"}, Reason.UNAVAILABLE),
        (502, "<html>", Reason.UNAVAILABLE),
        (200, {"video": {"url": 7}}, Reason.UNAVAILABLE),
        (200, {"video": [1]}, Reason.UNAVAILABLE),
    ],
)
def test_a_result_that_cannot_be_had_is_asked_for_again(net, status, answer, reason):
    assert failure(COMPLETED, replace(RESULT, status=status, answer=answer)).reason == reason


def test_done_without_a_video_is_a_failure(net):
    job = fetch(COMPLETED, replace(RESULT, answer={"video": None}))
    assert (job.status, job.reason) == (Status.FAILED, Reason.BAD_OUTPUT)


def test_a_canceled_job_is_canceled(net):
    answer = sample("completed") | {"error": "Request was cancelled", "error_type": "client_cancelled"}
    gone = {"detail": "Request was cancelled", "error_type": "client_cancelled"}
    assert fetch(replace(COMPLETED, answer=answer), replace(RESULT, status=499, answer=gone)).status == Status.CANCELED


@pytest.mark.parametrize(
    ("status", "reason"), [(401, Reason.UNAUTHORIZED), (404, Reason.LOST), (409, Reason.UNAVAILABLE)]
)
def test_a_look_that_is_refused_says_nothing_of_the_job(net, status, reason):
    assert failure(replace(STATUS, status=status, answer={"detail": "no"})).reason == reason


# --- Cancel, find


@pytest.mark.parametrize(
    ("status", "word"), [(202, "CANCELLATION_REQUESTED"), (200, "OK"), (400, "ALREADY_COMPLETED"), (404, "NOT_FOUND")]
)
def test_a_wish_to_cancel_is_a_wish(net, status, word):
    canned = Canned("PUT", f"{HOME}/cancel", status, {"status": word})
    canned.put()
    ADAPTER.cancel(JOB, token=KEY)
    assert canned.calls == 1


def test_a_cancel_that_did_not_arrive_is_told(net):
    Canned("PUT", f"{HOME}/cancel", 503, "<html>").put()
    with pytest.raises(ProviderError):
        ADAPTER.cancel(JOB, token=KEY)


@pytest.mark.parametrize(
    ("home", "wait"), [("", None), ("https://vid.example", 120.0), ("http://127.0.0.1:8000", None)]
)
def test_a_lost_submit_waits_for_the_webhook_where_there_is_one(settings, home, wait):
    settings.PUBLIC_URL = home
    with pytest.raises(ProviderError) as failed:
        ADAPTER.find("attempt-1", token=KEY)
    assert (failed.value.reason, failed.value.retry_after) == (Reason.LOST, wait)


@pytest.mark.parametrize("key", [KEY, "simulated:simulated"])
def test_it_knows_its_keys(key):
    assert ADAPTER.accepts_key(key)
    assert not any(ADAPTER.accepts_key(other) for other in ("sk-1", f"{key} ", f"{key}:x", ""))
