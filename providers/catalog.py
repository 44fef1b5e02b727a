"""The models we know: what each can do, what it costs, how long it takes and how long it lives.

A model id is data with a lifecycle, never a literal elsewhere in the code. The shipped data is `catalog.toml`; what is
on offer to whom at a moment (keys, switches, health) is `offer.py`.
"""

import dataclasses
import datetime
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone

from providers.base import Kind

AUTO = "auto"
USUAL = {"aspect_ratio": "16:9", "resolution": "720p", "duration_seconds": 5}  # what is meant when nothing is said
DATA = Path(__file__).with_name("catalog.toml")


class UnknownModel(Exception):
    """There is no such model, or none on offer can do what is asked."""


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
    price_source: str = ""
    price_date: datetime.date | None = None
    ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    seconds: tuple[int, ...] = ()
    prompt_limit: int = 2000
    expected_seconds: float = 1.0
    retires: datetime.date | None = None
    successor: str = ""
    own_key: bool = False

    @property
    def is_live(self) -> bool:
        """Whether the model may be offered and called today."""
        return self.retires is None or timezone.now().date() < self.retires

    def cost(self, *, seconds: int = 0, resolution: str = "") -> int:
        """Credits for one job: rounded up, at least 1; with the user's own key 1, for the service."""
        if self.own_key:
            return 1
        return max(1, int(self.exact_cost(seconds, resolution).to_integral_value(rounding=ROUND_UP)))

    def exact_cost(self, seconds: int = 0, resolution: str = "") -> Decimal:
        """Credits before they are rounded: of two models that cost the same, this tells the cheaper."""
        factor = self.resolution_factor.get(resolution, Decimal(1))
        return (self.price + self.price_per_second * seconds) * factor

    def can(self, option: str, value: object) -> bool:
        """Whether the model can do this value of an option; options it has no opinion on don't matter."""
        possible: tuple[Any, ...] = self.abilities.get(option, ())
        return not possible or value in possible

    @property
    def abilities(self) -> dict[str, tuple[Any, ...]]:
        """What it can do, by the name of the option."""
        return {"aspect_ratio": self.ratios, "resolution": self.resolutions, "duration_seconds": self.seconds}


def shipped(data: Mapping[str, Any]) -> tuple[Model, ...]:
    """The models in the shipped data."""
    return tuple(_model(entry) for entry in data["models"])


def _model(entry: Mapping[str, Any]) -> Model:
    price = entry["price"]
    return Model(
        slug=entry["slug"],
        provider=entry["slug"].partition("/")[0],
        kind=Kind(entry["kind"]),
        name=entry["name"],
        endpoint=entry["endpoint"],
        ratios=tuple(entry.get("ratios", ())),
        resolutions=tuple(entry.get("resolutions", ())),
        seconds=tuple(entry.get("seconds", ())),
        prompt_limit=entry.get("prompt_limit", 2000),
        expected_seconds=entry["expected_seconds"],
        retires=entry.get("retires"),
        successor=entry.get("successor", ""),
        price_source=entry.get("source", ""),
        price_date=entry.get("date"),
        **priced(price),
    )


def priced(price: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Model that a price formula sets."""
    return {
        "price": Decimal(str(price.get("job", 0))),
        "price_per_second": Decimal(str(price.get("second", 0))),
        "resolution_factor": {name: Decimal(str(factor)) for name, factor in price.get("factors", {}).items()},
    }


_DATA = tomllib.loads(DATA.read_text())
MODELS: tuple[Model, ...] = shipped(_DATA)
ALIASES: dict[str, str] = _DATA["aliases"]


def live(kind: Kind | None = None) -> list[Model]:
    """The models that live today, cheapest first within a kind."""
    return by_price(model for model in MODELS if model.is_live and kind in (None, model.kind))


def by_price(models: Iterable[Model]) -> list[Model]:
    """Cheapest first within a kind, for a clip of five seconds; the sandbox last, since it stands in for the others."""

    def price(model: Model) -> tuple[Decimal, Decimal]:
        return Decimal(model.cost(seconds=5, resolution="720p")), model.exact_cost(5, "720p")

    return sorted(models, key=lambda model: (model.kind, model.provider == "sandbox", price(model), model.slug))


def find(slug: str) -> Model | None:
    """The model with this slug, live or not; None for one that a release has dropped, say, while runs asked for it."""
    return next((model for model in MODELS if model.slug == slug), None)


def get(slug: str) -> Model:
    """The model with this slug, live or not; raises UnknownModel."""
    if model := find(slug):
        return model
    raise UnknownModel(f"There is no model {slug!r}.")


def expected_seconds(slug: str) -> float:
    """How long a model usually takes; a minute for one we no longer know, whose runs are looked after all the same."""
    model = find(slug)
    return model.expected_seconds if model else 60.0


def choose(
    kind: Kind, wish: str = AUTO, *, among: Sequence[Model] | None = None, needs: Mapping[str, Any] | None = None
) -> Model:
    """The model that a wish resolves to: a slug, an alias, or for `auto` the first on offer that can do what it needs.

    When none can do all of it, `auto` gives the first of its kind, whose own check then says what is impossible. The
    sandbox stands in only where nobody else is on offer.
    Raises UnknownModel.
    """
    offered = [model for model in (live() if among is None else among) if model.kind == kind]
    if wish == AUTO and offered:
        offered = [model for model in offered if model.provider != "sandbox"] or offered
        asked = dict(needs or {})
        return _able(offered, USUAL | asked) or _able(offered, asked) or offered[0]
    slug = ALIASES.get(str(wish), wish)
    for model in offered:
        if model.slug == slug:
            return model
    raise UnknownModel(f"There is no {kind} model {wish!r} on offer.")


def _able(models: Sequence[Model], needs: Mapping[str, Any]) -> Model | None:
    return next((model for model in models if all(model.can(*need) for need in needs.items())), None)


def with_price(model: Model, price: Mapping[str, Any]) -> Model:
    """The same model at staff's own price."""
    return dataclasses.replace(model, **priced(price))
