"""Google's API-key host: Gemini Omni by the Interactions API, and its files; Veo is retired there (SDK 3.4)."""

import base64
import re
from typing import Any

from starlette.responses import RedirectResponse, Response

from . import files, media
from .answers import Refused, as_json
from .app import Call, Door
from .clock import iso
from .jobs import Job, Phase, Verdict
from .schema import Problem, anything, boolean, document, either, literal, nullable, rows, text, whole

PROCESSING = 2.0  # seconds that a file is not ACTIVE yet
_CENTS = {
    "gemini-omni-1.2-flash": {"360p": 2.3, "720p": 7.0, "1080p": 10.5, "4k": 21.0},
    "gemini-omni-1.1-flash": {"360p": 3.0, "720p": 10.0, "1080p": 15.0, "4k": 30.0},
}
_LENGTHS = {"gemini-omni-1.2-flash": range(3, 16), "gemini-omni-1.1-flash": range(3, 11)}
_SHORT = {"360p": 360, "720p": 720, "1080p": 1080, "4k": 2160}
_INLINE_LIMIT = 20 * 1024 * 1024  # bytes of a request

_BLOCK = document(
    {
        "type": literal("text", "image", "video"),
        "text": text(1),
        "data": text(1, _INLINE_LIMIT),
        "uri": text(1),
        "mime_type": literal("image/png", "image/jpeg", "image/webp", "video/mp4"),
    },
    ["type"],
)
_STEP = document({"type": literal("user_input"), "content": rows(_BLOCK, 1)}, ["type", "content"])
_TASKS = ("text_to_video", "image_to_video", "reference_to_video", "edit", "extend", "upscale")
_VIDEO_CONFIG = document({"task": literal(*_TASKS)})
_FORMAT = document(
    {
        "type": literal("video"),
        "aspect_ratio": literal("16:9", "9:16"),
        "duration": text(1),
        "resolution": literal(*_SHORT),
        "delivery": literal("inline", "uri"),
    },
    ["type"],
)
CREATE = document(
    {
        "model": text(1),
        "input": either(text(1), rows(_STEP, 1), rows(_BLOCK, 1)),
        "background": nullable(boolean),
        "store": nullable(boolean),
        "stream": nullable(literal(False)),
        "labels": anything,
        "service_tier": literal("flex", "standard", "priority", "deferred"),
        "safety_settings": anything,
        "previous_interaction_id": text(1),
        "generation_config": document({"video_config": _VIDEO_CONFIG, "seed": nullable(whole(0, 2**31 - 1))}),
        "response_format": either(rows(_FORMAT, 1, 1), _FORMAT),
        "response_modalities": rows(literal("video"), 1, 1),
    },
    ["model", "input"],
)


def complain(kind: str, detail: str = "") -> Refused:
    """Interactions' own errors have a string for a code; what the gateway before them says is google.rpc.Status."""
    if kind == "moderation_input":
        return interaction_error(400, "The request was blocked by safety filters.", "content_blocked")
    return classic(kind)


def interaction_error(status: int, message: str, code: str = "invalid_request") -> Refused:
    """An error of the Interactions surface."""
    return Refused(status, {"error": {"message": message, "code": code}})


def classic(kind: str) -> Refused:
    """An error of the classic surface, with a canonical status word and details."""
    status, word, message, details = _CLASSIC[kind]
    error: dict[str, Any] = {"code": status, "message": message, "status": word}
    return Refused(status, {"error": error | ({"details": details} if details else {})})


_TYPE = "type.googleapis.com/google.rpc"
_BAD_KEY: dict[str, Any] = {
    "@type": f"{_TYPE}.ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
    "metadata": {"service": "generativelanguage.googleapis.com"},
}
_QUOTA: list[dict[str, Any]] = [
    {"@type": f"{_TYPE}.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
    {"@type": f"{_TYPE}.RetryInfo", "retryDelay": "2s"},
]
_CLASSIC: dict[str, tuple[int, str, str, list[dict[str, Any]]]] = {
    "rate_limited": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", _QUOTA),
    "error_500": (500, "INTERNAL", "An internal error has occurred.", []),
    "unauthorized": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [_BAD_KEY]),
    "no_key": (
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity).",
        [],
    ),
    "out_of_quota": (402, "FAILED_PRECONDITION", "Your prepaid credits are depleted.", []),
    "forbidden": (403, "PERMISSION_DENIED", "The caller does not have permission", []),
    "retired": (404, "NOT_FOUND", "This model is no longer available.", []),
    "not_found": (404, "NOT_FOUND", "Requested entity was not found.", []),
    "no_route": (404, "NOT_FOUND", "Method not found.", []),
}


