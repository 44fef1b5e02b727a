"""fal: a queue in front of many companies' models. Submit, look, bring the result, by the addresses that it returns.

There is no word for failure here: a job that failed is COMPLETED, and its result is the model's error. And there is no
reference of ours that a job could be looked up by: when the answer to a submit is lost, only its webhook tells.
"""

import hashlib
import json
import mimetypes
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from providers import hooks, http
from providers.base import Adapter, Job, JobRef, JobRequest, Output, Picture, ProviderError, Reason, Status

Fields = dict[str, Any]

CDN = "https://v3.fal.media"  # where plain uploads go (fal-client 1.0.3, client.py)
KEPT = 172_800  # seconds that fal keeps what we upload and what it makes; without it, for good
WEBHOOK_WAIT = 120.0  # seconds between two thoughts about a lost submit, while its webhook may still come
SKEW = 300  # seconds that a webhook may be old (docs, webhooks page)
KEYS_LAST = 86_400.0  # seconds that the keys of webhooks may be kept (the same page)
KEYS_REST = 60.0  # seconds between two looks at them, whatever anybody sends us
_PARTS = ("status", "response", "cancel")
_ABOUT_US = (401, 403, 404, 408, 429)  # of a result: says something of the call, nothing of the job


@dataclass(frozen=True)
class Ask:
    """How one endpoint wants to be asked: its names, its types, its limits.

    `resolutions` are its own words by ours, empty where there is nothing to choose; `prompt` is the longest it takes;
    `unit` is the list price of one billable unit in US cents, None where nobody says what a unit is.
    """

    image: str = "image_url"
    seconds: Callable[[int], Any] = str
    resolutions: Mapping[str, str] = field(default_factory=dict)
    ratios: tuple[str, ...] = ()
    seed: bool = False
    prompt: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    unit: float | None = None

    def body(self, request: JobRequest, image: str) -> Fields:
        """The model's arguments. Nothing is sent that it has no name for: some models refuse what they don't know."""
        options = request.options
        body: Fields = {"prompt": request.prompt[: self.prompt], self.image: image, **self.more}
        if seconds := options.get("duration_seconds"):
            body["duration"] = self.seconds(seconds)
        if resolution := self.resolutions.get(options.get("resolution", "")):
            body["resolution"] = resolution
        if options.get("aspect_ratio") in self.ratios:
            body["aspect_ratio"] = options["aspect_ratio"]
        if self.seed and options.get("seed") is not None:
            body["seed"] = options["seed"]
        return body


def _with_s(seconds: int) -> str:
    return f"{seconds}s"


def _same(*words: str) -> dict[str, str]:
    return {word: word for word in words}


# types/endpoints.d.ts of @fal-ai/client 1.10.1 and fal.ai/models/<id>/llms.txt, 2026-11-22. The prompt was improved
# here where the user wanted that, and is shown as it was sent: so no model rewrites it once more.
# [UNVERIFIED] units: priced by the second, taken as seconds at the lowest price; Pika's and Hailuo's are not known.
ASKS: dict[str, Ask] = {
    "fal-ai/kling-video/v2.5-turbo/pro/image-to-video": Ask(prompt=2500, unit=7),
    "fal-ai/kling-video/v2.6/pro/image-to-video": Ask("start_image_url", prompt=2500, more={"generate_audio": True}),
    "fal-ai/minimax/hailuo-2.3-fast/standard/image-to-video": Ask(more={"prompt_optimizer": False}),
    "fal-ai/minimax/hailuo-2.3/standard/image-to-video": Ask(more={"prompt_optimizer": False}),
    "fal-ai/minimax/hailuo-02/standard/image-to-video": Ask(
        resolutions={"480p": "512P", "720p": "768P"}, more={"prompt_optimizer": False}
    ),
    "fal-ai/ltx-2.3/image-to-video": Ask(
        seconds=int,
        resolutions={"1080p": "1080p", "1440p": "1440p", "4k": "2160p"},
        ratios=("16:9", "9:16"),
        more={"generate_audio": True},
        unit=6,
    ),
    "fal-ai/wan-25-preview/image-to-video": Ask(
        resolutions=_same("480p", "720p", "1080p"),
        seed=True,
        prompt=800,
        more={"enable_prompt_expansion": False},
        unit=5,
    ),
    "fal-ai/luma-dream-machine/ray-2/image-to-video": Ask(
        seconds=_with_s,
        resolutions=_same("540p", "720p", "1080p"),
        ratios=("16:9", "9:16", "4:3", "3:4", "21:9", "9:21"),
    ),
}


