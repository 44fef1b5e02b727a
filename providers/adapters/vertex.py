"""Veo on Vertex AI: long-running predictions, with a service account.

The key is the account's JSON file. It signs an assertion, for which Google gives an access token of an hour; that is
kept in this process until shortly before its end, the key is not.
"""

import base64
import datetime
import functools
import hashlib
import json
import re
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import IO, Any, ClassVar

from django.conf import settings

from providers import http
from providers.adapters.google import Fields, decoded, failure, is_fresh, refusal
from providers.base import Adapter, Job, JobRef, JobRequest, Kind, Output, ProviderError, Reason, Status

VERSION = "v1beta1"  # what google-genai 3.4.0 calls
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SECONDS = (4, 6, 8)  # other lengths are refused, and a word in snake case makes eight seconds, billed
SEEDS = 2**32
EARLY = 300.0  # seconds before its end that an access token is not used any more
KEPT = 1000  # access tokens
# Google's own hosts, from which the location decides (google-genai 3.4.0, _api_client.py); other places stay as set.
_HOSTS = re.compile(r"https://(?:[a-z0-9-]+-)?aiplatform\.(?:[a-z]+\.rep\.)?googleapis\.com")
_TOKEN_HOSTS = re.compile(r"https://(?:[a-z0-9-]+\.)*googleapis\.com/[\w/.-]*", re.ASCII)
_OPERATION = re.compile(
    r"(projects/[\w.:-]+/locations/[a-z0-9-]+/publishers/google/models/[\w.-]+)/operations/([\w-]{1,100})", re.ASCII
)
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{2,80}")
_ACCOUNT = ("project_id", "client_email", "private_key", "token_uri")
_TOKENS: dict[str, tuple[str, float]] = {}  # by a hash of the key: an access token, and until when


class VertexAdapter(Adapter):
    """A job is an operation; its name says in which project and location it lives."""

    slug: ClassVar[str] = "vertex"
    # As with google: no limit is published, and the examples wait longer, 2026-11-22.
    shortest_look: ClassVar[float] = 5.0
    key_looks: ClassVar[str] = '{"type": "service_account", …}'
    key_mark: ClassVar[str] = r'\{.*"type"\s*:\s*"service_account".*\}'

    def accepts_key(self, key: str) -> bool:
        """Whether this is the JSON file of a service account, with all that we need of it."""
        try:
            _token_uri(_account(key))
        except ProviderError:
            return False
        return True

    def sample_key(self) -> str:
        """An account of nobody's, with a private key of its own."""
        return _sample()

    def submit(self, request: JobRequest, *, token: str) -> Job:
        """Start an operation."""
        _require_possible(request)
        model = _model(token, request.model)
        answer = self._call("submit", f"{model}:predictLongRunning", token, _body(request), model=request.model)
        if not answer.ok:
            raise refusal(answer)
        name = answer.document().get("name")
        found = _OPERATION.fullmatch(name) if isinstance(name, str) else None
        if found is None:
            raise ProviderError(Reason.UNAVAILABLE, "the operation has no usable name")
        return Job(found[2], Status.QUEUED, handle={"operation": found[0], "since": str(int(time.time()))})

    def fetch(self, job: JobRef, *, token: str) -> Job:
        """The operation. It is asked for by POST: a GET finds nothing."""
        name = _OPERATION.fullmatch(job.handle.get("operation", ""))
        if name is None:
            raise ProviderError(Reason.LOST, "the operation's name is not known", sent=False)
        asked = {"operationName": name[0]}
        answer = self._call("fetch", f"{name[1]}:fetchPredictOperation", token, asked, model=job.model)
        if answer.status == 404 and is_fresh(job):
            return Job(job.id, Status.QUEUED, handle=job.handle)
        if not answer.ok:
            raise refusal(answer, gone=Reason.LOST)
        found = answer.document()
        if not str(found.get("name")).endswith(f"/{job.id}"):
            raise ProviderError(Reason.UNAVAILABLE, "the answer is about no operation of ours")
        return _ended(answer, found, job) if found.get("done") is True else Job(job.id, Status.RUNNING)

    def download(self, output: Output, *, token: str) -> IO[bytes]:
        """A file elsewhere. Not needed as long as we name no bucket: the video comes with the operation."""
        purpose = http.Purpose(self.slug, "download")
        return http.download(purpose, output.location, origin=_base(settings.VERTEX_LOCATION))

    def check(self, *, token: str) -> str:
        """Ask for an operation that isn't there, which costs nothing: only who may ask is told so."""
        model = _model(token, "veo-3.1-generate-001")
        asked = {"operationName": f"{model}/operations/00000000-0000-0000-0000-000000000000"}
        answer = self._call("check", f"{model}:fetchPredictOperation", token, asked)
        error = None if answer.ok else refusal(answer, gone=Reason.LOST)
        if error and error.reason not in (Reason.LOST, Reason.INVALID_INPUT):
            raise error
        return f"the service account is accepted in {settings.VERTEX_LOCATION}"

    def _call(self, operation: str, path: str, key: str, body: Fields, *, model: str = "") -> http.Answer:
        base, purpose = _base(path.split("/")[3]), http.Purpose(self.slug, operation, model)
        headers = {"Authorization": f"Bearer {_access_token(key)}"}
        answer = http.call(purpose, "POST", f"{base}/{VERSION}/{path}", origin=base, headers=headers, json=body)
        if answer.status == 401:
            _TOKENS.pop(_hash(key), None)
        return answer


