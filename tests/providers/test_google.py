"""Gemini Omni's adapter: what goes over the line, every status, the ways in which a film is filtered, and files."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import responses

from providers.adapters.google import GoogleAdapter
from providers.base import JobRef, JobRequest, Kind, Output, Picture, ProviderError, Reason, Status
from tests.providers.contract import Canned, Contract, Spec

BASE = "https://generativelanguage.googleapis.com/v1"
TOKEN = "AIzaPlanted0123456789abcdefghijklmnopqr"
SAMPLES = Path(__file__).parent / "samples" / "google"
ADAPTER = GoogleAdapter()
OPTIONS = {"aspect_ratio": "9:16", "resolution": "720p", "duration_seconds": 8, "seed": 7, "style": ""}
IMAGE = Picture(b"\x89PNG\r\n\x1a\n", "image/png")
REQUEST = JobRequest(Kind.VIDEO, "gemini-omni-1.2-flash", "a fox in snow", OPTIONS, "attempt-1", IMAGE)
NOW = 1_795_305_600
JOB = JobRef("v1_Chdqb2JfMDAx", "gemini-omni-1.2-flash", {"since": str(NOW)})
DOWNLOAD = f"{BASE}/files/abc123:download?alt=media"


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


def classic(code, message, **more):
    return {"error": {"code": code, "message": message, **more}}


SUBMIT = Canned("POST", f"{BASE}/interactions", 200, sample("running"))
GET = Canned("GET", f"{BASE}/interactions/{JOB.id}", 200, sample("running"))
FILE = Canned("GET", f"{BASE}/files/abc123", 200, sample("file"))
CANCEL = Canned("POST", f"{BASE}/interactions/{JOB.id}/cancel", 200, sample("running"))
MODELS = Canned("GET", f"{BASE}/models", 200, sample("models"))
REFUSALS = (
    (400, sample("bad_key"), Reason.UNAUTHORIZED),
    (400, [sample("bad_key")], Reason.UNAUTHORIZED),
    (400, {"error": {"message": "blocked", "code": "content_blocked"}}, Reason.CONTENT_POLICY),
    (400, {"error": {"message": "The value '5' is not supported", "code": "invalid_request"}}, Reason.INVALID_INPUT),
    (400, classic(400, "Region not enabled.", status="FAILED_PRECONDITION"), Reason.UNAUTHORIZED),
    (400, classic(400, "Please enable billing.", status="FAILED_PRECONDITION"), Reason.OUT_OF_QUOTA),
    (402, classic(402, "Your prepaid credits are depleted.", status="FAILED_PRECONDITION"), Reason.OUT_OF_QUOTA),
    (403, classic(403, "The caller does not have permission", status="PERMISSION_DENIED"), Reason.UNAUTHORIZED),
    (404, classic(404, "models/x is no longer available.", status="NOT_FOUND"), Reason.RETIRED),
    (409, classic(409, "conflict", status="ABORTED"), Reason.UNAVAILABLE),
    (429, sample("rate_limited"), Reason.RATE_LIMITED),
    (429, sample("daily_limit"), Reason.OUT_OF_QUOTA),
    (429, classic(429, "Your prepayment is used up"), Reason.OUT_OF_QUOTA),
    (503, classic(503, "The model is overloaded. Please try again later.", status="UNAVAILABLE"), Reason.UNAVAILABLE),
    (400, {"error": "just a text"}, Reason.INVALID_INPUT),
    (400, "<html>", Reason.INVALID_INPUT),
)
UNLISTED = replace(GET, answer=sample("running") | {"status": "pending_review"})


@pytest.fixture(autouse=True)
def settings_of_google(settings, monkeypatch):
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"google": "https://generativelanguage.googleapis.com"}
    settings.PROVIDER_MODE = "real"
    monkeypatch.setattr("providers.adapters.google.time.time", lambda: NOW + 100)


class TestInlineContract(Contract):
    spec = Spec(
        adapter=ADAPTER,
        token=TOKEN,
        request=REQUEST,
        submit=SUBMIT,
        job=JOB,
        fetch=GET,
        finished=(replace(GET, answer=sample("inline")),),
        unlisted=(UNLISTED,),
        check=MODELS,
        output=Output(location="https://cdn.example/x.mp4?X-Goog-Signature=abc"),
        refusals=REFUSALS,
    )


class TestByAddressContract(Contract):
    spec = Spec(
        adapter=ADAPTER,
        token=TOKEN,
        request=replace(REQUEST, image=None, options=OPTIONS | {"resolution": "1080p"}),
        submit=SUBMIT,
        job=JOB,
        fetch=replace(GET, answer=sample("running") | {"status": "queued"}),
        finished=(replace(GET, answer=sample("by_address")), FILE),
    )


def submitted(**changes):
    SUBMIT.put()
    ADAPTER.submit(replace(REQUEST, **changes), token=TOKEN)
    return json.loads(responses.calls[0].request.body)


def fetched(answer, *others, status=200, job=JOB):
    for canned in (replace(GET, status=status, answer=answer), *others):
        canned.put()
    return ADAPTER.fetch(job, token=TOKEN)


def failure(answer):
    job = fetched(answer)
    assert job.status == Status.FAILED
    return job.reason


@pytest.mark.django_db
class TestRequests:
    @pytest.fixture(autouse=True)
    def network(self):
        with responses.mock:
            yield

    def test_it_asks_in_the_background_with_the_image_first(self):
        assert submitted() == sample("request")
        assert responses.calls[0].request.headers["x-goog-api-key"] == TOKEN

    def test_without_an_image_there_is_no_first_frame(self):
        body = submitted(image=None)
        assert body["input"][0]["content"] == [{"type": "text", "text": "a fox in snow"}]
        assert body["generation_config"]["video_config"] == {"task": "text_to_video"}

    def test_no_seed_is_sent_where_none_is_wished(self):
        assert "seed" not in submitted(options=OPTIONS | {"seed": None})["generation_config"]

    def test_a_large_film_is_asked_for_by_address(self):
        assert submitted(options=OPTIONS | {"resolution": "1080p"})["response_format"]["delivery"] == "uri"

    def test_it_makes_no_images(self):
        with pytest.raises(ProviderError) as error:
            ADAPTER.submit(replace(REQUEST, kind=Kind.IMAGE), token=TOKEN)
        assert (error.value.reason, error.value.sent, len(responses.calls)) == (Reason.INVALID_INPUT, False, 0)

    def test_an_id_that_would_lead_elsewhere_is_none(self):
        replace(SUBMIT, answer={"id": "../files/x", "status": "in_progress"}).put()
        with pytest.raises(ProviderError) as error:
            ADAPTER.submit(REQUEST, token=TOKEN)
        assert (error.value.reason, error.value.sent) == (Reason.UNAVAILABLE, True)

    def test_a_delay_in_the_details_is_waited_for(self):
        replace(SUBMIT, status=429, answer=sample("rate_limited")).put()
        with pytest.raises(ProviderError) as error:
            ADAPTER.submit(REQUEST, token=TOKEN)
        assert (error.value.retry_after, error.value.sent) == (37.0, False)


@pytest.mark.django_db
class TestJobs:
    @pytest.fixture(autouse=True)
    def network(self):
        with responses.mock:
            yield

    def test_an_inline_film_is_bytes(self):
        assert fetched(sample("inline")).outputs == (Output(content=b"\0\0\0\x18ftypmp42", content_type="video/mp4"),)

    def test_the_last_film_counts(self):
        old, new = ({"type": "model_output", "content": [{"type": "video", "data": data}]} for data in ("b2xk", "bmV3"))
        steps = [{"type": "user_input", "content": []}, old, new, {"type": "model_output", "content": 7}]
        assert fetched({"status": "completed", "steps": steps}).outputs[0].content == b"new"

    def test_a_film_from_before_the_last_input_does_not_count(self):
        old = {"type": "model_output", "content": [{"type": "video", "data": "b2xk"}]}
        assert failure({"status": "completed", "steps": [old, {"type": "user_input"}]}) == Reason.BAD_OUTPUT

    def test_a_film_by_address_is_ready_when_its_file_is(self):
        assert fetched(sample("by_address"), FILE).outputs[0].location == DOWNLOAD

    @pytest.mark.parametrize(
        ("state", "status"),
        [("PROCESSING", Status.RUNNING), ("FAILED", Status.FAILED), ("SLEEPING", Status.UNKNOWN), (7, Status.UNKNOWN)],
    )
    def test_a_file_that_is_not_ready_is_waited_for(self, state, status):
        job = fetched(sample("by_address"), replace(FILE, answer={"state": state}))
        assert (job.status, job.outputs) == (status, ())

    def test_a_film_that_is_there_at_once_is_not_looked_for_before_its_id_is_kept(self):
        replace(SUBMIT, answer=sample("by_address")).put()
        assert ADAPTER.submit(REQUEST, token=TOKEN).status == Status.RUNNING
        assert len(responses.calls) == 1

    @pytest.mark.parametrize("name", ["filtered_text", "filtered_failed", "filtered_step"])
    def test_a_filtered_film_has_failed(self, name):
        assert failure(sample(name)) == Reason.CONTENT_POLICY

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (sample("empty"), Reason.BAD_OUTPUT),
            ({"status": "completed"}, Reason.BAD_OUTPUT),
            (
                {"status": "completed", "steps": [{"type": "model_output", "content": [{"type": "video"}]}]},
                Reason.BAD_OUTPUT,
            ),
            ({"status": "incomplete"}, Reason.BAD_OUTPUT),
            ({"status": "requires_continuation", "continuation_token": "x"}, Reason.UNAVAILABLE),
            ({"status": "requires_action"}, Reason.OTHER),
            ({"status": "budget_exceeded"}, Reason.OTHER),
            ({"status": "failed", "errors": "?", "steps": 7}, Reason.OTHER),
            ({"status": "failed", "errors": [{"code": 13, "message": "Internal error."}]}, Reason.UNAVAILABLE),
            ({"status": "failed", "errors": [{"code": 8, "message": "at capacity"}]}, Reason.RATE_LIMITED),
            ({"status": "failed", "errors": [{"code": "https://x.example/e/content_blocked"}]}, Reason.CONTENT_POLICY),
            ({"status": "failed", "errors": [{"code": "a_new_word"}]}, Reason.OTHER),
        ],
    )
    def test_a_failure_has_a_reason(self, answer, reason):
        assert failure(answer) == reason

    @pytest.mark.parametrize("word", ["cancelled", "canceled"])
    def test_both_spellings_are_canceled(self, word):
        assert fetched({"status": word}).status == Status.CANCELED

    def test_a_fresh_job_may_not_be_there_yet(self):
        job = fetched(
            classic(404, "Interaction not found."), status=404, job=replace(JOB, handle={"since": str(NOW + 50)})
        )
        assert (job.status, job.handle) == (Status.QUEUED, {"since": str(NOW + 50)})

    def test_an_older_job_that_is_not_there_is_lost(self):
        with pytest.raises(ProviderError) as error:
            fetched(classic(404, "Interaction not found."), status=404)
        assert error.value.reason == Reason.LOST

    @pytest.mark.parametrize("status", [200, 400, 404, 409])
    def test_a_cancel_that_is_not_possible_is_no_error(self, status):
        replace(CANCEL, status=status, answer=[classic(status, "Method not found.")]).put()
        ADAPTER.cancel(JOB, token=TOKEN)
        assert len(responses.calls) == 1

    def test_a_cancel_that_did_not_arrive_is_one(self):
        replace(CANCEL, status=503, answer="<html>").put()
        with pytest.raises(ProviderError):
            ADAPTER.cancel(JOB, token=TOKEN)


@pytest.mark.django_db
class TestFiles:
    @pytest.fixture(autouse=True)
    def network(self):
        with responses.mock:
            yield

    def test_the_key_opens_a_file_and_stays_home_when_it_is_elsewhere(self):
        other = "https://storage.googleapis.com/bucket/x.mp4"
        responses.get(DOWNLOAD, status=302, headers={"Location": "/download/v1/files/abc123:download"})
        home = "https://generativelanguage.googleapis.com/download/v1/files/abc123:download"
        responses.get(home, status=302, headers={"Location": other})
        responses.get(other, body=b"film")
        with ADAPTER.download(Output(location=DOWNLOAD), token=TOKEN) as file:
            assert file.read() == b"film"
        seen = ["x-goog-api-key" in call.request.headers for call in responses.calls]
        assert seen == [True, True, False]

    @pytest.mark.parametrize(
        "uri",
        [
            "https://generativelanguage.googleapis.com.evil.example/v1beta/files/abc123:download",
            "https://generativelanguage.googleapis.com@evil.example/v1beta/files/abc123:download",
            "https://evil.example/v1beta/files/abc123:download",
            "https://generativelanguage.googleapis.com/v1beta/files/../models:download",
        ],
    )
    def test_an_address_elsewhere_stays_what_it_is(self, uri):
        steps = [{"type": "model_output", "content": [{"type": "video", "uri": uri}]}]
        assert fetched({"status": "completed", "steps": steps}).outputs[0].location == uri
        assert len(responses.calls) == 1

    def test_through_a_gateway_the_file_is_asked_for_there(self, settings):
        settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"google": "https://gateway.example/google"}
        responses.get(f"https://gateway.example/google/v1/interactions/{JOB.id}", json=sample("by_address"))
        responses.get("https://gateway.example/google/v1/files/abc123", json=sample("file"))
        location = ADAPTER.fetch(JOB, token=TOKEN).outputs[0].location
        assert location == "https://gateway.example/google/v1/files/abc123:download?alt=media"


def test_keys_are_known_by_their_looks():
    assert ADAPTER.accepts_key(TOKEN)
    assert ADAPTER.accepts_key(ADAPTER.sample_key())
    assert not ADAPTER.accepts_key(f"{TOKEN}\n")
    assert not ADAPTER.accepts_key("short")
