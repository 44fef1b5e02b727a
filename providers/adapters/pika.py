"""Pika: its own site sends developers to fal, so it is reached there, with fal's key; under its own name and prices."""

from collections.abc import Mapping
from typing import ClassVar

from providers.adapters.fal import Ask, FalAdapter


class PikaAdapter(FalAdapter):
    """fal's protocol with Pika's endpoints."""

    slug: ClassVar[str] = "pika"
    key_of: ClassVar[str] = "fal"
    # fal.ai/models/fal-ai/pika/v2.2/image-to-video (llms.txt), 2026-11-22. The shape comes from the picture.
    asks: ClassVar[Mapping[str, Ask]] = {
        "fal-ai/pika/v2.2/image-to-video": Ask(resolutions={"720p": "720p", "1080p": "1080p"}, seed=True),
    }
