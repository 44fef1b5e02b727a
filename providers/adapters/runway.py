"""Runway: a task is started, looked at, and its file brought from an address that is signed anew at every look."""

import base64
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from django.conf import settings

from providers import http
from providers.base import Adapter, Job, JobRef, JobRequest, Kind, Output, Picture, ProviderError, Reason, Status

Fields = dict[str, Any]

VERSION = "2024-11-06"  # X-Runway-Version of runwayml 5.24.0; without one that they know, everything is refused
PROMPT = 1000  # UTF-16 units
DATA_URI = 5_000_000  # characters; what is larger is uploaded
FRESH = 60.0  # seconds in which a task that was accepted may still be unknown
SEEDS = 2**32
_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
_UPLOAD = re.compile(r"runway://[\w./-]{1,300}", re.ASCII)
_SIX = {
    "16:9": "1280:720",
    "9:16": "720:1280",
    "4:3": "1104:832",
    "3:4": "832:1104",
    "1:1": "960:960",
    "21:9": "1584:672",
}


@dataclass(frozen=True)
class _Model:
    """What a model takes. `words` says whether it can do without an image."""

    ratios: Mapping[str, str]
    seconds: range
    words: bool


# runwayml 5.24.0, types/image_to_video_create_params.py and text_to_video_create_params.py, 2026-11-22.
_MODELS = {
    "gen4_turbo": _Model(_SIX, range(2, 11), words=False),
    "gen4.5": _Model(_SIX, range(2, 11), words=True),
}
# What only the text of a 400 or 429 tells: runwayml/sdk-node issue 28, docs.dev.runwayml.com/errors, 2026-11-22.
_TEXTS = (
    (400, re.compile(r"\bnot have enough credits\b|\binsufficient credits\b", re.IGNORECASE), Reason.OUT_OF_QUOTA),
    (400, re.compile(r"\bnot pass (?:\w+ )?moderation\b", re.IGNORECASE), Reason.CONTENT_POLICY),
    (429, re.compile(r"\bdaily\b|\bper day\b", re.IGNORECASE), Reason.OUT_OF_QUOTA),
)


