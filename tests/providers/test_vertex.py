"""Veo's adapter: what goes over the line, the access tokens behind it, and the ways in which an operation ends."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import responses
from google.auth import jwt

from providers.adapters import vertex
from providers.adapters.vertex import VertexAdapter
from providers.base import JobRef, JobRequest, Kind, Output, Picture, ProviderError, Reason, Status
from providers.models import ProviderCall
from tests.providers.contract import Canned, Contract, Spec

SAMPLES = Path(__file__).parent / "samples" / "vertex"
ADAPTER = VertexAdapter()
ACCOUNT = json.loads(ADAPTER.sample_key()) | {"project_id": "vidgenie-1", "private_key_id": "1"}
KEY = json.dumps(ACCOUNT, indent=1)
HOST = "https://us-central1-aiplatform.googleapis.com"
OPTIONS = {"aspect_ratio": "9:16", "resolution": "720p", "duration_seconds": 8, "seed": 7, "style": ""}
IMAGE = Picture(b"\x89PNG\r\n\x1a\n", "image/png")
REQUEST = JobRequest(Kind.VIDEO, "veo-3.1-fast-generate-001", "a fox in snow", OPTIONS, "attempt-1", IMAGE)
NOW = 1_795_305_600


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


def error(code, message, **more):
    return {"error": {"code": code, "message": message, **more}}


NAME = sample("accepted")["name"]
MODEL = NAME.partition("/operations/")[0]
JOB = JobRef(NAME.rpartition("/")[2], "veo-3.1-fast-generate-001", {"operation": NAME, "since": str(NOW)})
TOKEN = Canned("POST", "https://oauth2.googleapis.com/token", 200, sample("token"))
SUBMIT = Canned("POST", f"{HOST}/v1beta1/{MODEL}:predictLongRunning", 200, sample("accepted"))
FETCH = Canned("POST", f"{HOST}/v1beta1/{MODEL}:fetchPredictOperation", 200, sample("running"))
CHECKED = f"{HOST}/v1beta1/{MODEL.replace('-fast', '')}:fetchPredictOperation"
CHECK = Canned("POST", CHECKED, 404, sample("not_found"))
POLICY = "This prompt contains words that violate Vertex AI's usage guidelines. Support codes: 29310472"
REFUSALS = (
    (400, error(400, "Unknown name", status="INVALID_ARGUMENT"), Reason.INVALID_INPUT),
    (400, error(400, POLICY, status="INVALID_ARGUMENT"), Reason.CONTENT_POLICY),
    (401, error(401, "Request had invalid credentials.", status="UNAUTHENTICATED"), Reason.UNAUTHORIZED),
    (403, error(403, "Permission denied", status="PERMISSION_DENIED"), Reason.UNAUTHORIZED),
    (403, error(403, "This API method requires billing to be enabled."), Reason.OUT_OF_QUOTA),
    (404, error(404, "Publisher Model was not found", status="NOT_FOUND"), Reason.RETIRED),
    (429, error(429, "Quota exceeded", status="RESOURCE_EXHAUSTED"), Reason.RATE_LIMITED),
)


@pytest.fixture(autouse=True)
def settings_of_vertex(settings, monkeypatch):
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"vertex": HOST}
    settings.PROVIDER_MODE, settings.VERTEX_LOCATION = "real", "us-central1"
    monkeypatch.setattr(vertex, "_TOKENS", {})
    monkeypatch.setattr("providers.adapters.google.time.time", lambda: NOW + 100)


class TestVideoContract(Contract):
    spec = Spec(
        adapter=ADAPTER,
        token=KEY,
        request=REQUEST,
        submit=SUBMIT,
        around=(TOKEN,),
        job=JOB,
        fetch=FETCH,
        finished=(replace(FETCH, answer=sample("done")),),
        check=CHECK,
        output=Output(location="https://storage.googleapis.com/bucket/x.mp4?X-Goog-Signature=abc"),
        refusals=REFUSALS,
        secrets=(sample("token")["access_token"], ACCOUNT["private_key"].split("\n")[5]),
        origins=(f"{HOST}/", "https://oauth2.googleapis.com/"),
    )

    @pytest.fixture(autouse=True)
    def tokens(self, network):
        TOKEN.put()


@pytest.mark.django_db
class TestRequests:
    @pytest.fixture(autouse=True)
    def network(self):
        with responses.mock:
            TOKEN.put()
            SUBMIT.put()
            yield

    def submitted(self, **changes):
        job = ADAPTER.submit(replace(REQUEST, **changes), token=KEY)
        return job, json.loads(responses.calls[-1].request.body)

    def test_it_asks_in_camel_case_and_whole_seconds(self):
        assert self.submitted()[1] == sample("request")

    def test_without_an_image_nothing_is_resized(self):
        _, body = self.submitted(image=None)
        assert body["instances"] == [{"prompt": "a fox in snow"}]
        assert "resizeMode" not in body["parameters"]

    def test_the_whole_name_of_the_operation_is_kept(self):
        job, _ = self.submitted()
        assert (job.id, job.handle["operation"]) == (JOB.id, NAME)

    @pytest.mark.parametrize(
        "changes",
        [{"duration_seconds": 5}, {"duration_seconds": None}, {"resolution": "1080p", "duration_seconds": 6}],
    )
    def test_what_would_be_refused_is_not_asked(self, changes):
        with pytest.raises(ProviderError) as failure:
            self.submitted(options=OPTIONS | changes)
        assert (failure.value.reason, failure.value.sent, len(responses.calls)) == (Reason.INVALID_INPUT, False, 0)

    @pytest.mark.parametrize("name", [f"{MODEL}/operations/../x", "operations/1", 7, None])
    def test_a_name_that_would_lead_elsewhere_is_none(self, name):
        responses.replace(responses.POST, SUBMIT.url, json={"name": name})
        with pytest.raises(ProviderError) as failure:
            self.submitted()
        assert (failure.value.reason, failure.value.sent) == (Reason.UNAVAILABLE, True)

    @pytest.mark.parametrize(
        ("location", "host"),
        [
            ("global", "https://aiplatform.googleapis.com"),
            ("eu", "https://aiplatform.eu.rep.googleapis.com"),
            ("europe-west4", "https://europe-west4-aiplatform.googleapis.com"),
        ],
    )
    def test_the_location_names_the_host(self, settings, location, host):
        settings.VERTEX_LOCATION = location
        url = f"{host}/v1beta1/{MODEL.replace('us-central1', location)}:predictLongRunning"
        responses.post(url, json={"name": NAME.replace("us-central1", location)})
        job, _ = self.submitted()
        assert job.handle["operation"] == NAME.replace("us-central1", location)

    def test_a_gateway_stays_where_it_is(self, settings):
        settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"vertex": "https://gateway.example/vertex"}
        responses.post(f"https://gateway.example/vertex/v1beta1/{MODEL}:predictLongRunning", json={"name": NAME})
        assert self.submitted()[0].id == JOB.id


@pytest.mark.django_db
class TestAccessTokens:
    @pytest.fixture(autouse=True)
    def network(self):
        with responses.mock:
            FETCH.put()
            yield

    def fetch(self, key=KEY):
        return ADAPTER.fetch(JOB, token=key)

    def refused(self, key=KEY):
        with pytest.raises(ProviderError) as failure:
            self.fetch(key)
        assert not failure.value.sent
        assert not FETCH.calls
        return failure.value.reason

    def test_the_assertion_is_the_accounts_own(self):
        TOKEN.put()
        self.fetch()
        form = parse_qs(responses.calls[0].request.body.decode())
        claims = jwt.decode(form["assertion"][0], verify=False)
        assert (claims["iss"], claims["scope"]) == (ACCOUNT["client_email"], vertex.SCOPE)
        assert responses.calls[1].request.headers["Authorization"] == f"Bearer {sample('token')['access_token']}"

    def test_a_token_is_used_until_shortly_before_its_end(self, monkeypatch):
        TOKEN.put()
        self.fetch()
        monkeypatch.setattr("providers.adapters.vertex.time.time", lambda: NOW + 100 + 3200)
        self.fetch()
        assert TOKEN.calls == 1
        monkeypatch.setattr("providers.adapters.vertex.time.time", lambda: NOW + 100 + 3400)
        self.fetch()
        assert TOKEN.calls == 2

    def test_another_account_has_another_token(self):
        TOKEN.put()
        self.fetch()
        self.fetch(json.dumps(ACCOUNT | {"client_email": "other@example.iam.gserviceaccount.com"}))
        assert TOKEN.calls == 2

    def test_a_token_that_is_refused_is_forgotten(self):
        TOKEN.put()
        responses.replace(responses.POST, FETCH.url, status=401, json=error(401, "expired"))
        for _ in range(2):
            with pytest.raises(ProviderError):
                self.fetch()
        assert TOKEN.calls == 2

    @pytest.mark.parametrize(
        ("status", "answer", "reason"),
        [
            (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, Reason.UNAUTHORIZED),
            (401, {"error": "invalid_client"}, Reason.UNAUTHORIZED),
            (429, {}, Reason.RATE_LIMITED),
            (500, {"error": "internal_failure"}, Reason.UNAVAILABLE),
            (503, "<html>", Reason.UNAVAILABLE),
            (200, {"access_token": 7, "expires_in": 3599}, Reason.UNAVAILABLE),
            (200, {"access_token": "x", "expires_in": "soon"}, Reason.UNAVAILABLE),
            (200, [], Reason.UNAVAILABLE),
        ],
    )
    def test_without_a_token_nothing_is_asked_and_nothing_tried_again(self, status, answer, reason):
        token = replace(TOKEN, status=status, answer=answer)
        token.put()
        assert self.refused() == reason
        assert (token.calls, ProviderCall.objects.count()) == (1, 1)

    @pytest.mark.parametrize(
        "uri",
        [
            "https://evil.example/token",
            "https://googleapis.com.evil.example/token",
            "https://evil.example/googleapis.com/token",
            "https://oauth2.googleapis.com@evil.example/token",
            "https://oauth2.googleapis.com:8443/token",
            "http://oauth2.googleapis.com/token",
            "http://127.0.0.1:8090/vertex/token",
        ],
    )
    def test_the_assertion_goes_to_google_only(self, uri):
        key = json.dumps(ACCOUNT | {"token_uri": uri})
        assert self.refused(key) == Reason.UNAUTHORIZED
        assert len(responses.calls) == 0
        assert not ADAPTER.accepts_key(key)

    def test_in_simulated_mode_it_goes_to_the_simulator_only(self, settings):
        settings.PROVIDER_MODE = "simulated"
        settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"vertex": "http://127.0.0.1:8090/vertex"}
        responses.post("http://127.0.0.1:8090/vertex/token", json=sample("token"))
        responses.post(f"http://127.0.0.1:8090/vertex/v1beta1/{MODEL}:fetchPredictOperation", json=sample("running"))
        assert self.fetch().status == Status.RUNNING

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "AIza",
            "[]",
            "[" * 10_000,
            json.dumps(ACCOUNT | {"type": "authorized_user"}),
            json.dumps(ACCOUNT | {"private_key": ""}),
            json.dumps(ACCOUNT | {"project_id": "../x"}),
            json.dumps(ACCOUNT | {"project_id": 7}),
        ],
    )
    def test_what_is_no_service_account_is_not_accepted(self, key):
        with pytest.raises(ProviderError) as failure:
            ADAPTER.submit(REQUEST, token=key)
        assert (failure.value.reason, failure.value.sent) == (Reason.UNAUTHORIZED, False)
        assert not ADAPTER.accepts_key(key)

    def test_a_private_key_that_cannot_be_read_is_not_quoted(self):
        key = json.dumps(ACCOUNT | {"private_key": "-----BEGIN PRIVATE KEY-----\nplanted-secret\n"})
        with pytest.raises(ProviderError) as failure:
            self.fetch(key)
        assert failure.value.reason == Reason.UNAUTHORIZED
        assert "planted" not in failure.value.detail


@pytest.mark.django_db
class TestOperations:
    @pytest.fixture(autouse=True)
    def network(self):
        with responses.mock:
            TOKEN.put()
            yield

    def fetched(self, answer, status=200, job=JOB):
        replace(FETCH, status=status, answer=answer).put()
        return ADAPTER.fetch(job, token=KEY)

    def test_it_asks_by_post_with_the_operations_name(self):
        assert self.fetched(sample("running")).status == Status.RUNNING
        assert json.loads(responses.calls[-1].request.body) == {"operationName": NAME}

    def test_the_film_comes_with_the_operation(self):
        assert self.fetched(sample("done")).outputs == (
            Output(content=b"\0\0\0\x18ftypmp42", content_type="video/mp4"),
        )

    @pytest.mark.parametrize(
        ("ending", "reason"),
        [
            (sample("filtered"), Reason.CONTENT_POLICY),
            (sample("declined"), Reason.CONTENT_POLICY),
            ({"response": {"raiMediaFilteredCount": 1}}, Reason.CONTENT_POLICY),
            ({"response": {}}, Reason.BAD_OUTPUT),
            ({"response": 7}, Reason.BAD_OUTPUT),
            ({"response": {"videos": []}}, Reason.BAD_OUTPUT),
            ({"response": {"videos": ["x"]}}, Reason.BAD_OUTPUT),
            ({"response": {"videos": [{"bytesBase64Encoded": "no base64!"}]}}, Reason.BAD_OUTPUT),
            ({"response": {"videos": [{"gcsUri": "gs://x/y.mp4"}]}}, Reason.BAD_OUTPUT),
            ({}, Reason.BAD_OUTPUT),
            ({"error": {"code": 3, "message": "Unsupported image."}}, Reason.INVALID_INPUT),
            ({"error": {"code": 4}}, Reason.TIMED_OUT),
            ({"error": {"code": 7}}, Reason.UNAUTHORIZED),
            ({"error": {"code": 8, "message": "The service is currently at capacity."}}, Reason.RATE_LIMITED),
            ({"error": {"code": 13, "message": "Internal error."}}, Reason.UNAVAILABLE),
            ({"error": {"code": 14}}, Reason.UNAVAILABLE),
            ({"error": {"code": 99}}, Reason.OTHER),
            ({"error": {"code": [], "message": 7}}, Reason.OTHER),
        ],
    )
    def test_an_operation_that_ends_without_a_film_has_failed(self, ending, reason):
        job = self.fetched({"name": NAME, "done": True} | ending)
        assert (job.status, job.reason) == (Status.FAILED, reason)

    def test_an_answer_about_another_operation_says_nothing(self):
        with pytest.raises(ProviderError) as failure:
            self.fetched(sample("done") | {"name": f"{MODEL}/operations/other"})
        assert failure.value.reason == Reason.UNAVAILABLE

    def test_an_operation_is_done_when_it_says_so_and_not_when_it_says_something(self):
        assert self.fetched(sample("done") | {"done": "false"}).status == Status.RUNNING

    def test_a_fresh_operation_may_not_be_there_yet(self):
        job = self.fetched(sample("not_found"), 404, replace(JOB, handle=JOB.handle | {"since": str(NOW + 50)}))
        assert job.status == Status.QUEUED

    def test_an_older_one_that_is_not_there_is_lost(self):
        with pytest.raises(ProviderError) as failure:
            self.fetched(sample("not_found"), 404)
        assert failure.value.reason == Reason.LOST


def test_keys_are_known_by_their_looks():
    assert ADAPTER.accepts_key(KEY)
    assert ADAPTER.accepts_key(ADAPTER.sample_key())
    assert not ADAPTER.accepts_key("AIzaPlanted0123456789abcdefghijklmnopqr")
