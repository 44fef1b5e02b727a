"""The breaker, the budget of a test run, and the model that takes over: who is called next, and who is told."""

import datetime

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from credits import ledger
from credits.ledger import Balance
from providers import budget, gateway, health
from providers.adapters.sandbox import SandboxAdapter
from providers.base import Job, ProviderError, Reason, Status
from providers.models import Model, ProviderCall, ProviderHealth
from providers.offer import on_offer
from tests.pipeline import advance_due, run, start
from workflows import pipeline
from workflows.document import status_document
from workflows.models import Attempt, Workflow

FAST = {"resolution": "720p", "enhance": False, "seed": 7}
DOWN = ProviderError(Reason.UNAVAILABLE, "503", sent=False)
BROKE = ProviderError(Reason.OUT_OF_QUOTA, "exhausted balance", sent=False)


class Stub(SandboxAdapter):
    """Somebody else's provider: fails as told, and draws with the sandbox when not."""

    needs_key = True

    def __init__(self, slug, error=None, verdict=None):
        self.slug, self.error, self.verdict, self.submits = slug, error, verdict, 0

    def submit(self, request, *, token):
        self.submits += 1
        if self.error:
            raise self.error
        return super().submit(request, token=token)

    def fetch(self, job, *, token):
        return self.verdict or super().fetch(job, token=token)


@pytest.fixture(autouse=True)
def plenty(settings):
    """Two image providers beside the sandbox, with keys and with money for the run."""
    settings.PROVIDER_KEYS = {"openai": "sk-" + "x" * 20}
    settings.MAX_TEST_CREDITS_PER_RUN = 1000
    settings.ADMINS = [("staff", "staff@example.org")]
    budget.reset()
    yield
    budget.reset()


@pytest.fixture
def openai(monkeypatch):
    stub = Stub("openai")
    monkeypatch.setitem(gateway.ADAPTERS, "openai", stub)
    return stub


def models(**options):
    return [line.model for line in pipeline.quote("image-only", "a fox", FAST | options).lines]


def test_a_key_is_all_that_separates_the_sandbox_from_the_real_thing(db, settings, openai):
    assert models() == ["openai/gpt-image-2.5-flare"]
    settings.PROVIDER_KEYS = {}
    assert models() == ["sandbox/still"]


def test_a_model_that_staff_switched_off_is_not_offered(db, openai):
    Model.objects.filter(slug="openai/gpt-image-2.5-flare").update(enabled=False)
    assert models() == ["openai/gpt-image-2"]


def test_staffs_price_counts(db, openai):
    Model.objects.filter(slug="openai/gpt-image-2.5-flare").update(price_override={"job": 1})
    assert [line.credits for line in pipeline.quote("image-only", "a fox", FAST).lines] == [1]


def test_an_alias_resolves_to_a_live_model(db, openai):
    assert models(image_model="dall-e-3") == ["openai/gpt-image-2.5-flare"]


def test_five_failures_in_a_row_take_a_provider_out_for_a_minute(db, openai):
    for _ in range(4):
        health.went_wrong("openai", DOWN)
    assert "openai" in {model.provider for model in on_offer()}
    health.went_wrong("openai", DOWN)
    assert {model.provider for model in on_offer()} == {"sandbox"}
    row = ProviderHealth.objects.get()
    assert datetime.timedelta(seconds=30) < row.open_until - timezone.now() < datetime.timedelta(seconds=90)


def test_a_success_starts_the_count_anew(db):
    for _ in range(4):
        health.went_wrong("openai", DOWN)
    health.went_well("openai")
    assert (ProviderHealth.objects.get().failures, ProviderHealth.objects.get().reason) == (0, "")


