"""Every move there could be, and for each whether it is legal."""

import itertools

import pytest

from workflows import states
from workflows.states import IllegalMove, Status

LEGAL = {
    "ATTEMPT": {
        "pending": "queued running succeeded failed canceled",
        "queued": "running succeeded failed canceled",
        "running": "queued succeeded failed canceled",
        "failed": "succeeded",
    },
    "STEP": {
        "pending": "queued running succeeded failed canceled",
        "queued": "running succeeded failed canceled",
        "running": "queued succeeded failed canceled",
        "failed": "pending succeeded",
        "canceled": "pending",
    },
    "WORKFLOW": {
        "pending": "running failed canceled",
        "running": "succeeded failed canceled",
        "failed": "pending succeeded",
        "canceled": "pending",
    },
}
MOVES = list(itertools.product(LEGAL, Status.values, Status.values))


def is_legal(table, old, new):
    return new in LEGAL[table].get(old, "").split()


@pytest.mark.parametrize(("table", "old", "new"), [move for move in MOVES if is_legal(*move)])
def test_it_lets_a_legal_move_pass(table, old, new):
    states.require(getattr(states, table), old, Status(new))


@pytest.mark.parametrize(("table", "old", "new"), [move for move in MOVES if not is_legal(*move)])
def test_it_refuses_an_illegal_move(table, old, new):
    with pytest.raises(IllegalMove, match=f"{old} may not become {new}"):
        states.require(getattr(states, table), old, Status(new))


def test_a_status_is_either_finished_or_not():
    assert sorted(states.TERMINAL) == ["canceled", "failed", "succeeded"]
    assert sorted(states.UNFINISHED) == ["pending", "queued", "running"]
    assert set(Status) == states.TERMINAL | states.UNFINISHED


def test_what_succeeded_stays_so():
    assert all(Status.SUCCEEDED not in table for table in (states.ATTEMPT, states.STEP, states.WORKFLOW))
