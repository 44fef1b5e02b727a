"""OpenAI: words by chat completions, images by the GPT-image family; and servers that speak the same language.

Ollama, vLLM, LocalAI and others answer at the same paths and know a part of the fields. The SDK writes the requests;
what it stands on is `providers.sdk`: our own network, and none of its retries, each of which could be a paid job.
"""

import base64
import binascii
import datetime
import hashlib
import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import IO, Any, ClassVar
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from providers import http, sdk
from providers.base import Adapter, Job, JobRef, JobRequest, Kind, Output, ProviderError, Reason, Status
from providers.sdk import Exchange, Fields

log = logging.getLogger(__name__)

OFFICIAL = "api.openai.com"
TOKENS = 1500  # thinking counts too: with less, answers come back cut short
IMAGE_READ = 300.0  # seconds; high quality takes minutes, and is lost but paid when we hang up
SIDE = 16  # pixels that the sides of a GPT image are a multiple of
PIXELS = (655_360, 8_294_400)  # least and most of a GPT image (community.openai.com/t/1382699, 2026-11-22)
QUALITY = "medium"  # left out, the server chooses, at up to 20 times the price
_HEIGHTS = {"480p": 480, "720p": 720, "1080p": 1080, "1440p": 1440, "4k": 2160}
_SCHEMA = {
    "type": "object",
    "properties": {"prompt": {"type": "string"}},
    "required": ["prompt"],
    "additionalProperties": False,
}
_FORMS: tuple[Fields, ...] = (
    {"type": "json_schema", "json_schema": {"name": "shot", "strict": True, "schema": _SCHEMA}},
    {"type": "json_object"},
)
_AS_JSON = 'Answer with a JSON object that has the one key "prompt".'
# US cents for a million tokens: words in, images in, anything out; the first beginning that fits. developers.openai.com
# model pages and the price table of litellm 1.109.1, 2026-11-22.
_PRICES = {
    "gpt-image-1-mini": (200, 250, 800),
    "gpt-image-1.5": (500, 800, 3200),
    "gpt-image-2": (500, 800, 3000),
    "gpt-6-luna": (10, 10, 50),
    "gpt-5.6-luna": (20, 20, 120),
    "gpt-6.1-terra": (100, 100, 500),
    "gpt-6-sol": (200, 200, 1000),
    "gpt-6.1-sol": (200, 200, 1000),
    "gpt-5.4-mini": (75, 75, 450),
    "gpt-5.4-nano": (20, 20, 125),
    "gpt-5-mini": (25, 25, 200),
    "gpt-4.1-mini": (40, 40, 160),
    "gpt-4o-mini": (15, 15, 60),
    "gpt-4o": (250, 250, 1000),
}
_unmoderated: set[str] = set()  # addresses of servers that have no moderation, as this process has learned


