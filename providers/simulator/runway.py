"""Runway: tasks, their statuses and failure codes, uploads and the organization (docs and SDK 5.24.0)."""

import re
import secrets
from typing import Any

from starlette.responses import Response

from . import files, media
from .answers import Refused, as_json
from .calls import Call, Door
from .clock import iso
from .jobs import Job, Phase, Verdict
from .runway_models import MODELS, Model
from .schema import Problem

VERSION = "2024-11-06"
_DOCS = "https://docs.dev.runwayml.com/api"
_CENTS_A_CREDIT = 1.0


def complain(kind: str, detail: str = "") -> Refused:
    """{"error": text, "docUrl": address}."""
    status, text = _COMPLAINTS[kind]
    return error(status, text)


def error(status: int, text: str, **more: Any) -> Refused:
    """An error in Runway's shape."""
    return Refused(status, {"error": text} | more | {"docUrl": _DOCS})


_COMPLAINTS = {
    "rate_limited": (429, "Too many requests."),
    "error_500": (500, "Internal server error."),
    "unauthorized": (401, "Unauthorized"),
    "out_of_quota": (400, "You do not have enough credits to run this task."),
    "forbidden": (403, "Forbidden"),
    "retired": (400, "Validation of body failed"),
    "not_found": (404, "Task not found"),
    "no_route": (404, "Not found"),
    "moderation_input": (400, "Input did not pass moderation."),
}


def _authorize(call: Call) -> None:
    scheme, _, key = call.header("authorization").partition(" ")
    if scheme != "Bearer" or not re.fullmatch(r"key_[0-9a-f]{128}", key) or call.known(key) == "revoked":
        raise complain("unauthorized")
    if call.header("x-runway-version") != VERSION:
        raise error(400, "The version in the X-Runway-Version header is not valid.")
    if call.sim.bad_keys.get(key) == "exhausted" and call.operation == "runway.submit":
        raise complain("out_of_quota")


async def submit(call: Call) -> Response:
    """POST /v1/image_to_video, /text_to_video or /text_to_image."""
    if call.path("kind") not in {kind for kind, _ in MODELS}:
        raise complain("no_route")
    _authorize(call)
    try:
        body = call.json()
    except ValueError:
        raise error(400, "Invalid JSON in the request body.") from None
    if not isinstance(body, dict):
        raise _invalid([Problem("type", "object")])
    model = MODELS.get((call.path("kind"), str(body.get("model"))))
    if model is None:
        allowed = tuple(name for kind, name in MODELS if kind == call.path("kind"))
        raise _invalid([Problem("literal", context={"allowed": allowed}, path=("model",))])
    if problems := model.check()(body):
        raise _invalid(problems)
    picture = _seen(call, body)
    job = _accepted(call, body, model, picture)
    return as_json({"id": job.id, "estimatedCost": {"credits": float(job.notes["credits"])}})


def _accepted(call: Call, body: dict[str, Any], model: Model, picture: tuple[int, int] | None) -> Job:
    still = call.path("kind") == "text_to_image"
    seconds = 0 if still else body.get("duration", 5 if "veo" not in body["model"] else 8)
    each = model.quiet if model.quiet and body.get("audio") is False else model.credits
    cost = int(each * (seconds or 1))
    job = Job(
        provider="runway",
        model=body["model"],
        key=call.key,
        size=_size(body, picture),
        seconds=seconds,
        accepted=call.sim.clock.now(),
        latency=model.takes,
        price=cost * _CENTS_A_CREDIT,
    )
    call.accept(job, body.get("promptText", ""))
    job.notes |= {"media": "runway-media", "credits": str(cost)}
    if job.faults.get("fails", "").startswith("SAFETY.INPUT"):
        job.notes["billed"] = "yes"  # input moderation is not refunded
    return job


def _size(body: dict[str, Any], picture: tuple[int, int] | None) -> tuple[int, int]:
    if "ratio" in body:
        width, _, height = body["ratio"].partition(":")
        return int(width), int(height)
    return media.fitted(picture or (16, 9), 720)


