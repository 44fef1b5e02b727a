"""The shipped models: their data, their dates, their rows."""

import datetime

import pytest
import time_machine
from django.core import mail

from providers import catalog, gateway, lifecycle, offer
from providers.adapters.sandbox import SandboxAdapter
from providers.models import Model
from providers.offer import on_offer


class Telling(SandboxAdapter):
    """A provider that says when its models go."""

    needs_key = True
    slug = "openai"

    def shutdown_date(self, model, *, token):
        return datetime.date(2026, 12, 24) if model == "gpt-image-2" else None


@pytest.fixture
def keyed(settings, monkeypatch):
    settings.PROVIDER_KEYS = {"openai": "sk-" + "x" * 20}
    settings.ADMINS = [("staff", "staff@example.org")]
    monkeypatch.setitem(gateway.ADAPTERS, "openai", Telling())


def offered():
    return {model.slug for model in on_offer()}


@pytest.mark.parametrize("model", catalog.MODELS, ids=lambda model: model.slug)
def test_each_model_says_where_its_price_was_read(model):
    assert model.provider == "sandbox" or (model.price_source and model.price_date)
    assert model.cost(seconds=5, resolution="720p") >= 1


@pytest.mark.parametrize("alias", ["dall-e-3", "gpt-image", "veo3", "runway", "pika", "fal"])
def test_each_alias_leads_to_a_model_that_lives(alias):
    assert catalog.get(catalog.ALIASES[alias]).is_live


def test_each_successor_is_a_model_that_outlives_it():
    for model in catalog.MODELS:
        assert not model.successor or catalog.get(model.successor).retires is None


def test_every_shipped_model_has_a_row(db):
    assert set(Model.objects.values_list("slug", flat=True)) == {model.slug for model in catalog.MODELS}


def test_what_staff_have_set_survives_the_next_migrate(db):
    Model.objects.filter(slug="sandbox/still").update(enabled=False, price_override={"job": 9}, name="mine")
    offer.sync()
    row = Model.objects.get(slug="sandbox/still")
    assert (row.enabled, row.price_override, row.name) == (False, {"job": 9}, "Sandbox still")


def test_a_model_that_is_no_longer_shipped_is_no_longer_offered(db, monkeypatch):
    monkeypatch.setattr(catalog, "MODELS", catalog.MODELS[1:])
    offer.sync()
    assert "sandbox/words" not in offered()
    assert not Model.objects.get(slug="sandbox/words").shipped


def test_a_model_past_its_date_is_not_offered(db, keyed):
    with time_machine.travel("2026-11-30T12:00Z", tick=False):
        assert "openai/gpt-image-1.5" in offered()
    with time_machine.travel("2026-12-01T00:00Z", tick=False):
        assert "openai/gpt-image-1.5" not in offered()


def test_the_day_that_a_provider_announces_counts_too(db, keyed):
    with time_machine.travel("2026-12-20T12:00Z", tick=False):
        lifecycle.ask_shutdown_dates()
        assert "openai/gpt-image-2" in offered()
    with time_machine.travel("2026-12-24T00:00Z", tick=False):
        assert "openai/gpt-image-2" not in offered()


def test_staff_are_warned_thirty_days_ahead(db, keyed):
    with time_machine.travel("2026-11-23T12:00Z", tick=False):
        lifecycle.warn()
        assert mail.outbox[0].body.splitlines() == [
            "openai/gpt-image-1.5 goes on 2026-12-01; successor: openai/gpt-image-2.5-flare.",
            "openai/gpt-5-mini goes on 2026-12-11; successor: openai/gpt-6-luna.",
        ]


def test_pika_is_opened_with_the_key_of_fal(db, settings):
    settings.PROVIDER_KEYS = {"fal": "id:secret"}
    assert "pika/2.2" in offered()


def test_of_two_models_at_the_same_credits_the_cheaper_one_is_taken(db, keyed):
    words = [model.slug for model in on_offer() if model.kind == "text"]
    assert words[0] == "openai/gpt-6-luna"
