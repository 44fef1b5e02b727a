"""The models on offer: what each can do, what it costs, how long it takes and how long it lives.

A model id is data with a lifecycle, never a literal elsewhere in the code.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal

from django.utils import timezone

from providers.base import Kind

AUTO = "auto"

RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
RESOLUTIONS = ("480p", "720p", "1080p")


class UnknownModel(Exception):
    """There is no such model, or none that is offered today can do what is asked."""


@dataclass(frozen=True)
class Model:
    """Something a provider offers. Prices are in credits; `seconds` are the lengths it can make."""

    slug: str
    provider: str
    kind: Kind
    name: str
    price: Decimal
    endpoint: str = ""
    price_per_second: Decimal = Decimal(0)
    resolution_factor: dict[str, Decimal] = field(default_factory=dict)
    ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    seconds: tuple[int, ...] = ()
    prompt_limit: int = 2000
    expected_seconds: float = 1.0
    retires: datetime.date | None = None
    successor: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the model may be offered and called today."""
        return self.retires is None or timezone.now().date() < self.retires

    def cost(self, *, seconds: int = 0, resolution: str = "") -> int:
        """Credits for one job: rounded up, at least 1."""
        factor = self.resolution_factor.get(resolution, Decimal(1))
        exact = (self.price + self.price_per_second * seconds) * factor
        return max(1, int(exact.to_integral_value(rounding=ROUND_UP)))


_SANDBOX_FACTORS = {"480p": Decimal("0.5"), "720p": Decimal(1), "1080p": Decimal(2)}

MODELS: tuple[Model, ...] = (
    Model(
        slug="sandbox/words",
        provider="sandbox",
        kind=Kind.TEXT,
        name="Sandbox words",
        endpoint="words",
        price=Decimal(1),
        expected_seconds=0.1,
    ),
    Model(
        slug="sandbox/still",
        provider="sandbox",
        kind=Kind.IMAGE,
        name="Sandbox still",
        endpoint="still",
        price=Decimal(4),
        resolution_factor=_SANDBOX_FACTORS,
        ratios=RATIOS,
        resolutions=RESOLUTIONS,
        expected_seconds=1.5,
    ),
    Model(
        slug="sandbox/motion",
        provider="sandbox",
        kind=Kind.VIDEO,
        name="Sandbox motion",
        endpoint="motion",
        price=Decimal(0),
        price_per_second=Decimal(2),
        resolution_factor=_SANDBOX_FACTORS,
        ratios=RATIOS,
        resolutions=RESOLUTIONS,
        seconds=(2, 3, 4, 5, 6, 8, 10),
        expected_seconds=5.0,
    ),
)


def live(kind: Kind | None = None) -> list[Model]:
    """The models on offer today, cheapest first within a kind."""
    chosen = [model for model in MODELS if model.is_live and kind in (None, model.kind)]
    return sorted(chosen, key=lambda model: (model.kind, model.price + 5 * model.price_per_second))


def get(slug: str) -> Model:
    """The model with this slug, live or not; raises UnknownModel."""
    for model in MODELS:
        if model.slug == slug:
            return model
    raise UnknownModel(f"There is no model {slug!r}.")


def choose(kind: Kind, wish: str = AUTO) -> Model:
    """The model that a wish resolves to: itself, or for `auto` the cheapest on offer; raises UnknownModel."""
    offered: Iterable[Model] = live(kind)
    for model in offered:
        if wish in (AUTO, model.slug):
            return model
    raise UnknownModel(f"There is no {kind} model {wish!r} on offer.")
