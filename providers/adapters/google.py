"""Gemini Omni: videos by Google's Interactions API, with an API key. Veo has left this host, see `vertex.py`.

Google speaks of errors in two ways: its classic surface says google.rpc.Status, with a word and details, the
Interactions one a string for a code. Both are read here, for both adapters.
"""

import base64
import binascii
import re
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings

from providers import http
from providers.base import Adapter, Job, JobRef, JobRequest, Kind, Output, Picture, ProviderError, Reason, Status

Fields = dict[str, Any]

OFFICIAL = "https://generativelanguage.googleapis.com"
VERSION = "v1"  # what google-genai 3.4.0 calls; the guides say v1beta, which is there as well
FRESH = 60.0  # seconds in which a job that was accepted may still be unknown
SEEDS = 2**31
_INLINE = ("360p", "720p")  # what is larger comes by address: the guide says so from some 4 MB on
_ID = re.compile(r"[\w.-]{1,200}", re.ASCII)
_FILE = re.compile(r"/(?:[\w/-]+/)?files/([\w-]{1,100})(?::download)?", re.ASCII)

# Words of errors, most of them from google-genai 3.4.0, google.api.ErrorReason and reports of users, 2026-11-22.
REASONS: Mapping[str, Reason] = {
    "API_KEY_INVALID": Reason.UNAUTHORIZED,
    "API_KEY_SERVICE_BLOCKED": Reason.UNAUTHORIZED,
    "API_KEY_IP_ADDRESS_BLOCKED": Reason.UNAUTHORIZED,
    "API_KEY_HTTP_REFERRER_BLOCKED": Reason.UNAUTHORIZED,
    "CONSUMER_SUSPENDED": Reason.UNAUTHORIZED,
    "SERVICE_DISABLED": Reason.UNAUTHORIZED,
    "BILLING_DISABLED": Reason.OUT_OF_QUOTA,
    "FAILED_PRECONDITION": Reason.UNAUTHORIZED,  # the region or the account is not enabled
    "content_blocked": Reason.CONTENT_POLICY,
    "invalid_request": Reason.INVALID_INPUT,
    "internal_error": Reason.UNAVAILABLE,
}
# google.rpc.Code of a job that has ended, google/rpc/code.proto.
_CODES: Mapping[int, Reason] = {
    3: Reason.INVALID_INPUT,
    4: Reason.TIMED_OUT,
    7: Reason.UNAUTHORIZED,
    8: Reason.RATE_LIMITED,  # "The service is currently at capacity."
    9: Reason.INVALID_INPUT,
    13: Reason.UNAVAILABLE,
    14: Reason.UNAVAILABLE,
    16: Reason.UNAUTHORIZED,
}
_POLICY = re.compile(r"usage guidelines|support codes?:|\bsafety\b|\bblocked\b|\bpolic(?:y|ies)\b", re.IGNORECASE)
_OVERLOADED = re.compile(r"overloaded|at capacity|high demand", re.IGNORECASE)
# What only the text tells, by HTTP status. Sentences seen in issues of google-genai, pollinations and litellm, 2026-11.
_TEXTS: tuple[tuple[tuple[int, ...], re.Pattern[str], Reason], ...] = (
    ((429,), re.compile(r"per ?day|\bdaily\b|\bspend|\bprepa(?:y|id)", re.IGNORECASE), Reason.OUT_OF_QUOTA),
    ((400, 403), re.compile(r"\bbilling\b", re.IGNORECASE), Reason.OUT_OF_QUOTA),
    ((400,), re.compile(r"usage guidelines|support codes?:", re.IGNORECASE), Reason.CONTENT_POLICY),
)


