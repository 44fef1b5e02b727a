"""Who speaks for whom: every module here has an adapter, found by its slug. Adding a provider adds a file."""

import importlib
import pkgutil
from collections.abc import Iterator

from providers.base import Adapter


def _adapters() -> Iterator[Adapter]:
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        here = (kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__)
        yield from (kind() for kind in here if isinstance(kind, type) and issubclass(kind, Adapter))


ADAPTERS: dict[str, Adapter] = {adapter.slug: adapter for adapter in _adapters()}


def key_owner(provider: str) -> str:
    """Whose key opens this provider: its own, as a rule; Pika is reached with fal's."""
    adapter = ADAPTERS.get(provider)  # none: a release has dropped it, while runs still name it
    return (adapter.key_of if adapter else "") or provider
