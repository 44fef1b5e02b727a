"""fal's queue: submit, status, result, cancel by the addresses it returns, and signed webhooks (its docs, 2026)."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response, StreamingResponse

from . import fal_models, files, media
from .answers import Refused, as_json
from .calls import Call, Door
from .clock import iso
from .jobs import Job, Phase, Verdict
from .schema import Problem

RESULT_KEPT = 3600.0  # seconds
_LOST = {"detail": "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."}


def complain(kind: str, detail: str = "") -> Refused:
    """fal's errors: flat for its infrastructure, a list in `detail` for models."""
    status, body, headers = _COMPLAINTS[kind]
    return Refused(status, body, headers)


def _flat(status: int, text: str, type: str) -> tuple[int, Any, dict[str, str]]:
    return status, {"detail": text, "error_type": type}, {"x-fal-error-type": type}


def _listed(type: str, text: str, *loc: str) -> dict[str, Any]:
    return {"detail": [{"loc": list(loc), "msg": text, "type": type, "url": f"https://docs.fal.ai/errors#{type}"}]}


_MODERATED = "The content could not be processed because it was flagged by a content checker."
_COMPLAINTS: dict[str, tuple[int, Any, dict[str, str]]] = {
    "rate_limited": (
        429,
        _listed("concurrent_requests_limit", "Concurrent requests limit reached"),
        {"x-fal-needs-retry": "1"},
    ),
    "error_500": _flat(500, "Internal Server Error", "internal_error"),
    "unauthorized": (
        401,
        {"detail": "Cannot access application. Authentication is required to access this application."},
        {},
    ),
    "out_of_quota": (403, _LOST, {}),
    "forbidden": (403, {"detail": "Access denied"}, {}),
    "retired": (404, {"detail": "Application not found"}, {}),
    "not_found": (404, {"status": "NOT_FOUND"}, {}),
    "no_route": (404, {"detail": "Not Found"}, {}),
    "moderation_input": (422, _listed("content_policy_violation", _MODERATED, "body", "prompt"), {}),
}


def authorize(call: Call) -> None:
    """`Key id:secret`, or fal's own refusal."""
    scheme, _, key = call.header("authorization").partition(" ")
    if scheme != "Key" or not re.fullmatch(r"[\w\-]+:[\w\-]+", key):
        raise complain("unauthorized")
    state = call.known(key)
    if state == "revoked":
        raise complain("unauthorized")
    if state == "exhausted" and call.operation == "fal.submit":
        raise complain("out_of_quota")


async def submit(call: Call) -> Response:
    """POST /{endpoint}: any JSON object is accepted; what is wrong with it shows in the result."""
    authorize(call)
    name = call.path("endpoint")
    endpoint = fal_models.ENDPOINTS.get(name)
    if endpoint is None or (name.startswith(fal_models.RETIRED) and not name.startswith("fal-ai/veo3.1")):
        raise Refused(404, {"detail": f"Application {name!r} not found"})
    try:
        body = call.json()
    except ValueError:
        raise Refused(422, _listed("json_invalid", "JSON decode error", "body")) from None
    if not isinstance(body, dict):
        raise Refused(422, _listed("model_attributes_type", "Input should be a valid dictionary", "body"))
    picture, wrong = _checked(call, endpoint, body)
    if wrong and call.meets("early_422"):
        raise Refused(422, {"detail": wrong})
    _check_wishes(call)
    job = _accepted(call, body, _broken(call, name, wrong) if wrong else _good(call, name, body, picture))
    answer: dict[str, Any] = {"status": "IN_QUEUE", "request_id": job.id, "gateway_request_id": job.notes["gateway"]}
    answer |= _urls(call, job) | {"queue_position": call.sim.jobs.position(job)}
    return as_json(answer, headers={"x-fal-request-id": job.id})


def _check_wishes(call: Call) -> None:
    """A limit on the queue's length, and a deadline to start by: X-Fal-Request-Timeout, in seconds."""
    waiting = call.sim.jobs.waiting("fal", call.key)
    most = call.request.query_params.get("fal_max_queue_length", "")
    if most.isdigit() and waiting >= int(most):
        raise complain("rate_limited")
    deadline = call.header("x-fal-request-timeout")
    if deadline and not re.fullmatch(r"\d+(\.\d+)?", deadline):
        raise Refused(400, {"detail": "Invalid X-Fal-Request-Timeout", "error_type": "bad_request"})


def _good(call: Call, name: str, body: dict[str, Any], picture: tuple[int, int] | None) -> Job:
    endpoint = fal_models.ENDPOINTS[name]
    length = fal_models.seconds(endpoint, body)
    return Job(
        provider="fal",
        model=name,
        key=call.key,
        size=fal_models.size(endpoint, body, picture),
        seconds=length,
        accepted=call.sim.clock.now(),
        latency=endpoint.takes,
        price=endpoint.cents * length,
    )


def _broken(call: Call, name: str, wrong: list[dict[str, Any]]) -> Job:
    """A job whose input turns out to be no good once a runner looks at it."""
    now = call.sim.clock.now()
    return Job("fal", name, call.key, size=(16, 16), seconds=1, accepted=now, latency=1.0, wrong=wrong)


