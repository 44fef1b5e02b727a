"""Who speaks for whom: one adapter for each provider, by its slug. Adding a provider adds a file and a line here."""

from providers.adapters.fal import FalAdapter
from providers.adapters.google import GoogleAdapter
from providers.adapters.openai import OpenAIAdapter
from providers.adapters.pika import PikaAdapter
from providers.adapters.runway import RunwayAdapter
from providers.adapters.sandbox import SandboxAdapter
from providers.adapters.vertex import VertexAdapter
from providers.base import Adapter

ADAPTERS: dict[str, Adapter] = {
    adapter.slug: adapter
    for adapter in (
        FalAdapter(),
        GoogleAdapter(),
        OpenAIAdapter(),
        PikaAdapter(),
        RunwayAdapter(),
        SandboxAdapter(),
        VertexAdapter(),
    )
}


def key_owner(provider: str) -> str:
    """Whose key opens this provider: its own, as a rule; Pika is reached with fal's."""
    return ADAPTERS[provider].key_of or provider
