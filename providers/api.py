"""What can be chosen: the models on offer today, with prices and abilities."""

from typing import TYPE_CHECKING, Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from providers import catalog
from providers.base import Kind
from providers.offer import on_offer

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OPTIONS = {Kind.TEXT: "text_model", Kind.IMAGE: "image_model", Kind.VIDEO: "video_model"}


class PriceShape(serializers.Serializer[Any]):
    """Credits: (job + second * seconds) * the resolution's factor, rounded up, at least 1."""

    job = serializers.FloatField()
    second = serializers.FloatField()
    resolution_factors = serializers.DictField(child=serializers.FloatField())


class ModelShape(serializers.Serializer[Any]):
    """A model on offer. `option` is the option that chooses it."""

    slug = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField(), help_text="other words for it")
    provider = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    option = serializers.ChoiceField(choices=list(OPTIONS.values()))
    is_auto = serializers.BooleanField(help_text="what `auto` resolves to today")
    price = PriceShape()
    aspect_ratios = serializers.ListField(child=serializers.CharField())
    resolutions = serializers.ListField(child=serializers.CharField())
    durations_seconds = serializers.ListField(child=serializers.IntegerField())
    prompt_limit = serializers.IntegerField(help_text="characters")
    expected_seconds = serializers.FloatField(help_text="how long it usually takes")
    retires = serializers.DateField(allow_null=True)
    successor = serializers.CharField(allow_null=True)


class ModelsShape(serializers.Serializer[Any]):
    """All models on offer."""

    models = ModelShape(many=True)


class Models(APIView):
    """What can be chosen."""

    scopes = {"GET": "read"}

    @extend_schema(operation_id="models", summary="List the models on offer", responses=ModelsShape)
    def get(self, request: Request) -> Response:
        """The models on offer today, with prices and abilities."""
        models = on_offer(cast("User", request.user))
        return Response({"models": [describe(model, models) for model in models]})


def describe(model: catalog.Model, among: list[catalog.Model]) -> dict[str, Any]:
    """A model as a program sees it."""
    return {
        "slug": model.slug,
        "aliases": [alias for alias, slug in catalog.ALIASES.items() if slug == model.slug],
        "provider": model.provider,
        "name": model.name,
        "kind": model.kind.value,
        "option": OPTIONS[model.kind],
        "is_auto": catalog.choose(model.kind, among=among) == model,
        "price": {
            "job": float(model.price),
            "second": float(model.price_per_second),
            "resolution_factors": {name: float(factor) for name, factor in model.resolution_factor.items()},
        },
        "aspect_ratios": list(model.ratios),
        "resolutions": list(model.resolutions),
        "durations_seconds": list(model.seconds),
        "prompt_limit": model.prompt_limit,
        "expected_seconds": model.expected_seconds,
        "retires": model.retires.isoformat() if model.retires else None,
        "successor": model.successor or None,
    }