def _accepted(call: Call, body: dict[str, Any], job: Job) -> Job:
    hook = call.request.query_params.get("fal_webhook", "")
    app = "/".join(job.model.split("/")[:2])
    job.notes |= {"app": app, "gateway": job.id, "media": "fal-media", "hook": hook}
    call.accept(job, str(body.get("prompt", "")), reference=urlsplit(hook).path.rstrip("/").rpartition("/")[2])
    if (deadline := call.header("x-fal-request-timeout")) and job.start > job.accepted + float(deadline):
        call.sim.jobs.expire(job, float(deadline))
    if job.wrong:
        job.faults = {**job.faults, "fails": "input"}
    if hook:
        call.sim.webhooks.plan(job, lambda: outcome(call.base, job))
    return job


def _checked(
    call: Call, endpoint: fal_models.Endpoint, body: dict[str, Any]
) -> tuple[tuple[int, int] | None, list[dict[str, Any]]]:
    """The size of the picture that came along, and pydantic's list of what is wrong."""
    wrong = [_pydantic(problem) for problem in endpoint.check()(body)]
    if wrong or not endpoint.image:
        return None, wrong
    found = _fetched(call, body[endpoint.image])
    if found is None:
        words = "Failed to download the file. Please check if the URL is accessible and try again."
        return None, _listed("file_download_error", words, "body", endpoint.image)["detail"]
    if min(found) < 128:
        words = "Image too small."
        return found, _listed("image_too_small", words, "body", endpoint.image)["detail"]
    return found, []


