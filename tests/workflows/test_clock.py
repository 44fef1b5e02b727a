"""The clock: what is due is handed on once, and an absent database is waited for."""

from concurrent.futures import Future

import pytest
from django.db import OperationalError

from workflows import pipeline
from workflows.clock import PAUSE, TICK, Clock


class Pool:
    """Takes work and does it when told."""

    def __init__(self):
        self.taken = []

    def submit(self, function, workflow_id):
        self.taken.append(workflow_id)
        return Future()


@pytest.fixture
def overdue(monkeypatch):
    due = ["a", "b", "c"]
    monkeypatch.setattr(pipeline, "due", lambda limit: due[:limit])
    return due


def test_it_takes_as_many_as_it_has_threads(overdue):
    clock, pool = Clock(threads=2), Pool()
    assert (clock.tick(pool), pool.taken) == (TICK, ["a", "b"])


def test_what_is_in_hand_is_not_taken_twice(overdue):
    clock, pool = Clock(threads=3), Pool()
    clock.tick(pool)
    clock.tick(pool)
    assert pool.taken == ["a", "b", "c"]


def test_what_is_done_makes_room(overdue):
    clock, pool = Clock(threads=1), Pool()
    clock.tick(pool)
    clock.in_hand["a"].set_result(None)
    overdue.remove("a")
    clock.tick(pool)
    assert pool.taken == ["a", "b"]


def test_an_absent_database_is_waited_for(monkeypatch):
    def away(limit):
        raise OperationalError("the server is starting up")

    monkeypatch.setattr(pipeline, "due", away)
    assert Clock(threads=1).tick(Pool()) == PAUSE


def test_it_stops_when_told_to(overdue):
    clock = Clock(threads=1)
    clock.stop()
    clock.run()
    assert clock.in_hand == {}
