"""What Runway's models take at each endpoint, one row each (SDK runwayml 5.24.0, version 2024-11-06)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .schema import Check, Problem, anything, boolean, document, either, literal, number, rows, text, whole

LIMIT = 5 * 1024 * 1024  # characters of a data URI
_SIX = ("1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672")
_TWO = ("1280:720", "720:1280")
_FOUR = ("1280:720", "720:1280", "1080:1920", "1920:1080")
_KLING_25 = ("1920:1080", "1440:1440", "1080:1920", "1280:720", "720:720", "720:1280")
_STILLS = (
    "1024:1024", "1080:1080", "1168:880", "1360:768", "1440:1080", "1080:1440", "1808:768", "1920:1080", "1080:1920",
    "2112:912", "1280:720", "720:1280", "720:720", "960:720", "720:960", "1680:720",
)  # fmt: skip


def _uri(value: Any) -> list[Problem]:
    if not isinstance(value, str):
        return [Problem("type", "string")]
    if not value.startswith(("https://", "runway://", "data:image/")):
        return [Problem("value", "Invalid url")]
    return [Problem("long", context={"limit": LIMIT})] if len(value) > LIMIT else []


def _picture(*positions: str) -> Check:
    item = document({"uri": _uri, "position": literal(*positions)}, ["uri", "position"])
    return either(rows(item, 1, len(positions)), _uri)


@dataclass(frozen=True)
class Model:
    """One model at one endpoint. `credits` is per second (per still for stills), `takes` in seconds."""

    fields: Mapping[str, Check]
    required: tuple[str, ...]
    credits: float
    takes: float
    quiet: float = 0.0  # credits without sound

    def check(self) -> Check:
        """The table of its fields."""
        return document({"model": text(1)} | dict(self.fields), ("model", *self.required))


_PROMPT = {"promptText": text(1, 1000, utf16=True)}
_LONG_PROMPT = {"promptText": text(1, 2500, utf16=True)}
_SEED = {"seed": whole(0, 2**32 - 1)}
_MODERATION = {"contentModeration": document({"publicFigureThreshold": literal("auto", "low")})}
_FIRST = {"promptImage": _picture("first")}
_ENDS = {"promptImage": _picture("first", "last")}
_VEO = (
    _PROMPT
    | _SEED
    | {"ratio": literal(*_FOUR), "duration": literal(4, 6, 8), "audio": boolean, "negativePrompt": text()}
)
_GEN_45 = _PROMPT | _SEED | _MODERATION | {"duration": whole(2, 10), "outputFormat": literal("mp4")}
_KLING_3 = _LONG_PROMPT | {
    "duration": whole(3, 15), "audio": boolean, "cfgScale": number(0, 1), "providerSettings": anything,
}  # fmt: skip
_OMNI = _LONG_PROMPT | {"ratio": literal(*_TWO), "duration": whole(3, 10), "seed": whole(0, 2**32 - 1)}


def _three(tier: str, ratios: tuple[str, ...], credits: float) -> dict[tuple[str, str], Model]:
    fields = _KLING_3 | {"ratio": literal(*ratios)}
    name = f"kling3.0_{tier}"
    return {
        ("image_to_video", name): Model(fields | _ENDS, ("promptImage",), credits, 90),
        ("text_to_video", name): Model(fields, ("ratio",), credits, 90),
    }


MODELS: dict[tuple[str, str], Model] = {
    ("image_to_video", "gen4_turbo"): Model(
        _PROMPT | _SEED | _MODERATION | _FIRST | {"ratio": literal(*_SIX), "duration": whole(2, 10)},
        ("promptImage", "ratio"), 5, 30,
    ),
    ("image_to_video", "gen4.5"): Model(
        _GEN_45 | _FIRST | {"ratio": literal(*_SIX), "proresProfile": text()},
        ("promptImage", "promptText", "ratio", "duration"), 12, 60,
    ),
    ("text_to_video", "gen4.5"): Model(
        _GEN_45 | {"ratio": literal(*_TWO), "proresProfile": text()}, ("promptText", "ratio", "duration"), 12, 60
    ),
    ("image_to_video", "veo3.1"): Model(_VEO | _ENDS, ("promptImage", "ratio"), 40, 100, 20),
    ("text_to_video", "veo3.1"): Model(_VEO, ("promptText", "ratio"), 40, 100, 20),
    ("image_to_video", "veo3.1_fast"): Model(_VEO | _ENDS, ("promptImage", "ratio"), 15, 60, 10),
    ("text_to_video", "veo3.1_fast"): Model(_VEO, ("promptText", "ratio"), 15, 60, 10),
    ("image_to_video", "gemini_omni_flash"): Model(_OMNI | _FIRST, ("promptImage",), 10, 40),
    ("text_to_video", "gemini_omni_flash"): Model(_OMNI, ("promptText",), 10, 40),
    ("image_to_video", "kling2.5_turbo_pro"): Model(
        _LONG_PROMPT | _ENDS | {"duration": literal(5, 10), "cfgScale": number(0, 1)},
        ("promptImage", "promptText"), 7, 90,
    ),
    ("text_to_video", "kling2.5_turbo_pro"): Model(
        _LONG_PROMPT | {"duration": literal(5, 10), "cfgScale": number(0, 1), "ratio": literal(*_KLING_25)},
        ("promptText",), 7, 90,
    ),
    **_three("standard", ("1280:720", "720:1280", "960:960"), 9),
    **_three("pro", ("1920:1080", "1080:1920", "1440:1440"), 12),
    ("text_to_image", "gen4_image"): Model(
        _PROMPT | _SEED | _MODERATION | {"ratio": literal(*_STILLS), "referenceImages": rows(
            document({"uri": _uri, "tag": text(3, 16)}, ["uri"]), 1, 3)},
        ("promptText", "ratio"), 8, 15,
    ),
    ("text_to_image", "gen4_image_turbo"): Model(
        _PROMPT | _SEED | _MODERATION | {"ratio": literal(*_STILLS), "referenceImages": rows(
            document({"uri": _uri, "tag": text(3, 16)}, ["uri"]), 1, 3)},
        ("promptText", "ratio", "referenceImages"), 2, 10,
    ),
}  # fmt: skip