class OpenAIAdapter(Adapter):
    """Synchronous: whatever is asked is answered in the same call, and nothing can be asked for again."""

    slug: ClassVar[str] = "openai"
    longest_submit: ClassVar[float] = 330.0  # an image of high quality is minutes in the making
    # Nothing runs on here. openai 3.54.0 waits so long by itself where something does, 2026-11-22.
    shortest_look: ClassVar[float] = 1.0
    key_looks: ClassVar[str] = "sk-…"  # compatible servers take any word
    key_mark: ClassVar[str] = r"sk-[\w-]{20,}"
    # `error.code`, else `error.type`: openai 3.54.0, the error guide and reports of users, 2026-11-22.
    reasons: ClassVar[Mapping[str, Reason]] = {
        "invalid_api_key": Reason.UNAUTHORIZED,
        "no_organization": Reason.UNAUTHORIZED,
        "invalid_organization": Reason.UNAUTHORIZED,
        "unsupported_country_region_territory": Reason.UNAUTHORIZED,
        "insufficient_quota": Reason.OUT_OF_QUOTA,
        "billing_hard_limit_reached": Reason.OUT_OF_QUOTA,
        "credit_balance_exhausted": Reason.OUT_OF_QUOTA,
        "model_not_found": Reason.RETIRED,
        "content_policy_violation": Reason.CONTENT_POLICY,
        "image_content_policy_violation": Reason.CONTENT_POLICY,
        "moderation_blocked": Reason.CONTENT_POLICY,
        "content_filter": Reason.CONTENT_POLICY,
        "rate_limit_exceeded": Reason.RATE_LIMITED,
        "slow_down": Reason.RATE_LIMITED,
        "server_is_overloaded": Reason.RATE_LIMITED,
    }

    def sample_key(self) -> str:
        """Theirs begin like this."""
        return "sk-simulated"

    def submit(self, request: JobRequest, *, token: str) -> Job:
        """Words or an image, finished."""
        if request.kind == Kind.TEXT:
            return self._words(request, token)
        if request.kind == Kind.IMAGE:
            self._moderate(request, token)
            return self._image(request, token)
        raise ProviderError(Reason.INVALID_INPUT, "OpenAI makes no videos any more", sent=False)

    def fetch(self, job: JobRef, *, token: str) -> Job:
        """There is nothing to come back for: an answer that was lost is lost."""
        raise ProviderError(Reason.LOST, "OpenAI keeps no jobs")

    def download(self, output: Output, *, token: str) -> IO[bytes]:
        """An image that a compatible server left at an address. The key goes to that server itself only."""
        url = urljoin(f"{_base()}/", output.location)
        purpose = http.Purpose(self.slug, "download")
        if urlsplit(url)[:2] != urlsplit(_base())[:2]:
            return http.download(purpose, url, origin=_base())
        answer = http.call(purpose, "GET", url, origin=_base(), headers={"Authorization": f"Bearer {token}"})
        if not answer.ok:
            raise self._refusal(answer)
        return BytesIO(answer.body)

    def check(self, *, token: str) -> str:
        """Ask for the list of models, which costs nothing."""
        exchange = self._exchange("check")
        found = exchange.ask(lambda client: client.models.with_raw_response.list(), token).get("data")
        return f"the key is accepted; {len(found) if isinstance(found, list) else 'no'} models are listed"

    def shutdown_date(self, model: str, *, token: str) -> datetime.date | None:
        """`shutdown_date` of the model, where the server gives one."""
        exchange = self._exchange("model", model)
        found = exchange.ask(lambda client: client.models.with_raw_response.retrieve(model), token)
        try:
            return datetime.date.fromisoformat(str(found.get("shutdown_date")))
        except ValueError:
            return None

    def _words(self, request: JobRequest, token: str) -> Job:
        exchange = self._exchange("submit", request.model)
        answer = exchange.negotiate(
            lambda client, more: client.chat.completions.with_raw_response.create(
                model=request.model, messages=_messages(request, more), extra_body=more
            ),
            _word_fields(request),
            token,
        )
        return _finished(exchange, request, answer, lambda: Output(text=_text(answer)))

    def _moderate(self, request: JobRequest, token: str) -> None:
        """The free check before the paid call: refused images cost the time, and count against the key's owner."""
        if not settings.OPENAI_MODERATION or _base() in _unmoderated:
            return
        exchange = self._exchange("moderate", "omni-moderation-latest")
        try:
            flagged = _flags(exchange.ask(lambda client: client.moderations.with_raw_response.create(
                model=exchange.purpose.model, input=request.prompt), token))  # fmt: skip
        except ProviderError as error:
            if exchange.status in (404, 405, 501):
                log.warning("The server of openai has no moderation; images are made without it.")
                _unmoderated.add(_base())
                return
            error.sent = False  # nothing was bought yet
            raise
        if flagged:
            raise ProviderError(Reason.CONTENT_POLICY, f"moderation: {', '.join(flagged)}"[:300], sent=False)

    def _image(self, request: JobRequest, token: str) -> Job:
        exchange = self._exchange("submit", request.model, read=IMAGE_READ)
        fields, optional = _image_fields(request)
        answer = exchange.negotiate(
            lambda client, more: client.images.with_raw_response.generate(**fields, extra_body=more), optional, token
        )
        return _finished(exchange, request, answer, lambda: _picture(answer))

    def _exchange(self, operation: str, model: str = "", read: float = http.READ) -> Exchange:
        return Exchange(_base(), _is_official(), http.Purpose(self.slug, operation, model), read, self._refusal)

    def _refusal(self, answer: http.Answer) -> ProviderError:
        """The error for an answer that isn't 2xx, by the machine's words; the sentence is for staff."""
        told = sdk.told(answer)
        reason = self.reasons.get(told["code"]) or self.reasons.get(told["type"])
        error = http.refuse(answer, f"{told['code']} {told['message']}".strip(), reason=reason)
        error.sent = error.sent and reason is None  # a reason, overload above all, means that nothing was made
        return error