class FalAdapter(Adapter):
    """fal's queue, for the endpoints in `asks`."""

    slug: ClassVar[str] = "fal"
    # No limit is published; fal-client 1.0.3 client.py looks every 0.1 s, 2026-11-22.
    shortest_look: ClassVar[float] = 0.5
    key_looks: ClassVar[str] = "id:secret"
    key_pattern: ClassVar[str] = r"[\w-]+:[\w-]+"
    key_mark: ClassVar[str] = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{16,}"
    asks: ClassVar[Mapping[str, Ask]] = ASKS
    # The three there are: fal-client 1.0.3 client.py, 2026-11-22. What COMPLETED means, the result says.
    statuses: ClassVar[Mapping[str, Status]] = {
        "IN_QUEUE": Status.QUEUED,
        "IN_PROGRESS": Status.RUNNING,
        "COMPLETED": Status.SUCCEEDED,
    }
    # `error_type` of fal's own machinery and `detail[].type` of its models (pydantic's words too): fal.ai/docs,
    # pages errors and request-errors, 2026-11-22.
    reasons: ClassVar[Mapping[str, Reason]] = {
        **dict.fromkeys(("request_timeout", "startup_timeout", "generation_timeout"), Reason.TIMED_OUT),
        **dict.fromkeys(
            (
                "runner_scheduling_failure", "runner_connection_timeout", "runner_disconnected",
                "runner_connection_refused", "runner_connection_error", "runner_incomplete_response",
                "runner_server_error", "internal_error", "internal_server_error", "downstream_service_error",
                "downstream_service_unavailable", "no_media_generated", "client_disconnected", "file_download_error",
            ),
            Reason.UNAVAILABLE,
        ),
        "concurrent_requests_limit": Reason.RATE_LIMITED,
        "content_policy_violation": Reason.CONTENT_POLICY,
        **dict.fromkeys(
            (
                "bad_request", "image_too_small", "image_too_large", "image_load_error", "file_too_large",
                "face_detection_error", "greater_than", "greater_than_equal", "less_than", "less_than_equal",
                "multiple_of", "sequence_too_short", "sequence_too_long", "one_of", "feature_not_supported",
                "unsupported_image_format", "missing", "literal_error", "string_too_long", "string_too_short",
                "string_type", "int_type", "value_error", "extra_forbidden", "validation_error",
            ),
            Reason.INVALID_INPUT,
        ),
    }  # fmt: skip

    def sample_key(self) -> str:
        """Two parts, as theirs have."""
        return "simulated:simulated"

    def submit(self, request: JobRequest, *, token: str) -> Job:
        """Upload the picture, then put one job in line."""
        ask = self.asks.get(request.model)
        if ask is None or request.image is None:
            what = "a picture" if ask else "a table of its fields"
            raise ProviderError(Reason.INVALID_INPUT, f"{request.model} needs {what}", sent=False)
        image = self._upload(request.image, token)
        hook = hooks.address(self.slug, request.reference, api=_queue())
        answer = self._call(
            "submit",
            "POST",
            f"{_queue()}/{request.model}",
            token,
            request.model,
            headers=_wishes(),
            params={"fal_webhook": hook} if hook else None,
            json=ask.body(request, image),
        )
        if not answer.ok:
            raise self._refusal(answer)
        return _accepted(answer)

    def fetch(self, job: JobRef, *, token: str) -> Job:
        """Where the job stands; of a finished one, what came of it. Any 2xx counts: it is 202 until the end."""
        answer = self._call("fetch", "GET", _address(job, "status"), token, job.model)
        if not answer.ok:
            raise self._silence(answer)
        told = answer.document()
        word = told.get("status")
        status = self.statuses.get(word, Status.UNKNOWN) if isinstance(word, str) else Status.UNKNOWN
        if status == Status.SUCCEEDED:
            return self._ended(job, told, token)
        return Job(
            job.id,
            status,
            detail=answer.quote(word) if status == Status.UNKNOWN else "",
            position=_position(told) if status == Status.QUEUED else None,
        )

    def cancel(self, job: JobRef, *, token: str) -> None:
        """Ask for it; what runs already may be finished, and billed, all the same."""
        answer = self._call("cancel", "PUT", _address(job, "cancel"), token, job.model)
        if not answer.ok and answer.status not in (400, 404):  # done already, or not known: the next fetch tells
            raise self._silence(answer)

    def find(self, reference: str, *, token: str) -> Job | None:
        """Cannot be looked up. Where a webhook may tell, there is reason to wait for it."""
        wait = WEBHOOK_WAIT if hooks.address(self.slug, reference, api=_queue()) else None
        raise ProviderError(Reason.LOST, "fal knows no references of ours; a webhook may tell", retry_after=wait)

    def download(self, output: Output, *, token: str) -> IO[bytes]:
        """Files are public; the key has no business there."""
        return http.download(http.Purpose(self.slug, "download"), output.location, origin=_queue())

    def check(self, *, token: str) -> str:
        """Ask for permission to upload, which costs nothing and is given to good keys only."""
        self._permission(token)
        return "the key is accepted; a token for uploads was given"

    def webhook_job_id(self, headers: Mapping[str, str], body: bytes) -> str:
        """The job that a message of fal's is about. Raises ProviderError(UNAUTHORIZED) for everybody else's."""
        parts = {name: headers.get(f"X-Fal-Webhook-{name}", "") for name in _SIGNED}
        moment = int(parts["Timestamp"]) if re.fullmatch(r"[0-9]{1,12}", parts["Timestamp"], re.ASCII) else 0
        if abs(time.time() - moment) > SKEW:
            raise ProviderError(Reason.UNAUTHORIZED, "the message is too old, or its clock is wrong")
        message = "\n".join([*parts.values(), hashlib.sha256(body).hexdigest()]).encode("utf-8", "replace")
        signature = headers.get("X-Fal-Webhook-Signature", "")
        if not _KEYS.signed(message, signature, slug=self.slug):
            raise ProviderError(Reason.UNAUTHORIZED, "the signature is not fal's")
        return _job_named(body, parts["Request-Id"])

    # --- Uploads -------------------------------------------------------------------------------------------

    def _upload(self, picture: Picture, token: str) -> str:
        """Where fal's models find the picture. A data URI would do as well, but only for a few KB (docs, fal CDN)."""
        try:
            return self._stored(picture, self._permission(token))
        except ProviderError as error:
            error.sent = False  # nothing was bought yet
            raise

    def _permission(self, token: str) -> Fields:
        url = f"{_rest()}/storage/auth/token?storage_type=fal-cdn-v3"
        answer = self._call("permission", "POST", url, token, origin=_rest(), json={})
        if not answer.ok:
            raise self._refusal(answer)
        found = answer.document()
        if not isinstance(found.get("token"), str) or not isinstance(found.get("token_type"), str):
            raise ProviderError(Reason.UNAVAILABLE, "no token for uploads was given", sent=False)
        return found

    def _stored(self, picture: Picture, permission: Fields) -> str:
        home = _cdn(permission.get("base_url"))
        headers = {
            "Authorization": f"{permission['token_type']} {permission['token']}",
            "Content-Type": picture.content_type,
            "X-Fal-File-Name": f"picture{mimetypes.guess_extension(picture.content_type) or ''}",
            "X-Fal-Object-Lifecycle": _lifecycle(),
        }
        purpose = http.Purpose(self.slug, "upload")
        answer = http.call(purpose, "POST", f"{home}/files/upload", origin=home, headers=headers, data=picture.content)
        if not answer.ok:
            raise self._refusal(answer)
        address = answer.document().get("access_url")
        if not isinstance(address, str) or urlsplit(address).scheme not in ("https", "http"):
            raise ProviderError(Reason.UNAVAILABLE, "the upload was given no address", sent=False)
        return address

    # --- Answers -------------------------------------------------------------------------------------------

    def _ended(self, job: JobRef, told: Fields, token: str) -> Job:
        """A finished job. Its result has the words for a failure that the status lacks."""
        answer = self._call("result", "GET", _address(job, "response"), token, job.model)
        if answer.ok:
            return self._made(job, answer)
        complaint = _complaint(answer)
        failed = told.get("error") or told.get("error_type")
        if not failed and (answer.status in _ABOUT_US or not _is_verdict(answer, complaint)):
            raise self._silence(answer)
        word = complaint.word or str(told.get("error_type") or "")
        if word == "client_cancelled":
            return Job(job.id, Status.CANCELED)
        text = complaint.text or told.get("error") or ""
        return Job(
            job.id,
            Status.FAILED,
            reason=self.reasons.get(word, Reason.OTHER),
            detail=answer.quote(f"{answer.status} {word} {text}"),
        )

    def _made(self, job: JobRef, answer: http.Answer) -> Job:
        video = answer.document().get("video")
        cents = self._cents(job, answer)
        answer.costs(cents)
        if video is None:
            return Job(job.id, Status.FAILED, reason=Reason.BAD_OUTPUT, detail="done, without a video", cost=cents)
        if not isinstance(video, dict) or not isinstance(video.get("url"), str):
            raise ProviderError(Reason.UNAVAILABLE, "answered 200 with a result of another shape")
        output = Output(location=video["url"], content_type=str(video.get("content_type") or ""))
        return Job(job.id, Status.SUCCEEDED, outputs=(output,), cost=cents)

    def _cents(self, job: JobRef, answer: http.Answer) -> float | None:
        ask = self.asks.get(job.model)
        units = answer.headers.get("X-Fal-Billable-Units", "")
        if ask is None or ask.unit is None or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", units, re.ASCII):
            return None
        return round(float(units) * ask.unit, 4)

    def _refusal(self, answer: http.Answer) -> ProviderError:
        """The error for a submit that isn't 2xx. A 5xx that fal labels, and gives no id to, has accepted nothing."""
        complaint = _complaint(answer)
        reason = self.reasons.get(complaint.word) if answer.status != 401 else None
        if answer.status == 403 and "balance" in complaint.text.lower():
            reason = Reason.OUT_OF_QUOTA  # no word for machines comes with it (403 "User is locked", many reports)
        error = http.refuse(answer, f"{complaint.word} {complaint.text}".strip(), reason=reason)
        error.sent = error.sent and not (complaint.of_queue and not answer.headers.get("x-fal-request-id"))
        return error

    def _silence(self, answer: http.Answer) -> ProviderError:
        """The error for a look that says nothing of how the job stands."""
        complaint = _complaint(answer)
        reason = Reason.LOST if answer.status == 404 else None
        if 400 <= answer.status < 500 and answer.status not in _ABOUT_US:
            reason = Reason.UNAVAILABLE
        return http.refuse(answer, f"{complaint.word} {complaint.text}".strip(), reason=reason)

    def _call(
        self, operation: str, method: str, url: str, token: str, model: str = "", *, origin: str = "", **more: Any
    ) -> http.Answer:
        headers = {"Authorization": f"Key {token}", "Accept": "application/json", **more.pop("headers", {})}
        http.require_sendable(headers)
        purpose = http.Purpose(self.slug, operation, model)
        return http.call(purpose, method, url, origin=origin or _queue(), headers=headers, **more)