def _seen(call: Call, body: dict[str, Any]) -> tuple[int, int] | None:
    """The size of the first picture; raises when it cannot be read."""
    given = body.get("promptImage")
    if given is None:
        return None
    uri = given if isinstance(given, str) else given[0]["uri"]
    if uri.startswith("https://"):
        return 1280, 720
    if uri.startswith("runway://"):
        held = call.sim.uploads.get(uri.removeprefix("runway://"))
        found = media.read_picture(_part(*held)) if held else None
    else:
        found = media.read_data_uri(uri)
    if not found:
        raise _invalid([Problem("value", "Invalid asset", path=("promptImage",))])
    return found


def _invalid(problems: list[Problem]) -> Refused:
    return error(400, "Validation of body failed", issues=[_zod(problem) for problem in problems])


def _zod(problem: Problem) -> dict[str, Any]:
    limit, path = problem.context.get("limit"), list(problem.path)
    if problem.kind == "unknown":
        keys = [problem.path[-1]]
        return {
            "code": "unrecognized_keys",
            "keys": keys,
            "path": path[:-1],
            "message": f'Unrecognized key: "{keys[0]}"',
        }
    if problem.kind == "literal":
        values = list(problem.context["allowed"])
        words = "|".join(f'"{one}"' if isinstance(one, str) else str(one) for one in values)
        return {
            "code": "invalid_value",
            "values": values,
            "path": path,
            "message": f"Invalid option: expected one of {words}",
        }
    if problem.kind in ("long", "many", "big"):
        return {"code": "too_big", "maximum": limit, "path": path, "message": f"Too big: expected <={limit}"}
    if problem.kind in ("short", "few", "small"):
        return {"code": "too_small", "minimum": limit, "path": path, "message": f"Too small: expected >={limit}"}
    if problem.kind == "value":
        return {"code": "invalid_format", "path": path, "message": problem.message}
    what = "undefined" if problem.kind == "missing" else "another type"
    return {
        "code": "invalid_type",
        "path": path,
        "message": f"Invalid input: expected {problem.message or 'a value'}, received {what}",
    }


def _mine(call: Call) -> Job:
    _authorize(call)
    job = call.sim.jobs.get(call.path("id"), "runway")
    if job is None or job.key != call.key or "deleted" in job.notes:
        raise complain("not_found")
    return job


async def task(call: Call) -> Response:
    """GET /v1/tasks/{id}; every look at a finished one gives freshly signed addresses."""
    job = _mine(call)
    if "late_to_appear" in job.faults and job.polls == 0:
        job.polls += 1
        raise complain("not_found")
    now = call.sim.clock.now()
    phase = job.told(now)
    word = _STATUSES[phase]
    if phase is Phase.QUEUED and call.sim.jobs.waits(job):
        word = "THROTTLED"
    if "throttled" in job.faults and job.polls <= 2:
        phase, word = Phase.QUEUED, "THROTTLED"
    body: dict[str, Any] = {"id": job.id, "createdAt": iso(job.accepted), "status": word}
    return as_json(body | _rest(call, job, phase, now))


_STATUSES = {
    Phase.QUEUED: "PENDING",
    Phase.RUNNING: "RUNNING",
    Phase.ODD: "REVIEWING",
    Phase.DONE: "SUCCEEDED",
    Phase.CANCELED: "CANCELLED",
}
_FAILURES = (
    "INTERNAL.BAD_OUTPUT.CODE01",
    "INTERNAL",
    "INPUT_PREPROCESSING.INTERNAL",
    "THIRD_PARTY.UNAVAILABLE",
    "ASSET.INVALID",
    "SAFETY.INPUT.TEXT",
    "SAFETY.INPUT.IMAGE",
    "null",
)


def _rest(call: Call, job: Job, phase: Phase, now: float) -> dict[str, Any]:
    cost = int(job.notes["credits"])
    estimate = {"estimatedCost": {"credits": float(cost)}}
    if phase in (Phase.QUEUED, Phase.ODD):
        return estimate
    if phase is Phase.RUNNING:
        return estimate | {"progress": job.progress(now)}
    if phase is Phase.CANCELED:
        return {"cost": {"credits": 0}}
    if job.verdict in (Verdict.FAILED, Verdict.REFUSED):
        return _failure(job)
    job.handed_out += 1
    count = {Verdict.EMPTY: 0}.get(job.verdict, 2 if "two_outputs" in job.faults else 1)
    output = [f"{files.address(call.base, job, now, n)}?_jwt={secrets.token_urlsafe(8)}" for n in range(count)]
    return {"output": output, "cost": {"credits": cost}}


