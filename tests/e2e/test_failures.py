"""What goes wrong outside, and what becomes of the run, its files and its credits."""

import pytest
from django.core.files.storage import default_storage

from credits import ledger
from credits.ledger import Balance
from providers.base import Job, ProviderError, Reason
from providers.base import Status as JobStatus
from providers.models import SandboxJob
from tests.pipeline import finish, run, start
from workflows import pipeline
from workflows.document import status_document
from workflows.models import Asset, Attempt, Workflow

FAST = {"resolution": "480p", "duration_seconds": 2, "seed": 7}
BUSY = ProviderError(Reason.RATE_LIMITED, "429", sent=False)
DOWN = ProviderError(Reason.UNAVAILABLE, "connection refused", sent=False)
HALF_SENT = ProviderError(Reason.TIMED_OUT, "no answer", sent=True)


def steps(workflow):
    return [(step.stage, step.status, step.charged) for step in workflow.steps.all()]


def test_a_failed_render_gives_its_credits_back_and_keeps_what_was_made(alice):
    workflow = run(alice, "complete", "a fox #sim:fail@video", **FAST)
    assert (workflow.status, workflow.reason) == ("failed", "unavailable")
    assert steps(workflow) == [("enhance", "succeeded", 1), ("image", "succeeded", 2), ("video", "failed", 0)]
    assert ledger.balance(alice) == Balance(297, 0)


def test_words_alone_cost_nothing(alice):
    workflow = run(alice, "complete", "a fox #sim:fail", **FAST)
    assert steps(workflow) == [("enhance", "succeeded", 0), ("image", "failed", 0), ("video", "canceled", 0)]
    assert ledger.balance(alice) == Balance(300, 0)


def test_a_declined_prompt_is_told_as_such_and_costs_nothing(alice):
    workflow = run(alice, "image-only", "a fox #sim:moderation", resolution="480p")
    assert status_document(workflow)["error"]["code"] == "content_policy"
    assert (ledger.balance(alice), SandboxJob.objects.count()) == (Balance(300, 0), 0)


def test_a_file_that_does_not_open_is_no_success(alice):
    workflow = run(alice, "image-only", "a fox #sim:badfile", resolution="480p")
    assert (workflow.status, workflow.reason) == ("failed", "bad_output")
    assert (Asset.objects.count(), ledger.balance(alice)) == (0, Balance(300, 0))
    assert not default_storage.exists("made")


def test_a_slow_render_is_waited_for(alice):
    workflow = start(alice, "image-only", "a fox #sim:slow=3600", resolution="480p")
    assert finish(workflow).status == "running"
    SandboxJob.objects.update(created="2026-01-01T00:00Z")
    assert finish(workflow).status == "succeeded"


@pytest.mark.parametrize("mishap", [BUSY, DOWN])
def test_a_submit_that_never_arrived_is_made_again(alice, mishaps, mishap):
    mishaps.put("submit", mishap, mishap)
    assert run(alice, "image-only", "a fox", enhance=False, resolution="480p").status == "succeeded"
    assert (mishaps.calls["submit"], SandboxJob.objects.count(), Attempt.objects.count()) == (3, 1, 1)


def test_a_submit_whose_answer_is_lost_is_looked_up_and_never_repeated(alice, mishaps):
    mishaps.put("answer to submit", HALF_SENT)
    assert run(alice, "image-only", "a fox", enhance=False, resolution="480p").status == "succeeded"
    assert (mishaps.calls["submit"], mishaps.calls["find"], SandboxJob.objects.count()) == (1, 1, 1)


def test_a_submit_that_surely_was_not_accepted_is_made_again(alice, mishaps):
    mishaps.put("submit", HALF_SENT)
    assert run(alice, "image-only", "a fox", enhance=False, resolution="480p").status == "succeeded"
    assert (mishaps.calls["submit"], mishaps.calls["find"], SandboxJob.objects.count()) == (2, 1, 1)


def test_a_submit_that_nobody_can_look_up_fails_and_is_given_back(alice, mishaps):
    lost = ProviderError(Reason.LOST, "no way to know")
    mishaps.put("answer to submit", HALF_SENT)
    mishaps.put("find", *[lost] * 9)
    workflow = run(alice, "image-only", "a fox", enhance=False, resolution="480p")
    assert (workflow.status, workflow.reason, mishaps.calls["submit"]) == ("failed", "lost", 1)
    assert ledger.balance(alice) == Balance(300, 0)


def test_a_worker_that_dies_in_a_submit_is_followed_by_a_look_up(alice, mishaps):
    mishaps.put("answer to submit", _die)
    workflow = start(alice, "image-only", "a fox", enhance=False, resolution="480p")
    with pytest.raises(KeyboardInterrupt):
        pipeline.advance(workflow.pk)
    assert Attempt.objects.get().phase == "submitting"
    assert (finish(workflow).status, mishaps.calls["submit"], SandboxJob.objects.count()) == ("succeeded", 1, 1)
    assert ledger.balance(alice) == Balance(298, 0)


def test_a_mistake_in_an_adapter_is_taken_for_an_unknown_outcome(alice, mishaps):
    mishaps.put("answer to submit", KeyError("no such field"))
    assert run(alice, "image-only", "a fox", enhance=False, resolution="480p").status == "succeeded"
    assert (mishaps.calls["submit"], mishaps.calls["find"]) == (1, 1)


def test_polls_that_fail_make_no_new_job(alice, mishaps):
    mishaps.put("fetch", *[ProviderError(Reason.UNAVAILABLE, "502")] * 5)
    assert run(alice, "image-only", "a fox", enhance=False, resolution="480p").status == "succeeded"
    assert (mishaps.calls["submit"], mishaps.calls["fetch"]) == (1, 6)


