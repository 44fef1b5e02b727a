"""Veo 3.1 on Vertex AI: predictLongRunning and fetchPredictOperation by OAuth, and the token endpoint (SDK 3.4)."""

import base64
import json
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import Response

from . import files, media
from .answers import Refused, as_json
from .calls import Call, Door
from .google_schema import classic
from .jobs import Job, Phase, Verdict
from .schema import Problem, boolean, document, literal, rows, text, whole

_CENTS = {"veo-3.1-generate-001": (40, 20), "veo-3.1-fast-generate-001": (15, 10), "veo-3.1-lite-generate-001": (5, 5)}
_SHORT = {"720p": 720, "1080p": 1080, "4k": 2160}
_TAKES = {"veo-3.1-generate-001": 100.0, "veo-3.1-fast-generate-001": 60.0, "veo-3.1-lite-generate-001": 45.0}
_TOKEN = "ya29.simulated-"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_MEDIA = document(
    {"bytesBase64Encoded": text(1, 30_000_000), "gcsUri": text(6), "mimeType": literal("image/png", "image/jpeg")},
    ["mimeType"],
)
_REFERENCE = document({"image": _MEDIA, "referenceType": literal("ASSET", "asset")}, ["image", "referenceType"])
PREDICT = document(
    {
        "instances": rows(
            document(
                {
                    "prompt": text(1, 10_000),
                    "image": _MEDIA,
                    "lastFrame": _MEDIA,
                    "referenceImages": rows(_REFERENCE, 1, 3),
                }
            ),
            1,
            1,
        ),
        "parameters": document(
            {
                "sampleCount": whole(1, 4),
                "storageUri": text(6),
                "durationSeconds": literal(4, 6, 8),
                "seed": whole(0, 2**32 - 1),
                "aspectRatio": literal("16:9", "9:16"),
                "resolution": literal(*_SHORT),
                "personGeneration": literal("dont_allow", "allow_adult", "allow_all"),
                "negativePrompt": text(),
                "enhancePrompt": boolean,
                "generateAudio": boolean,
                "compressionQuality": literal("optimized", "lossless", "OPTIMIZED", "LOSSLESS"),
                "resizeMode": literal("crop", "pad", "CROP", "PAD"),
            }
        ),
        "labels": lambda value: [] if isinstance(value, dict) else [Problem("type", "object")],
    },
    ["instances"],
)


def complain(kind: str, detail: str = "") -> Refused:
    """google.rpc.Status; here a bad token is 401, and a declined prompt 400."""
    if kind == "unauthorized":
        message = "Request had invalid authentication credentials. Expected OAuth 2 access token."
        return Refused(401, {"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED"}})
    if kind == "moderation_input":
        return _bad(
            "The prompt could not be submitted. This prompt contains words that violate Vertex AI's usage guidelines. "
            "Support codes: 29310472"
        )
    if kind == "out_of_quota":
        message = "This API method requires billing to be enabled."
        return Refused(403, {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}})
    return classic(kind)


def _bad(message: str) -> Refused:
    return Refused(400, {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})


def _authorize(call: Call) -> None:
    scheme, _, token = call.header("authorization").partition(" ")
    if scheme != "Bearer" or not token.startswith(_TOKEN):
        raise complain("unauthorized")
    state = call.known(token.rpartition("-")[2])
    if state == "revoked":
        raise complain("unauthorized")
    if state == "exhausted" and call.operation == "vertex.submit":
        raise complain("out_of_quota")


