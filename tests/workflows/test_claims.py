"""A claim is a lease and a fence number: one has it, and whoever lost it changes nothing."""

import datetime
import threading
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from credits import ledger
from credits.ledger import Balance
from credits.models import Entry
from providers.adapters import ADAPTERS
from providers.base import Adapter
from providers.models import SandboxJob
from tests.factories import UserFactory
from tests.pipeline import finish, start
from workflows import alarms, calls, claims, pipeline, restored, workers
from workflows.models import Attempt, Worker, Workflow

FAST = {"resolution": "480p", "seed": 7, "enhance": False}
PASSED = datetime.timedelta(days=1)


def waiting(user, number=1):
    return [start(user, "image-only", "a fox", **FAST) for _ in range(number)]


def let_leases_run_out():
    Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now() - PASSED)


def die_with(attempt):
    """A worker claims, and nobody ever hears of it again."""
    assert claims.take(1, workflow_id=attempt.step.workflow_id)
    let_leases_run_out()


def test_a_claim_takes_a_lease_and_raises_the_number(alice):
    waiting(alice)
    (claimed,) = claims.take(5)
    assert (claimed.fence, claimed.unanswered) == (1, 1)
    assert claimed.next_check_at - claimed.now > datetime.timedelta(seconds=300)
    assert claims.take(5) == []


def test_a_lease_is_as_long_as_the_slowest_call_of_its_phase(alice):
    seconds = {phase: claims.lease(phase).total_seconds() for phase in ("submit", "submitting", "fetch", "store")}
    assert seconds == {"submit": 340, "submitting": 310, "fetch": 310, "store": 340}


def test_what_is_not_due_is_not_claimed(alice):
    waiting(alice)
    Attempt.objects.update(next_check_at=Now() + PASSED)
    assert claims.take(5) == []
    assert Attempt.objects.get().fence == 0


def test_only_the_phases_that_were_asked_for_are_claimed(alice):
    waiting(alice)
    assert claims.take(5, claims.IN_FLIGHT) == []
    assert len(claims.take(5, [Attempt.Phase.SUBMIT])) == 1


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_row_that_another_has_locked():
    locked, free = waiting(UserFactory(), 2)
    taken = []
    with transaction.atomic():
        Attempt.objects.select_for_update().get(step__workflow=locked)
        other = threading.Thread(target=_take_all, args=(taken,))
        other.start()
        other.join()
    assert taken == [free.pk]


def _take_all(taken):
    try:
        taken += [attempt.step.workflow_id for attempt in claims.take(5)]
    finally:
        connection.close()


def test_a_stale_write_changes_nothing(alice):
    waiting(alice)
    (mine,) = claims.take(1)
    die_with_another = Attempt.objects.filter(pk=mine.pk)
    die_with_another.update(fence=mine.fence + 1)
    mine.detail = "too late"
    with pytest.raises(claims.Stale):
        claims.write(mine)
    assert Attempt.objects.get().detail == ""


def test_a_paused_worker_that_wakes_up_late_changes_nothing_and_pays_nothing(alice):
    (workflow,) = waiting(alice)
    (mine,) = claims.take(1)
    call = pipeline.call_for(mine)
    assert isinstance(call, calls.Submit)
    let_leases_run_out()
    assert finish(workflow).status == "succeeded"  # the other one looked it up, and submitted it
    before = (Attempt.objects.values().get(), ledger.balance(alice), Entry.objects.count())
    late = call()
    assert pipeline._record(call, late) is None
    assert (Attempt.objects.values().get(), ledger.balance(alice), Entry.objects.count()) == before


def test_a_submit_that_was_held_up_is_not_sent_by_the_time_somebody_else_may_have_it(alice, monkeypatch):
    (workflow,) = waiting(alice)
    call = pipeline.call_for(claims.take(1)[0])
    monkeypatch.setattr("workflows.calls.time.monotonic", lambda: call._latest() + 1)
    assert pipeline._record(call, call()) is None
    assert (SandboxJob.objects.count(), Attempt.objects.get().phase) == (0, "submit")
    monkeypatch.undo()
    assert finish(workflow).status == "succeeded"


