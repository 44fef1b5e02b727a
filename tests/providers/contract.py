"""What every adapter must do, whoever its provider is: one class of tests that each adapter's own test file subclasses.

To plug an adapter in, describe one submission of one kind (several kinds, several subclasses):

    from tests.providers.contract import Canned, Contract, Spec

    class TestVideoContract(Contract):
        spec = Spec(
            adapter=FalAdapter(),
            token="id-1234:planted-secret-9876",            # planted: the tests look for it where it must not be
            request=JobRequest(Kind.VIDEO, "fal-ai/x", "a fox", OPTIONS, "attempt-1", Picture(PNG, "image/png")),
            submit=Canned("POST", "https://queue.fal.run/fal-ai/x", 200, {...}),     # the one call that costs money
            around=(Canned("POST", "https://rest.fal.ai/...", 200, {...}),),         # other calls submit makes
            job=JobRef("764c", "fal-ai/x", {...}),          # None where submit returns finished jobs
            fetch=Canned("GET", "https://queue.fal.run/...", 202, {...}),            # a job that is under way
            finished=(Canned(...), Canned(...)),            # all that `fetch` of a finished job asks
            unlisted=(Canned(...),),                        # a status word that is in no table of ours
            check=Canned("GET", "https://...", 200, {...}),
            output=Output(location="https://cdn.example/x.mp4"),                     # a file at another host
            refusals=((403, {"detail": "User is locked. ..."}, Reason.OUT_OF_QUOTA),),   # answers to `submit`
        )

The network is `responses`, which sees all that goes through `providers.http`. A URL may be a compiled pattern. What is
left at None is not tested. Tests of the adapter's own fields and words belong to its own file.
"""

import functools
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import requests
import responses
import urllib3

from providers.base import Adapter, Job, JobRef, JobRequest, Output, ProviderError, Reason, Status
from providers.models import ProviderCall

ELSEWHERE = "https://elsewhere.example/"
HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx {secret}</body></html>"
# What a provider's answer to submit can be when nobody knows whether the job was accepted, and what we may call that.
UNCLEAR = {Reason.UNAVAILABLE, Reason.BAD_OUTPUT, Reason.LOST}
GARBLED = {
    "no_json": "upstream says hello",
    "empty": "",
    "half_json": '{"id": "1", "sta',
    "a_list": "[1, 2]",
    "null": "null",
    "another_shape": '{"data": {"data": {"data": 7}}, "id": {}, "choices": 3, "status": []}',
    "nested_10000_deep": "[" * 10_000 + "]" * 10_000,
    "wrong_charset": '{"id": "\xe9"}'.encode("latin-1"),
}
ABORTED = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer"))
REFUSED = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
BROKEN = {
    "read_timeout": (requests.ReadTimeout("read"), Reason.TIMED_OUT, True),
    "reset": (requests.ConnectionError(ABORTED), Reason.UNAVAILABLE, True),
    "cut_short": (requests.exceptions.ChunkedEncodingError("cut"), Reason.UNAVAILABLE, True),
    "connect_timeout": (requests.ConnectTimeout("connect"), Reason.TIMED_OUT, False),
    "refused_connection": (requests.ConnectionError(REFUSED), Reason.UNAVAILABLE, False),
}


@dataclass(frozen=True)
class Canned:
    """One call and what the provider says to it; `answer` is JSON, or text or bytes as they are."""

    method: str
    url: str | re.Pattern[str]
    status: int = 200
    answer: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def put(self) -> None:
        """Let the network answer this, any number of times."""
        body = {"body": self.answer} if isinstance(self.answer, str | bytes | Exception) else {"json": self.answer}
        responses.add(self.method, self.url, status=self.status, headers=self.headers, **body)

    @property
    def calls(self) -> int:
        """How often it was asked for."""
        return sum(self._asked(call.request) for call in responses.calls)

    def _asked(self, request: requests.PreparedRequest) -> bool:
        url = (request.url or "").partition("?")[0]
        same = self.url.match(request.url or "") if isinstance(self.url, re.Pattern) else self.url in (url, request.url)
        return request.method == self.method and bool(same)


