"""Providers that talk nonsense: clocks that are off, times that never come, statuses that go backwards, ids twice."""

import datetime
import math

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from credits import ledger
from credits.ledger import Balance
from providers.base import Job, ProviderError, Reason
from providers.base import Status as JobStatus
from providers.models import SandboxJob
from tests.e2e.test_simulated_providers import assert_exact
from tests.e2e.test_simulated_providers import finish as finish_all
from tests.e2e.test_simulated_providers import start as start_at
from tests.pipeline import STILL, finish, render, start
from workflows import pipeline
from workflows.models import Asset, Attempt, Transition, Workflow


def look(workflow):
    Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
    pipeline.advance(workflow.pk)
    return Attempt.objects.get(step__workflow=workflow)


def seconds_until(moment):
    return round((moment - timezone.now()) / datetime.timedelta(seconds=1))


# --- Times


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 1), (7, 7), (-5, 1), (-1e30, 1), (0, 1), (86_400, 900), (1e30, 900), (math.inf, 900), (math.nan, 1)],
)
@pytest.mark.parametrize("operation", ["submit", "fetch"])
def test_when_a_busy_provider_is_asked_again(alice, mishaps, operation, asked, seconds):
    workflow = start(alice, "image-only", "a fox", **STILL)
    if operation == "fetch":
        pipeline.advance(workflow.pk)
    mishaps.put(operation, ProviderError(Reason.RATE_LIMITED, "429", sent=False, retry_after=asked))
    assert seconds_until(look(workflow).next_check_at) == seconds
    assert (finish(workflow).status, SandboxJob.objects.count()) == ("succeeded", 1)


def test_nobody_is_made_to_wait_beyond_the_deadline(alice, mishaps):
    workflow = start(alice, "image-only", "a fox", **STILL)
    Workflow.objects.update(deadline=Now() + datetime.timedelta(seconds=100))
    mishaps.put("submit", ProviderError(Reason.RATE_LIMITED, "429", sent=False, retry_after=86_400))
    assert seconds_until(look(workflow).next_check_at) == 100


# --- Statuses


def telling(monkeypatch, mishaps, *statuses):
    """Let the provider say these, one after the other, and then the truth."""
    fetch, line = mishaps.fetch, list(statuses)

    def told(job, **key):
        return Job(job.id, line.pop(0)) if line else fetch(job, **key)

    monkeypatch.setattr(mishaps, "fetch", told)


def test_statuses_that_go_backwards_are_written_down_and_waited_out(alice, mishaps, rendering, monkeypatch):
    telling(monkeypatch, mishaps, JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.UNKNOWN)
    render()
    seen = [look(rendering).status for _ in range(4)]
    assert seen == ["running", "queued", "running", "running"]
    assert (finish(rendering).status, mishaps.calls["submit"]) == ("succeeded", 1)
    assert ledger.balance(alice) == Balance(298, 0)


def test_a_job_that_was_made_and_runs_again_is_waited_for(alice, mishaps, rendering, monkeypatch):
    render()
    mishaps.put("download", *[ProviderError(Reason.LOST, "410")] * 2)
    fetch = mishaps.fetch
    answers = iter([fetch, _running, _running])

    def told(job, **key):
        return next(answers, fetch)(job, **key)

    monkeypatch.setattr(mishaps, "fetch", told)
    first, second = look(rendering), look(rendering)
    assert (first.phase, first.detail) == ("store", "the job was done, and is running now")
    assert (second.phase, second.tries) == ("store", 2)
    assert (finish(rendering).status, mishaps.calls["submit"], Asset.objects.count()) == ("succeeded", 1, 1)
    assert ledger.balance(alice) == Balance(298, 0)


def _running(job, **key):
    return Job(job.id, JobStatus.RUNNING)


def test_a_job_that_failed_stays_failed_whatever_is_said_later(alice, mishaps, rendering, monkeypatch):
    telling(monkeypatch, mishaps, JobStatus.FAILED)
    look(rendering)
    moves = Transition.objects.count()
    pipeline.heard(Attempt.objects.get().pk, "sandbox", str(SandboxJob.objects.get().pk))
    assert finish(rendering).status == "failed"
    assert (Transition.objects.count(), ledger.balance(alice)) == (moves, Balance(300, 0))


# --- Ids


def test_a_job_id_given_to_two_attempts_belongs_to_the_first_and_nobody_pays_twice(alice, bob, mishaps, monkeypatch):
    first, second = (start(user, "image-only", "a fox", **STILL) for user in (alice, bob))
    pipeline.advance(first.pk)
    same = Job(str(SandboxJob.objects.get().pk), JobStatus.QUEUED)
    monkeypatch.setattr(mishaps, "submit", lambda request, **key: same)
    mishaps.put("find", *[ProviderError(Reason.LOST, "no way to know")] * 9)
    pipeline.advance(second.pk)
    second.refresh_from_db()
    assert (second.status, second.reason, Attempt.objects.get(step__workflow=second).job_id) == ("failed", "lost", "")
    assert (finish(first).status, ledger.balance(alice), ledger.balance(bob)) == (
        "succeeded", Balance(298, 0), Balance(300, 0),
    )  # fmt: skip
    assert Asset.objects.get().user == alice


# --- Clocks of providers, over HTTP


@pytest.mark.parametrize("fault", ["goes_backwards", "odd_status", "rate_limited_absurd", "rate_limited_negative"])
@pytest.mark.parametrize("provider", ["fal", "runway", "google"])
def test_nonsense_over_http_is_lived_with(outside, dora, provider, fault):
    where = "*" if fault.startswith("rate") else f"{provider}.submit"
    outside.faults({"fault": fault, "operation": where, "times": 2})
    workflow = start_at(dora, provider, 1)
    finish_all()
    workflow.refresh_from_db()
    assert (workflow.status, outside.books()["doubles"]) == ("succeeded", [])
    assert_exact(dora)


def test_a_providers_clock_that_is_hours_ahead_moves_no_deadline_of_ours(outside, dora):
    workflow = start_at(dora, "runway", 1)
    deadline = Workflow.objects.get().deadline
    pipeline.advance(workflow.pk)
    outside.advance(5 * 3600)
    finish_all()
    workflow.refresh_from_db()
    assert (workflow.status, workflow.deadline) == ("succeeded", deadline)
    assert Attempt.objects.order_by("-submitted").first().submitted <= timezone.now()
