"""OpenAI: chat, images, moderations and models, as the API and its SDK 3.54 have them in November 2026."""

import base64
import datetime
import json
import math
import re
from typing import Any

from starlette.responses import Response

from . import openai_schema as schema
from .answers import Refused, as_json
from .calls import Call, Door
from .schema import Problem

CHAT_SECONDS, IMAGE_SECONDS = 1.0, 10.0
_UNSAFE = re.compile(r"\b(gore|beheading|nsfw)\b", re.IGNORECASE)


def complain(kind: str, detail: str = "") -> Refused:
    """OpenAI's envelope: {"error": {message, type, param, code}}."""
    status, code, sort, message = _COMPLAINTS[kind]
    return error(status, message.format(detail), code, sort)


def error(status: int, message: str, code: str | None, type: str, param: str | None = None) -> Refused:
    """An error in OpenAI's shape."""
    body = {"error": {"message": message, "type": type, "param": param, "code": code}}
    return Refused(status, body, {"x-request-id": "req_simulated"})


_INVALID = "invalid_request_error"
_SAFETY = (
    "Your request was rejected by the safety system. If you believe this is an error, contact us at help.openai.com "
    "and include the request ID req_simulated. safety_violations=[violence]."
)
_COMPLAINTS: dict[str, tuple[int, str | None, str, str]] = {
    "rate_limited": (429, "rate_limit_exceeded", "requests", "Rate limit reached. Please try again in 2s."),
    "error_500": (
        500,
        None,
        "server_error",
        "The server had an error while processing your request. Sorry about that!",
    ),
    "unauthorized": (401, "invalid_api_key", _INVALID, "Incorrect API key provided: sk-***."),
    "out_of_quota": (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "forbidden": (403, None, _INVALID, "Your organization must be verified to use this model."),
    "retired": (
        404,
        "model_not_found",
        _INVALID,
        "The model has been deprecated. Learn more here: https://platform.openai.com/docs/deprecations",
    ),
    "not_found": (404, "model_not_found", _INVALID, "The model does not exist or you do not have access to it."),
    "no_route": (404, None, _INVALID, "Invalid URL ({})"),
    "moderation_input": (
        400,
        "moderation_blocked",
        "image_generation_user_error",
        _SAFETY,
    ),
}


def _authorize(call: Call) -> None:
    scheme, _, key = call.header("authorization").partition(" ")
    if not key:
        raise error(401, "You didn't provide an API key.", None, _INVALID)
    if scheme != "Bearer" or not re.fullmatch(r"[\x21-\x7e]{8,300}", key):
        raise complain("unauthorized")
    state = call.known(key)
    if state == "revoked":
        raise complain("unauthorized")
    if state == "exhausted" and call.operation in ("openai.chat", "openai.images"):
        raise complain("out_of_quota")


def _read(call: Call) -> dict[str, Any]:
    try:
        found = call.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise error(400, "We could not parse the JSON body of your request.", None, _INVALID)
    return found


def _live(call: Call, model: Any, known: dict[str, str | None]) -> str:
    if not isinstance(model, str):
        raise error(400, "you must provide a model parameter", "missing_required_parameter", _INVALID, "model")
    ends = known.get(model, "")
    if ends == "":
        raise error(
            404, f"The model `{model}` does not exist or you do not have access to it.", "model_not_found", _INVALID
        )
    if ends and ends <= _today(call):
        raise error(404, f"The model `{model}` has been deprecated. Learn more here: "
                    "https://platform.openai.com/docs/deprecations", "model_not_found", _INVALID)  # fmt: skip
    return model


def _today(call: Call) -> str:
    return datetime.datetime.fromtimestamp(call.sim.clock.now(), datetime.UTC).date().isoformat()


def _refuse(problems: list[Problem], type: str = _INVALID) -> None:
    """Say the first thing that is wrong, as OpenAI does."""
    if not problems:
        return
    first = problems[0]
    code, words = schema.WORDS[first.kind]
    context = {"limit": first.context.get("limit"), "allowed": first.context.get("allowed"), "type": first.message}
    raise error(400, words.format(name=first.name, value=first.value, **context), code, type, first.name)


async def models(call: Call) -> Response:
    """GET /models."""
    _authorize(call)
    return as_json({"object": "list", "data": [_model(name, ends) for name, ends in schema.MODELS.items()]})


async def model(call: Call) -> Response:
    """GET /models/{id}: with the day it goes, when that is known."""
    _authorize(call)
    name = _live(call, call.path("id"), schema.MODELS)
    return as_json(_model(name, schema.MODELS[name]))


def _model(name: str, ends: str | None) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1790000000, "owned_by": "openai", "shutdown_date": ends}