class _Unusable(Exception):
    """A whole answer that we can do nothing with: paid, and final."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _base() -> str:
    return str(settings.PROVIDER_URLS["openai"])


def _is_official() -> bool:
    """Whether OpenAI itself answers, or the simulator in its place."""
    return urlsplit(_base()).hostname == OFFICIAL or settings.PROVIDER_MODE == "simulated"


def _finished(exchange: Exchange, request: JobRequest, found: Fields, output: Callable[[], Output]) -> Job:
    """The job that the last answer is: with its output, or failed when there is none that we can use."""
    answer = exchange.answered()
    cents = _cents(request.model, found.get("usage")) if exchange.official else None
    answer.costs(cents)
    # Nothing is ever asked of this job again, and compatible servers repeat their ids: ours names it better.
    handle = {"answer": str(found.get("id", ""))[:100]}
    try:
        return Job(request.reference, Status.SUCCEEDED, outputs=(output(),), cost=cents, handle=handle)
    except _Unusable as error:
        detail = answer.quote(error)
        return Job(request.reference, Status.FAILED, reason=error.reason, detail=detail, cost=cents, handle=handle)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cents(model: str, usage: Any) -> float | None:
    """What the usage costs, in US cents; None where we can't tell."""
    prices = next((prices for name, prices in _PRICES.items() if model.startswith(name)), None)
    if prices is None or not isinstance(usage, dict):
        return None
    details = usage.get("input_tokens_details")
    images = details.get("image_tokens", 0) if isinstance(details, dict) else 0
    read: Any = usage.get("prompt_tokens", usage.get("input_tokens"))
    written: Any = usage.get("completion_tokens", usage.get("output_tokens"))
    if not all(type(number) is int for number in (read, images, written)):
        return None
    return float((read - images) * prices[0] + images * prices[1] + written * prices[2]) / 1_000_000


# --- Words ---------------------------------------------------------------------------------------------------


def _word_fields(request: JobRequest) -> Fields:
    """What may be left out. Never temperature, top_p and max_tokens: models that think refuse them."""
    fields: Fields = {"response_format": _FORMS, "max_completion_tokens": TOKENS}
    if _is_official():
        fields |= {"reasoning_effort": "none", "store": False, "safety_identifier": _hash(request.reference)}
    return fields


def _messages(request: JobRequest, fields: Fields) -> list[Any]:
    instructions = str(request.options.get("instructions", ""))
    if "response_format" in fields:  # a JSON form is refused when nobody says JSON
        instructions = f"{instructions}\n{_AS_JSON}".strip()
    system = [{"role": "system", "content": instructions}] if instructions else []
    return [*system, {"role": "user", "content": request.prompt}]


def _text(answer: Fields) -> str:
    """The words of a chat completion; raises _Unusable."""
    choice = _first(answer, "choices")
    message = choice.get("message")
    if choice.get("finish_reason") == "content_filter":
        raise _Unusable(Reason.CONTENT_POLICY, "the content filter stopped the answer")
    if not isinstance(message, dict):
        raise _Unusable(Reason.BAD_OUTPUT, "the answer has no message")
    if message.get("refusal"):
        raise _Unusable(Reason.CONTENT_POLICY, f"refused: {message['refusal']}")
    if choice.get("finish_reason") == "length":
        raise _Unusable(Reason.BAD_OUTPUT, "the answer was cut short")
    text = _prose(message.get("content"))
    if not text:
        raise _Unusable(Reason.BAD_OUTPUT, "the answer has no words")
    return text