def _fetched(call: Call, url: str) -> tuple[int, int] | None:
    """The size of a picture by data URI or by an address of ours; a stranger's address is taken on trust."""
    if url.startswith("data:"):
        return media.read_data_uri(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.path.startswith("/fal-media/uploads/"):
        held = call.sim.uploads.get(parts.path.rpartition("/")[2])
        return media.read_picture(held[0]) if held else None
    try:
        inside = not ipaddress.ip_address(parts.hostname or "").is_global
    except ValueError:
        inside = (parts.hostname or "localhost") == "localhost"
    return None if inside or parts.scheme not in ("http", "https") else (1280, 720)


def _pydantic(problem: Problem) -> dict[str, Any]:
    kind, words, context = _PYDANTIC[problem.kind](problem)
    found = {"loc": ["body", *problem.path], "msg": words, "type": kind, "input": problem.value}
    return found | ({"ctx": context} if context else {})


def _expected(problem: Problem) -> tuple[str, str, dict[str, Any]]:
    *most, last = [f"'{one}'" if isinstance(one, str) else str(one) for one in problem.context["allowed"]]
    words = f"{', '.join(most)} or {last}" if most else last
    return "literal_error", f"Input should be {words}", {"expected": words}


def _limit(kind: str, words: str, name: str) -> Any:
    return lambda p: (kind, words.format(p.context["limit"]), {name: p.context["limit"]})


_PYDANTIC: dict[str, Any] = {
    "missing": lambda p: ("missing", "Field required", {}),
    # fal's models ignore what they don't know; here it is refused, since a client that sends it is mistaken.
    "unknown": lambda p: ("extra_forbidden", "Extra inputs are not permitted", {}),
    "type": lambda p: (f"{p.message}_type", f"Input should be a valid {p.message}", {}),
    "literal": _expected,
    "long": _limit("string_too_long", "String should have at most {} characters", "max_length"),
    "short": _limit("string_too_short", "String should have at least {} character", "min_length"),
    "many": _limit("too_long", "List should have at most {} items", "max_length"),
    "few": _limit("too_short", "List should have at least {} items", "min_length"),
    "big": _limit("less_than_equal", "Input should be less than or equal to {}", "le"),
    "small": _limit("greater_than_equal", "Input should be greater than or equal to {}", "ge"),
    "value": lambda p: ("value_error", p.message, {}),
}


def _urls(call: Call, job: Job) -> dict[str, str]:
    home = f"{call.base}/fal-queue/{job.notes['app']}/requests/{job.id}"
    return {"response_url": home, "status_url": f"{home}/status", "cancel_url": f"{home}/cancel"}


def _asked_for(call: Call) -> Job:
    authorize(call)
    job = call.sim.jobs.get(call.path("id"), "fal")
    if job is None or job.key != call.key or job.notes["app"] != f"{call.path('owner')}/{call.path('alias')}":
        raise complain("not_found")
    return job


async def status(call: Call) -> Response:
    """GET {status_url}: 202 until it is COMPLETED, then 200."""
    job = _asked_for(call)
    if "late_to_appear" in job.faults and job.polls == 0:
        job.polls += 1
        raise complain("not_found")
    body, code = _state(call, job)
    return as_json(body, code, {"x-fal-request-id": job.id})


def _state(call: Call, job: Job) -> tuple[dict[str, Any], int]:
    now = call.sim.clock.now()
    phase = job.told(now)
    body: dict[str, Any] = {"status": _STATUSES[phase], "request_id": job.id} | _urls(call, job)
    if phase is Phase.QUEUED:
        return body | {"queue_position": call.sim.jobs.position(job)}, 202
    if phase is Phase.RUNNING:
        line = {"message": f"{job.progress(now):.0%}", "level": "INFO", "source": "USER", "timestamp": iso(now)}
        return body | {"logs": [line]}, 202
    if phase is Phase.ODD:
        return body, 202
    body |= {"logs": [], "metrics": {"inference_time": round(job.latency, 2)}}
    return body | ({} if job.verdict in (Verdict.MADE, Verdict.EMPTY) else _failure(job)[1]), 200


_STATUSES = {
    Phase.QUEUED: "IN_QUEUE",
    Phase.RUNNING: "IN_PROGRESS",
    Phase.ODD: "PAUSED",
    Phase.DONE: "COMPLETED",
    Phase.CANCELED: "COMPLETED",
}
_FAILURES = {
    "input": (422, "Unprocessable Entity", "validation_error"),
    "runner_disconnected": (503, "Runner disconnected", "runner_disconnected"),
    "request_timeout": (504, "Request timed out", "request_timeout"),
    "generation_timeout": (504, "Generation timed out", "generation_timeout"),
    "downstream_service_error": (500, "Downstream service error", "downstream_service_error"),
    "no_media_generated": (422, "No media was generated", "no_media_generated"),
    "internal_server_error": (500, "Internal server error", "internal_server_error"),
}
_FLAT = ("runner_disconnected", "request_timeout")


def _failure(job: Job) -> tuple[int, dict[str, str], Any]:
    """Status of the result, error fields of the status object, body of the result."""
    if job.verdict is Verdict.REFUSED:
        said = {"error": "Unprocessable Entity", "error_type": "content_policy_violation"}
        return 422, said, _listed("content_policy_violation", _MODERATED, "body", "prompt")
    if job.phase(job.end + 1) is Phase.CANCELED:
        said = {"error": "Request was cancelled", "error_type": "client_cancelled"}
        return 499, said, {"detail": "Request was cancelled", "error_type": "client_cancelled"}
    which = job.faults.get("fails") or list(_FAILURES)[1 + int(job.id[:4], 16) % (len(_FAILURES) - 1)]
    code, words, sort = _FAILURES.get(which, (500, which, which))
    if job.wrong:
        return code, {"error": words, "error_type": sort}, {"detail": job.wrong}
    body = {"detail": words, "error_type": sort} if sort in _FLAT else _listed(sort, words, "body")
    return code, {"error": words, "error_type": sort}, body


async def stream(call: Call) -> Response:
    """GET {status_url}/stream: the status as server-sent events, here only the state it is in."""
    body, _ = _state(call, _asked_for(call))
    return StreamingResponse(iter([f"data: {bytes(as_json(body).body).decode()}\n\n"]), media_type="text/event-stream")


async def result(call: Call) -> Response:
    """GET {response_url}: the model's own answer, its errors with the model's own status."""
    job = _asked_for(call)
    now = call.sim.clock.now()
    if job.phase(now) not in (Phase.DONE, Phase.CANCELED):
        raise Refused(400, {"detail": "Request is still in progress"})
    if now > job.end + RESULT_KEPT:
        raise complain("not_found")
    code, body = outcome(call.base, job)
    headers = {"x-fal-request-id": job.id}
    if code == 200:
        headers["x-fal-billable-units"] = str(job.seconds)
    else:
        headers |= {"x-fal-error-type": _failure(job)[1]["error_type"], "x-fal-retryable": "false"}
    return as_json(body, code, headers)


def outcome(base: str, job: Job) -> tuple[int, Any]:
    """Status and body of a finished job's result."""
    if job.verdict is Verdict.EMPTY:
        return 200, {"video": None}
    if job.verdict is not Verdict.MADE or job.canceled is not None:
        code, _, body = _failure(job)
        return code, body
    job.handed_out += 1
    file = {"url": files.address(base, job, job.end), "content_type": "video/mp4", "file_name": "out.mp4"}
    return 200, {"video": file}


async def cancel(call: Call) -> Response:
    """PUT {cancel_url}: what is queued goes; what runs may be done all the same."""
    job = _asked_for(call)
    phase = job.phase(call.sim.clock.now())
    if phase in (Phase.DONE, Phase.CANCELED):
        raise Refused(400, {"status": "ALREADY_COMPLETED"})
    call.sim.jobs.cancel(job)
    return as_json({"status": "CANCELLATION_REQUESTED"}, 202)


_REQUEST = "/fal-queue/{owner}/{alias}/requests/{id}"
DOORS = [
    Door("GET", f"{_REQUEST}/status", "fal.status", status, complain, "id"),
    Door("GET", f"{_REQUEST}/status/stream", "fal.stream", stream, complain, "id"),
    Door("GET", _REQUEST, "fal.result", result, complain, "id"),
    Door("PUT", f"{_REQUEST}/cancel", "fal.cancel", cancel, complain, "id"),
    Door("POST", "/fal-queue/{endpoint:path}", "fal.submit", submit, complain),
]