def test_downloads_that_fail_make_no_new_job(alice, mishaps):
    mishaps.put("download", ProviderError(Reason.UNAVAILABLE, "reset"), OSError(28, "No space left on device"))
    assert run(alice, "image-only", "a fox", enhance=False, resolution="480p").status == "succeeded"
    assert (mishaps.calls["submit"], mishaps.calls["download"], SandboxJob.objects.count()) == (1, 3, 1)


def test_an_answer_that_comes_after_another_claim_names_its_job_and_changes_nothing_else(alice, mishaps):
    workflow = start(alice, "image-only", "a fox", enhance=False, resolution="480p")

    def somebody_else_claims():
        Attempt.objects.update(fence=99)

    mishaps.put("answer to submit", somebody_else_claims)
    pipeline.advance(workflow.pk)
    assert (Attempt.objects.get().job_id, Attempt.objects.get().phase) == (str(SandboxJob.objects.get().pk), "fetch")
    assert (finish(workflow).status, SandboxJob.objects.count()) == ("succeeded", 1)


def test_a_run_past_its_deadline_ends_and_is_given_back(alice):
    workflow = start(alice, "image-only", "a fox #sim:slow=3600", resolution="480p")
    finish(workflow)
    Workflow.objects.update(deadline="2026-01-01T00:00Z")
    workflow = finish(workflow)
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "timed_out", Balance(300, 0))


def test_the_providers_own_text_is_not_for_users(alice):
    workflow = run(alice, "image-only", "a fox #sim:moderation", resolution="480p")
    assert Attempt.objects.last().detail == "declined by #sim:moderation"
    assert "declined by" not in str(status_document(workflow))


def test_staff_can_end_a_stuck_run_and_give_its_credits_back(alice):
    workflow = start(alice, "image-only", "a fox #sim:slow=3600", resolution="480p")
    finish(workflow)
    assert pipeline.fail(workflow.pk, detail="stuck, ended by sam").status == "failed"
    assert (ledger.balance(alice), Attempt.objects.last().detail) == (Balance(300, 0), "stuck, ended by sam")


def _die():
    raise KeyboardInterrupt


def test_a_job_id_given_to_two_attempts_is_believed_once(alice, mishaps, monkeypatch):
    first, second = (start(alice, "image-only", "a fox", enhance=False, resolution="480p") for _ in range(2))
    pipeline.advance(first.pk)
    answer = Job(str(SandboxJob.objects.get().pk), JobStatus.QUEUED)
    monkeypatch.setattr(mishaps, "submit", lambda request, **key: answer)
    pipeline.advance(second.pk)
    second.refresh_from_db()
    assert (second.status, second.reason, Attempt.objects.get(step__workflow=second).job_id) == ("failed", "lost", "")
    assert (finish(first).status, ledger.balance(alice)) == ("succeeded", Balance(298, 0))


def test_when_the_words_cannot_be_improved_the_users_own_are_used_and_cost_nothing(alice, mishaps):
    mishaps.put("submit", *[DOWN] * 6)
    workflow = run(alice, "image-only", "a fox", resolution="480p")
    assert (workflow.status, steps(workflow)) == ("succeeded", [("enhance", "failed", 0), ("image", "succeeded", 2)])
    assert (Attempt.objects.get(step__stage="image").prompt, ledger.balance(alice)) == ("a fox", Balance(298, 0))


def test_words_that_the_provider_declines_end_the_run(alice, mishaps):
    mishaps.put("submit", ProviderError(Reason.CONTENT_POLICY, "declined", sent=False))
    workflow = run(alice, "image-only", "a fox", resolution="480p")
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "content_policy", Balance(300, 0))


def test_a_retry_does_not_go_back_before_what_was_made(alice, mishaps):
    mishaps.put("submit", *[DOWN] * 6)
    workflow = run(alice, "complete", "a fox #sim:fail@video", **FAST)
    assert steps(workflow) == [("enhance", "failed", 0), ("image", "succeeded", 2), ("video", "failed", 0)]
    pipeline.retry(workflow.pk)
    assert ledger.balance(alice) == Balance(balance=298, held=2)
    assert [step.status for step in workflow.steps.all()] == ["failed", "succeeded", "pending"]


def test_a_run_whose_time_is_over_while_its_words_are_improved_ends(alice, mishaps):
    mishaps.put("submit", DOWN)
    workflow = start(alice, "image-only", "a fox", resolution="480p")
    pipeline.advance(workflow.pk)
    Workflow.objects.update(deadline="2026-01-01T00:00Z")
    workflow = finish(workflow)
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "timed_out", Balance(300, 0))


def test_staff_end_a_run_while_its_words_are_improved(alice):
    workflow = start(alice, "image-only", "a fox", resolution="480p")
    assert pipeline.fail(workflow.pk, detail="ended by sam").status == "failed"
    assert not Attempt.objects.filter(next_check_at__isnull=False).exists()


def test_unusable_words_are_replaced_by_the_users_own(alice, mishaps, monkeypatch):
    monkeypatch.setattr(mishaps, "submit", _with_unusable_words(mishaps.submit))
    workflow = run(alice, "image-only", "a fox", resolution="480p")
    assert (workflow.status, steps(workflow)[0]) == ("succeeded", ("enhance", "failed", 0))
    assert workflow.steps.first().reason == "bad_output"


def _with_unusable_words(submit):
    def answer(request, **key):
        return Job("w", JobStatus.SUCCEEDED) if request.kind == "text" else submit(request, **key)

    return answer