async def token(call: Call) -> Response:
    """POST /token: a service account's signed assertion for an access token. Its signature is taken on trust."""
    form = {name: values[0] for name, values in parse_qs(call.body.decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
        raise Refused(400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"})
    claims = _claims(form.get("assertion", ""))
    now = call.sim.clock.now()
    good = claims and _SCOPE in str(claims.get("scope", "")) and now - 300 < float(claims.get("exp", 0)) < now + 3900
    account = re.sub(r"\W", "_", str(claims.get("iss")))
    if not good or call.sim.bad_keys.get(account) == "revoked":
        raise Refused(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    made = f"{_TOKEN}{secrets.token_urlsafe(8).replace('-', '_')}-{account}"
    return as_json({"access_token": made, "expires_in": 3599, "token_type": "Bearer"})


def _claims(assertion: str) -> dict[str, Any]:
    parts = assertion.split(".")
    try:
        head, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2])
        wanted = (
            len(parts) == 3 and head.get("alg") == "RS256" and all(claims.get(n) for n in ("iss", "aud", "iat", "exp"))
        )
    except (ValueError, AttributeError):
        return {}
    return claims if wanted else {}


async def submit(call: Call) -> Response:
    """POST …/models/{model}:predictLongRunning."""
    _authorize(call)
    model = call.path("model")
    if model not in _CENTS:
        name = f"projects/{call.path('project')}/locations/{call.path('location')}/publishers/google/models/{model}"
        message = f"Publisher Model `{name}` was not found or your project does not have access to it."
        raise Refused(404, {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}})
    body = _read(call)
    for problem in PREDICT(body):
        raise _bad(_words(problem))
    instance, wishes = body["instances"][0], body.get("parameters", {})
    _check(model, instance, wishes)
    length, resolution = wishes.get("durationSeconds", 8), wishes.get("resolution", "720p")
    shape = (16, 9) if wishes.get("aspectRatio", "16:9") == "16:9" else (9, 16)
    job = Job(
        provider="vertex",
        model=model,
        key=call.key,
        size=media.fitted(shape, _SHORT[resolution]),
        seconds=length,
        accepted=call.sim.clock.now(),
        latency=_TAKES[model],
        price=_CENTS[model][not wishes.get("generateAudio", True)] * length * wishes.get("sampleCount", 1),
    )
    call.accept(job, instance.get("prompt", ""))
    job.notes |= {
        "media": "vertex-media",
        "store": wishes.get("storageUri", ""),
        "samples": str(wishes.get("sampleCount", 1)),
    }
    job.notes["name"] = f"{_home(call)}/operations/{job.id}"
    return as_json({"name": job.notes["name"]})


def _home(call: Call) -> str:
    where = (call.path("project"), call.path("location"), call.path("model"))
    return "projects/{}/locations/{}/publishers/google/models/{}".format(*where)


def _read(call: Call) -> Any:
    try:
        return call.json()
    except ValueError:
        raise _bad("Invalid JSON payload received. Unexpected end of string.") from None


def _words(problem: Problem) -> str:
    if problem.kind == "unknown":
        # Inside `parameters` the real service ignores what it doesn't know, and bills eight seconds for it.
        where = f"Unknown name \"{problem.path[-1]}\" at '{problem.name}'"
        return f"Invalid JSON payload received. {where}: Cannot find field."
    if problem.kind == "literal":
        supported = ", ".join(map(str, problem.context["allowed"]))
        return f"The value '{problem.value}' is not supported for '{problem.name}'. Supported values: {supported}"
    return f"Invalid value at '{problem.name}' ({problem.kind})."


def _check(model: str, instance: dict[str, Any], wishes: dict[str, Any]) -> None:
    if not instance.get("prompt") and not instance.get("image"):
        raise _bad("Either prompt or image is required.")
    if wishes.get("resolution") == "4k" and model != "veo-3.1-generate-001":
        raise _bad("The value '4k' is not supported for 'parameters.resolution'. Supported values: 720p, 1080p")
    eight = wishes.get("resolution") in ("1080p", "4k") or instance.get("referenceImages")
    if eight and wishes.get("durationSeconds", 8) != 8:
        raise _bad("durationSeconds must be 8 for 1080p, 4k and reference images.")
    for name in ("image", "lastFrame"):
        given = instance.get(name)
        if given and "gcsUri" not in given and not media.read_base64(given.get("bytesBase64Encoded", "")):
            raise _bad("Unable to process input image.")


async def fetch(call: Call) -> Response:
    """POST …:fetchPredictOperation; a GET of the operation is 404."""
    _authorize(call)
    body = _read(call)
    if not isinstance(body, dict) or body.keys() != {"operationName"} or not isinstance(body["operationName"], str):
        raise _bad("operationName is required.")
    job = call.sim.jobs.get(body["operationName"].rpartition("/")[2], "vertex")
    if job is None or job.notes["name"] != body["operationName"] or not job.notes["name"].startswith(f"{_home(call)}/"):
        raise classic("not_found")
    if "late_to_appear" in job.faults and job.polls == 0:
        job.polls += 1
        raise classic("not_found")
    answer: dict[str, Any] = {"name": job.notes["name"]}
    phase = job.told(call.sim.clock.now())
    if phase is Phase.ODD:
        answer["metadata"] = {"state": "PAUSED"}
    return as_json(answer if phase is not Phase.DONE else answer | {"done": True} | await _outcome(call, job))


_RESPONSE = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"
_FAILURES = {"13": "Internal error. Please try again later.", "8": "The service is currently at capacity."}


async def _outcome(call: Call, job: Job) -> dict[str, Any]:
    empty: dict[str, Any] = {"@type": _RESPONSE}
    if job.verdict is Verdict.EMPTY:
        return {"response": empty}
    if job.verdict is Verdict.FAILED:
        code = job.faults["fails"] or ("13", "8")[int(job.id[:4], 16) % 2]
        return {"error": {"code": int(code), "message": _FAILURES.get(code, "Operation failed.")}}
    if job.verdict is Verdict.REFUSED:
        return _declined(job, empty)
    count = 2 if "two_outputs" in job.faults else int(job.notes["samples"])
    return {"response": empty | {"raiMediaFilteredCount": 0, "videos": [await _video(call, job)] * count}}


def _declined(job: Job, empty: dict[str, Any]) -> dict[str, Any]:
    """Filtered: an error of the operation, or a response with reasons and no videos."""
    if (job.faults["moderation_output"] or ("rai", "error")[int(job.id[:4], 16) % 2]) == "error":
        message = "The prompt could not be submitted. This prompt contains words that violate usage guidelines. "
        return {"error": {"code": 3, "message": f"{message}Support codes: 29310472"}}
    reason = "Veo could not generate videos because the input image violates usage guidelines. Support codes: 15236754"
    return {"response": empty | {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": [reason]}}


async def _video(call: Call, job: Job) -> dict[str, Any]:
    if job.notes["store"]:
        return {"gcsUri": f"{job.notes['store'].rstrip('/')}/{job.id}/sample_0.mp4", "mimeType": "video/mp4"}
    film = bytes((await files.content(call, job)).body)
    return {"bytesBase64Encoded": base64.b64encode(film).decode(), "mimeType": "video/mp4"}


def _doors(version: str) -> list[Door]:
    home = f"/vertex/{version}/projects/{{project}}/locations/{{location}}/publishers/google/models/{{model}}"
    return [
        Door("POST", f"{home}:predictLongRunning", "vertex.submit", submit, complain),
        Door("POST", f"{home}:fetchPredictOperation", "vertex.fetch", fetch, complain, "body"),
    ]


DOORS = [Door("POST", "/vertex/token", "vertex.token", token, complain), *_doors("v1"), *_doors("v1beta1")]
