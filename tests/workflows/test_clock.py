"""The clock: what is due is claimed once and goes to its own lane; an absent database is waited for."""

import threading

import pytest
from django.db import OperationalError

from tests.pipeline import start
from workflows import calls, claims, pipeline, restored, workers
from workflows.clock import PAUSE, TICK, Clock
from workflows.models import Attempt, Worker

FAST = {"resolution": "480p", "seed": 7}


class Pool:
    """Takes work and does it when told."""

    def __init__(self):
        self.work = []

    def __call__(self, work, workflow_id):
        self.work.append(work)
        return Someday()


class Someday:
    def add_done_callback(self, act):
        """Never done."""


@pytest.fixture
def clock(settings, monkeypatch):
    settings.SUBMIT_THREADS, settings.STORE_THREADS = 2, 1
    monkeypatch.setattr("workflows.clock.close_old_connections", lambda: None)  # it would close the test's own
    monkeypatch.setattr(workers, "_beat_on", lambda row: None)  # a thread would not see the rows of a test
    monkeypatch.setattr(workers, "_enlisted", {})
    clock = Clock()
    for lane in clock.lanes:
        monkeypatch.setattr(lane, "put", Pool())
    return clock


def lane(clock, phase):
    return next(lane for lane in clock.lanes if phase in lane.phases)


def test_it_claims_as_many_as_there_are_threads(alice, clock):
    for _ in range(3):
        start(alice, "image-only", "a fox", **FAST)
    assert clock.tick() == TICK
    assert len(lane(clock, "submit").put.work) == 2
    assert sorted(Attempt.objects.values_list("fence", flat=True)) == [0, 1, 1]


def test_what_it_claimed_says_who_has_it(alice, clock):
    start(alice, "image-only", "a fox", **FAST)
    clock.tick()
    assert Attempt.objects.get().worker == Worker.objects.get(part="clock")


def test_what_is_claimed_is_not_claimed_again(alice, clock):
    start(alice, "image-only", "a fox", **FAST)
    clock.tick()
    clock.tick()
    assert len(lane(clock, "submit").put.work) == 1


def test_a_call_of_another_kind_goes_to_the_lane_that_makes_such(alice, clock):
    workflow = start(alice, "image-only", "a fox", **FAST)
    store = calls.Store(claims.take(1)[0])
    clock._pass_on(workflow.pk, store)
    assert len(lane(clock, "store").put.work) == 1


def test_without_room_in_that_lane_it_goes_back_into_the_line(alice, clock):
    workflow = start(alice, "image-only", "a fox", **FAST)
    attempt = claims.take(1)[0]
    lane(clock, "store").threads = 0
    clock._pass_on(workflow.pk, calls.Store(attempt))
    assert (lane(clock, "store").put.work, pipeline.due()) == ([], [workflow.pk])
    assert Attempt.objects.get().unanswered == 0


def test_while_looks_cannot_keep_up_one_thread_goes_on_storing(alice, clock):
    lane(clock, "store").threads = 4
    looked_at = start(alice, "image-only", "a fox", **FAST)
    Attempt.objects.update(phase="fetch")
    for _ in range(3):
        start(alice, "image-only", "a fox", **FAST)
    Attempt.objects.exclude(step__workflow=looked_at).update(phase="store")
    lane(clock, "fetch").threads = 0
    clock.tick()
    assert len(lane(clock, "store").put.work) == 1
    lane(clock, "fetch").threads = 2
    clock.tick()
    assert len(lane(clock, "store").put.work) == 3


def test_an_absent_database_is_waited_for(clock, monkeypatch):
    def away(*given):
        raise OperationalError("the server is starting up")

    monkeypatch.setattr(workers, "enlist", away)
    assert clock.tick() == PAUSE


def test_a_database_that_comes_back_is_asked_whether_it_is_the_same(db, clock, monkeypatch):
    asked = []
    monkeypatch.setattr(restored, "require_origin", lambda: asked.append(1))
    clock.tick()
    clock.next_chores = 0.0  # as after an absence
    clock.tick()
    assert len(asked) == 3  # each time, and once when the worker said who it is


def test_it_stops_when_told_to(db, settings):
    clock = Clock()
    clock.stop()
    ticking = threading.Thread(target=clock.run)
    ticking.start()
    ticking.join()
    assert [lane.workflows for lane in clock.lanes] == [set(), set(), set()]


def test_what_was_given_up_is_looked_at_by_half_of_those_who_are_free(alice, clock, monkeypatch):
    lane(clock, "store").threads = 4
    for number in range(3):
        workflow = start(alice, "image-only", "a fox", **FAST | {"enhance": False})
        attempts = Attempt.objects.filter(step__workflow=workflow)
        attempts.update(phase="fetch", status="queued", job_id=f"job-{number}")
        pipeline.fail(workflow.pk, detail="ended by sam")
    delivered = []
    monkeypatch.setattr("workflows.late.deliver", delivered.append)
    clock.tick()
    for work in lane(clock, "store").put.work:
        work()
    assert len(delivered) == 2
    assert Attempt.objects.filter(pk__in=delivered, unanswered=1).count() == 2