class GoogleAdapter(Adapter):
    """Always in the background and always stored: an answer that was lost on the way can be asked for again."""

    slug: ClassVar[str] = "google"
    # No limit is published; the examples of ai.google.dev wait 5 to 10 s, 2026-11-22.
    shortest_look: ClassVar[float] = 5.0
    key_looks: ClassVar[str] = "AIza…"
    key_pattern: ClassVar[str] = r"[\w.-]{20,200}"
    key_mark: ClassVar[str] = r"AIza[\w-]{35}"
    # `status` of an interaction: google-genai 3.4.0 types/interactions/interaction.py, 2026-11-22. To go on after
    # requires_continuation would be a second paid call.
    statuses: ClassVar[Mapping[str, Status]] = {
        "queued": Status.QUEUED,
        "in_progress": Status.RUNNING,
        "completed": Status.SUCCEEDED,
        "failed": Status.FAILED,
        "incomplete": Status.FAILED,
        "budget_exceeded": Status.FAILED,
        "requires_action": Status.FAILED,
        "requires_continuation": Status.FAILED,
        "cancelled": Status.CANCELED,
        "canceled": Status.CANCELED,
    }
    # What a status alone tells, and the words of `errors`.
    reasons: ClassVar[Mapping[str, Reason]] = {
        **REASONS,
        "incomplete": Reason.BAD_OUTPUT,
        "requires_continuation": Reason.UNAVAILABLE,
    }
    # `state` of a file, the same SDK, types.py FileState.
    file_states: ClassVar[Mapping[str, Status]] = {
        "PROCESSING": Status.RUNNING,
        "ACTIVE": Status.SUCCEEDED,
        "FAILED": Status.FAILED,
    }

    def sample_key(self) -> str:
        """Of the right length."""
        return "AIza" + "simulated-" * 3 + "simul"

    def submit(self, request: JobRequest, *, token: str) -> Job:
        """Start an interaction in the background."""
        if request.kind != Kind.VIDEO:
            raise ProviderError(Reason.INVALID_INPUT, "Gemini Omni is here for videos only", sent=False)
        answer = self._call("submit", "POST", "interactions", token, model=request.model, json=_body(request))
        if not answer.ok:
            raise refusal(answer)
        found = answer.document()
        name = found.get("id")
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise ProviderError(Reason.UNAVAILABLE, "the interaction has no usable id")
        job = self._job(answer, found, JobRef(name, request.model, {"since": str(int(time.time()))}))
        by_address = any(output.location for output in job.outputs)
        return Job(job.id, Status.RUNNING, handle=job.handle) if by_address else job

    def fetch(self, job: JobRef, *, token: str) -> Job:
        """The interaction; its video comes with it, or lies in a file that takes a moment to be ready."""
        answer = self._call("fetch", "GET", f"interactions/{job.id}", token, model=job.model)
        if answer.status == 404 and is_fresh(job):
            return Job(job.id, Status.QUEUED, handle=job.handle)
        if not answer.ok:
            raise refusal(answer, gone=Reason.LOST)
        found = self._job(answer, answer.document(), job)
        if found.outputs and (name := _file_id(found.outputs[0].location)):
            return self._when_ready(found, name, token)
        return found

    def cancel(self, job: JobRef, *, token: str) -> None:
        """Ask to stop. The method was missing for long, and answers 4xx to what has ended: the next fetch tells."""
        answer = self._call("cancel", "POST", f"interactions/{job.id}/cancel", token, model=job.model)
        if not answer.ok and answer.status not in (400, 404, 405, 409, 501):
            raise refusal(answer, gone=Reason.LOST)

    def download(self, output: Output, *, token: str) -> IO[bytes]:
        """The file; the key goes to Google's API alone, whose redirects may lead anywhere."""
        purpose = http.Purpose(self.slug, "download")
        return http.download(purpose, output.location, origin=_base(), headers=_headers(token))

    def check(self, *, token: str) -> str:
        """Ask for the list of models, which costs nothing."""
        answer = self._call("check", "GET", "models", token, params={"pageSize": 1})
        if not answer.ok:
            raise refusal(answer)
        answer.document()
        return "the key is accepted"

    def _call(self, operation: str, method: str, path: str, token: str, *, model: str = "", **body: Any) -> http.Answer:
        purpose, url = http.Purpose(self.slug, operation, model), f"{_base()}/{VERSION}/{path}"
        return http.call(purpose, method, url, origin=_base(), headers=_headers(token), **body)

    def _job(self, answer: http.Answer, found: Fields, job: JobRef) -> Job:
        word = found.get("status")
        status = self.statuses.get(word, Status.UNKNOWN) if isinstance(word, str) else Status.UNKNOWN
        if status == Status.FAILED:
            reason, said = self._failure(found, str(word))
            return Job(job.id, status, reason=reason, detail=answer.quote(said), handle=job.handle)
        if status == Status.SUCCEEDED:
            return self._made(answer, found, job)
        detail = answer.quote(word) if status == Status.UNKNOWN else ""
        return Job(job.id, status, detail=detail, handle=job.handle)

    def _made(self, answer: http.Answer, found: Fields, job: JobRef) -> Job:
        """Completed; without a video it was filtered, whether Google says so or not."""
        for block in reversed(_blocks(found)):
            if block.get("type") == "video" and (output := _output(block)):
                return Job(job.id, Status.SUCCEEDED, outputs=(output,), handle=job.handle)
        reason, said = self._failure(found, "")
        words = " ".join(str(block.get("text", "")) for block in _blocks(found) if block.get("type") == "text")
        if not said:
            reason, said = (Reason.CONTENT_POLICY, words) if words else (Reason.BAD_OUTPUT, "completed without a video")
        return Job(job.id, Status.FAILED, reason=reason, detail=answer.quote(said), handle=job.handle)

    def _failure(self, found: Fields, word: str) -> tuple[Reason, str]:
        """Why it failed: by `errors`, else by the error of a step, else by the status itself."""
        steps = [step["error"] for step in _dicts(found.get("steps")) if isinstance(step.get("error"), dict)]
        for error in [*_dicts(found.get("errors")), *steps]:
            return failure(error)
        return self.reasons.get(word, Reason.OTHER), word

    def _when_ready(self, job: Job, name: str, token: str) -> Job:
        answer = self._call("file", "GET", f"files/{name}", token)
        if not answer.ok:
            raise refusal(answer, gone=Reason.LOST)
        word = answer.document().get("state")
        status = self.file_states.get(word, Status.UNKNOWN) if isinstance(word, str) else Status.UNKNOWN
        if status == Status.SUCCEEDED:
            return job
        reason = Reason.BAD_OUTPUT if status == Status.FAILED else None
        return Job(job.id, status, reason=reason, detail=answer.quote(f"file {word}"), handle=job.handle)


