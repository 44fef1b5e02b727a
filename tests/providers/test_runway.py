"""Runway's adapter: what goes over the line, every status and failure code, uploads, and addresses that expire."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import responses

from providers.adapters.runway import RunwayAdapter, fitted
from providers.base import JobRef, JobRequest, Kind, Output, Picture, ProviderError, Reason, Status
from providers.models import ProviderCall
from tests.providers.contract import Canned, Contract, Spec

BASE = "https://api.dev.runwayml.com/v1"
TOKEN = "key_" + "5ec2e7" * 21 + "00"
SAMPLES = Path(__file__).parent / "samples" / "runway"
OPTIONS = {"aspect_ratio": "9:16", "resolution": "720p", "duration_seconds": 5, "seed": 7, "style": ""}
IMAGE = Picture(b"\x89PNG\r\n\x1a\n", "image/png")
LARGE = Picture(b"\0" * 1_000, "image/png")
REQUEST = JobRequest(Kind.VIDEO, "gen4_turbo", "a fox in snow", OPTIONS, "attempt-1", IMAGE)
NOW = 1_795_305_600


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


JOB = JobRef(sample("accepted")["id"], "gen4_turbo", {"since": str(NOW)})
FILM = sample("succeeded")["output"][0]
SUBMIT = Canned("POST", f"{BASE}/image_to_video", 200, sample("accepted"))
FROM_WORDS = replace(SUBMIT, url=f"{BASE}/text_to_video")
TASK = Canned("GET", f"{BASE}/tasks/{JOB.id}", 200, sample("running"))
DONE = replace(TASK, answer=sample("succeeded"))
DELETE = Canned("DELETE", TASK.url, 204, "")
TICKET = Canned("POST", f"{BASE}/uploads", 200, sample("upload"))
UPLOAD = Canned("POST", "https://uploads.example/bucket", 204, "")
ORGANIZATION = Canned("GET", f"{BASE}/organization", 200, sample("organization"))
NO_MODEL = {"error": "Validation of body failed", "issues": [{"code": "invalid_value", "path": ["model"]}]}
QUOTED = {"error": "You do not have enough credits", "issues": [{"path": ["promptText"]}]}
REFUSALS = (
    (400, sample("invalid"), Reason.INVALID_INPUT),
    (400, sample("no_credits"), Reason.OUT_OF_QUOTA),
    (400, QUOTED, Reason.INVALID_INPUT),
    (400, NO_MODEL, Reason.RETIRED),
    (400, {"error": "Input did not pass moderation."}, Reason.CONTENT_POLICY),
    (400, {"error": 7, "issues": 7}, Reason.INVALID_INPUT),
    (400, "<html>", Reason.INVALID_INPUT),
    (401, {"error": "Incorrect hostname for API key"}, Reason.UNAUTHORIZED),
    (404, {"error": "Not found"}, Reason.RETIRED),
    (429, {"error": "You have reached your daily task limit for this model."}, Reason.OUT_OF_QUOTA),
    (429, {"error": "Too many requests."}, Reason.RATE_LIMITED),
)


@pytest.fixture(autouse=True)
def settings_of_runway(settings, monkeypatch):
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"runway": BASE.removesuffix("/v1")}
    settings.PROVIDER_MODE = "real"
    monkeypatch.setattr("providers.adapters.runway.time.time", lambda: NOW + 100)
    monkeypatch.setattr("providers.adapters.runway.DATA_URI", 1_000)


@pytest.fixture
def adapter():
    return RunwayAdapter()


@pytest.fixture
def network(db):
    with responses.mock:
        yield


class TestImageContract(Contract):
    spec = Spec(
        adapter=RunwayAdapter(),
        token=TOKEN,
        request=REQUEST,
        submit=SUBMIT,
        job=JOB,
        fetch=TASK,
        finished=(DONE,),
        unlisted=(replace(TASK, answer=sample("running") | {"status": "REVIEWING"}),),
        check=ORGANIZATION,
        output=Output(location=FILM),
        refusals=REFUSALS,
    )


class TestUploadContract(Contract):
    spec = Spec(
        adapter=RunwayAdapter(),
        token=TOKEN,
        request=replace(REQUEST, image=LARGE),
        submit=SUBMIT,
        around=(TICKET, UPLOAD),
        job=JOB,
        fetch=replace(TASK, answer=sample("throttled")),
    )


class TestWordsContract(Contract):
    spec = Spec(
        adapter=RunwayAdapter(),
        token=TOKEN,
        request=replace(REQUEST, model="gen4.5", image=None),
        submit=FROM_WORDS,
        job=JOB,
    )


@pytest.mark.usefixtures("network")
class TestRequests:
    @pytest.fixture(autouse=True)
    def answers(self, network):
        for canned in (SUBMIT, FROM_WORDS, TICKET, UPLOAD):
            canned.put()

    def submitted(self, adapter, **changes):
        job = adapter.submit(replace(REQUEST, **changes), token=TOKEN)
        return job, json.loads(responses.calls[-1].request.body)

    def refused(self, adapter, **changes):
        with pytest.raises(ProviderError) as error:
            self.submitted(adapter, **changes)
        assert (error.value.sent, SUBMIT.calls) == (False, 0)
        return error.value.reason

    def test_it_asks_in_runways_words(self, adapter):
        assert self.submitted(adapter)[1] == sample("request")
        headers = responses.calls[0].request.headers
        assert (headers["Authorization"], headers["X-Runway-Version"]) == (f"Bearer {TOKEN}", "2024-11-06")

    def test_the_estimate_is_the_cost_so_far(self, adapter):
        job, _ = self.submitted(adapter)
        assert (job.cost, job.status, job.handle) == (25.0, Status.QUEUED, {"since": str(NOW + 100)})

    def test_from_words_alone_it_asks_elsewhere(self, adapter):
        _, body = self.submitted(adapter, model="gen4.5", image=None)
        assert "promptImage" not in body
        assert responses.calls[0].request.url == FROM_WORDS.url

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("16:9", "1280:720"),
            ("9:16", "720:1280"),
            ("4:3", "1104:832"),
            ("3:4", "832:1104"),
            ("1:1", "960:960"),
            ("21:9", "1584:672"),
        ],
    )
    def test_ratios_are_said_in_pixels(self, adapter, ours, theirs):
        _, body = self.submitted(adapter, options=OPTIONS | {"aspect_ratio": ours, "seed": None})
        assert (body["ratio"], "seed" in body) == (theirs, False)

    @pytest.mark.parametrize(
        "changes",
        [
            {"image": None},
            {"model": "gen3a_turbo"},
            {"kind": Kind.IMAGE},
            {"options": OPTIONS | {"aspect_ratio": "2:1"}},
            {"options": OPTIONS | {"duration_seconds": 11}},
            {"options": OPTIONS | {"duration_seconds": None}},
        ],
    )
    def test_what_would_be_refused_is_not_asked(self, adapter, changes):
        assert self.refused(adapter, **changes) == Reason.INVALID_INPUT
        assert len(responses.calls) == 0

    def test_a_large_image_is_uploaded_without_the_key_and_with_the_file_last(self, adapter):
        _, body = self.submitted(adapter, image=LARGE)
        assert body["promptImage"] == "runway://abc123"
        ticket, upload = responses.calls[0].request, responses.calls[1].request
        assert json.loads(ticket.body) == {"filename": "still.png", "type": "ephemeral"}
        names = re.findall(rb'form-data; name="(\w+)"', upload.body)
        assert (names, "Authorization" in upload.headers) == ([b"key", b"policy", b"file"], False)

    @pytest.mark.parametrize(
        "changes",
        [
            {"uploadUrl": "http://uploads.example/bucket"},
            {"uploadUrl": "https://api.dev.runwayml.com@evil.example/"},
            {"uploadUrl": None},
            {"runwayUri": "https://evil.example/x.png"},
            {"fields": {"key": {"a": 1}}},
            {"fields": None},
        ],
    )
    def test_a_ticket_that_makes_no_sense_buys_nothing(self, adapter, changes):
        responses.replace(responses.POST, TICKET.url, json=sample("upload") | changes)
        assert self.refused(adapter, image=LARGE) in (Reason.UNAVAILABLE, Reason.BAD_OUTPUT)
        assert len(responses.calls) == 1

    @pytest.mark.parametrize("status", [302, 403, 500])
    def test_an_upload_that_fails_buys_nothing(self, adapter, status):
        responses.replace(responses.POST, UPLOAD.url, status=status)
        assert self.refused(adapter, image=LARGE) == Reason.UNAVAILABLE

    @pytest.mark.parametrize("name", ["../organization", "", 7, None])
    def test_an_id_that_would_lead_elsewhere_is_none(self, adapter, name):
        responses.replace(responses.POST, SUBMIT.url, json={"id": name})
        with pytest.raises(ProviderError) as error:
            self.submitted(adapter)
        assert (error.value.reason, error.value.sent) == (Reason.UNAVAILABLE, True)


def test_an_upload_does_not_lead_into_our_own_network(adapter, db):
    with responses.mock:
        replace(TICKET, answer=sample("upload") | {"uploadUrl": "https://169.254.169.254/bucket"}).put()
        responses.add_passthru("https://169.254.169.254/")
        with pytest.raises(ProviderError) as error:
            adapter.submit(replace(REQUEST, image=LARGE), token=TOKEN)
    assert (error.value.reason, error.value.sent) == (Reason.BAD_OUTPUT, False)


@pytest.mark.parametrize(
    ("prompt", "units", "kept"),
    [
        ("a fox", 5, "a fox"),
        ("a fox in snow", 8, "a fox in"),
        ("a fox in snow", 11, "a fox in"),
        ("foxes", 3, "fox"),
        ("🦊🦊🦊", 5, "🦊🦊"),
        ("🦊🦊🦊", 6, "🦊🦊🦊"),
        ("a 🦊 fox", 3, "a"),
    ],
)
def test_a_prompt_is_cut_at_a_word_and_never_in_a_character(prompt, units, kept):
    assert fitted(prompt, units) == kept


@pytest.mark.usefixtures("network")
class TestTasks:
    def fetched(self, adapter, answer, status=200, job=JOB):
        replace(TASK, status=status, answer=answer).put()
        return adapter.fetch(job, token=TOKEN)

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("PENDING", Status.QUEUED),
            ("THROTTLED", Status.QUEUED),
            ("RUNNING", Status.RUNNING),
            ("CANCELLED", Status.CANCELED),
            ("CANCELED", Status.CANCELED),
            ("REVIEWING", Status.UNKNOWN),
        ],
    )
    def test_every_status_has_a_word_of_ours(self, adapter, word, status):
        assert self.fetched(adapter, {"id": JOB.id, "status": word}).status == status

    def test_progress_and_estimate_are_told(self, adapter):
        job = self.fetched(adapter, sample("running"))
        assert (job.progress, job.cost) == (0.35, 25.0)
        assert not ProviderCall.objects.exclude(cost=None).exists()

    @pytest.mark.parametrize("progress", ["half", -1, 7, None, []])
    def test_progress_that_makes_no_sense_is_none(self, adapter, progress):
        assert self.fetched(adapter, sample("running") | {"progress": progress}).progress is None

    def test_a_finished_task_is_where_its_address_can_be_asked_for(self, adapter):
        job = self.fetched(adapter, sample("succeeded"))
        assert job.outputs == (Output(location=TASK.url),)
        assert ProviderCall.objects.get().cost == 25

    @pytest.mark.parametrize("output", [[], None, {}, [7], [""]])
    def test_a_finished_task_without_output_has_failed(self, adapter, output):
        job = self.fetched(adapter, sample("succeeded") | {"output": output})
        assert (job.status, job.reason) == (Status.FAILED, Reason.BAD_OUTPUT)

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("SAFETY.INPUT.TEXT", Reason.CONTENT_POLICY),
            ("SAFETY.INPUT.IMAGE", Reason.CONTENT_POLICY),
            ("SAFETY.OUTPUT.VIDEO", Reason.CONTENT_POLICY),
            ("INPUT_PREPROCESSING.SAFETY.TEXT", Reason.CONTENT_POLICY),
            ("INPUT_PREPROCESSING.INTERNAL", Reason.UNAVAILABLE),
            ("INTERNAL.BAD_OUTPUT.CODE01", Reason.BAD_OUTPUT),
            ("INTERNAL", Reason.UNAVAILABLE),
            ("INTERNAL.NEW", Reason.UNAVAILABLE),
            ("INTERNALS", Reason.OTHER),
            ("ASSET.INVALID", Reason.INVALID_INPUT),
            ("THIRD_PARTY.UNAVAILABLE", Reason.UNAVAILABLE),
            ("SOMETHING.ELSE", Reason.OTHER),
            (None, Reason.UNAVAILABLE),
        ],
    )
    def test_a_failure_code_is_known_by_its_beginning(self, adapter, code, reason):
        job = self.fetched(adapter, sample("failed") | {"failureCode": code})
        assert (job.status, job.reason, job.cost) == (Status.FAILED, reason, 25.0)

    def test_what_was_given_back_has_cost_nothing(self, adapter):
        assert self.fetched(adapter, sample("failed") | {"cost": {"credits": 0}}).cost == 0

    def test_a_fresh_task_may_not_be_there_yet(self, adapter):
        fresh = replace(JOB, handle={"since": str(NOW + 50)})
        assert self.fetched(adapter, {"error": "Task not found"}, 404, fresh).status == Status.QUEUED

    def test_an_older_one_that_is_not_there_is_lost(self, adapter):
        with pytest.raises(ProviderError) as error:
            self.fetched(adapter, {"error": "Task not found"}, 404)
        assert error.value.reason == Reason.LOST


@pytest.mark.usefixtures("network")
class TestCancel:
    def test_a_task_that_we_have_deleted_is_canceled(self, adapter):
        TASK.put()
        DELETE.put()
        adapter.cancel(JOB, token=TOKEN)
        responses.replace(responses.GET, TASK.url, status=404, json={"error": "Task not found"})
        assert adapter.fetch(JOB, token=TOKEN).status == Status.CANCELED

    def test_what_is_finished_is_not_thrown_away(self, adapter):
        DONE.put()
        DELETE.put()
        adapter.cancel(JOB, token=TOKEN)
        assert DELETE.calls == 0

    def test_a_cancel_that_did_not_arrive_is_an_error(self, adapter):
        TASK.put()
        replace(DELETE, status=503).put()
        with pytest.raises(ProviderError):
            adapter.cancel(JOB, token=TOKEN)


@pytest.mark.usefixtures("network")
class TestFiles:
    def test_the_address_is_asked_for_anew_and_the_key_stays_home(self, adapter):
        DONE.put()
        responses.get(FILM, body=b"film")
        with adapter.download(Output(location=TASK.url), token=TOKEN) as file:
            assert file.read() == b"film"
        assert "Authorization" not in responses.calls[1].request.headers

    def test_a_task_that_has_gone_is_lost(self, adapter):
        replace(TASK, status=404, answer={"error": "Task not found"}).put()
        with pytest.raises(ProviderError) as error:
            adapter.download(Output(location=TASK.url), token=TOKEN)
        assert error.value.reason == Reason.LOST

    def test_an_address_in_our_own_network_is_refused(self, adapter):
        replace(DONE, answer=sample("succeeded") | {"output": ["http://169.254.169.254/latest"]}).put()
        with pytest.raises(ProviderError) as error:
            adapter.download(Output(location=TASK.url), token=TOKEN)
        assert (error.value.reason, len(responses.calls)) == (Reason.BAD_OUTPUT, 1)


@pytest.mark.usefixtures("network")
class TestCheck:
    def test_it_says_how_many_credits_are_left(self, adapter):
        ORGANIZATION.put()
        assert adapter.check(token=TOKEN) == "the key is accepted; 1234 credits are left"

    def test_no_credits_are_no_good(self, adapter):
        replace(ORGANIZATION, answer={"creditBalance": 0}).put()
        with pytest.raises(ProviderError) as error:
            adapter.check(token=TOKEN)
        assert error.value.reason == Reason.OUT_OF_QUOTA


def test_keys_are_known_by_their_looks(adapter):
    assert adapter.accepts_key(TOKEN)
    assert adapter.accepts_key(adapter.sample_key())
    assert not adapter.accepts_key(TOKEN[:-1])