@dataclass(frozen=True)
class Spec:
    """One adapter with one kind of request. `secrets` are the strings that must go nowhere; the token by default.

    `origins` are the only beginnings of addresses that may see one; by default that of `submit`.
    """

    adapter: Adapter
    token: str = field(repr=False)
    request: JobRequest
    submit: Canned
    around: tuple[Canned, ...] = ()
    job: JobRef | None = None
    fetch: Canned | None = None
    finished: tuple[Canned, ...] = ()
    unlisted: tuple[Canned, ...] = ()
    check: Canned | None = None
    output: Output | None = None
    refusals: tuple[tuple[int, Any, Reason], ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    origins: tuple[str, ...] = ()

    def hidden(self) -> tuple[str, ...]:
        """The strings to look for."""
        return self.secrets or (self.token,)

    def homes(self) -> tuple[str, ...]:
        """Where they may be seen."""
        url = self.submit.url.pattern.replace("\\", "") if isinstance(self.submit.url, re.Pattern) else self.submit.url
        return self.origins or ("/".join(url.split("/")[:3]) + "/",)


@pytest.mark.django_db
class Contract:
    """Subclass it as Test… and set `spec`."""

    spec: Spec

    @pytest.fixture(autouse=True)
    def network(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        """No call goes out, each leaves one row, and no secret is seen where it doesn't belong."""
        caplog.set_level("DEBUG")
        with responses.mock:
            yield
            assert ProviderCall.objects.count() == len(responses.calls)
            for call in responses.calls:
                assert self._is_home(call.request.url) or not self._secrets_in(_whole(call.request)), call.request.url
        assert not self._secrets_in(caplog.text)

    def test_it_submits_once(self) -> None:
        job = self._submit(self.spec.submit)
        assert job.id
        assert job.status not in (Status.FAILED, Status.CANCELED)
        assert self.spec.submit.calls == 1
        assert job.status == Status.SUCCEEDED or self.spec.job is not None

    def test_the_job_can_be_kept_and_holds_no_secret(self) -> None:
        job = self._submit(self.spec.submit)
        assert not self._secrets_in(repr((job.id, job.detail, dict(job.handle))))
        assert all(isinstance(value, str) for value in job.handle.values())

    @pytest.mark.parametrize("body", GARBLED.values(), ids=GARBLED)
    def test_a_submit_answered_with_nonsense_is_in_doubt_and_not_repeated(self, body: str | bytes) -> None:
        reason, sent = self._failure(replace(self.spec.submit, status=200, answer=body))
        assert reason in UNCLEAR
        assert sent is True

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_an_unlabelled_server_error_at_submit_is_in_doubt_and_not_repeated(self, status: int) -> None:
        html = HTML.format(secret=self.spec.hidden()[0])
        reason, sent = self._failure(replace(self.spec.submit, status=status, answer=html))
        assert (reason, sent) == (Reason.TIMED_OUT if status == 504 else Reason.UNAVAILABLE, True)

    @pytest.mark.parametrize(("error", "reason", "sent"), BROKEN.values(), ids=BROKEN)
    def test_a_broken_connection_at_submit(self, error: Exception, reason: Reason, sent: bool) -> None:
        assert self._failure(replace(self.spec.submit, answer=error)) == (reason, sent)

    def test_too_many_requests_are_no_job_and_wait_as_long_as_they_say(self) -> None:
        canned = replace(self.spec.submit, status=429, answer={}, headers={"Retry-After": "7"})
        with pytest.raises(ProviderError) as failure:
            self._submit(canned)
        found = failure.value
        assert (found.reason, found.sent, found.retry_after) == (Reason.RATE_LIMITED, False, 7)
        assert canned.calls == 1

    def test_a_refused_key_is_unauthorized_and_not_quoted(self) -> None:
        told = f"Incorrect key: {self.spec.hidden()[0]}, see https://cdn.example/x?X-Amz-Signature=abcdef0123456789"
        body = {"error": {"message": told, "code": None}, "detail": told, "message": told}
        assert self._failure(replace(self.spec.submit, status=401, answer=body)) == (Reason.UNAUTHORIZED, False)

    @pytest.mark.parametrize("end", ["\n", "\r\nX-Evil: 1", "\u00e9", "\u201d", "\0", "\x7f"], ids=ascii)
    def test_a_key_that_was_copied_badly_is_not_sent_and_not_quoted(self, end: str) -> None:
        if self.spec.token.startswith("{"):  # a file, whose content is read and not sent
            return
        for canned in (self.spec.submit, *self.spec.around):
            canned.put()
        call = functools.partial(self.spec.adapter.submit, self.spec.request, token=self.spec.token + end)
        assert self._outcome(call) == (Reason.UNAUTHORIZED, False)
        assert len(responses.calls) == 0

    def test_a_redirect_is_not_followed(self) -> None:
        responses.add(responses.POST, ELSEWHERE, json=self.spec.submit.answer)
        responses.add(responses.GET, ELSEWHERE, json=self.spec.submit.answer)
        self._failure(replace(self.spec.submit, status=307, answer="", headers={"Location": ELSEWHERE}))
        assert not any((call.request.url or "").startswith(ELSEWHERE) for call in responses.calls)

    def test_refusals_are_understood(self) -> None:
        for status, body, reason in self.spec.refusals:
            responses.calls.reset()
            ProviderCall.objects.all().delete()
            found = self._failure(replace(self.spec.submit, status=status, answer=body))
            assert found == (reason, False), (status, body)

    def test_a_job_under_way_is_reported(self) -> None:
        if self.spec.fetch is None:
            return
        assert self._fetch(self.spec.fetch).status in (Status.QUEUED, Status.RUNNING)

    def test_a_finished_job_has_its_output(self) -> None:
        if not self.spec.finished:
            return
        job = self._fetch(*self.spec.finished)
        assert job.status == Status.SUCCEEDED
        assert job.outputs
        assert job.outputs[0].location or job.outputs[0].content or job.outputs[0].text

    def test_a_word_we_do_not_know_is_looked_at_again(self) -> None:
        if not self.spec.unlisted:
            return
        assert self._fetch(*self.spec.unlisted).status == Status.UNKNOWN

    @pytest.mark.parametrize("body", GARBLED.values(), ids=GARBLED)
    def test_a_fetch_answered_with_nonsense_says_nothing_final_of_the_job(self, body: str | bytes) -> None:
        if self.spec.fetch is None:
            return
        found: Status | Reason
        try:
            found = self._fetch(replace(self.spec.fetch, status=200, answer=body)).status
        except ProviderError as error:
            found = error.reason
        assert found in (Status.UNKNOWN, Reason.UNAVAILABLE)

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_a_server_error_says_nothing_of_the_job(self, status: int) -> None:
        if self.spec.fetch is None:
            return
        html = HTML.format(secret=self.spec.hidden()[0])
        with pytest.raises(ProviderError) as failure:
            self._fetch(replace(self.spec.fetch, status=status, answer=html))
        assert failure.value.reason == Reason.UNAVAILABLE
        self._assert_discreet(failure.value)

    def test_a_fetch_that_is_told_to_wait_says_how_long(self) -> None:
        if self.spec.fetch is None:
            return
        with pytest.raises(ProviderError) as failure:
            self._fetch(replace(self.spec.fetch, status=429, answer={}, headers={"Retry-After": "9"}))
        assert (failure.value.reason, failure.value.retry_after) == (Reason.RATE_LIMITED, 9)

    def test_the_check_is_a_sentence_without_the_key(self) -> None:
        if self.spec.check is None:
            return
        self.spec.check.put()
        said = self.spec.adapter.check(token=self.spec.token)
        assert said
        assert not self._secrets_in(said)

    def test_the_check_tells_a_key_that_is_refused(self) -> None:
        if self.spec.check is None:
            return
        replace(self.spec.check, status=401, answer={"detail": self.spec.hidden()[0]}).put()
        reason, _sent = self._outcome(lambda: self.spec.adapter.check(token=self.spec.token))
        assert reason == Reason.UNAUTHORIZED

    def test_a_file_elsewhere_is_brought_without_our_key(self) -> None:
        if self.spec.output is None:
            return
        responses.add(responses.GET, self.spec.output.location, body=b"\x00\x00\x00\x18ftypmp42")
        with self.spec.adapter.download(self.spec.output, token=self.spec.token) as file:
            assert file.read() == b"\x00\x00\x00\x18ftypmp42"

    def _submit(self, canned: Canned) -> Job:
        for other in (canned, *self.spec.around):
            other.put()
        return self.spec.adapter.submit(self.spec.request, token=self.spec.token)

    def _fetch(self, *canned: Canned) -> Job:
        assert self.spec.job is not None
        for one in canned:
            one.put()
        return self.spec.adapter.fetch(self.spec.job, token=self.spec.token)

    def _failure(self, canned: Canned) -> tuple[Reason | None, bool]:
        """Why a submit failed and whether the provider may have acted; a job that is reported as failed counts too."""
        responses.mock.reset()
        found = self._outcome(lambda: self._submit(canned))
        assert canned.calls == 1
        return found

    def _outcome(self, call: Callable[[], Any]) -> tuple[Reason | None, bool]:
        try:
            job = call()
        except ProviderError as error:
            self._assert_discreet(error)
            return error.reason, error.sent
        assert job.status == Status.FAILED, job
        assert not self._secrets_in(job.detail)
        return job.reason, True

    def _assert_discreet(self, error: ProviderError) -> None:
        """Nothing in the error, what it came from or how it would be logged holds a secret or a signed address."""
        told = "".join(traceback.format_exception(error)) + repr(error) + error.detail
        assert not self._secrets_in(told)
        assert "Signature" not in told
        assert len(error.detail) <= 500

    def _secrets_in(self, text: str) -> bool:
        return any(secret in text for secret in self.spec.hidden())

    def _is_home(self, url: str | None) -> bool:
        return (url or "").startswith(self.spec.homes())


def _whole(request: requests.PreparedRequest) -> str:
    body = request.body.decode("latin-1") if isinstance(request.body, bytes) else str(request.body)
    return f"{request.url} {dict(request.headers)} {body}"