async def chat(call: Call) -> Response:
    """POST /chat/completions."""
    _authorize(call)
    body = _read(call)
    name = _live(call, body.get("model"), schema.CHAT_MODELS)
    _refuse(schema.CHAT(body))
    schema.check_reasoning(body, name, error)
    schema.check_format(body, error)
    said = "\n".join(schema.spoken(message) for message in body["messages"])
    asked = next((schema.spoken(one) for one in reversed(body["messages"]) if one["role"] == "user"), "")
    await call.work(CHAT_SECONDS)
    refusal = call.meets("refusal")
    content = None if refusal else _written(body, asked)
    usage = _usage(len(said) // 4 + 1, len(content or "") // 4 + 1)
    call.write(name, said, lambda: usage["completion_tokens"] * 0.00005)
    finish = "stop"
    if content and call.meets("truncated_answer"):
        content, finish = content[: len(content) // 2], "length"
    message: dict[str, Any] = {"role": "assistant", "content": content, "annotations": []}
    message["refusal"] = "I can't help with that." if refusal else None
    choice = {"index": 0, "finish_reason": finish, "logprobs": None, "message": message}
    now = int(call.sim.clock.now())
    head = {"id": f"chatcmpl-{call.sim.random.getrandbits(64):x}", "object": "chat.completion", "created": now}
    tail = {"choices": [choice], "usage": usage, "service_tier": "default", "system_fingerprint": None}
    return as_json(head | {"model": name} | tail, headers=_headers(call))


def _written(body: dict[str, Any], asked: str) -> str:
    """What the model writes: the schema it was given, filled; or plain words."""
    form = body.get("response_format", {"type": "text"})
    better = f"{asked.strip()[:1500]}, cinematic light, fine detail"
    if form["type"] == "json_schema":
        return json.dumps(schema.filled(form["json_schema"]["schema"], better))
    if form["type"] == "json_object":
        return json.dumps(
            {"prompt": better, "image_prompt": better, "motion_prompt": better, "negative_prompt": "blur"}
        )
    return better


def _usage(read: int, written: int) -> dict[str, Any]:
    details = {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": details,
    }


async def images(call: Call) -> Response:
    """POST /images/generations: bytes for the GPT family, an address for a compatible server's dall-e-3."""
    _authorize(call)
    body = _read(call)
    if call.header("x-simulated-server") == "compatible" or call.path("server") == "compatible":
        return await _compatible(call, body)
    name = _live(call, body.get("model"), schema.IMAGE_MODELS)
    _refuse(schema.IMAGE(body), "image_generation_user_error")
    width, height = schema.check_image(body, name, error)
    quality = body.get("quality", "auto")
    quality = "high" if quality == "auto" else quality
    kind = body.get("output_format", "png")
    n = body.get("n") or 1
    each = tokens(name, (width, height), quality)
    call.write(name, body["prompt"], lambda: n * each * 0.003)
    await call.work(IMAGE_SECONDS)
    if call.sim.faults.on_job(call.operation, call.tags).keys() & {"moderation_output"}:
        raise complain("moderation_input")
    data = {"b64_json": base64.b64encode(await call.sim.media.picture((width, height), kind)).decode()}
    answer = {"created": int(call.sim.clock.now()), "background": "opaque", "output_format": kind}
    answer |= {"quality": quality, "size": f"{width}x{height}", "data": [data] * n}
    return as_json(answer | {"usage": image_usage(len(body["prompt"]), n * each)}, headers=_headers(call))


async def _compatible(call: Call, body: dict[str, Any]) -> Response:
    _refuse(schema.DALL_E(body))
    width, height = map(int, body.get("size", "1024x1024").split("x"))
    call.write(body["model"], body["prompt"], lambda: 4.0)
    await call.work(IMAGE_SECONDS)
    answer: dict[str, Any] = {"revised_prompt": body["prompt"]}
    if body.get("response_format") == "b64_json":
        answer["b64_json"] = base64.b64encode(await call.sim.media.picture((width, height))).decode()
    else:
        answer["url"] = f"{call.base}/openai-media/{width}x{height}.png"
    return as_json({"created": int(call.sim.clock.now()), "data": [answer]})


def tokens(model: str, size: tuple[int, int], quality: str) -> int:
    """Output tokens by the published formula; 2.6 spends three times as many for low and medium."""
    factors = {"low": 16, "medium": 48, "high": 96}
    if model.startswith(("gpt-image-2.5", "gpt-image-2.6")):
        factors = {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96}
    factor, (width, height) = factors[quality], size
    long, side = max(size), min(size)
    short = (2 * factor * side + long) // (2 * long)
    found = math.ceil(factor * short * (2_000_000 + width * height) / 4_000_000)
    return found * 3 if model.startswith("gpt-image-2.6") and quality in ("low", "medium") else found


def image_usage(characters: int, made: int) -> dict[str, Any]:
    """The usage block of an image answer."""
    read = max(1, characters // 4)
    return {
        "input_tokens": read,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": read},
        "output_tokens": made,
        "output_tokens_details": {"image_tokens": made, "text_tokens": 0},
        "total_tokens": read + made,
    }


async def moderations(call: Call) -> Response:
    """POST /moderations: free; flags what asks for it by a tag, and a few words."""
    _authorize(call)
    body = _read(call)
    _refuse(schema.MODERATION(body))
    asked = body["input"] if isinstance(body["input"], list) else [body["input"]]
    results = [_judged(json.dumps(one)) for one in (asked if all(isinstance(a, str) for a in asked) else [asked])]
    name = body.get("model", "omni-moderation-latest")
    return as_json({"id": f"modr-{call.sim.random.getrandbits(48):x}", "model": name, "results": results})


def _judged(text: str) -> dict[str, Any]:
    bad = bool(_UNSAFE.search(text)) or "#sim:flagged" in text
    flags = {name: bad and name == "violence" for name in schema.CATEGORIES}
    return {
        "flagged": bad,
        "categories": flags,
        "category_scores": {name: 0.91 if flag else 0.0001 for name, flag in flags.items()},
        "category_applied_input_types": {name: ["text"] for name in flags},
    }


async def media(call: Call) -> Response:
    """A picture of a compatible server."""
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})\.png", call.path("name"))
    if not found:
        raise Refused(404, {"detail": "Not Found"})
    picture = await call.sim.media.picture((int(found[1]), int(found[2])))
    return Response(picture, media_type="image/png")


def _headers(call: Call) -> dict[str, str]:
    return {
        "x-request-id": f"req_{call.sim.random.getrandbits(96):024x}",
        "openai-processing-ms": "1",
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
    }


DOORS = [
    Door("GET", "/openai/v1/models", "openai.models", models, complain),
    Door("GET", "/openai/v1/models/{id:path}", "openai.model", model, complain),
    Door("POST", "/openai/v1/chat/completions", "openai.chat", chat, complain),
    Door("POST", "/openai/v1/images/generations", "openai.images", images, complain),
    Door("POST", "/openai/v1/moderations", "openai.moderations", moderations, complain),
    Door("POST", "/openai-compatible/v1/chat/completions", "openai.chat", chat, complain),
    Door("POST", "/openai-{server}/v1/images/generations", "openai.images", images, complain),
    Door("GET", "/openai-media/{name}", "openai.media", media, complain),
]