def authorize(call: Call) -> None:
    """x-goog-api-key (or ?key=); a bad key is 400 here, not 401."""
    key = call.header("x-goog-api-key") or call.request.query_params.get("key", "")
    if not key:
        raise classic("no_key")
    state = call.known(key)
    if not re.fullmatch(r"[\w\-.]{20,200}", key) or state == "revoked":
        raise classic("unauthorized")
    if state == "exhausted" and call.operation == "google.submit":
        raise classic("out_of_quota")


async def create(call: Call) -> Response:
    """POST /interactions."""
    authorize(call)
    try:
        body = call.json()
    except ValueError:
        raise interaction_error(400, "Request body is not valid JSON.") from None
    for problem in CREATE(body):
        raise interaction_error(400, _words(problem))
    model = body["model"]
    if model not in _CENTS:
        raise interaction_error(404, f"Model '{model}' is not found or is no longer available.", "not_found")
    form = _form(body)
    length = _length(model, form)
    prompt = _said(body)
    if body.get("store") is False and (body.get("background") or form.get("delivery") == "uri"):
        raise interaction_error(400, "'store' must be true when 'background' or 'response_format.delivery' is set.")
    resolution = form.get("resolution", "720p")
    shape = (16, 9) if form.get("aspect_ratio", "16:9") == "16:9" else (9, 16)
    job = Job(
        provider="google",
        model=model,
        key=call.key,
        size=media.fitted(shape, _SHORT[resolution]),
        seconds=length,
        accepted=call.sim.clock.now(),
        latency=40.0,
        price=_CENTS[model][resolution] * length,
    )
    call.accept(job, prompt)
    by_address = "by_address" in job.faults or form.get("delivery") == "uri"
    job.notes |= {"media": "google", "prompt": prompt, "delivery": "uri" if by_address else "inline"}
    if not body.get("background"):
        await call.work(40.0)
    return await _told(call, job, created=True)


def _form(body: dict[str, Any]) -> dict[str, Any]:
    form = body.get("response_format", {})
    if not form and "response_modalities" not in body:
        raise interaction_error(
            400, "This model only supports video output: 'response_format' must be of type 'video'."
        )
    found: dict[str, Any] = form[0] if isinstance(form, list) else form
    return found


def _length(model: str, form: dict[str, Any]) -> int:
    asked, allowed = form.get("duration", "8s"), [f"{n}s" for n in _LENGTHS[model]]
    if asked not in allowed:
        supported = ", ".join(f"'{one}'" for one in allowed)
        message = f"The value '{asked}' is not supported for 'response_format.duration'. Supported values: {supported}"
        raise interaction_error(400, message)
    return int(asked[:-1])


def _said(body: dict[str, Any]) -> str:
    """The prompt; raises for blocks that contradict themselves."""
    given = body["input"]
    if isinstance(given, str):
        return given
    blocks = [block for step in given for block in step.get("content", [step])]
    for block in blocks:
        if block["type"] == "image" and "uri" not in block and not media.read_base64(block.get("data", "")):
            raise interaction_error(400, "Unable to process input image.")
        if block["type"] == "text" and "text" not in block:
            raise interaction_error(400, "'input.text' is required.")
    prompt = " ".join(block["text"] for block in blocks if block["type"] == "text")
    if not prompt:
        raise interaction_error(400, "'input' must contain text.")
    pictures = any(block["type"] == "image" for block in blocks)
    task = body.get("generation_config", {}).get("video_config", {}).get("task")
    if task == "image_to_video" and not pictures:
        raise interaction_error(400, "Task 'image_to_video' requires an image in 'input'.")
    return prompt