# --- Addresses ---------------------------------------------------------------------------------------------


def _queue() -> str:
    return str(settings.PROVIDER_URLS["fal_queue"])


def _rest() -> str:
    return str(settings.PROVIDER_URLS["fal_rest"])


def _cdn(told: object) -> str:
    """Where to upload to: what the permission names if it is fal's own, else what their client takes."""
    if isinstance(told, str):
        place, home = urlsplit(told), urlsplit(_rest())
        if place[:2] == home[:2] or (place.scheme == "https" and (place.hostname or "").endswith(".fal.media")):
            return told.rstrip("/")
    return CDN


def _address(job: JobRef, part: str) -> str:
    """An address of a job's: as fal returned it, else as its client builds it, without the endpoint's sub-path."""
    home = urlsplit(_queue())
    if path := job.handle.get(part):
        return f"{home.scheme}://{home.netloc}{path}"
    words = job.model.split("/")
    app = "/".join(words[: 3 if words[0] in ("workflows", "comfy") else 2])
    return f"{_queue()}/{app}/requests/{job.id}{'' if part == 'response' else f'/{part}'}"


def _accepted(answer: http.Answer) -> Job:
    """The job of a submit that was accepted; without an id that can be used, nobody knows what was."""
    found = answer.document()
    name = found.get("request_id")
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]{1,200}", name, re.ASCII):
        raise ProviderError(Reason.UNAVAILABLE, f"answered {answer.status} without the id of a job")
    return Job(
        name,
        Status.QUEUED,
        handle={part: path for part in _PARTS if (path := _path(found.get(f"{part}_url")))},
        position=_position(found),
    )


