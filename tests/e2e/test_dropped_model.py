"""A release drops a model that runs in flight still ask for: each of them ends, or goes on with another model."""

import dataclasses

import pytest

from credits import ledger
from credits.ledger import Balance
from providers import catalog, offer
from providers.base import ProviderError, Reason
from providers.models import SandboxJob
from tests.pipeline import STILL, finish, run, start
from workflows import pipeline
from workflows.document import status_document
from workflows.models import Attempt, Step, Workflow

FAST = {"resolution": "480p", "duration_seconds": 2, "seed": 7}


@pytest.fixture
def drop(monkeypatch):
    """Takes the model of a step out of the catalog, as the next release does; `instead` is what comes with it."""

    def release(step, instead=None):
        model = catalog.get(step.model)
        others = [known for known in catalog.MODELS if known != model]
        new = [dataclasses.replace(model, slug=instead)] if instead else []
        monkeypatch.setattr(catalog, "MODELS", (*others, *new))
        offer.sync()

    return release


def step_of(stage):
    return Step.objects.get(stage=stage)


def test_a_run_whose_next_model_is_gone_ends_and_takes_only_what_was_delivered(alice, drop):
    workflow = start(alice, "complete", "a fox", video_model="sandbox/motion", **FAST)
    drop(step_of("video"))
    workflow = finish(workflow)
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "retired", Balance(297, 0))
    assert [(step.stage, step.status, step.charged) for step in workflow.steps.all()] == [
        ("enhance", "succeeded", 1), ("image", "succeeded", 2), ("video", "failed", 0),
    ]  # fmt: skip
    last = Attempt.objects.get(step__stage="video")
    assert (last.endpoint, last.job_id, last.detail) == ("", "", "it is not in the catalog any more")


def test_its_owner_reads_why(client, alice, drop):
    workflow = start(alice, "complete", "a fox", video_model="sandbox/motion", **FAST)
    drop(step_of("video"))
    document = status_document(finish(workflow))
    assert document["error"]["message"] == "This model is no longer offered."
    client.force_login(alice)
    assert "This model is no longer offered." in client.get(workflow.get_absolute_url()).content.decode()


def test_a_run_whose_provider_is_gone_as_well_ends(alice, drop):
    workflow = start(alice, "complete", "a fox", **FAST)
    Step.objects.filter(stage="video").update(provider="gone", model="gone/one", automatic=False)
    assert (finish(workflow).reason, ledger.balance(alice)) == ("retired", Balance(297, 0))


def test_what_was_not_sent_yet_is_never_sent(alice, drop):
    workflow = start(alice, "image-only", "a fox", image_model="sandbox/still", **STILL)
    drop(step_of("image"))
    assert (finish(workflow).reason, SandboxJob.objects.count()) == ("retired", 0)
    assert ledger.balance(alice) == Balance(300, 0)


def test_another_goes_on_where_the_choice_was_left_to_us(alice, drop):
    workflow = start(alice, "complete", "a fox", **FAST)
    drop(step_of("video"), instead="sandbox/newer")
    assert (finish(workflow).status, step_of("video").model) == ("succeeded", "sandbox/newer")
    assert ledger.balance(alice) == Balance(295, 0)


def test_words_that_nobody_improves_any_more_are_the_users_own(alice, drop):
    workflow = start(alice, "image-only", "a fox", **FAST)
    drop(step_of("enhance"))
    assert (finish(workflow).status, ledger.balance(alice)) == ("succeeded", Balance(298, 0))


def test_in_a_restored_database_it_is_looked_up_first_and_ends(alice, drop, mishaps):
    workflow = start(alice, "image-only", "a fox", image_model="sandbox/still", **STILL)
    Attempt.objects.update(phase="submitting")
    drop(step_of("image"))
    assert finish(workflow).reason == "retired"
    assert (mishaps.calls["find"], mishaps.calls["submit"], ledger.balance(alice)) == (1, 0, Balance(300, 0))


def test_a_canceled_run_is_canceled_and_not_failed(alice, drop):
    workflow = start(alice, "image-only", "a fox", **STILL)
    drop(step_of("image"))
    assert (pipeline.cancel(workflow.pk).status, ledger.balance(alice)) == ("canceled", Balance(300, 0))


def failed(alice, mishaps):
    """A run that lacks its picture, of a model that we had chosen."""
    mishaps.put("submit", *[ProviderError(Reason.UNAVAILABLE, "down", sent=False)] * 6)
    return run(alice, "image-only", "a fox", **STILL)


def test_a_retry_goes_on_with_another_where_the_choice_was_left_to_us(alice, drop, mishaps):
    workflow = failed(alice, mishaps)
    drop(step_of("image"), instead="sandbox/newer")
    pipeline.retry(workflow.pk)
    assert (finish(workflow).status, step_of("image").model) == ("succeeded", "sandbox/newer")
    assert ledger.balance(alice) == Balance(298, 0)


def test_a_retry_without_another_is_refused_and_changes_nothing(alice, drop, mishaps):
    workflow = failed(alice, mishaps)
    drop(step_of("image"))
    with pytest.raises(pipeline.ModelGone):
        pipeline.retry(workflow.pk)
    assert (Workflow.objects.get().status, Attempt.objects.count()) == ("failed", 1)
    assert ledger.balance(alice) == Balance(300, 0)