def _words(problem: Problem) -> str:
    if problem.kind == "literal":
        supported = ", ".join(f"'{one}'" for one in problem.context["allowed"])
        return f"The value '{problem.value}' is not supported for '{problem.name}'. Supported values: {supported}"
    if problem.kind == "missing":
        return f"'{problem.name}' is required."
    if problem.kind == "unknown":
        return f"Unknown parameter '{problem.name}'."
    return f"Invalid value for '{problem.name}'."


def _file(job: Job) -> str:
    """The id of the file that a job made; the SDK knows only letters and digits in those."""
    return job.id.replace("-", "")


def _mine(call: Call) -> Job:
    authorize(call)
    job = call.sim.jobs.get(call.path("id"), "google")
    if job is None or job.key != call.key or "deleted" in job.notes:
        raise interaction_error(404, "Interaction not found.", "not_found")
    return job


async def get(call: Call) -> Response:
    """GET /interactions/{id}."""
    job = _mine(call)
    if "late_to_appear" in job.faults and job.polls == 0:
        job.polls += 1
        raise interaction_error(404, "Interaction not found.", "not_found")
    return await _told(call, job)


async def _told(call: Call, job: Job, *, created: bool = False) -> Response:
    now = call.sim.clock.now()
    phase = job.phase(now) if created else job.told(now)
    if created and phase is Phase.QUEUED:
        phase = Phase.RUNNING
    body: dict[str, Any] = {
        "id": f"v1_{job.id}",
        "object": "interaction",
        "model": job.model,
        "status": _STATUSES[phase],
        "created": iso(job.accepted),
        "updated": iso(min(now, max(job.end, job.accepted))),
    }
    if phase is Phase.DONE:
        body |= await _outcome(call, job)
    return as_json(body)


_STATUSES = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "in_progress",
    Phase.ODD: "pending_review",
    Phase.DONE: "completed",
    Phase.CANCELED: "cancelled",
}
_STOPS = ("incomplete", "budget_exceeded", "requires_action", "requires_continuation")  # statuses by `fails=…`
_FORMS = ("text", "failed", "step_error")


async def _outcome(call: Call, job: Job) -> dict[str, Any]:
    said = {"type": "user_input", "content": [{"type": "text", "text": job.notes["prompt"]}]}
    if job.verdict is Verdict.EMPTY:
        return {"steps": [said], "usage": _usage(0)}
    if job.verdict is Verdict.FAILED:
        code = job.faults["fails"] or "internal_error"
        status = code if code in _STOPS else "failed"
        return {"status": status, "errors": [{"code": code, "message": "The generation failed."}], "steps": [said]}
    if job.verdict is Verdict.REFUSED:
        return _declined(job, said)
    video = await _video(call, job)
    content = [video, video] if "two_outputs" in job.faults else [video]
    steps = [said, {"type": "thought", "signature": "c2ln"}, {"type": "model_output", "content": content}]
    return {"steps": steps, "usage": _usage(5792 * job.seconds)}


def _declined(job: Job, said: dict[str, Any]) -> dict[str, Any]:
    """The three forms in which a filtered result comes."""
    form = job.faults["moderation_output"] or _FORMS[int(job.id[:4], 16) % 3]
    if form == "failed":
        blocked = {"code": "content_blocked", "message": "The request was blocked by safety filters."}
        return {"status": "failed", "errors": [blocked], "steps": []}
    if form == "step_error":
        error = {"code": 3, "message": "Output blocked by policy."}
        return {"steps": [said, {"type": "model_output", "error": error}]}
    words = [{"type": "text", "text": "I can't create that video."}]
    return {"steps": [said, {"type": "model_output", "content": words}], "usage": _usage(12)}


def _usage(tokens: int) -> dict[str, Any]:
    by_kind = [{"modality": "video", "tokens": tokens}]
    sums = {"total_input_tokens": 2105, "total_output_tokens": tokens, "total_tokens": 2105 + tokens}
    return sums | {"output_tokens_by_modality": by_kind}