# --- What we ask ---------------------------------------------------------------------------------------------


def _body(request: JobRequest) -> Fields:
    options = request.options
    resolution = str(options.get("resolution", "720p"))
    task = "image_to_video" if request.image else "text_to_video"
    config: Fields = {"video_config": {"task": task}}
    if options.get("seed") is not None:
        config["seed"] = int(options["seed"]) % SEEDS
    form = {
        "type": "video",
        "aspect_ratio": options.get("aspect_ratio", "16:9"),
        "duration": f"{options.get('duration_seconds', 5)}s",
        "resolution": resolution,
    }
    return {
        "model": request.model,
        "background": True,  # without it, an interaction may stop half-way and wait to be paid for again
        "store": True,
        "input": [{"type": "user_input", "content": list(_content(request.prompt, request.image))}],
        "generation_config": config,
        "response_format": form if resolution in _INLINE else form | {"delivery": "uri"},
    }


def _content(prompt: str, image: Picture | None) -> Iterator[Fields]:
    if image is not None:
        data = base64.b64encode(image.content).decode()
        yield {"type": "image", "data": data, "mime_type": image.content_type}
    yield {"type": "text", "text": f"<FIRST_FRAME> {prompt}" if image else prompt}


def _base() -> str:
    return str(settings.PROVIDER_URLS["google"])


def _headers(token: str) -> dict[str, str]:
    headers = {"x-goog-api-key": token}
    http.require_sendable(headers)
    return headers


# --- What comes back -----------------------------------------------------------------------------------------