def _position(told: Mapping[str, object]) -> int | None:
    """The place in fal's line; None for a number that is none, or that no column holds."""
    position = told.get("queue_position")
    return position if type(position) is int and 0 <= position < 2**31 else None


def _path(url: object) -> str:
    """The path of an address that fal returned; "" for one outside its queue, which is never used."""
    try:
        http.require_origin(str(url), _queue())
    except ProviderError:
        return ""
    return urlsplit(str(url)).path


def _wishes() -> dict[str, str]:
    """What else we ask of fal. Not X-Fal-No-Retry: its own retries of a broken runner are free.

    Not X-Fal-Store-IO either: without storage a result can be gone after six minutes.
    """
    return {
        # A job that has not begun when its run is given up would be paid and thrown away.
        "X-Fal-Request-Timeout": str(float(settings.WORKFLOW_DEADLINE_MINUTES * 60)),
        "X-Fal-Object-Lifecycle-Preference": _lifecycle(),
    }


def _lifecycle() -> str:
    return json.dumps({"expiration_duration_seconds": KEPT})


# --- Errors ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Complaint:
    """An error's word for machines and its words for people; whose it is."""

    word: str = ""
    text: str = ""
    of_model: bool = False
    of_queue: bool = False


def _complaint(answer: http.Answer) -> _Complaint:
    """Flat from fal's own machinery, a list in `detail` from a model."""
    try:
        found = answer.document()
    except ProviderError:
        return _Complaint()
    detail = found.get("detail")
    if isinstance(detail, list):
        return _of_model(one for one in detail if isinstance(one, dict))
    word = found.get("error_type")
    told = isinstance(word, str) and "request_id" not in found
    return _Complaint(word if isinstance(word, str) else "", detail if isinstance(detail, str) else "", of_queue=told)