def test_an_answer_that_comes_too_late_still_names_a_job_that_nobody_knows(alice, monkeypatch):
    (workflow,) = waiting(alice)
    call = pipeline.call_for(claims.take(1)[0])
    answer = call()
    let_leases_run_out()
    monkeypatch.setattr(ADAPTERS["sandbox"], "find", partial(Adapter.find, ADAPTERS["sandbox"]))
    pipeline.advance(workflow.pk)  # somebody else asks, and is told that nobody knows
    assert Attempt.objects.get().phase == "submitting"
    pipeline._record(call, answer)
    assert (Attempt.objects.get().phase, Attempt.objects.get().job_id) == ("fetch", answer.id)
    assert finish(workflow).status == "succeeded"
    assert (SandboxJob.objects.count(), Attempt.objects.count()) == (1, 1)


def test_what_follows_an_answer_is_in_doubt_when_the_run_came_to_be_so_meanwhile(alice, monkeypatch):
    monkeypatch.setattr(restored, "_FREE", ())
    start(alice, "image-only", "a fox", **FAST | {"enhance": True})
    call = pipeline.call_for(claims.take(1)[0])
    answer = call()
    restored.doubt_all()
    assert isinstance(pipeline._record(call, answer), calls.Find)


def test_the_last_look_comes_no_later_than_the_deadline(alice):
    (workflow,) = waiting(alice)
    pipeline.advance(workflow.pk)
    Attempt.objects.update(next_check_at=Now(), submitted=Now() - datetime.timedelta(hours=2))
    Workflow.objects.update(deadline=Now() + datetime.timedelta(seconds=20))
    pipeline.advance(workflow.pk)
    attempt = Attempt.objects.select_related("step__workflow").get()
    assert attempt.looks == 1
    assert attempt.next_check_at - attempt.step.workflow.deadline < datetime.timedelta(seconds=1)


def test_a_look_that_comes_back_after_another_claim_is_set_aside(alice):
    (workflow,) = waiting(alice)
    pipeline.advance(workflow.pk)
    let_leases_run_out()
    (mine,) = claims.take(1)
    let_leases_run_out()
    (other,) = claims.take(1)
    pipeline._record(calls.Fetch(mine), calls.Fetch(mine)())
    attempt = Attempt.objects.get()
    assert (attempt.fence, attempt.looks, attempt.next_check_at) == (other.fence, 0, other.next_check_at)


def test_an_attempt_that_three_workers_died_of_is_put_in_quarantine(alice):
    (workflow,) = waiting(alice)
    for _ in range(3):
        die_with(Attempt.objects.get())
    pipeline.advance(workflow.pk)
    workflow, attempt = Workflow.objects.get(), Attempt.objects.get()
    assert (workflow.status, workflow.reason, attempt.status) == ("failed", "quarantined", "failed")
    assert (ledger.balance(alice), SandboxJob.objects.count()) == (Balance(300, 0), 0)


def test_an_attempt_that_three_workers_died_of_while_they_sent_it_is_put_in_quarantine(alice):
    (workflow,) = waiting(alice)
    for _ in range(3):
        call = pipeline.call_for(claims.take(1)[0])
        while isinstance(call, calls.Find):  # who comes after a death asks first, and is told that nothing arrived
            call = pipeline._record(call, call())
        assert isinstance(call, calls.Submit)
        let_leases_run_out()
    assert finish(workflow).reason == "quarantined"
    assert SandboxJob.objects.count() == 0


def test_a_canceled_run_whose_result_kills_who_brings_it_home_is_put_in_quarantine(alice):
    (workflow,) = waiting(alice)
    Attempt.objects.update(phase="store", status="running", job_id="1", outputs=[{"location": "nowhere"}])
    Workflow.objects.update(status="running", cancel_requested=Now())
    for _ in range(3):
        assert isinstance(pipeline.call_for(claims.take(1)[0]), calls.Store)
        let_leases_run_out()
    pipeline.advance(workflow.pk)
    assert Workflow.objects.get().reason == "quarantined"


def test_who_cancels_does_not_wait_for_a_result_that_is_about_to_be_brought_home(alice, monkeypatch):
    (workflow,) = waiting(alice)
    Attempt.objects.update(phase="store", status="running", job_id="1", outputs=[{"location": "nowhere"}])
    Workflow.objects.update(status="running")
    monkeypatch.setattr(calls.Store, "make", lambda call: pytest.fail("it was brought home"))
    pipeline.cancel(workflow.pk)
    assert (pipeline.due(), Attempt.objects.get().unanswered) == ([workflow.pk], 0)


