"""Still: words become a picture."""

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.base import Kind
from providers.catalog import USUAL
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
            "aspect_ratio": one_of(options, "aspect_ratio", model.ratios, USUAL["aspect_ratio"]),
            "resolution": one_of(options, "resolution", model.resolutions, USUAL["resolution"]),
            "seed": whole_number(options, "seed", 0, SEED_LIMIT),
        }

    def price(self, options: Mapping[str, Any], among: Offer = None) -> int:
        """Credits for one still at this resolution."""
        return self.model(options, among).cost(resolution=options["resolution"])
