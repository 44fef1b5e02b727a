"""A small catalog of models that can do different things, so that a test can tell them apart."""

import datetime
from decimal import Decimal

import pytest

from providers import catalog
from providers.base import Kind
from providers.catalog import Model


@pytest.fixture
def models(monkeypatch):
    """Two models of each kind that are on offer, and one that is not any more."""
    offered = (
        Model("acme/words", "acme", Kind.TEXT, "Words", price=Decimal("0.2")),
        Model("acme/essay", "acme", Kind.TEXT, "Essay", price=Decimal("2.5")),
        Model("acme/draw", "acme", Kind.IMAGE, "Draw", price=Decimal(3), ratios=("1:1", "16:9"), resolutions=("720p",)),
        Model(
            "acme/paint", "acme", Kind.IMAGE, "Paint", price=Decimal("4.1"), ratios=("9:16", "1:1"),
            resolutions=("480p", "1080p"), resolution_factor={"480p": Decimal("0.5"), "1080p": Decimal(2)},
        ),
        Model(
            "acme/clip", "acme", Kind.VIDEO, "Clip", price=Decimal(1), price_per_second=Decimal("2.5"),
            ratios=("16:9", "9:16"), resolutions=("480p", "720p"), seconds=(4, 8),
            resolution_factor={"480p": Decimal("0.5"), "720p": Decimal(1)},
        ),
        Model(
            "acme/film", "acme", Kind.VIDEO, "Film", price=Decimal(0), price_per_second=Decimal(20),
            ratios=("16:9",), resolutions=("1080p",), seconds=(5, 10),
        ),
        Model(
            "acme/old", "acme", Kind.VIDEO, "Old", price=Decimal(1), ratios=("16:9",), resolutions=("720p",),
            seconds=(5,), retires=datetime.date(2000, 1, 1),
        ),
    )  # fmt: skip
    monkeypatch.setattr(catalog, "MODELS", offered)