def test_staff_are_told_of_a_quarantine(alice, monkeypatch):
    told = []
    monkeypatch.setattr(alarms, "tell_staff", lambda subject, text: told.append(subject))
    (workflow,) = waiting(alice)
    for _ in range(3):
        die_with(Attempt.objects.get())
    pipeline.advance(workflow.pk)
    assert told == [f"attempt {Attempt.objects.get().pk} is in quarantine"]


def test_two_deaths_are_bad_luck(alice):
    (workflow,) = waiting(alice)
    for _ in range(2):
        die_with(Attempt.objects.get())
    assert finish(workflow).status == "succeeded"
    assert Attempt.objects.get().unanswered == 0


def test_an_answer_makes_up_for_the_deaths_before_it(alice):
    (workflow,) = waiting(alice)
    for _ in range(2):
        die_with(Attempt.objects.get())
    pipeline.advance(workflow.pk)
    assert (Attempt.objects.get().phase, Attempt.objects.get().unanswered) == ("fetch", 0)


def test_news_of_a_job_that_is_being_looked_at_counts_as_no_death(alice):
    (workflow,) = waiting(alice)
    pipeline.advance(workflow.pk)
    for _ in range(5):
        let_leases_run_out()
        claims.take(1)
        pipeline.nudge("sandbox", Attempt.objects.get().job_id)
    pipeline.advance(workflow.pk)
    assert Attempt.objects.get().status != "failed"


def test_a_call_that_was_not_made_is_handed_back_as_it_was(alice):
    waiting(alice)
    call = pipeline.call_for(claims.take(1)[0])
    assert Attempt.objects.get().phase == "submitting"
    pipeline.hand_back(call)
    attempt = Attempt.objects.get()
    assert (attempt.phase, attempt.unanswered, attempt.worker, SandboxJob.objects.count()) == ("submit", 0, None, 0)


@pytest.fixture
def enlisted(db, monkeypatch):
    monkeypatch.setattr(workers, "_beat_on", lambda row: None)  # a thread would not see the rows of a test
    monkeypatch.setattr(workers, "_enlisted", {})
    return workers.enlist(Worker.Part.CLOCK)


def test_what_a_silent_worker_has_claimed_is_due_at_once(alice, enlisted):
    (workflow,) = waiting(alice)
    claims.take(1)
    Worker.objects.update(seen=Now() - datetime.timedelta(seconds=31))
    assert (workers.relieve(), pipeline.due()) == (1, [workflow.pk])


def test_what_a_living_worker_has_claimed_is_left_to_it(alice, enlisted):
    waiting(alice)
    claims.take(1)
    Worker.objects.update(seen=Now() - datetime.timedelta(seconds=29))
    assert (workers.relieve(), pipeline.due()) == (0, [])


def test_the_answer_of_a_worker_that_was_silent_still_counts_while_nobody_else_has_claimed(alice, enlisted):
    waiting(alice)
    call = pipeline.call_for(claims.take(1)[0])
    Worker.objects.update(seen=Now() - datetime.timedelta(seconds=31))
    workers.relieve()
    pipeline._record(call, call())
    assert Attempt.objects.get().job_id == str(SandboxJob.objects.get().pk)


def test_a_worker_lets_go_of_what_it_does_not_know_of(alice, enlisted):
    known, unknown = waiting(alice, 2)
    claims.take(2)
    assert (workers.let_go({known.pk}), pipeline.due()) == (1, [unknown.pk])


def test_a_worker_whose_row_was_forgotten_is_written_down_again(enlisted):
    row = Worker.objects.get()
    Worker.objects.all().delete()
    workers._beat(row)
    assert (Worker.objects.get().pk, Worker.objects.get().part) == (enlisted, "clock")


def test_rows_of_workers_long_dead_go(enlisted):
    Worker.objects.create(part="queue", host="away", pid=1, seen=Now() - datetime.timedelta(days=2))
    workers.relieve()
    assert Worker.objects.get().pk == enlisted


def test_who_is_no_worker_claims_by_lease_alone(alice, monkeypatch):
    monkeypatch.setattr(workers, "_enlisted", {-1: uuid4()})  # of another process
    waiting(alice)
    assert claims.take(1)[0].worker is None
