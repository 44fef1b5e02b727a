"""A small catalog of models that can do different things, so that a test can tell them apart."""

import dataclasses
import datetime
from decimal import Decimal

import pytest

from providers import catalog

LIKE = {kind: catalog.get(f"sandbox/{kind}") for kind in ("words", "still", "motion")}
HALF = {"480p": Decimal("0.5")}


def model(like, slug, price, **facts):
    """A model of this kind with nothing of the sandbox's abilities but those that are named."""
    plain = {"provider": "acme", "price_per_second": Decimal(0), "resolution_factor": {}}
    facts = plain | {"ratios": (), "resolutions": (), "seconds": ()} | facts
    return dataclasses.replace(LIKE[like], slug=slug, name=slug, price=Decimal(price), **facts)


MODELS = (
    model("words", "acme/words", "0.2"),
    model("words", "acme/essay", "2.5"),
    model("still", "acme/draw", "3", ratios=("1:1", "16:9"), resolutions=("720p",)),
    model(
        "still",
        "acme/paint",
        "4.1",
        ratios=("9:16", "1:1"),
        resolutions=("480p", "1080p"),
        resolution_factor=HALF | {"1080p": Decimal(2)},
    ),
    model(
        "motion",
        "acme/clip",
        "1",
        price_per_second=Decimal("2.5"),
        ratios=("16:9", "9:16"),
        resolutions=("480p", "720p"),
        seconds=(4, 8),
        resolution_factor=HALF,
    ),
    model(
        "motion",
        "acme/film",
        "0",
        price_per_second=Decimal(20),
        ratios=("16:9",),
        resolutions=("1080p",),
        seconds=(1, 10),
    ),
    model(
        "motion",
        "acme/old",
        "1",
        ratios=("16:9",),
        resolutions=("720p",),
        seconds=(5,),
        retires=datetime.date(2000, 1, 1),
    ),
)


@pytest.fixture
def models(monkeypatch):
    """Two models of each kind that are on offer, and one that is not any more."""
    monkeypatch.setattr(catalog, "MODELS", MODELS)
