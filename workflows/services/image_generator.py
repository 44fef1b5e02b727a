"""Still: words become a picture."""

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.base import Kind
from workflows.services.base import Offer, Options, Service, one_of, whole_number

SEED_LIMIT = 2**31 - 1


class ImageGeneratorService(Service):
    """Asks an image model for one still of the wanted ratio and resolution."""

    stage: ClassVar[str] = "image"
    kind: ClassVar[Kind] = Kind.IMAGE
    model_option: ClassVar[str] = "image_model"

    def validate(self, options: Mapping[str, Any], among: Offer = None) -> Options:
        """Ratio, resolution and seed, checked against the image model; raises InvalidInput."""
        model = self.model(options, among)
        return {
            "image_model": model.slug,
            "aspect_ratio": one_of(options, "aspect_ratio", model.ratios, "16:9"),
            "resolution": one_of(options, "resolution", model.resolutions, "720p"),
            "seed": whole_number(options, "seed", 0, SEED_LIMIT),
        }

    def price(self, options: Mapping[str, Any], among: Offer = None) -> int:
        """Credits for one still at this resolution."""
        return self.model(options, among).cost(resolution=options["resolution"])