def is_fresh(job: JobRef) -> bool:
    """Whether the job was accepted so lately that not to find it yet means nothing."""
    since = job.handle.get("since", "")
    return since.isdecimal() and time.time() - int(since) < FRESH


def decoded(data: object) -> bytes:
    """Base64 as bytes; b"" for what is none."""
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _dicts(found: Any) -> list[Fields]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _blocks(found: Fields) -> list[Fields]:
    """What the model has put out since the last input."""
    blocks: list[Fields] = []
    for step in _dicts(found.get("steps")):
        if step.get("type") == "user_input":
            blocks = []
        elif step.get("type") == "model_output":
            blocks += _dicts(step.get("content"))
    return blocks


def _output(block: Fields) -> Output | None:
    """The video of a block: bytes, or where it lies; None when the block holds neither."""
    kind = str(block.get("mime_type") or "video/mp4")[:40]
    if content := decoded(block.get("data")):
        return Output(content=content, content_type=kind)
    uri = block.get("uri")
    if not isinstance(uri, str) or not uri:
        return None
    name = _file_id(uri)
    # Through a gateway, Google still names itself: the file is asked for where the interaction was.
    return Output(location=f"{_base()}/{VERSION}/files/{name}:download?alt=media" if name else uri, content_type=kind)


def _file_id(uri: str) -> str:
    """The id of a file of this API, "" for an address elsewhere."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    if parts[:2] not in (urlsplit(_base())[:2], urlsplit(OFFICIAL)[:2]):
        return ""
    found = _FILE.fullmatch(parts.path)
    return found[1] if found else ""


# --- What goes wrong -----------------------------------------------------------------------------------------


def refusal(answer: http.Answer, *, gone: Reason = Reason.RETIRED) -> ProviderError:
    """The error for an answer of Google's that isn't 2xx; `gone` is what a 404 means here."""
    told = _error(answer)
    words, message = list(_words(told)), str(told.get("message") or "")
    text = f"{message} {told.get('details', '')}"
    reason = next((found for codes, seen, found in _TEXTS if answer.status in codes and seen.search(text)), None)
    if reason is None and answer.status not in (402, 404, 429):
        reason = next((REASONS[word] for word in words if word in REASONS), None)
    reason = reason or {404: gone, 409: Reason.UNAVAILABLE}.get(answer.status)
    error = http.refuse(answer, f"{' '.join(words[:1])} {message}".strip(), reason=reason)
    error.retry_after = error.retry_after or _delay(told)
    if answer.status == 503 and _OVERLOADED.search(message):
        error.sent = False  # refused at the door, in so many words
    return error


def failure(error: Fields) -> tuple[Reason, str]:
    """Why a job has failed, and Google's words for it; a code is a number, a word, or an address that ends in one."""
    code, message = error.get("code"), str(error.get("message") or "")
    word = str(code).rpartition("/")[2]
    reason = _CODES.get(code) if isinstance(code, int) else REASONS.get(word)
    if reason in (None, Reason.INVALID_INPUT) and _POLICY.search(message):
        reason = Reason.CONTENT_POLICY
    return reason or Reason.OTHER, f"{word} {message}".strip()


def _error(answer: http.Answer) -> Fields:
    """The `error` of a body, which may come in a list."""
    try:
        found = answer.json()
    except ProviderError:
        return {}
    found = found[0] if isinstance(found, list) and found else found
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, str):  # OAuth's own form
        return {"message": f"{error} {found.get('error_description') or ''}".strip()}
    return error if isinstance(error, dict) else {}


def _words(error: Fields) -> Iterator[str]:
    """Its words, the most telling first."""
    for detail in _dicts(error.get("details")):
        if isinstance(detail.get("reason"), str):
            yield detail["reason"]
    yield from (str(error[name]) for name in ("status", "code") if error.get(name))


def _delay(error: Fields) -> float | None:
    """Seconds to wait by RetryInfo, "37s"."""
    for detail in _dicts(error.get("details")):
        if found := re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)s", str(detail.get("retryDelay", "")), re.ASCII):
            return min(float(found[1]), http.LONGEST_WAIT) or None
    return None