class RunwayAdapter(Adapter):
    """A credit of Runway's is a US cent."""

    slug: ClassVar[str] = "runway"
    # "not more often than every 5 s per task": runwayml 5.24.0 and docs.dev.runwayml.com, 2026-11-22.
    shortest_look: ClassVar[float] = 5.0
    key_looks: ClassVar[str] = "key_… (132 characters)"
    key_pattern: ClassVar[str] = r"key_[0-9a-f]{128}"
    key_mark: ClassVar[str] = r"key_[0-9a-f]{128}"
    # `status` of a task: runwayml 5.24.0 types/task_retrieve_response.py, which spells CANCELLED, and a page of
    # docs.dev.runwayml.com, which spells CANCELED, 2026-11-22. THROTTLED waits for others of the same key.
    statuses: ClassVar[Mapping[str, Status]] = {
        "PENDING": Status.QUEUED,
        "THROTTLED": Status.QUEUED,
        "RUNNING": Status.RUNNING,
        "SUCCEEDED": Status.SUCCEEDED,
        "FAILED": Status.FAILED,
        "CANCELLED": Status.CANCELED,
        "CANCELED": Status.CANCELED,
    }
    # Beginnings of `failureCode`, the longest that fits counts: docs.dev.runwayml.com/errors/task-failures, 2026-11-22.
    reasons: ClassVar[Mapping[str, Reason]] = {
        "SAFETY": Reason.CONTENT_POLICY,
        "INPUT_PREPROCESSING.SAFETY": Reason.CONTENT_POLICY,
        "INPUT_PREPROCESSING.INTERNAL": Reason.UNAVAILABLE,
        "ASSET.INVALID": Reason.INVALID_INPUT,
        "INTERNAL.BAD_OUTPUT": Reason.BAD_OUTPUT,
        "INTERNAL": Reason.UNAVAILABLE,
        "THIRD_PARTY.UNAVAILABLE": Reason.UNAVAILABLE,
        "": Reason.UNAVAILABLE,  # no code at all
    }

    def __init__(self) -> None:
        self._deleted: deque[str] = deque(maxlen=1000)  # what we have stopped is not found any more

    def sample_key(self) -> str:
        """Of the right length."""
        return "key_" + "0" * 128

    def submit(self, request: JobRequest, *, token: str) -> Job:
        """Start a task, after a large image was uploaded."""
        body = self._body(request, token)
        path = "image_to_video" if "promptImage" in body else "text_to_video"
        answer = self._call("submit", "POST", path, token, model=request.model, json=body)
        found = _document(answer)
        name = found.get("id")
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise ProviderError(Reason.UNAVAILABLE, "the task has no usable id")
        return Job(name, Status.QUEUED, cost=_credits(found), handle={"since": str(int(time.time()))})

    def fetch(self, job: JobRef, *, token: str) -> Job:
        """The task. One that we have deleted is canceled; a fresh one may not be there yet."""
        answer = self._call("fetch", "GET", f"tasks/{job.id}", token, model=job.model)
        if answer.status == 404 and (job.id in self._deleted or _is_fresh(job)):
            return Job(job.id, Status.CANCELED if job.id in self._deleted else Status.QUEUED)
        found = _document(answer, gone=Reason.LOST)
        task = self._job(answer, found, job)
        if task.status.is_final:
            answer.costs(task.cost)
        return task

    def cancel(self, job: JobRef, *, token: str) -> None:
        """Delete the task, unless it has ended: to delete then would throw away what was made and paid."""
        if self.fetch(job, token=token).status.is_final:
            return
        answer = self._call("cancel", "DELETE", f"tasks/{job.id}", token, model=job.model)
        if answer.ok:
            self._deleted.append(job.id)
        elif answer.status != 404:
            raise _refusal(answer)

    def download(self, output: Output, *, token: str) -> IO[bytes]:
        """The file. A task is asked for its address first, which is good for a day; no key goes there."""
        purpose, url = http.Purpose(self.slug, "download"), output.location
        if url.startswith(_task("")):
            found = _document(self._call("file", "GET", url.removeprefix(f"{_base()}/v1/"), token), gone=Reason.LOST)
            url = _address(found)
            if not url:
                raise ProviderError(Reason.LOST, "the task has no output any more")
        return http.download(purpose, url, origin=_base())

    def check(self, *, token: str) -> str:
        """Ask for the organization and its credits."""
        balance = _document(self._call("check", "GET", "organization", token)).get("creditBalance")
        if isinstance(balance, int) and balance <= 0:
            raise ProviderError(Reason.OUT_OF_QUOTA, "no credits are left")
        return f"the key is accepted; {balance if isinstance(balance, int) else 'unknown'} credits are left"

    def _call(self, operation: str, method: str, path: str, token: str, *, model: str = "", **body: Any) -> http.Answer:
        headers = {"Authorization": f"Bearer {token}", "X-Runway-Version": VERSION}
        http.require_sendable(headers)
        purpose = http.Purpose(self.slug, operation, model)
        return http.call(purpose, method, f"{_base()}/v1/{path}", origin=_base(), headers=headers, **body)

    def _body(self, request: JobRequest, token: str) -> Fields:
        """The fields of a task; only what the model knows, since anything else is refused."""
        options = request.options
        ratio, seconds = _possible(request)
        body: Fields = {"model": request.model, "promptText": fitted(request.prompt)}
        if request.image is not None:
            body["promptImage"] = self._picture(request.image, token)
        body |= {"ratio": ratio, "duration": seconds}
        return body if options.get("seed") is None else body | {"seed": int(options["seed"]) % SEEDS}

    def _picture(self, image: Picture, token: str) -> str:
        uri = f"data:{image.content_type};base64,{base64.b64encode(image.content).decode()}"
        return uri if len(uri) <= DATA_URI else self._uploaded(image, token)

    def _uploaded(self, image: Picture, token: str) -> str:
        """The image's address in Runway's own store; whatever fails here, nothing was bought."""
        name = f"still.{image.content_type.partition('/')[2]}"
        try:
            asked = {"filename": name, "type": "ephemeral"}
            ticket = _document(self._call("upload", "POST", "uploads", token, json=asked))
            self._bring(ticket, (name, image.content, image.content_type))
        except ProviderError as error:
            error.sent = False
            raise
        return str(ticket["runwayUri"])

    def _bring(self, ticket: Fields, file: tuple[str, bytes, str]) -> None:
        """Send a file where the ticket says: the fields as given, the file last, and no key."""
        uri, url, fields = (ticket.get(part) for part in ("runwayUri", "uploadUrl", "fields"))
        if not isinstance(uri, str) or not _UPLOAD.fullmatch(uri) or not isinstance(url, str) or not _is_form(fields):
            raise ProviderError(Reason.UNAVAILABLE, "the upload has no usable address")
        purpose = http.Purpose(self.slug, "upload")
        answer = http.call(purpose, "POST", url, origin=url, given_by=_base(), data=fields, files={"file": file})
        if not answer.ok:
            raise http.refuse(answer, "for the upload", reason=Reason.UNAVAILABLE)

    def _job(self, answer: http.Answer, found: Fields, job: JobRef) -> Job:
        word, cost, progress = found.get("status"), _credits(found), found.get("progress")
        status = self.statuses.get(word, Status.UNKNOWN) if isinstance(word, str) else Status.UNKNOWN
        if status == Status.FAILED:
            reason, said = self._failure(found)
            return Job(job.id, status, reason=reason, detail=answer.quote(said), cost=cost)
        if status == Status.SUCCEEDED and not _address(found):
            return Job(job.id, Status.FAILED, reason=Reason.BAD_OUTPUT, detail="succeeded without output", cost=cost)
        if status == Status.SUCCEEDED:
            return Job(job.id, status, outputs=(Output(location=_task(job.id)),), cost=cost)
        known = isinstance(progress, float | int) and 0 <= progress <= 1
        detail = answer.quote(word) if status == Status.UNKNOWN else ""
        return Job(job.id, status, float(progress) if known else None, detail=detail, cost=cost)  # type: ignore[arg-type]

    def _failure(self, found: Fields) -> tuple[Reason, str]:
        code = str(found.get("failureCode") or "")
        fitting = [start for start in self.reasons if start and f"{code}.".startswith(f"{start}.")]
        reason = self.reasons[max(fitting, key=len)] if fitting else Reason.OTHER if code else self.reasons[""]
        return reason, f"{code} {found.get('failure') or ''}".strip()


