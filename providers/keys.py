"""Which key opens a provider for whom: an owner's own, else the platform's from the admin, else the environment's."""

from uuid import UUID

from providers.base import Adapter, ProviderError, Reason


def token(adapter: Adapter, key: UUID | None = None) -> str:
    """The opened key for a call; "" where none is needed. Raises ProviderError(UNAUTHORIZED) when there is none."""
    if not adapter.needs_key:
        return ""
    raise ProviderError(Reason.UNAUTHORIZED, f"there is no key for {adapter.slug}", sent=False)