def test_of_successes_within_a_second_one_asks_the_database(db, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(health, "_well", {})
    with django_assert_num_queries(1):
        for _ in range(3):
            health.went_well("openai")
    monkeypatch.setattr(health, "TRUSTED", 0.0)
    with django_assert_num_queries(1):
        health.went_well("openai")


def test_a_success_after_a_failure_counts_however_soon_it_comes(db):
    health.went_well("openai")
    health.went_wrong("openai", DOWN)
    health.went_well("openai")
    assert ProviderHealth.objects.get().failures == 0


def test_an_account_without_money_takes_the_provider_out_at_once_and_tells_staff_once(db):
    for _ in range(3):
        health.went_wrong("openai", BROKE)
    assert "openai" not in {model.provider for model in on_offer()}
    assert [message.subject for message in mail.outbox] == ["[Django] openai: out_of_quota"]


def test_a_mail_server_that_hangs_is_not_waited_for_for_long(db, monkeypatch):
    asked = {}
    monkeypatch.setattr(health, "get_connection", lambda **given: asked.update(given) or mail.get_connection())
    health.went_wrong("openai", BROKE)
    assert (asked["timeout"], len(mail.outbox)) == (10, 1)


def test_what_the_user_did_wrong_is_not_held_against_a_provider(db):
    health.went_wrong("openai", ProviderError(Reason.CONTENT_POLICY, "no"))
    assert not ProviderHealth.objects.exists()


def test_a_run_does_not_spend_more_than_it_may(alice, settings, openai):
    settings.MAX_TEST_CREDITS_PER_RUN = 3
    first, second = (run(alice, "image-only", "a fox", **FAST) for _ in range(2))
    assert (first.status, second.status, second.reason) == ("succeeded", "failed", "out_of_quota")
    assert (openai.submits, budget.spent(), ledger.balance(alice)) == (1, 2, Balance(298, 0))


def test_another_model_takes_over_when_it_is_proven_that_the_first_will_not(alice, openai):
    ledger.grant(alice, 100, key="more", reason="test")
    openai.verdict = Job("x", Status.FAILED, reason=Reason.UNAVAILABLE, detail="capacity")
    workflow = start(alice, "image-only", "a fox", **FAST, image_model="auto")
    workflow.steps.update(price=50)
    pipeline.advance(workflow.pk)
    Attempt.objects.update(next_check_at="2026-01-01T00:00Z")
    pipeline.advance(workflow.pk)
    tried = list(Attempt.objects.order_by("number").values_list("model", "status"))
    assert tried == [("openai/gpt-image-2.5-flare", "failed"), ("openai/gpt-image-2", "queued")]


def test_nobody_takes_over_at_a_higher_price(alice, openai):
    openai.error = ProviderError(Reason.RETIRED, "gone", sent=False)
    workflow = run(alice, "image-only", "a fox", **FAST)
    assert (workflow.status, openai.submits, Attempt.objects.count()) == ("failed", 1, 1)
    assert ledger.balance(alice) == Balance(300, 0)


def test_nobody_takes_over_for_a_model_that_was_asked_for_by_name(alice, openai):
    openai.error = ProviderError(Reason.RETIRED, "gone", sent=False)
    run(alice, "image-only", "a fox", **FAST, image_model="openai/gpt-image-2")
    assert Attempt.objects.count() == 1


def test_nobody_takes_over_while_it_is_unknown_what_became_of_a_submit(alice, openai):
    openai.error = ProviderError(Reason.TIMED_OUT, "no answer", sent=True)
    start(alice, "image-only", "a fox", **FAST)
    advance_due()
    assert (openai.submits, Attempt.objects.get().phase) == (1, "submitting")


def test_the_sandbox_does_not_take_over_for_what_was_sold_as_the_real_thing(alice, openai):
    openai.error = BROKE
    run(alice, "image-only", "a fox", **FAST)
    assert not Attempt.objects.filter(provider="sandbox").exists()
    assert not ProviderCall.objects.exists()


def test_more_than_a_key_may_run_wait_here_and_know_their_place(alice, openai, settings):
    settings.PROVIDER_CONCURRENCY = {"openai": 1}
    runs = [start(alice, "image-only", "a fox", **FAST) for _ in range(3)]
    for workflow in runs:
        pipeline.advance(workflow.pk)
    assert openai.submits == 1
    assert [status_document(workflow)["steps"][0]["position"] for workflow in runs] == [None, 1, 2]


def test_who_waits_in_line_can_be_stopped_for_nothing(alice, openai, settings):
    settings.PROVIDER_CONCURRENCY = {"openai": 1}
    runs = [start(alice, "image-only", "a fox", **FAST) for _ in range(2)]
    for workflow in runs:
        pipeline.advance(workflow.pk)
    assert pipeline.cancel(runs[1].pk).status == "canceled"
    assert (openai.submits, ledger.balance(alice)) == (1, Balance(300, 2))


def test_a_model_whose_day_has_passed_since_is_not_called(alice, openai):
    with time_machine.travel("2026-11-30T23:59Z", tick=False):
        workflow = start(alice, "image-only", "a fox", **FAST, aspect_ratio="1:1", image_model="openai/gpt-image-1.5")
    Workflow.objects.update(deadline="2026-12-02T00:00Z")
    with time_machine.travel("2026-12-01T00:01Z", tick=False):
        pipeline.advance(workflow.pk)
    workflow.refresh_from_db()
    assert (workflow.status, workflow.reason, openai.submits) == ("failed", "retired", 0)
    assert ledger.balance(alice) == Balance(300, 0)


def test_another_takes_over_from_a_model_whose_day_has_passed_since(alice, openai):
    with time_machine.travel("2026-11-30T23:59Z", tick=False):
        workflow = start(alice, "image-only", "a fox", **FAST, aspect_ratio="1:1")
        workflow.steps.update(model="openai/gpt-image-1.5")
        Attempt.objects.update(model="openai/gpt-image-1.5")
    Workflow.objects.update(deadline="2026-12-02T00:00Z")
    with time_machine.travel("2026-12-01T00:01Z", tick=False):
        pipeline.advance(workflow.pk)
    assert [attempt.model for attempt in Attempt.objects.order_by("number")][1] == "openai/gpt-image-2.5-flare"
    assert openai.submits == 1