# --- What we ask ---------------------------------------------------------------------------------------------


def _require_possible(request: JobRequest) -> None:
    """Raise for what would be refused, or silently made otherwise."""
    options = request.options
    if request.kind != Kind.VIDEO:
        raise ProviderError(Reason.INVALID_INPUT, "Veo makes videos only", sent=False)
    if options.get("duration_seconds") not in SECONDS:
        raise ProviderError(Reason.INVALID_INPUT, f"Veo makes {SECONDS} seconds", sent=False)
    if options.get("resolution") in ("1080p", "4k") and options["duration_seconds"] != 8:
        raise ProviderError(Reason.INVALID_INPUT, "Veo makes 1080p in 8 seconds only", sent=False)


def _body(request: JobRequest) -> Fields:
    options = request.options
    instance: Fields = {"prompt": request.prompt}
    parameters: Fields = {
        "sampleCount": 1,
        "durationSeconds": options["duration_seconds"],
        "aspectRatio": options.get("aspect_ratio", "16:9"),
        "resolution": options.get("resolution", "720p"),
        "generateAudio": True,  # as our price says; left out, the default has changed between models
    }
    if options.get("seed") is not None:
        parameters["seed"] = int(options["seed"]) % SEEDS
    if request.image is not None:
        data = base64.b64encode(request.image.content).decode()
        instance["image"] = {"bytesBase64Encoded": data, "mimeType": request.image.content_type}
        parameters["resizeMode"] = "PAD"
    return {"instances": [instance], "parameters": parameters}


def _model(key: str, name: str) -> str:
    """The path of a model in the account's project and our location; raises ProviderError(UNAUTHORIZED)."""
    project, location = _account(key)["project_id"], settings.VERTEX_LOCATION
    return f"projects/{project}/locations/{location}/publishers/google/models/{name}"


def _base(location: str) -> str:
    """Where a location's API lives; a gateway's or simulator's address is taken as it is set."""
    url = str(settings.PROVIDER_URLS["vertex"])
    if not _HOSTS.fullmatch(url):
        return url
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


# --- What comes back -----------------------------------------------------------------------------------------


def _ended(answer: http.Answer, found: Fields, job: JobRef) -> Job:
    """An operation that is done. Without a video it was filtered, as a rule with a reason."""
    if isinstance(found.get("error"), dict):
        reason, said = failure(found["error"])
        return Job(job.id, Status.FAILED, reason=reason, detail=answer.quote(said))
    response = found.get("response")
    made = response if isinstance(response, dict) else {}
    videos = made.get("videos")
    first = next((video for video in videos if isinstance(video, dict)), {}) if isinstance(videos, list) else {}
    if content := decoded(first.get("bytesBase64Encoded")):
        kind = str(first.get("mimeType") or "video/mp4")[:40]
        return Job(job.id, Status.SUCCEEDED, outputs=(Output(content=content, content_type=kind),))
    reason, said = _missing(made, first)
    return Job(job.id, Status.FAILED, reason=reason, detail=answer.quote(said))


