"""Google's API-key host: Gemini Omni by the Interactions API, and its files; Veo is retired there (SDK 3.4)."""

import base64
import re
from typing import Any

from starlette.responses import RedirectResponse, Response

from . import files, media
from . import google_schema as schema
from .answers import Refused, as_json
from .calls import Call, Door
from .clock import iso
from .google_schema import classic, complain, interaction_error
from .jobs import Job, Phase, Verdict

PROCESSING = 2.0  # seconds that a file is not ACTIVE yet


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
    for problem in schema.CREATE(body):
        raise interaction_error(400, schema.words(problem))
    model = body["model"]
    if model not in schema.CENTS:
        raise interaction_error(404, f"Model '{model}' is not found or is no longer available.", "not_found")
    form = schema.form_of(body)
    length = schema.length_of(model, form)
    prompt = schema.prompt_of(body)
    if body.get("store") is False and (body.get("background") or form.get("delivery") == "uri"):
        raise interaction_error(400, "'store' must be true when 'background' or 'response_format.delivery' is set.")
    resolution = form.get("resolution", "720p")
    shape = (16, 9) if form.get("aspect_ratio", "16:9") == "16:9" else (9, 16)
    job = Job(
        provider="google",
        model=model,
        key=call.key,
        size=media.fitted(shape, schema.SHORT[resolution]),
        seconds=length,
        accepted=call.sim.clock.now(),
        latency=40.0,
        price=schema.CENTS[model][resolution] * length,
    )
    call.accept(job, prompt)
    by_address = "by_address" in job.faults or form.get("delivery") == "uri"
    job.notes |= {"media": "google", "prompt": prompt, "delivery": "uri" if by_address else "inline"}
    if not body.get("background"):
        await call.work(40.0)
    return await _told(call, job, created=True)


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
    if name not in schema.CENTS:
        raise classic("not_found")
    return as_json({"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": ["interactions"]})


async def models(call: Call) -> Response:
    """GET /models."""
    authorize(call)
    found = [{"name": f"models/{name}", "supportedGenerationMethods": ["interactions"]} for name in schema.CENTS]
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
