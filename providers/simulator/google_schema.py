"""What Gemini Omni's requests may hold, model by model, and Google's words for what they may not (SDK 3.4)."""

from typing import Any

from . import media
from .answers import Refused
from .schema import Problem, anything, boolean, document, either, literal, nullable, rows, text, whole

CENTS = {
    "gemini-omni-1.2-flash": {"360p": 2.3, "720p": 7.0, "1080p": 10.5, "4k": 21.0},
    "gemini-omni-1.1-flash": {"360p": 3.0, "720p": 10.0, "1080p": 15.0, "4k": 30.0},
}
_LENGTHS = {"gemini-omni-1.2-flash": range(3, 16), "gemini-omni-1.1-flash": range(3, 11)}
SHORT = {"360p": 360, "720p": 720, "1080p": 1080, "4k": 2160}
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
        "resolution": literal(*SHORT),
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


def form_of(body: dict[str, Any]) -> dict[str, Any]:
    """The format asked for; raises Refused."""
    form = body.get("response_format", {})
    if not form and "response_modalities" not in body:
        raise interaction_error(
            400, "This model only supports video output: 'response_format' must be of type 'video'."
        )
    found: dict[str, Any] = form[0] if isinstance(form, list) else form
    return found


def length_of(model: str, form: dict[str, Any]) -> int:
    """The seconds asked for; raises Refused for what the model does not make."""
    asked, allowed = form.get("duration", "8s"), [f"{n}s" for n in _LENGTHS[model]]
    if asked not in allowed:
        supported = ", ".join(f"'{one}'" for one in allowed)
        message = f"The value '{asked}' is not supported for 'response_format.duration'. Supported values: {supported}"
        raise interaction_error(400, message)
    return int(asked[:-1])


def prompt_of(body: dict[str, Any]) -> str:
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


def words(problem: Problem) -> str:
    """A problem as Google puts it."""
    if problem.kind == "literal":
        supported = ", ".join(f"'{one}'" for one in problem.context["allowed"])
        return f"The value '{problem.value}' is not supported for '{problem.name}'. Supported values: {supported}"
    if problem.kind == "missing":
        return f"'{problem.name}' is required."
    if problem.kind == "unknown":
        return f"Unknown parameter '{problem.name}'."
    return f"Invalid value for '{problem.name}'."
