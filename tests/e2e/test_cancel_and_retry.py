"""Stopping a run at every moment, and trying it again from where it broke."""

import pytest

from credits import ledger
from credits.ledger import Balance, InsufficientCredits
from providers.models import SandboxJob
from tests.pipeline import finish, run, start
from tests.problems import assert_problem
from workflows import pipeline
from workflows.document import money
from workflows.models import Attempt, Workflow

FAST = {"resolution": "480p", "duration_seconds": 2, "seed": 7}


def test_before_anything_was_submitted_it_stops_at_once(alice):
    workflow = pipeline.cancel(start(alice, "complete", "a fox", **FAST).pk)
    assert (workflow.status, ledger.balance(alice), SandboxJob.objects.count()) == ("canceled", Balance(300, 0), 0)
    assert {step.status for step in workflow.steps.all()} == {"canceled"}


def test_a_job_in_the_making_is_stopped_at_the_provider(alice):
    workflow = start(alice, "complete", "a fox", **FAST)
    pipeline.advance(workflow.pk)
    assert pipeline.cancel(workflow.pk).status == "canceled"
    assert (SandboxJob.objects.get().status, ledger.balance(alice)) == ("canceled", Balance(300, 0))


def test_what_was_delivered_before_is_kept_and_paid(alice):
    workflow = finish(start(alice, "complete", "a fox #sim:slow=3600@video", **FAST))
    assert pipeline.cancel(workflow.pk).status == "canceled"
    assert [step.charged for step in workflow.steps.all()] == [1, 2, 0]
    assert ledger.balance(alice) == Balance(297, 0)


def test_a_job_that_was_finished_first_is_delivered(alice):
    from providers.adapters import sandbox

    workflow = start(alice, "image-only", "a fox", resolution="480p")
    pipeline.advance(workflow.pk)
    sandbox.render_next()
    assert pipeline.cancel(workflow.pk).status == "running"  # whoever cancels does not wait for a file to be stored
    assert finish(workflow).status == "succeeded"
    assert ledger.balance(alice) == Balance(297, 0)


def test_canceling_while_a_submit_is_under_way_loses_no_job(alice, mishaps):
    workflow = start(alice, "image-only", "a fox", enhance=False, resolution="480p")
    mishaps.put("answer to submit", lambda: pipeline.cancel(workflow.pk))
    pipeline.advance(workflow.pk)
    assert Workflow.objects.get().status == "canceled"
    assert (Attempt.objects.get().job_id, SandboxJob.objects.get().status) == (
        str(SandboxJob.objects.get().pk),
        "canceled",
    )


def test_asking_twice_is_harmless(alice):
    workflow = start(alice, "complete", "a fox", **FAST)
    assert [pipeline.cancel(workflow.pk).status for _ in range(2)] == ["canceled", "canceled"]
    assert ledger.balance(alice) == Balance(300, 0)


def test_a_finished_run_stays_as_it_is(alice):
    workflow = run(alice, "image-only", "a fox", resolution="480p")
    assert pipeline.cancel(workflow.pk).status == "succeeded"
    assert ledger.balance(alice) == Balance(297, 0)


def test_a_retry_goes_on_from_the_failed_step_and_pays_only_for_the_rest(alice):
    workflow = run(alice, "complete", "a fox #sim:fail@video", **FAST)
    SandboxJob.objects.all().delete()
    Attempt.objects.update(prompt="a fox")
    workflow.steps.filter(stage="enhance").update(text="a fox")
    pipeline.retry(workflow.pk)
    assert ledger.balance(alice) == Balance(balance=297, held=2)
    assert finish(workflow).status == "succeeded"
    assert (ledger.balance(alice), SandboxJob.objects.count()) == (Balance(295, 0), 1)


def test_after_a_retry_the_receipt_adds_up(alice):
    workflow = run(alice, "complete", "a fox #sim:fail@video", **FAST)
    pipeline.retry(workflow.pk)
    finish(workflow)
    assert money(workflow) == {"quoted": 5, "held": 0, "settled": 3, "refunded": 4}


def test_the_attempts_of_a_step_are_counted_on(alice):
    workflow = run(alice, "image-only", "a fox #sim:fail", enhance=False, resolution="480p")
    pipeline.retry(workflow.pk)
    finish(workflow)
    assert [(attempt.number, attempt.status) for attempt in Attempt.objects.order_by("number")] == [
        (1, "failed"),
        (2, "failed"),
    ]


def test_a_retry_that_cannot_be_paid_changes_nothing(alice):
    workflow = run(alice, "image-only", "a fox #sim:fail", resolution="480p")
    ledger.adjust(alice, -300, key="poor", reason="test")
    with pytest.raises(InsufficientCredits):
        pipeline.retry(workflow.pk)
    workflow.refresh_from_db()
    assert (workflow.status, ledger.balance(alice), Attempt.objects.count()) == ("failed", Balance(0, 0), 2)


def test_a_run_whose_model_is_no_longer_shipped_is_refused_with_a_sentence(client, alice):
    client.force_login(alice)
    workflow = run(alice, "image-only", "a fox #sim:fail", resolution="480p")
    workflow.steps.filter(stage="image").update(model="sandbox/gone")
    said = client.post(f"/workflows/{workflow.pk}/retry/", follow=True).content.decode()
    assert "The model sandbox/gone is no longer there. Start a new run with another one." in said
    assert_problem(client.post(f"/api/workflow/retry/{workflow.pk}"), 409, "model_gone")
    workflow.refresh_from_db()
    assert (workflow.status, ledger.balance(alice), Attempt.objects.count()) == ("failed", Balance(300, 0), 2)


@pytest.mark.parametrize("prompt", ["a fox", "a fox #sim:slow=3600"])
def test_only_what_failed_or_was_canceled_can_be_tried_again(alice, prompt):
    workflow = run(alice, "image-only", prompt, resolution="480p")
    with pytest.raises(pipeline.NotRetryable):
        pipeline.retry(workflow.pk)
