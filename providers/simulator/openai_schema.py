"""What OpenAI's requests may hold, and which models live until when (SDK 3.54.0 and its deprecations page)."""

import re
from collections.abc import Callable
from typing import Any

from .answers import Refused
from .schema import anything, boolean, document, either, literal, nullable, number, rows, text, whole

CHAT_MODELS: dict[str, str | None] = {
    "gpt-6-luna": None,
    "gpt-5.6-luna": None,
    "gpt-6.1-terra": None,
    "gpt-6-sol": None,
    "gpt-6.1-sol": None,
    "gpt-6-astra": None,
    "gpt-5.6-terra": None,
    "gpt-5.6-sol": None,
    "gpt-5.5": None,
    "gpt-5.4": None,
    "gpt-5.4-mini": None,
    "gpt-5.4-nano": "2027-04-01",
    "gpt-5-mini": "2026-12-11",
    "gpt-4o-mini": "2027-01-14",
    "gpt-4o": "2027-01-14",
    "gpt-4.1-mini": "2027-01-14",
    "gpt-4-turbo": "2026-10-23",
    "gpt-4": "2026-10-23",
    "gpt-3.5-turbo": "2026-10-23",
}
IMAGE_MODELS: dict[str, str | None] = {
    "dall-e-2": "2026-05-12",
    "dall-e-3": "2026-05-12",
    "gpt-image-1": "2026-10-23",
    "gpt-image-1-mini": "2026-12-01",
    "gpt-image-1.5": "2026-12-01",
    "chatgpt-image-latest": "2026-12-01",
    "gpt-image-2": None,
    "gpt-image-2.5-sunburst": None,
    "gpt-image-2.5-flare": None,
    "gpt-image-2.6-sunburst": None,
    "gpt-image-2.6-flare": None,
}
MODELS = CHAT_MODELS | IMAGE_MODELS | {"omni-moderation-latest": None}
CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip

WORDS = {
    "missing": ("missing_required_parameter", "Missing required parameter: '{name}'."),
    "unknown": ("unknown_parameter", "Unknown parameter: '{name}'."),
    "type": ("invalid_type", "Invalid type for '{name}': expected {type}, but got something else instead."),
    "literal": ("invalid_value", "Invalid value: '{value}'. Supported values are: {allowed}."),
    "long": ("string_above_max_length", "Invalid '{name}': too long. Expected a maximum length of {limit}."),
    "short": ("empty_string", "Invalid '{name}': too short. Expected a minimum length of {limit}."),
    "many": ("array_above_max_length", "Invalid '{name}': array too long. Expected a maximum length of {limit}."),
    "few": ("empty_array", "Invalid '{name}': empty array. Expected a minimum length of {limit}."),
    "big": ("integer_above_max_value", "Invalid '{name}': integer above maximum value {limit}."),
    "small": ("integer_below_min_value", "Invalid '{name}': integer below minimum value {limit}."),
    "value": ("invalid_value", "Invalid value for '{name}'."),
}

_PART = document({"type": literal("text", "image_url"), "text": text(), "image_url": anything}, ["type"])
_MESSAGE = document(
    {
        "role": literal("system", "developer", "user", "assistant"),
        "content": either(rows(_PART, 1), text()),
        "name": text(1, 64),
        "refusal": nullable(text()),
    },
    ["role", "content"],
)
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CHAT = document(
    {
        "model": text(1),
        "messages": rows(_MESSAGE, 1),
        "response_format": document(
            {"type": literal("text", "json_object", "json_schema"), "json_schema": anything}, ["type"]
        ),
        "max_completion_tokens": nullable(whole(1)),
        "max_tokens": nullable(whole(1)),
        "reasoning_effort": nullable(literal(*_EFFORTS)),
        "verbosity": nullable(literal("low", "medium", "high")),
        "temperature": nullable(number(0, 2)),
        "top_p": nullable(number(0, 1)),
        "seed": nullable(whole()),
        "n": nullable(literal(1)),
        "stop": anything,
        "stream": nullable(literal(False)),
        "store": nullable(boolean),
        "metadata": anything,
        "safety_identifier": text(0, 128),
        "user": text(),
        "service_tier": nullable(literal("auto", "default", "flex", "scale", "priority", "fast")),
        "prompt_cache_key": text(),
    },
    ["model", "messages"],
)
IMAGE = document(
    {
        "model": text(1),
        "prompt": text(1, 32_000),
        "n": nullable(whole(1, 10)),
        "size": text(1),
        "quality": literal("low", "medium", "high", "auto", "xhigh", "max"),
        "background": literal("transparent", "opaque", "auto"),
        "output_format": literal("png", "jpeg", "webp"),
        "output_compression": whole(0, 100),
        "moderation": literal("auto", "low"),
        "complexity": literal("low", "medium", "high"),
        "safety_identifier": text(0, 128),
        "user": text(),
        "stream": literal(False),
        "partial_images": literal(0),
    },
    ["prompt"],
)
DALL_E = document(
    {
        "model": text(1),
        "prompt": text(1, 4_000),
        "n": literal(1),
        "size": literal("1024x1024", "1792x1024", "1024x1792"),
        "quality": literal("standard", "hd"),
        "style": literal("vivid", "natural"),
        "response_format": literal("url", "b64_json"),
        "user": text(),
    },
    ["model", "prompt"],
)
MODERATION = document(
    {
        "model": literal("omni-moderation-latest", "omni-moderation-2024-09-26"),
        "input": either(rows(either(_PART, text())), text()),
    },
    ["input"],
)

