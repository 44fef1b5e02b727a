"""What somebody has, and what can be chosen."""

import datetime
import uuid

import time_machine

from credits import ledger
from credits.models import Entry
from providers import catalog, offer
from providers.base import Kind


def test_credits_are_told_with_every_line(api, alice):
    ledger.hold(alice, 40, reference="run")
    answer = api.get("/api/credits").json()
    assert (answer["balance"], answer["held"], answer["available"]) == (300, 40, 260)
    line = Entry.objects.get(account__user=alice)
    assert answer["entries"] == [
        {
            "id": str(line.pk),
            "kind": "grant",
            "amount": 300,
            "balance_after": 300,
            "reference": "",
            "reason": "sign-up",
            "created": line.created.isoformat().replace("+00:00", "Z"),
        }
    ]


def test_nobody_elses_lines_are_told(bobs_api, alice):
    ledger.grant(alice, 7, key="gift", reason="a secret gift")
    assert b"secret" not in bobs_api.get("/api/credits").content


def test_lines_come_in_pages_newest_first(api, alice):
    for number in range(4):
        ledger.grant(alice, 1, key=f"gift {number}", reason=f"gift {number}")
    first = api.get("/api/credits", {"limit": 3}).json()
    second = api.get(first["next"]).json()
    assert [line["reason"] for line in first["entries"]] == ["gift 3", "gift 2", "gift 1"]
    assert [line["reason"] for line in second["entries"]] == ["gift 0", "sign-up"]
    assert (first["previous"], second["next"]) == (None, None)


def test_a_page_has_a_limit(api, alice):
    Entry.objects.bulk_create(
        Entry(account=alice.account, kind="grant", amount=1, balance_after=1, key=str(uuid.uuid4())) for _ in range(250)
    )
    assert len(api.get("/api/credits", {"limit": 1000}).json()["entries"]) == 200
    assert len(api.get("/api/credits", {"limit": "x"}).json()["entries"]) == 50


def test_models_are_told_with_prices_and_abilities(api):
    found = {model["slug"]: model for model in api.get("/api/models").json()["models"]}
    assert found.keys() == {"sandbox/words", "sandbox/still", "sandbox/motion"}
    motion = found["sandbox/motion"]
    assert (motion["kind"], motion["option"], motion["is_auto"]) == ("video", "video_model", True)
    assert motion["durations_seconds"] == [2, 3, 4, 5, 6, 8, 10]
    assert motion["price"] == {
        "job": 0.0,
        "second": 2.0,
        "resolution_factors": {"480p": 0.5, "720p": 1.0, "1080p": 2.0},
    }


def test_a_retired_model_is_not_told(api, monkeypatch, settings):
    retired = catalog.Model(
        slug="old/one", provider="old", kind=Kind.IMAGE, name="Old", price=1, retires=datetime.date(2026, 12, 1)
    )
    monkeypatch.setattr(catalog, "MODELS", (*catalog.MODELS, retired))
    settings.PROVIDER_KEYS = {"old": "a key"}
    offer.sync()
    with time_machine.travel("2026-11-30T12:00:00Z", tick=False):
        assert "old/one" in [model["slug"] for model in api.get("/api/models").json()["models"]]
    with time_machine.travel("2026-12-01T00:00:00Z", tick=False):
        assert "old/one" not in [model["slug"] for model in api.get("/api/models").json()["models"]]
