"""What a run would be and cost, before anything happens: pure but for the catalog."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from providers import catalog
from providers.offer import on_offer
from workflows import prompts
from workflows.models import Asset, Workflow
from workflows.prompts import InvalidInput
from workflows.services import SERVICES
from workflows.services.image_generator import SEED_LIMIT

if TYPE_CHECKING:
    from django.contrib.auth.models import User

STAGES: dict[str, tuple[str, ...]] = {
    Workflow.Type.COMPLETE: ("enhance", "image", "video"),
    Workflow.Type.IMAGE_ONLY: ("enhance", "image"),
    Workflow.Type.VIDEO_FROM_IMAGE: ("enhance", "video"),
}
OPTIONS = (
    "aspect_ratio", "duration_seconds", "resolution", "style", "enhance",
    "text_model", "image_model", "video_model", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """The price of one stage, in credits."""

    stage: str
    provider: str
    model: str
    credits: int
    automatic: bool = False
    own_key: bool = False


@dataclass(frozen=True)
class Quote:
    """A checked request with its price; a run never costs more than this."""

    type: str
    prompt: str
    options: dict[str, Any]
    image: Asset | None
    lines: tuple[Line, ...]

    @property
    def credits(self) -> int:
        """The whole price."""
        return sum(line.credits for line in self.lines)


def quote(
    type: object,
    prompt: object,
    options: object = None,
    image: Asset | None = None,
    *,
    user: "User | None" = None,
    among: list[catalog.Model] | None = None,
) -> Quote:
    """Check a request and price it for a user. Raises InvalidInput with a sentence for each wrong field.

    `among` is what is on offer to them, where that is known already. Options that this type of run has no use for are
    ignored; unknown ones are refused.
    """
    stages = _stages(type)
    raw, among = _known(options), on_offer(user) if among is None else among
    errors: dict[str, str] = {}
    text = _collect(errors, lambda: prompts.clean(prompt)) or ""
    if type == Workflow.Type.VIDEO_FROM_IMAGE:
        raw = _fit_image(raw, image, errors, among)
    cleaned: dict[str, Any] = {}
    for stage in stages:
        cleaned |= _collect(errors, lambda stage=stage: SERVICES[stage].validate(raw, among)) or {}
    if errors:
        raise InvalidInput(errors)
    if cleaned.get("seed") is None:
        cleaned["seed"] = secrets.randbelow(SEED_LIMIT)
    lines = tuple(_line(stage, raw, cleaned, among) for stage in stages if stage != "enhance" or cleaned["enhance"])
    return Quote(str(type), text, cleaned, image if "image" not in stages else None, lines)


def _stages(type: object) -> tuple[str, ...]:
    if not isinstance(type, str) or type not in STAGES:
        raise InvalidInput({"type": _("Choose one of: %(types)s.") % {"types": ", ".join(map(str, STAGES))}})
    return STAGES[type]


def _known(options: object) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise InvalidInput({"options": _("This must be an object of options.")})
    unknown = {
        str(name)[:40]: _("There is no such option. The options are: %(names)s.") % {"names": ", ".join(OPTIONS)}
        for name in options
        if name not in OPTIONS
    }
    if unknown:
        raise InvalidInput(unknown)
    return {name: value for name, value in options.items() if value is not None}


def _fit_image(
    raw: dict[str, Any], image: Asset | None, errors: dict[str, str], among: list[catalog.Model]
) -> dict[str, Any]:
    """A run from the user's image keeps their words, and its shape unless another is asked for."""
    if image is None or image.kind != Asset.Kind.IMAGE:
        errors["image"] = _("Choose or upload an image to bring to life.")
        return raw
    fitting = {"enhance": False} | raw
    try:
        ratios = SERVICES["video"].model(raw, among).ratios
    except InvalidInput:
        return fitting
    return {"aspect_ratio": min(ratios, key=lambda ratio: _distance(ratio, image))} | fitting


def _distance(ratio: str, image: Asset) -> float:
    wide, high = (int(part) for part in ratio.split(":"))
    shape, wanted = image.width / image.height, wide / high
    return max(shape, wanted) / min(shape, wanted)


def _collect(errors: dict[str, str], check: Any) -> Any:
    try:
        return check()
    except InvalidInput as invalid:
        errors.update(invalid.errors)
        return None


def _line(stage: str, raw: dict[str, Any], options: dict[str, Any], among: list[catalog.Model]) -> Line:
    service = SERVICES[stage]
    model = service.model(options, among)
    automatic = raw.get(service.model_option, catalog.AUTO) == catalog.AUTO
    return Line(stage, model.provider, model.slug, service.price(options, among), automatic, model.own_key)