def fitted(prompt: str, units: int = PROMPT) -> str:
    """As much of a prompt as Runway takes, up to the end of a word; a character of two UTF-16 units stays whole."""
    written = prompt.encode("utf-16-le", "surrogatepass")
    if len(written) <= 2 * units:
        return prompt
    cut = written[: 2 * units].decode("utf-16-le", "ignore")
    if prompt[len(cut) : len(cut) + 1].isspace():
        return cut
    whole = cut.rpartition(" ")[0]
    return (whole if len(whole) > len(cut) // 2 else cut).rstrip()


def _possible(request: JobRequest) -> tuple[str, int]:
    """Ratio and seconds in Runway's words; raises ProviderError(INVALID_INPUT) for what it would refuse."""
    model, options = _MODELS.get(request.model), request.options
    if request.kind != Kind.VIDEO or model is None:
        raise ProviderError(Reason.INVALID_INPUT, f"no table for {request.model}", sent=False)
    ratio, seconds = model.ratios.get(str(options.get("aspect_ratio"))), options.get("duration_seconds")
    if ratio is None or not isinstance(seconds, int) or seconds not in model.seconds:
        raise ProviderError(Reason.INVALID_INPUT, f"{request.model} has no such ratio or length", sent=False)
    if request.image is None and not model.words:
        raise ProviderError(Reason.INVALID_INPUT, f"{request.model} starts from an image", sent=False)
    return ratio, seconds


def _document(answer: http.Answer, *, gone: Reason | None = None) -> Fields:
    if not answer.ok:
        raise _refusal(answer, gone=gone)
    return answer.document()


def _refusal(answer: http.Answer, *, gone: Reason | None = None) -> ProviderError:
    """The error for an answer that isn't 2xx; `gone` is what a 404 means here."""
    try:
        found = answer.document()
    except ProviderError:
        found = {}
    text, issues = found.get("error"), found.get("issues")
    said = text if isinstance(text, str) else ""
    reason = gone if answer.status == 404 else None
    if issues is None:  # where there are issues, the text may quote what was asked
        told = (why for status, seen, why in _TEXTS if status == answer.status and seen.search(said))
        reason = reason or next(told, None)
    elif isinstance(issues, list) and any(isinstance(one, dict) and one.get("path") == ["model"] for one in issues):
        reason = Reason.RETIRED
    return http.refuse(answer, f"{said} {issues or ''}".strip(), reason=reason)


def _base() -> str:
    return str(settings.PROVIDER_URLS["runway"])


def _task(name: str) -> str:
    return f"{_base()}/v1/tasks/{name}"


def _address(found: Fields) -> str:
    """The first address of a task's output, "" where there is none."""
    output = found.get("output")
    first = output[0] if isinstance(output, list) and output else ""
    return first if isinstance(first, str) else ""


def _credits(found: Fields) -> float | None:
    """What it has cost, else what it will cost at most; a failed task that was given back has cost 0."""
    for name in ("cost", "estimatedCost"):
        told = found.get(name)
        number = told.get("credits") if isinstance(told, dict) else None
        if isinstance(number, int | float) and 0 <= number < 1_000_000:
            return float(number)
    return None


def _is_fresh(job: JobRef) -> bool:
    since = job.handle.get("since", "")
    return since.isdecimal() and time.time() - int(since) < FRESH


def _is_form(fields: object) -> bool:
    return isinstance(fields, dict) and all(isinstance(value, str) for value in fields.values())
