"""The box on the create page. It reads what a browser sends; what is right and what it costs, `pipeline.quote` says."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

import sql
from providers import catalog
from providers.base import Kind
from providers.offer import on_offer
from workflows import pipeline, prompts, uploads
from workflows.models import Asset, Workflow
from workflows.prompts import InvalidInput
from workflows.quote import STAGES, Quote
from workflows.services import SERVICES
from workflows.services.image_generator import SEED_LIMIT
from workflows.services.prompt_enhancer import STYLE_LIMIT

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SHAPE = ("aspect_ratio", "duration_seconds", "resolution")
MODELS = {"text_model": Kind.TEXT, "image_model": Kind.IMAGE, "video_model": Kind.VIDEO}
TYPES = (
    (Workflow.Type.COMPLETE, _("video")),
    (Workflow.Type.IMAGE_ONLY, _("image")),
    (Workflow.Type.VIDEO_FROM_IMAGE, _("from my image")),
)
RECENT = 4  # images to choose from


class MakeForm(forms.Form):
    """What to make. After a successful `is_valid` there is `quote`; then `start` makes it."""

    type = forms.CharField(widget=forms.RadioSelect(choices=TYPES), initial=Workflow.Type.COMPLETE)
    prompt = forms.CharField(required=False, strip=False, widget=forms.Textarea)
    image = forms.UUIDField(required=False)
    upload = forms.FileField(required=False, allow_empty_file=True, widget=forms.FileInput)
    aspect_ratio = forms.CharField(required=False, widget=forms.RadioSelect, label=_("Shape"))
    duration_seconds = forms.IntegerField(required=False, widget=forms.RadioSelect, label=_("Length"))
    resolution = forms.CharField(required=False, widget=forms.RadioSelect, label=_("Size"))
    style = forms.CharField(required=False, label=_("Style"))
    enhance = forms.BooleanField(required=False, initial=True, label=_("Improve my words"))
    text_model = forms.CharField(required=False, widget=forms.Select, label=_("Words by"))
    image_model = forms.CharField(required=False, widget=forms.Select, label=_("Still by"))
    video_model = forms.CharField(required=False, widget=forms.Select, label=_("Motion by"))
    seed = forms.IntegerField(required=False, label=_("Seed"))
    key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput(attrs={"autocomplete": "off"}))

    def __init__(self, user: "User", *args: Any, pricing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.offer = on_offer(user)
        self.pricing = pricing
        self.quote: Quote | None = None
        self.fields["key"].initial = secrets.token_urlsafe(24)
        self.fields["upload"].widget.attrs = {"accept": "image/png,image/jpeg,image/webp"}
        self.fields["style"].widget.attrs = {"maxlength": STYLE_LIMIT, "placeholder": _("watercolor, 1970s film …")}
        self.fields["seed"].widget.attrs = {"min": 0, "max": SEED_LIMIT, "placeholder": _("any")}
        self._offer()

    # --- What can be chosen

    def _offer(self) -> None:
        """Fill the choices from what the chosen models can do."""
        for name, kind in MODELS.items():
            self.fields[name].widget.choices = [
                (catalog.AUTO, _("cheapest")),
                *(_model_choice(model) for model in self.offer if model.kind == kind),
            ]
        possible = self._possible()
        for name, default in zip(SHAPE, ("16:9", 5, "720p"), strict=True):
            values = possible[name]
            self.fields[name].widget.choices = [(value, _label(name, value)) for value in values]
            self.fields[name].initial = default if default in values else next(iter(values), None)

    def _possible(self) -> dict[str, list[Any]]:
        models = [model for stage in self._stages() if (model := self._model(stage))]
        lengths = next((model.seconds for model in models if model.seconds), ())
        return {
            "aspect_ratio": _common([model.ratios for model in models]),
            "duration_seconds": list(lengths),
            "resolution": _common([model.resolutions for model in models]),
        }

    def _stages(self) -> tuple[str, ...]:
        stages = STAGES.get(str(self["type"].value()), STAGES[Workflow.Type.COMPLETE])
        # An image needs no length, but the choice is there for who changes their mind without JavaScript.
        return tuple(stage for stage in stages if stage != "enhance") + (() if "video" in stages else ("video",))

    def _model(self, stage: str) -> catalog.Model | None:
        service = SERVICES[stage]
        try:
            return service.model({service.model_option: self[service.model_option].value() or catalog.AUTO}, self.offer)
        except InvalidInput:
            return None

    def fit(self) -> None:
        """Let go of a choice that the chosen models cannot do, so that the default shows instead."""
        data = {name: value for name, value in self.data.items() if name not in SHAPE}
        for name in SHAPE:
            field = self.fields[name]
            possible = {str(value) for value, label in field.widget.choices}
            chosen = self.data.get(name)
            data[name] = chosen if chosen in possible else field.initial
        self.data = data

    @property
    def images(self) -> list[Asset]:
        """The images to choose from: the one that was asked for and the newest."""
        newest = sql.found(
            Asset, "user_id = %s AND kind = 'image' ORDER BY created DESC LIMIT %s", [self.user.pk, RECENT]
        )
        asked = self._image(wanted) if (wanted := self._asked()) else None
        return [asked, *(image for image in newest if image != asked)][:RECENT] if asked else newest

    def _asked(self) -> Any:
        try:
            return forms.UUIDField(required=False).clean(self["image"].value())
        except forms.ValidationError:
            return None

    @property
    def shape(self) -> list[forms.BoundField]:
        """The fields that say what it will measure."""
        return [self[name] for name in SHAPE]

    @property
    def drawer(self) -> list[forms.BoundField]:
        """The fields that few people need."""
        return [self[name] for name in ("style", *MODELS, "seed")]

    @property
    def drawer_is_wrong(self) -> bool:
        """Whether one of those has an error, so that it must be seen."""
        return any(field.errors for field in self.drawer)

    @property
    def upload_limit(self) -> int:
        """Bytes."""
        return settings.UPLOAD_MAX_BYTES

    @property
    def prompt_limit(self) -> int:
        """Characters."""
        return prompts.LIMIT

    # --- Reading it

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        try:
            self.image_asset = self._own_image(data.get("image"))
            stand_in = _stand_in() if data["upload"] or self.pricing else None
            prompt = data["prompt"] or ("…" if self.pricing else "")
            image = stand_in or self.image_asset
            options = self._options(data)
            self.quote = pipeline.quote(data["type"], prompt, options, image, user=self.user, among=self.offer)
        except InvalidInput as invalid:
            self._blame(invalid)
        return data

    def _blame(self, invalid: InvalidInput) -> None:
        for name, sentence in invalid.errors.items():
            self.add_error(name if name in self.fields else None, sentence)

    def _image(self, pk: Any) -> Asset | None:
        return Asset.objects.filter(user=self.user, kind=Asset.Kind.IMAGE, pk=pk).first()

    def _own_image(self, pk: Any) -> Asset | None:
        image = self._image(pk) if pk else None
        if pk and image is None:
            raise InvalidInput({"image": str(_("There is no such image."))})
        return image

    def _options(self, data: Mapping[str, Any]) -> dict[str, Any]:
        names = [*SHAPE, "style", "enhance", *MODELS, "seed"]
        if data["type"] == Workflow.Type.VIDEO_FROM_IMAGE:
            names.remove("aspect_ratio")  # the image's own
        return {name: value for name in names if (value := data.get(name)) not in (None, "")}

    def price_alone(self) -> Quote | None:
        """What the box would be as it is shown, whatever its words and picture; None for a choice without a price."""
        shown = {name: self[name].value() or None for name in self.fields if name not in ("prompt", "upload")}
        try:
            data = {name: self.fields[name].clean(value) for name, value in shown.items()}
            self._own_image(data["image"])
            options = self._options(data)
            return pipeline.quote(data["type"], "…", options, _stand_in(), user=self.user, among=self.offer)
        except (forms.ValidationError, InvalidInput):
            return None

    # --- Making it

    @property
    def price(self) -> int:
        """Credits, after a successful `is_valid`."""
        assert self.quote is not None, "call is_valid first"  # noqa: S101
        return self.quote.credits

    def start(self) -> Workflow | None:
        """Start the run; None when its picture was refused, or is gone, which is then among the errors.

        Raises InsufficientCredits. A second press of the same button gives the run of the first.
        """
        assert self.quote is not None, "call is_valid first"  # noqa: S101
        digest = self._digest()
        key = f"page:{self.cleaned_data['key'] or secrets.token_urlsafe(24)}:{digest[:32]}"
        file = self.cleaned_data["upload"]
        try:
            if file and self.cleaned_data["type"] == Workflow.Type.VIDEO_FROM_IMAGE:
                return self._start_with(uploads.upload(self.user, file), key, digest)
            return pipeline.start(self.user, self.quote, key=key, digest=digest)
        except InvalidInput as invalid:
            self._blame(invalid)
            return None

    def _start_with(self, uploaded: Asset, key: str, digest: str) -> Workflow:
        """The upload stays only if the run that uses it begins."""
        workflow = None
        try:
            quote = pipeline.quote(
                self.cleaned_data["type"],
                self.cleaned_data["prompt"],
                self._options(self.cleaned_data),
                uploaded,
                user=self.user,
            )
            workflow = pipeline.start(self.user, quote, key=key, digest=digest)
            return workflow
        finally:
            if workflow is None or workflow.image_id != uploaded.pk:
                uploaded.delete()
                uploaded.delete_files()

    def _digest(self) -> str:
        """Names the request, so that the same box with other words is another request."""
        data = self.cleaned_data
        parts: list[Any] = [data["type"], data["prompt"], str(data["image"]), self._options(data)]
        if data["upload"]:
            parts.append(hashlib.sha256(data["upload"].read()).hexdigest())
            data["upload"].seek(0)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _stand_in() -> Asset:
    """In the place of a picture that is not known yet."""
    return Asset(kind=Asset.Kind.IMAGE, width=16, height=9)


def _common(several: list[tuple[Any, ...]]) -> list[Any]:
    return [value for value in several[0] if all(value in others for others in several)] if several else []


def _model_choice(model: catalog.Model) -> tuple[str, str]:
    least = model.cost(seconds=min(model.seconds, default=0), resolution=next(iter(model.resolutions), ""))
    price = ngettext("from %(count)d credit", "from %(count)d credits", least) % {"count": least}
    return model.slug, f"{model.name} · {price}"


def _label(name: str, value: Any) -> str:
    if name != "duration_seconds":
        return str(value)
    return ngettext("%(count)d s", "%(count)d s", value) % {"count": value}