def _prose(content: Any) -> str:
    """Plain words out of JSON, a fence of code, or what a model that thinks aloud says last; raises _Unusable."""
    text = content if isinstance(content, str) else ""
    text = re.sub(r"^.*</think>", "", text, flags=re.DOTALL).strip()
    text = re.sub(r"^```\w*\n|\n?```$", "", text).strip()
    if (found := re.search(r"\{.*\}", text, re.DOTALL)) and (words := _from_json(found.group())) is not None:
        return words.strip()
    if text.startswith("{"):
        raise _Unusable(Reason.BAD_OUTPUT, "the answer is no JSON that we know")
    return text.strip('"').strip()


def _from_json(text: str) -> str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    words = found.get("prompt") if isinstance(found, dict) else None
    return words if isinstance(words, str) else None


def _first(answer: Fields, name: str) -> Fields:
    entries = answer.get(name)
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        raise _Unusable(Reason.BAD_OUTPUT, f"the answer has no {name}")
    return entries[0]


# --- Images --------------------------------------------------------------------------------------------------


def _flags(answer: Fields) -> list[str]:
    """The categories that a moderation names; [] when it lets pass. Raises ProviderError for what is no verdict."""
    results = answer.get("results")
    if not isinstance(results, list) or not all(isinstance(result, dict) and "flagged" in result for result in results):
        raise ProviderError(Reason.UNAVAILABLE, "the moderation gave no verdict", sent=False)
    flagged = [result for result in results if result["flagged"]]
    named = [name for result in flagged for name, is_so in dict(result.get("categories") or {}).items() if is_so]
    return named or ["flagged"] * len(flagged)


def _image_fields(request: JobRequest) -> tuple[Fields, Fields]:
    """What must be said, and what may be left out: GPT images refuse the fields of DALL·E and the other way round."""
    fields: Fields = {"model": request.model, "prompt": request.prompt, "n": 1, "size": _size(request)}
    if _is_official() or request.model.startswith(("gpt-image", "chatgpt-image")):
        more = {"safety_identifier": _hash(request.reference)} if _is_official() else {}
        return fields | {"quality": QUALITY, "output_format": "png"}, more
    return fields, {"response_format": "b64_json"}


def _size(request: JobRequest) -> str:
    """The size by rule; the older models know three sizes each."""
    wide, high = (int(part) for part in str(request.options.get("aspect_ratio", "16:9")).split(":"))
    long = {"gpt-image-1": 1536, "chatgpt-image": 1536, "dall-e-3": 1792}
    for name, side in long.items():
        if request.model.startswith(name):
            return "1024x1024" if wide == high else f"{side}x1024" if wide > high else f"1024x{side}"
    return "{}x{}".format(*frame(wide, high, str(request.options.get("resolution", "720p"))))


def frame(wide: int, high: int, resolution: str) -> tuple[int, int]:
    """Width and height of a GPT image of this ratio, in pixels: enough for the resolution, and within the limits."""
    short = _HEIGHTS.get(resolution, 720)
    unit = short / min(wide, high)
    least, most = ((limit / (wide * high)) ** 0.5 for limit in PIXELS)
    if unit > most:
        return int(wide * most) // SIDE * SIDE, int(high * most) // SIDE * SIDE
    unit = max(unit, least)
    width, height = (math.ceil(round(side * unit, 3) / SIDE) * SIDE for side in (wide, high))
    return width, height


def _picture(answer: Fields) -> Output:
    """Bytes, or the place that a compatible server names; raises _Unusable."""
    entry = _first(answer, "data")
    content = entry.get("b64_json")
    if isinstance(content, str) and content:
        kind = str(answer.get("output_format") or "png")
        return Output(content=_bytes(content), content_type=f"image/{kind}"[:40])
    if isinstance(entry.get("url"), str) and entry["url"]:
        return Output(location=entry["url"])
    raise _Unusable(Reason.BAD_OUTPUT, "the answer has no image")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        raise _Unusable(Reason.BAD_OUTPUT, "the image is no base64") from None