_Error = Callable[..., Refused]
_INVALID = "invalid_request_error"


def check_reasoning(body: dict[str, Any], model: str, error: _Error) -> None:
    """Reasoning models take neither max_tokens nor a temperature; raises."""
    if model.startswith(("gpt-4", "gpt-3")):
        return
    if body.get("max_tokens") is not None:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        raise error(400, message, "unsupported_parameter", _INVALID, "max_tokens")
    for name in ("temperature", "top_p"):
        if body.get(name, 1) not in (1, None):
            message = f"Unsupported value: '{name}' does not support {body[name]} with this model. Only the default (1)"
            raise error(400, f"{message} value is supported.", "unsupported_value", _INVALID, name)


def check_format(body: dict[str, Any], error: _Error) -> None:
    """A strict schema has every property required and no others allowed; json_object must be spoken of; raises."""
    form = body.get("response_format", {"type": "text"})
    where = "response_format"
    if form["type"] == "json_object" and "json" not in " ".join(map(spoken, body["messages"])).lower():
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise error(400, message, None, _INVALID, "messages")
    if form["type"] != "json_schema":
        return
    given = form.get("json_schema")
    if not isinstance(given, dict) or not re.fullmatch(r"[\w-]{1,64}", str(given.get("name", ""))):
        raise error(400, f"Missing required parameter: '{where}.json_schema.name'.", "missing_required_parameter",
                    _INVALID, f"{where}.json_schema.name")  # fmt: skip
    if given.keys() - {"name", "description", "schema", "strict"}:
        raise error(400, f"Unknown parameter in '{where}.json_schema'.", "unknown_parameter", _INVALID, where)
    if wrong := _loose(given.get("schema"), strict=given.get("strict") is True):
        message = f"Invalid schema for response_format '{given['name']}': {wrong}"
        raise error(400, message, None, _INVALID, where)


_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")


def _loose(schema: Any, *, strict: bool, path: str = "()") -> str:
    """Why a schema is none, or not strict; "" when it is fine."""
    if not isinstance(schema, dict):
        return f"In context={path}, a schema is expected."
    kinds = schema.get("type", "object" if path == "()" else "string")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not kinds or any(kind not in _TYPES for kind in kinds) or (path == "()" and kinds != ["object"]):
        return f"In context={path}, schema must have type 'object' or another known type."
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if (
        not isinstance(properties, dict)
        or not isinstance(required, list)
        or not isinstance(schema.get("enum", [0]), list)
    ):
        return f"In context={path}, 'properties' is an object, 'required' and 'enum' are lists."
    if strict and "object" in kinds and schema.get("additionalProperties") is not False:
        return f"In context={path}, 'additionalProperties' is required to be supplied and to be false."
    if strict and sorted(map(str, required)) != sorted(properties):
        return f"In context={path}, 'required' is required to be supplied and to include every key in properties."
    inner = dict(properties) | ({"items": schema["items"]} if "items" in schema else {})
    found = (_loose(one, strict=strict, path=f"{path}.{name}") for name, one in inner.items())
    return next(filter(None, found), "")


def filled(schema: dict[str, Any], words: str) -> Any:
    """A value that fits the schema; every free string says the words."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: filled(one, words) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [filled(schema.get("items", {}), words)]
    return {"string": words, "integer": 1, "number": 1.0, "boolean": True}.get(kind)


def check_image(body: dict[str, Any], model: str, error: _Error) -> tuple[int, int]:
    """What no table can say: sizes and qualities by model; returns the size in pixels; raises."""
    kind = "image_generation_user_error"
    if body.get("quality") in ("xhigh", "max") and not model.startswith(("gpt-image-2.5", "gpt-image-2.6")):
        message = f"Invalid value: '{body['quality']}'. Supported values are: 'low', 'medium', 'high', and 'auto'."
        raise error(400, message, "invalid_value", kind, "quality")
    if body.get("background") == "transparent" and body.get("output_format") == "jpeg":
        raise error(400, "Transparent background is not supported for jpeg.", "invalid_value", kind, "background")
    if "output_compression" in body and body.get("output_format", "png") == "png" and body["output_compression"] < 100:
        raise error(400, "Compression less than 100 is not supported for PNG output format.",
                    "invalid_png_output_compression", kind, "output_compression")  # fmt: skip
    size = body.get("size", "auto")
    if wrong := _bad_size(size, model):
        raise error(400, f"Invalid value: '{size}'. {wrong}", "invalid_value", kind, "size")
    if size == "auto":
        return 1024, 1024
    width, _, height = size.partition("x")
    return int(width), int(height)


def _bad_size(size: str, model: str) -> str:
    fixed = ("auto", "1024x1024", "1536x1024", "1024x1536")
    if size in fixed:
        return ""
    if not model.startswith(("gpt-image-2", "gpt-image-2.5", "gpt-image-2.6")):
        return f"Supported values are: {', '.join(fixed)}."
    if not re.fullmatch(r"[1-9]\d{2,3}x[1-9]\d{2,3}", size):
        return "Size must be 'auto' or WIDTHxHEIGHT."
    width, height = map(int, size.split("x"))
    if width % 16 or height % 16:
        return "Width and height must be divisible by 16."
    if max(width, height) > 3840 or max(width, height) > 3 * min(width, height):
        return "The aspect ratio must be from 1:3 to 3:1 and no side longer than 3840."
    return "" if 655_360 <= width * height <= 8_294_400 else "The pixels must be from 655,360 to 8,294,400."


def spoken(message: dict[str, Any]) -> str:
    """The text of a chat message."""
    content = message["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
