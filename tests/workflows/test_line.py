"""Users take turns: whoever has many waiting does not stand before somebody's first."""

from tests.factories import UserFactory
from workflows import line
from workflows.models import Attempt, Step, Workflow

Phase = Attempt.Phase


def stood(user, **fields):
    """One more attempt of this user's, as it is when it has just been started."""
    run = Workflow.objects.create(user=user, type="image-only", prompt="a fox", quoted=1, deadline="2100-01-01T00:00Z")
    step = Step.objects.create(workflow=run, stage="image", position=1, provider="sandbox", model="a/b", price=1)
    row = {"turn": line.turn_of(user.pk), "provider": "sandbox", "next_check_at": "2000-01-01T00:00Z"} | fields
    attempt = Attempt(step=step, user=user, number=1, price=1, **row)
    attempt.save(force_insert=True)
    attempt.refresh_from_db()
    return attempt


def served():
    """Whose attempt a worker takes next: by turn, then by age."""
    attempt = Attempt.objects.filter(phase=Phase.SUBMIT, fence=0).order_by("turn", "created").select_related("user")[0]
    Attempt.objects.filter(pk=attempt.pk).update(fence=1, phase=Phase.SUBMITTING)
    return attempt.user.username


def test_the_first_of_all_has_the_first_turn(alice):
    assert stood(alice).turn == 0


def test_a_users_own_come_one_after_the_other(alice):
    assert [stood(alice).turn for _ in range(4)] == [0, 2, 4, 6]


def test_a_newcomer_goes_before_the_second_of_somebody_who_has_many(alice, bob):
    [stood(alice) for _ in range(5)]
    stood(bob)
    assert [served() for _ in range(6)] == ["alice", "bob", "alice", "alice", "alice", "alice"]


def test_users_who_have_many_take_turns(alice, bob, sam):
    for user in (alice, alice, alice, bob, bob, bob, sam):
        stood(user)
    assert [served() for _ in range(7)] == ["alice", "bob", "sam", "alice", "bob", "alice", "bob"]


def test_who_asks_again_as_soon_as_served_takes_turns_with_who_has_many(alice, bob):
    [stood(alice) for _ in range(6)]
    order = []
    for _ in range(6):
        if not Attempt.objects.filter(user=bob, phase=Phase.SUBMIT).exists():
            stood(bob)
        order.append(served())
    assert order == ["alice", "bob", "alice", "bob", "alice", "bob"]


def test_a_stream_of_newcomers_does_not_keep_the_last_of_many_waiting_for_ever(alice):
    """As many come as are served, so that without an end to it some newcomer is always there."""
    last = [stood(alice) for _ in range(6)][-1]
    newcomers = iter(UserFactory.create_batch(40))
    stood(next(newcomers))
    order = []
    while Attempt.objects.filter(pk=last.pk, phase=Phase.SUBMIT).exists():
        order.append(served() == "alice")
        stood(next(newcomers))
    assert [place for place, alices in enumerate(order, start=1) if alices] == [1, 3, 7, 13, 21, 31]


def test_whoever_has_waited_does_not_stand_behind_those_who_come_later(alice, bob, sam):
    [stood(alice) for _ in range(3)]
    assert served() == "alice"
    stood(bob)
    stood(sam)
    assert [served() for _ in range(4)] == ["alice", "bob", "sam", "alice"]


def test_turns_begin_anew_when_nobody_waits(alice, bob):
    [stood(alice) for _ in range(3)]
    assert [served() for _ in range(3)] == ["alice"] * 3
    assert (stood(bob).turn, stood(alice).turn) == (0, 1)


def test_what_a_worker_has_looked_at_holds_nobodys_turn_back(alice, bob):
    """An attempt that the provider sent away for a minute, or whose key is busy, may stay where it is for long."""
    stood(alice, fence=1)
    [stood(alice) for _ in range(3)]
    served()
    assert (stood(bob).turn, stood(alice).turn) == (3, 6)


def test_a_turn_is_worked_out_once(alice, bob):
    attempt = stood(alice)
    stood(bob)
    attempt.save()
    attempt.refresh_from_db()
    assert attempt.turn == 0
