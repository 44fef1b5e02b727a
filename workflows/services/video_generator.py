"""Motion: a picture comes alive."""

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.base import Kind
from providers.catalog import USUAL
from workflows.services.base import Offer, Options, Service, one_of, whole_number
from workflows.services.image_generator import SEED_LIMIT


class VideoGeneratorService(Service):
    """Asks a video model to move a picture for some seconds."""

    stage: ClassVar[str] = "video"
    kind: ClassVar[Kind] = Kind.VIDEO
    model_option: ClassVar[str] = "video_model"

    def validate(self, options: Mapping[str, Any], among: Offer = None) -> Options:
        """Ratio, resolution, length and seed, checked against the video model; raises InvalidInput."""
        model = self.model(options, among)
        return {
            "video_model": model.slug,
            "aspect_ratio": one_of(options, "aspect_ratio", model.ratios, USUAL["aspect_ratio"]),
            "resolution": one_of(options, "resolution", model.resolutions, USUAL["resolution"]),
            "duration_seconds": one_of(options, "duration_seconds", model.seconds, USUAL["duration_seconds"]),
            "seed": whole_number(options, "seed", 0, SEED_LIMIT),
        }

    def price(self, options: Mapping[str, Any], among: Offer = None) -> int:
        """Credits for this many seconds at this resolution."""
        return self.model(options, among).cost(seconds=options["duration_seconds"], resolution=options["resolution"])