def _missing(made: Fields, video: Fields) -> tuple[Reason, str]:
    """Why there is no video."""
    if made.get("raiMediaFilteredCount") or made.get("raiMediaFilteredReasons"):
        said = made.get("raiMediaFilteredReasons")
        return Reason.CONTENT_POLICY, " ".join(map(str, said)) if isinstance(said, list) else "filtered"
    return Reason.BAD_OUTPUT, f"done with a video of {sorted(video)}" if video else "done without a video"


# --- The key -------------------------------------------------------------------------------------------------


def _account(key: str) -> dict[str, str]:
    """The parts of a service account that we need; raises ProviderError(UNAUTHORIZED), without a word of the key."""
    try:
        found = json.loads(key)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("type") != "service_account":
        raise ProviderError(Reason.UNAUTHORIZED, "the key is not the JSON file of a service account", sent=False)
    missing = [name for name in _ACCOUNT if not isinstance(found.get(name), str) or not found[name]]
    if missing or not _PROJECT.fullmatch(found["project_id"]):
        what = ", ".join(missing) or "usable project_id"
        raise ProviderError(Reason.UNAUTHORIZED, f"the service account has no {what}", sent=False)
    return {name: found[name] for name in _ACCOUNT}


def _token_uri(account: Mapping[str, str]) -> str:
    """Where the signed assertion goes: to Google and nobody else, or to the simulator in its mode."""
    if settings.PROVIDER_MODE == "simulated":
        return f"{settings.PROVIDER_URLS['vertex']}/token"
    if not _TOKEN_HOSTS.fullmatch(account["token_uri"]):
        raise ProviderError(Reason.UNAUTHORIZED, "the service account's token_uri is not Google's", sent=False)
    return account["token_uri"]


def _access_token(key: str) -> str:
    """An access token for this key: the one we have, or a new one. Raises ProviderError; nothing was bought then."""
    name = _hash(key)
    token, until = _TOKENS.get(name, ("", 0.0))
    if time.time() < until:
        return token
    token, seconds = _granted(_account(key))
    if len(_TOKENS) >= KEPT:
        _TOKENS.clear()
    _TOKENS[name] = token, time.time() + seconds - EARLY
    return token


def _granted(account: dict[str, str]) -> tuple[str, float]:
    """A new access token, and for how many seconds it is good."""
    # google-auth takes a fifth of a second to import, which only those pay who use it.
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    info = account | {"token_uri": _token_uri(account)}
    try:
        credentials: Any = Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
        credentials.refresh(_exchange)
    except ProviderError as error:
        error.sent = False
        raise
    except (GoogleAuthError, ValueError, TypeError) as error:
        detail = f"the service account cannot sign: {type(error).__name__}"
        raise ProviderError(Reason.UNAUTHORIZED, detail, sent=False) from None
    left = credentials.expiry - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return str(credentials.token), left.total_seconds()


def _exchange(url: str, method: str, body: bytes, headers: Mapping[str, str], **_: Any) -> SimpleNamespace:
    """google-auth's way to the network: our own. It hands back good answers only, so that google-auth never repeats."""
    answer = http.call(http.Purpose("vertex", "token"), method, url, origin=url, headers=headers, data=body)
    if not answer.ok:
        raise _not_granted(answer)
    found = answer.document()
    token, seconds = found.get("access_token"), found.get("expires_in")
    if not isinstance(token, str) or type(seconds) is not int:
        raise ProviderError(Reason.UNAVAILABLE, "the answer holds no access token")
    return SimpleNamespace(status=200, headers={}, data=json.dumps({"access_token": token, "expires_in": seconds}))


def _not_granted(answer: http.Answer) -> ProviderError:
    """OAuth's errors: 400 invalid_grant for an account that is gone, a key that was revoked, a clock that is wrong."""
    error = refusal(answer, gone=Reason.UNAVAILABLE)
    error.reason = Reason.UNAUTHORIZED if answer.status in (400, 401, 403) else error.reason
    return error


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@functools.cache
def _sample() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    plain = serialization.NoEncryption()
    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    account = {
        "type": "service_account",
        "project_id": "simulated",
        "client_email": "simulated@simulated.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return json.dumps(account)
