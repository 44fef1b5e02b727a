"""What was given up as lost and arrives after all: delivered, for nothing, once."""

import datetime

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from credits import ledger
from credits.ledger import Balance
from credits.policy import Outcome
from providers.adapters import sandbox
from providers.base import ProviderError, Reason
from providers.models import SandboxJob
from tests.pipeline import run
from workflows import late, pipeline, settlement
from workflows.document import status_document
from workflows.models import Asset, Attempt, Workflow

HALF_SENT = ProviderError(Reason.TIMED_OUT, "no answer", sent=True)
NOBODY_KNOWS = ProviderError(Reason.LOST, "no way to know")
STILL = {"enhance": False, "resolution": "480p", "seed": 7}


@pytest.fixture
def lost(alice, mishaps):
    """A run that was given up and paid back, while its picture was made all the same."""
    mishaps.put("answer to submit", HALF_SENT)
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    workflow = run(alice, "image-only", "a fox", **STILL)
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "lost", Balance(300, 0))
    return Attempt.objects.get()


def hear(attempt):
    pipeline.heard(attempt.pk, "sandbox", str(SandboxJob.objects.get().pk))


def test_it_is_delivered_for_nothing(alice, mishaps, lost):
    hear(lost)
    assert late.deliver_due() == 1
    workflow = Workflow.objects.get()
    document = status_document(workflow)
    assert (document["status"], document["error"]) == ("succeeded", None)
    assert document["result"]["image"]["id"] == str(Asset.objects.get().pk)
    assert document["credits"] == {"quoted": 2, "held": 0, "settled": 0, "refunded": 2}
    assert ledger.balance(alice) == Balance(300, 0)
    assert mishaps.calls["submit"] == 1


def test_it_is_on_the_record_as_late(lost):
    hear(lost)
    late.deliver_due()
    step = Workflow.objects.get().steps.get()
    assert settlement.outcome(step, [step]) == Outcome.LATE
    assert step.charged == 0
    last = Workflow.objects.get().transitions.order_by("-pk")[:3]
    assert {(one.stage, one.old, one.new, one.reason) for one in last} == {
        ("image", "failed", "succeeded", "lost"), ("", "failed", "succeeded", "lost"),
    }  # fmt: skip


def test_its_owner_sees_it_and_reads_that_it_was_late(client, alice, lost):
    hear(lost)
    late.deliver_due()
    client.force_login(alice)
    page = client.get(Workflow.objects.get().get_absolute_url()).content.decode()
    assert "It arrived after its credits were given back: you keep it, for nothing." in page
    assert Asset.objects.get().thumbnail_url in page
    assert "0 credits taken." in page


def test_a_run_whose_words_were_not_improved_is_whole_all_the_same(alice, mishaps):
    mishaps.put("submit", *[ProviderError(Reason.UNAVAILABLE, "down", sent=False)] * 6)
    mishaps.put("answer to submit", HALF_SENT)
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    run(alice, "image-only", "a fox", resolution="480p")
    attempt = Attempt.objects.get(step__stage="image")
    hear(attempt)
    late.deliver_due()
    assert (Workflow.objects.get().status, ledger.balance(alice)) == ("succeeded", Balance(300, 0))


def test_it_is_delivered_once(lost):
    hear(lost)
    late.deliver_due()
    hear(lost)
    assert late.deliver_due() == 0
    late.deliver(lost.pk)
    assert Asset.objects.count() == 1


def test_two_who_deliver_at_the_same_moment_leave_one_file(lost, mishaps):
    hear(lost)
    mishaps.put("download", lambda: late.deliver(lost.pk))
    late.deliver(lost.pk)
    with default_storage.open(Asset.objects.get().file) as file:
        assert file.read(4) == b"\x89PNG"


def test_a_job_that_nobody_named_is_not_looked_for(lost, mishaps):
    asked = mishaps.calls["fetch"]
    assert late.deliver_due() == 0
    assert mishaps.calls["fetch"] == asked


def test_after_a_day_nobody_looks_any_more(lost):
    hear(lost)
    Attempt.objects.update(finished=timezone.now() - datetime.timedelta(hours=24, seconds=1))
    assert late.deliver_due() == 0
    assert Workflow.objects.get().status == "failed"


def test_a_job_that_failed_late_is_not_looked_at_again(alice, lost):
    hear(lost)
    SandboxJob.objects.update(status="failed", failure="render_failed")
    assert late.deliver_due() == 1
    assert late.deliver_due() == 0
    assert (Attempt.objects.get().reason, Workflow.objects.get().reason) == ("unavailable", "lost")
    assert ledger.balance(alice) == Balance(300, 0)


def test_what_cannot_be_fetched_now_is_fetched_later(lost, mishaps):
    hear(lost)
    mishaps.put("fetch", ProviderError(Reason.UNAVAILABLE, "502"))
    mishaps.put("download", OSError(28, "No space left on device"))
    for expected in ("failed", "failed", "succeeded"):
        late.deliver_due()
        assert Workflow.objects.get().status == expected


def test_a_run_that_was_tried_again_keeps_what_that_made(alice, lost, mishaps):
    hear(lost)
    pipeline.retry(Workflow.objects.get().pk)
    assert late.deliver_due() == 0
    while sandbox.render_next():
        pass
    assert ledger.balance(alice).held == 2


def test_a_run_that_was_deleted_gets_nothing(lost):
    hear(lost)
    Workflow.objects.update(deleted=timezone.now())
    assert late.deliver_due() == 0
    assert Asset.objects.count() == 0
