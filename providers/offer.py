"""What is on offer to a user now: models that live, that staff have not switched off, whose provider has a key and
is well. One query, so that a price can be asked for with every change of an option.
"""

import dataclasses
import datetime
import functools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Now
from django.utils import timezone

import sql
from providers import catalog
from providers.adapters import ADAPTERS
from providers.models import Model, ProviderHealth, ProviderKey

if TYPE_CHECKING:
    from django.contrib.auth.models import User

KEYLESS = "sandbox"


def on_offer(user: "User | None" = None) -> list[catalog.Model]:
    """The models that this user can choose from, cheapest first; with a key of their own for the service's fee."""
    known = {model.slug: model for model in catalog.MODELS if model.is_live}
    found = [
        _for(known[row.slug], json.loads(row.override) if row.override else None, row.own_key)
        for row in _rows(user)
        if row.slug in known and (row.healthy or row.own_key) and _is_open(row)
    ]
    return catalog.by_price(found)


def sync(**_: Any) -> None:
    """Write the shipped models over their rows and mark the others; what staff have set stays. After every migrate."""
    if Model._meta.db_table not in connection.introspection.table_names():
        return  # migrated back to before there were rows
    for model in catalog.MODELS:
        Model.objects.update_or_create(slug=model.slug, defaults=_columns(model))
    Model.objects.exclude(slug__in=[model.slug for model in catalog.MODELS]).update(shipped=False)


_ANYBODY, _ANY_DAY = -1, datetime.date.max  # in the place of a user and of today


class _Row(NamedTuple):
    """What there is of a model that may be offered."""

    slug: str
    provider: str
    override: str | None  # JSON
    key_of: str
    platform_key: bool
    own_key: bool
    healthy: bool


def _rows(user: "User | None") -> list[_Row]:
    """What there is of each."""
    given = {_ANYBODY: (user.pk if user else None) or _ANYBODY, _ANY_DAY: timezone.now().date()}
    return [_Row(*row) for row in sql.asked(_query(), given)]


@functools.cache
def _query() -> tuple[str, tuple[Any, ...]]:
    """The query of `_rows`. Nearly every page asks it, and it takes Django longer to write than PostgreSQL to answer:
    so it is written once.
    """
    keys = ProviderKey.objects.filter(active=True, provider=OuterRef("key_of"))
    ill = ProviderHealth.objects.filter(provider=OuterRef("provider"), open_until__gt=Now())
    asked = (
        Model.objects.filter(Q(announced=None) | Q(announced__gt=_ANY_DAY), enabled=True, shipped=True)
        .annotate(key_of=_key_of())
        .annotate(platform_key=Exists(keys.filter(owner=None)), own_key=Exists(keys.filter(owner=_ANYBODY)))
        .annotate(healthy=~Exists(ill))
        .values_list("slug", "provider", "price_override", "key_of", "platform_key", "own_key", "healthy")
    )
    return asked.query.sql_with_params()


def _key_of() -> Any:
    others = ((name, adapter.key_of) for name, adapter in ADAPTERS.items() if adapter.key_of)
    return Case(*(When(provider=name, then=Value(other)) for name, other in others), default=F("provider"))


def _is_open(row: _Row) -> bool:
    if row.provider == KEYLESS or settings.PROVIDER_MODE == "simulated":
        return True
    return bool(row.platform_key or row.own_key or settings.PROVIDER_KEYS.get(row.key_of))


def _for(model: catalog.Model, override: dict[str, Any] | None, own_key: bool) -> catalog.Model:
    ours = catalog.with_price(model, override) if override else model
    return dataclasses.replace(ours, own_key=own_key)


def _columns(model: catalog.Model) -> dict[str, Any]:
    return {
        "provider": model.provider,
        "kind": model.kind,
        "name": model.name,
        "endpoint": model.endpoint,
        "capabilities": {name: list(values) for name, values in model.abilities.items()}
        | {"prompt_limit": model.prompt_limit},
        "price": {
            "job": float(model.price),
            "second": float(model.price_per_second),
            "factors": {name: float(factor) for name, factor in model.resolution_factor.items()},
        },
        "price_source": model.price_source,
        "price_date": model.price_date,
        "expected_seconds": model.expected_seconds,
        "retires": model.retires,
        "successor": model.successor,
        "shipped": True,
    }