def _failure(job: Job) -> dict[str, Any]:
    if job.verdict is Verdict.REFUSED:
        code = job.faults["moderation_output"] or "SAFETY.OUTPUT.VIDEO"
        text = "The output did not pass moderation."
    else:
        code = job.faults["fails"] or _FAILURES[int(job.id[:4], 16) % len(_FAILURES)]
        text = "The input did not pass moderation." if "SAFETY" in code else "An unexpected error occurred."
    if code.startswith("SAFETY.INPUT"):
        job.notes["billed"] = "yes"
    cost = int(job.notes["credits"]) if "billed" in job.notes else 0
    failure: dict[str, Any] = {"status": "FAILED", "failure": text, "failureCode": None if code == "null" else code}
    return failure | {"cost": {"credits": cost}}


async def delete(call: Call) -> Response:
    """DELETE /v1/tasks/{id}: cancels what is not finished, forgets what is."""
    job = _mine(call)
    if job.phase(call.sim.clock.now()) in (Phase.QUEUED, Phase.RUNNING):
        if job.phase(call.sim.clock.now()) is Phase.RUNNING:
            job.notes["billed"] = "yes"  # what runs is not refunded
        call.sim.jobs.cancel(job)
    else:
        job.notes["deleted"] = "yes"
    return Response(status_code=204)


async def organization(call: Call) -> Response:
    """GET /v1/organization: credits left and limits."""
    _authorize(call)
    slots = call.sim.jobs.concurrency.get("runway", 0) or None
    names = {name for _, name in MODELS}
    limits = {name: {"maxConcurrentGenerations": slots, "maxDailyGenerations": 1000} for name in sorted(names)}
    used: dict[str, dict[str, int]] = {name: {"dailyGenerations": 0} for name in sorted(names)}
    for entry in call.sim.books.entries:
        if entry.provider == "runway" and entry.key == call.key:
            used[entry.model]["dailyGenerations"] += 1
    tier = {"maxMonthlyCreditSpend": 200_000, "models": limits}
    return as_json({"creditBalance": 100_000, "tier": tier, "usage": {"models": used}})


async def upload(call: Call) -> Response:
    """POST /v1/uploads: where to send a file, and the address by which it is known then."""
    _authorize(call)
    try:
        body = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("filename"), str) or body.get("type") != "ephemeral":
        raise _invalid([Problem("missing", "string", path=("filename",))])
    name = secrets.token_hex(12)
    fields = {"key": name, "policy": "c2lt"}
    return as_json({"runwayUri": f"runway://{name}", "uploadUrl": f"{call.base}/runway-upload", "fields": fields})


async def receive(call: Call) -> Response:
    """POST of the form to uploadUrl: the fields as given, then the file; no key."""
    if call.header("authorization"):
        raise Refused(400, {"error": "Only one auth mechanism allowed"})
    found = re.search(rb'name="key"\r\n\r\n([0-9a-f]{24})\r\n', call.body)
    kind = call.header("content-type")
    if not found or not kind.startswith("multipart/form-data") or b'name="file"' not in call.body:
        raise Refused(400, {"error": "Bad form"})
    call.sim.uploads[found[1].decode()] = (call.body, kind)
    return Response(status_code=204)


def _part(body: bytes, kind: str) -> bytes:
    """The file in a multipart form, which comes last."""
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    part = body.rpartition(b'name="file"')[2].partition(b"\r\n\r\n")[2]
    return part.rpartition(b"\r\n--" + boundary)[0]


DOORS = [
    Door("GET", "/runway/v1/organization", "runway.organization", organization, complain),
    Door("POST", "/runway/v1/uploads", "runway.upload", upload, complain),
    Door("POST", "/runway-upload", "runway.receive", receive, complain),
    Door("GET", "/runway/v1/tasks/{id}", "runway.get", task, complain, "id"),
    Door("DELETE", "/runway/v1/tasks/{id}", "runway.delete", delete, complain, "id"),
    Door("POST", "/runway/v1/{kind}", "runway.submit", submit, complain),
]