def _is_verdict(answer: http.Answer, complaint: _Complaint) -> bool:
    """Whether this is the model's own error, and not a machine that stumbled over bringing us the result."""
    return complaint.of_model or (bool(complaint.word) and answer.status < 500)


def _of_model(problems: Iterable[Fields]) -> _Complaint:
    listed = [(str(one.get("type") or ""), one) for one in problems]
    if not listed:
        return _Complaint()
    word, one = next((each for each in listed if each[0] in FalAdapter.reasons), listed[0])
    places = one.get("loc")
    place = ".".join(str(part) for part in places) if isinstance(places, list) else ""
    return _Complaint(word, f"{place} {one.get('msg') or ''}".strip(), of_model=bool(word))


# --- Webhooks ----------------------------------------------------------------------------------------------

_SIGNED = ("Request-Id", "User-Id", "Timestamp")  # in the order in which they are signed


class _Keyring:
    """fal's public keys, as this process remembers them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Know nothing any more."""
        self.keys: tuple[Ed25519PublicKey, ...] = ()
        self._asked = self._loaded = float("-inf")

    def signed(self, message: bytes, signature: str, *, slug: str) -> bool:
        """Whether one of fal's keys has signed this. When none has, there may be new ones: look, but not all the time.

        Raises ProviderError where there are no keys to go by.
        """
        try:
            written = bytes.fromhex(signature)
        except ValueError:
            return False
        with self._lock:
            fresh = time.monotonic() - self._loaded < KEYS_LAST
            if fresh and _any_signed(self.keys, message, written):
                return True
            if time.monotonic() - self._asked < KEYS_REST:
                return False
            self._load(slug)
            return _any_signed(self.keys, message, written)

    def _load(self, slug: str) -> None:
        self._asked = time.monotonic()
        url = f"{_rest()}/.well-known/jwks.json"
        answer = http.call(http.Purpose(slug, "webhook_keys"), "GET", url, origin=_rest(), timeout=(3, 5), deadline=8)
        if not answer.ok:
            raise http.refuse(answer, "for the keys of webhooks", reason=Reason.UNAVAILABLE)
        found = answer.document().get("keys")
        self.keys = tuple(filter(None, map(_public, found if isinstance(found, list) else [])))
        self._loaded = time.monotonic()


_KEYS = _Keyring()


def _public(jwk: object) -> Ed25519PublicKey | None:
    if not isinstance(jwk, dict) or jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(str(jwk.get("x")) + "=="))
    except ValueError:
        return None


def _any_signed(keys: Iterable[Ed25519PublicKey], message: bytes, signature: bytes) -> bool:
    for key in keys:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


def _job_named(body: bytes, name: str) -> str:
    """The id in the body, which must be the signed one."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not name or found.get("request_id") != name:
        raise ProviderError(Reason.UNAUTHORIZED, "the message is about another job than its header says")
    return name
