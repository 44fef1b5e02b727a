"""What fal's video endpoints take, one row each: names and types differ from model to model (see their pages)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import media
from .schema import Check, anything, boolean, document, literal, number, rows, text, whole

RATIOS = {
    "16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1), "4:3": (4, 3), "3:4": (3, 4), "4:5": (4, 5), "5:4": (5, 4),
    "3:2": (3, 2), "2:3": (2, 3), "21:9": (21, 9), "9:21": (9, 21), "auto": (16, 9),
}  # fmt: skip
SHORT = {
    "360p": 360, "480p": 480, "512p": 512, "540p": 540, "720p": 720, "768p": 768, "1080p": 1080, "1440p": 1440,
    "2160p": 2160, "2k": 1440, "4k": 2160,
}  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """One endpoint. `cents` is the list price of a second; `takes` what a job really takes, in seconds."""

    fields: Mapping[str, Check]
    required: tuple[str, ...]
    duration: Any
    resolution: str
    cents: float
    takes: float = 60.0
    image: str = ""

    def check(self) -> Check:
        """The table of its fields."""
        return document(self.fields, self.required)


def seconds(endpoint: Endpoint, body: Mapping[str, Any]) -> int:
    """The length asked for: "5", "5s", 5 or auto."""
    asked = str(body.get("duration", endpoint.duration)).removesuffix("s")
    return 5 if asked == "auto" else int(asked)


def size(endpoint: Endpoint, body: Mapping[str, Any], picture: tuple[int, int] | None) -> tuple[int, int]:
    """The size in pixels that comes out."""
    short = SHORT[str(body.get("resolution", endpoint.resolution)).lower()]
    ratio = body.get("aspect_ratio", "auto")
    shape = picture if picture and ratio == "auto" else RATIOS[ratio]
    return media.fitted(shape, short)


def _row(
    duration: Check,
    default: Any,
    resolution: tuple[str, ...],
    *,
    cents: float,
    takes: float = 60.0,
    ratios: tuple[str, ...] = (),
    image: str = "",
    prompt: int = 2500,
    more: Mapping[str, Check] | None = None,
) -> Endpoint:
    fields: dict[str, Check] = {"prompt": text(1, prompt), "duration": duration} | dict(more or {})
    if len(resolution) > 1:
        fields["resolution"] = literal(*resolution)
    if ratios:
        fields["aspect_ratio"] = literal(*ratios)
    if image:
        fields[image] = text(1, 16_000_000)
    return Endpoint(fields, ("prompt", image) if image else ("prompt",), default, resolution[0], cents, takes, image)


_FIVE_TEN = literal("5", "10")
_SIX_TEN = literal("6", "10")
_PIKA = {"negative_prompt": text(), "seed": whole()}
_PIKA_RATIOS = ("16:9", "9:16", "1:1", "4:5", "5:4", "3:2", "2:3")
_KLING = {"negative_prompt": text(0, 2500), "cfg_scale": number(0, 1), "tail_image_url": text()}
_KLING_26 = {
    "negative_prompt": text(0, 2500),
    "end_image_url": text(),
    "generate_audio": boolean,
    "voice_ids": rows(text()),
}
_LTX = {"end_image_url": text(), "fps": literal(24, 25, 48, 50), "generate_audio": boolean}
_WAN = {
    "negative_prompt": text(0, 500), "audio_url": text(), "seed": whole(),
    "enable_prompt_expansion": boolean, "enable_safety_checker": boolean,
}  # fmt: skip
_SEEDANCE = {"end_image_url": text(), "generate_audio": boolean, "seed": whole()}
_SEEDANCE_1 = {"end_image_url": text(), "camera_fixed": boolean, "seed": whole(), "enable_safety_checker": boolean}
_SEEDANCE_RATIOS = ("auto", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
_VEO = {
    "generate_audio": boolean, "negative_prompt": text(), "seed": whole(), "auto_fix": boolean,
    "safety_tolerance": literal("1", "2", "3", "4", "5", "6"),
}  # fmt: skip
_VEO_SECONDS = literal("4s", "6s", "8s")


def _seedance_1(cents: float) -> Endpoint:
    return _row(literal(*map(str, range(2, 13))), "5", ("1080p", "480p", "720p"), cents=cents, image="image_url",
                ratios=_SEEDANCE_RATIOS, more=_SEEDANCE_1 | {"num_frames": whole(29, 289)})  # fmt: skip


ENDPOINTS: dict[str, Endpoint] = {
    "fal-ai/pika/v2.2/image-to-video": _row(
        _FIVE_TEN, "5", ("720p", "1080p"), cents=4, image="image_url", more=_PIKA
    ),
    "fal-ai/pika/v2.2/text-to-video": _row(
        _FIVE_TEN, "5", ("720p", "1080p"), cents=4, ratios=_PIKA_RATIOS, more=_PIKA
    ),
    "fal-ai/kling-video/v2.5-turbo/pro/image-to-video": _row(
        _FIVE_TEN, "5", ("1080p",), cents=7, takes=90, image="image_url", more=_KLING
    ),
    "fal-ai/kling-video/v2.5-turbo/pro/text-to-video": _row(
        _FIVE_TEN, "5", ("1080p",), cents=7, takes=90, ratios=("16:9", "9:16", "1:1"), more=_KLING
    ),
    "fal-ai/kling-video/v2.6/pro/image-to-video": _row(
        _FIVE_TEN, "5", ("1080p",), cents=7, takes=90, image="start_image_url", more=_KLING_26
    ),
    "fal-ai/minimax/hailuo-2.3/standard/image-to-video": _row(
        _SIX_TEN, "6", ("768p",), cents=4.7, takes=120, image="image_url", more={"prompt_optimizer": boolean}
    ),
    "fal-ai/minimax/hailuo-2.3-fast/standard/image-to-video": _row(
        _SIX_TEN, "6", ("768p",), cents=3.2, takes=60, image="image_url", more={"prompt_optimizer": boolean}
    ),
    "fal-ai/minimax/hailuo-2.3-fast/pro/image-to-video": _row(
        literal("6"), "6", ("1080p",), cents=5.5, takes=60, image="image_url", more={"prompt_optimizer": boolean}
    ),
    "fal-ai/ltx-2.3/image-to-video": _row(
        literal(6, 8, 10), 6, ("1080p", "1440p", "2160p"), cents=6, takes=40, image="image_url",
        ratios=("auto", "16:9", "9:16"), more=_LTX,
    ),
    "fal-ai/ltx-2.3/text-to-video": _row(
        literal(6, 8, 10), 6, ("1080p", "1440p", "2160p"), cents=8, takes=40, ratios=("16:9", "9:16"), more=_LTX
    ),
    "fal-ai/ltx-2.3/text-to-video/fast": _row(
        literal(6, 8, 10, 12, 14, 16, 18, 20), 6, ("1080p", "1440p", "2160p"), cents=4, takes=20,
        ratios=("16:9", "9:16"), more=_LTX,
    ),
    "fal-ai/wan-25-preview/image-to-video": _row(
        _FIVE_TEN, "5", ("1080p", "480p", "720p"), cents=15, takes=90, image="image_url", prompt=800, more=_WAN
    ),
    "fal-ai/luma-dream-machine/ray-2/image-to-video": _row(
        literal("5s", "9s"), "5s", ("540p", "720p", "1080p"), cents=10, image="image_url",
        ratios=("16:9", "9:16", "4:3", "3:4", "21:9", "9:21"), more={"loop": boolean, "end_image_url": text()},
    ),
    "bytedance/seedance-2.0/image-to-video": _row(
        literal("auto", *map(str, range(4, 16))), "auto", ("720p", "480p", "1080p", "4k"), cents=30.24, takes=90,
        image="image_url", ratios=_SEEDANCE_RATIOS, more=_SEEDANCE,
    ),
    "bytedance/seedance-2.0/fast/image-to-video": _row(
        literal("auto", *map(str, range(4, 16))), "auto", ("720p", "480p"), cents=24.19, takes=45,
        image="image_url", ratios=_SEEDANCE_RATIOS, more=_SEEDANCE,
    ),
    "fal-ai/bytedance/seedance/v1.5/pro/image-to-video": _row(
        literal(*map(str, range(4, 13))), "5", ("720p", "480p", "1080p"), cents=5.2, image="image_url",
        ratios=_SEEDANCE_RATIOS, more=_SEEDANCE_1 | {"generate_audio": boolean},
    ),
    "fal-ai/bytedance/seedance/v1/pro/image-to-video": _seedance_1(12),
    "fal-ai/bytedance/seedance/v1/lite/image-to-video": _seedance_1(4),
    "fal-ai/veo3.1": _row(
        _VEO_SECONDS, "8s", ("720p", "1080p"), cents=40, takes=90, ratios=("16:9", "9:16"), more=_VEO
    ),
    "fal-ai/veo3.1/fast": _row(
        _VEO_SECONDS, "8s", ("720p", "1080p"), cents=15, takes=60, ratios=("16:9", "9:16"), more=_VEO
    ),
    "fal-ai/veo3.1/image-to-video": _row(
        _VEO_SECONDS, "8s", ("720p", "1080p"), cents=40, takes=90, image="image_url",
        ratios=("auto", "16:9", "9:16"), more=_VEO,
    ),
    "fal-ai/veo3.1/fast/image-to-video": _row(
        _VEO_SECONDS, "8s", ("720p", "1080p"), cents=15, takes=60, image="image_url",
        ratios=("auto", "16:9", "9:16"), more=_VEO,
    ),
    "google/gemini-omni-flash/image-to-video": _row(
        literal(*range(3, 11)), 8, ("720p",), cents=13, image="image_url", ratios=("16:9", "9:16")
    ),
}  # fmt: skip
for _tier, _cents in (("standard", 8.4), ("pro", 11.2)):
    ENDPOINTS[f"fal-ai/kling-video/v3/{_tier}/image-to-video"] = _row(
        literal(*map(str, range(3, 16))), "5", ("1080p",), cents=_cents, takes=90, image="start_image_url",
        more={"end_image_url": text(), "generate_audio": boolean, "elements": anything, "shot_type": text(),
              "cfg_scale": number(0, 1), "multi_prompt": anything, "negative_prompt": text(0, 2500)},
    )  # fmt: skip
RETIRED = ("fal-ai/veo3", "fal-ai/sora-2")