async def _video(call: Call, job: Job) -> dict[str, Any]:
    if job.notes["delivery"] == "inline":
        film = bytes((await files.content(call, job)).body)
        return {"type": "video", "mime_type": "video/mp4", "data": base64.b64encode(film).decode()}
    return {
        "type": "video",
        "mime_type": "video/mp4",
        "uri": f"{call.base}/google/v1beta/files/{_file(job)}:download?alt=media",
    }


async def cancel(call: Call) -> Response:
    """POST /interactions/{id}/cancel."""
    job = _mine(call)
    if job.phase(call.sim.clock.now()) in (Phase.QUEUED, Phase.RUNNING):
        call.sim.jobs.cancel(job)
    return await _told(call, job, created=True)


async def delete(call: Call) -> Response:
    """DELETE /interactions/{id}."""
    _mine(call).notes["deleted"] = "yes"
    return as_json({})


async def file(call: Call) -> Response:
    """GET /files/{id}: PROCESSING for a while, then ACTIVE."""
    authorize(call)
    job = _made(call)
    ready = call.sim.clock.now() >= job.end + call.sim.clock.scaled(PROCESSING)
    state = "ACTIVE" if ready else "PROCESSING"
    return as_json({"name": f"files/{_file(job)}", "mimeType": "video/mp4", "state": state, "sizeBytes": "100000"})


def _made(call: Call) -> Job:
    job = call.sim.jobs.get(call.path("id"), "google")
    if job is None or job.key != call.key or job.phase(call.sim.clock.now()) is not Phase.DONE:
        raise classic("not_found")
    if job.verdict is not Verdict.MADE:
        raise classic("not_found")
    return job


async def download(call: Call) -> Response:
    """GET /files/{id}:download?alt=media: 302 to another path of the same host."""
    authorize(call)
    job = _made(call)
    return RedirectResponse(f"{call.base}/google/download/v1beta/files/{_file(job)}:download?alt=media", 302)


async def downloaded(call: Call) -> Response:
    """Where the redirect leads: the file itself."""
    authorize(call)
    job = _made(call)
    job.handed_out = 2  # the address is not signed, so it does not expire
    return await files.deliver(call, job, job.handed_out)


async def model(call: Call) -> Response:
    """GET /models/{id}: a cheap check of a key."""
    authorize(call)
    name = call.path("id")
    if name not in _CENTS:
        raise classic("not_found")
    return as_json({"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": ["interactions"]})


async def models(call: Call) -> Response:
    """GET /models."""
    authorize(call)
    found = [{"name": f"models/{name}", "supportedGenerationMethods": ["interactions"]} for name in _CENTS]
    return as_json({"models": found})


async def retired(call: Call) -> Response:
    """POST /models/{veo}:predictLongRunning: gone from this host since 2026-10-22."""
    authorize(call)
    name = call.path("id")
    message = f"models/{name} is no longer available."
    raise Refused(404, {"error": {"code": 404, "message": message, "status": "NOT_FOUND"}})


def _doors(version: str) -> list[Door]:
    home = f"/google/{version}"
    one = f"{home}/interactions/{{id}}"
    return [
        Door("POST", f"{home}/interactions", "google.submit", create, complain),
        Door("GET", one, "google.get", get, complain, "id"),
        Door("POST", f"{one}/cancel", "google.cancel", cancel, complain, "id"),
        Door("DELETE", one, "google.delete", delete, complain, "id"),
        Door("GET", f"{home}/files/{{id}}:download", "google.download", download, complain, "id"),
        Door("GET", f"/google/download/{version}/files/{{id}}:download", "google.download", downloaded, complain, "id"),
        Door("GET", f"{home}/files/{{id}}", "google.file", file, complain, "id"),
        Door("POST", f"{home}/models/{{id}}:predictLongRunning", "google.legacy", retired, complain),
        Door("GET", f"{home}/models/{{id}}", "google.model", model, complain),
        Door("GET", f"{home}/models", "google.models", models, complain),
    ]


DOORS = [*_doors("v1beta"), *_doors("v1")]
