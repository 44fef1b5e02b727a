"""Users take turns: whoever has many waiting does not stand before somebody's first."""

import datetime

import pytest
from django.db import transaction
from django.db.models.functions import Now

import sql
from providers.adapters import sandbox
from providers.models import ProviderKey
from tests.factories import UserFactory
from tests.pipeline import start
from tests.races import meet
from workflows import claims, line, pipeline
from workflows.document import status_document
from workflows.models import Attempt, Step, Workflow

Phase = Attempt.Phase
FAST = {"resolution": "480p", "seed": 7, "enhance": False}
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


def stood(user, **fields):
    """One more attempt of this user's, as it is when it has just been started."""
    run = Workflow.objects.create(user=user, type="image-only", prompt="a fox", quoted=1, deadline="2100-01-01T00:00Z")
    step = Step.objects.create(workflow=run, stage="image", position=1, provider="sandbox", model="a/b", price=1)
    row = {"provider": "sandbox", "next_check_at": datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)} | fields
    attempt = Attempt(step=step, user=user, number=1, price=1, **row)
    sql.insert([attempt], **({} if "turn" in fields else {"turn": line.turn_of(user.pk)}))
    attempt.refresh_from_db()
    return attempt


def crowd(user, count):
    """So many at once, in turns of the user's own."""
    run = stood(user).step.workflow
    rows = [Workflow(user=user, type=run.type, prompt="", quoted=1, deadline=run.deadline) for _ in range(count - 1)]
    steps = [
        Step(workflow=row, stage="image", position=1, provider="sandbox", model="a/b", price=1)
        for row in Workflow.objects.bulk_create(rows)
    ]
    Attempt.objects.bulk_create(
        Attempt(step=step, user=user, number=1, price=1, provider="sandbox", next_check_at=Now(), turn=turn * line.OWN)
        for turn, step in enumerate(Step.objects.bulk_create(steps), start=1)
    )


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


def test_the_only_run_of_one_is_claimed_among_the_first_two_beside_500_of_another(alice, bob):
    crowd(alice, 500)
    only = stood(bob)
    claimed = [claims.take(1, [Phase.SUBMIT])[0] for _ in range(2)]
    assert (claimed[0].user, claimed[1].pk) == (alice, only.pk)


@pytest.mark.django_db(transaction=True)
def test_workers_submit_by_turns(alice, bob):
    many, only = [start(alice, "image-only", "a fox", **FAST) for _ in range(3)], start(bob, "image-only", "a fox")
    pipeline.advance_next()
    pipeline.advance_next()
    begun = Workflow.objects.exclude(status="pending").order_by("created")
    assert list(begun) == [many[0], only]


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


# --- A key that runs as many as it may


@pytest.fixture
def two_at_once(settings):
    settings.PROVIDER_CONCURRENCY = {"sandbox": 2, "fal": 2}


def busy(user, count=1, **fields):
    """Jobs that a key is running."""
    for _ in range(count):
        stood(user, phase=Phase.FETCH, fence=1, **fields)


def entered(user, **fields):
    """One that a worker has looked at: its place in the line of its key, and the attempt as it was written down."""
    attempt = stood(user, fence=1, **fields)
    with transaction.atomic():
        place = line.enter(attempt)
        attempt.phase = attempt.phase if place else Phase.SUBMITTING
        attempt.next_check_at = LATER
        attempt.save()
    return place, attempt


def again(attempt, phase=Phase.SUBMIT):
    """Its place when it is looked at again, after which it is in this phase."""
    attempt.refresh_from_db()
    with transaction.atomic():
        place = line.enter(attempt)
        attempt.phase = phase
        attempt.save()
    return place


def ended(attempt):
    """The key is free of it, and whoever is next is told."""
    attempt.phase, attempt.status, attempt.next_check_at = Phase.DONE, "succeeded", None
    with transaction.atomic():
        attempt.save()
        line.freed(attempt)


def woken():
    """Whose attempts are due."""
    due = Attempt.objects.filter(next_check_at__lt=LATER, phase=Phase.SUBMIT).order_by("key_turn", "created")
    return list(due.values_list("user__username", flat=True))


def test_a_key_without_a_limit_has_no_line(alice, settings):
    settings.PROVIDER_CONCURRENCY = {"sandbox": 0}
    busy(alice, 5)
    place, attempt = entered(alice)
    assert (place, attempt.key_turn) == (0, None)


def test_a_key_runs_as_many_as_it_may_and_the_others_have_a_place(alice, two_at_once):
    assert [entered(alice)[0] for _ in range(5)] == [0, 0, 1, 2, 3]


def test_users_take_turns_in_the_line_of_a_key(alice, bob, two_at_once):
    busy(alice, 2)
    seconds = [entered(alice) for _ in range(3)]
    assert entered(bob)[0] == 2
    assert [again(attempt) for place, attempt in seconds] == [1, 3, 4]


def test_nobody_slips_in_before_who_stands_in_line(alice, bob, two_at_once):
    busy(alice)
    job = stood(alice, phase=Phase.FETCH, fence=1)
    place, first = entered(alice)
    ended(job)
    assert (place, entered(bob)[0], again(first)) == (1, 2, 0)


def test_each_free_slot_takes_one(alice, two_at_once):
    jobs = [stood(alice, phase=Phase.FETCH, fence=1) for _ in range(2)]
    waiting = [entered(alice)[1] for _ in range(3)]
    [ended(job) for job in jobs]
    assert [again(attempt, Phase.SUBMITTING) for attempt in waiting[:2]] == [0, 0]
    assert again(waiting[2]) == 1


def test_keys_do_not_wait_for_each_other(alice, bob, two_at_once):
    own = ProviderKey.objects.create(provider="fal", owner=bob, sealed="x", fingerprint="x", last_four="xxxx")
    busy(alice, 2, provider="fal")
    assert entered(alice, provider="fal")[0] == 1
    assert entered(bob, provider="fal", key=own)[0] == 0
    assert entered(bob, provider="sandbox")[0] == 0


def test_pika_stands_in_the_line_of_fals_key(alice, two_at_once):
    busy(alice, 2, provider="fal")
    assert entered(alice, provider="pika")[0] == 1


def test_who_was_sent_away_by_the_provider_holds_nobody_up(alice, bob, two_at_once):
    busy(alice)
    job = stood(alice, phase=Phase.FETCH, fence=1)
    away = entered(alice)[1]
    ended(job)
    assert again(away, phase=Phase.SUBMITTING) == 0
    Attempt.objects.filter(pk=away.pk).update(phase=Phase.SUBMIT)
    assert entered(bob)[0] == 0


def test_it_looks_again_the_later_the_farther_it_stands():
    assert [line.patience(place).total_seconds() for place in (1, 2, 10, 30, 500)] == [2, 4, 20, 60, 60]


def test_nobody_counts_farther_than_it_takes_to_know_how_long_to_wait(alice, two_at_once, monkeypatch):
    monkeypatch.setattr(line, "FAR", 3)
    busy(alice, 2)
    assert [entered(alice)[0] for _ in range(6)] == [1, 2, 3, 4, 4, 4]
    assert line.patience(line.LONGEST // line.SHORTEST).total_seconds() == line.LONGEST


def test_who_stands_behind_fewer_than_there_are_slots_may_go_however_far_that_is(alice, settings, monkeypatch):
    monkeypatch.setattr(line, "FAR", 1)
    settings.PROVIDER_CONCURRENCY = {"sandbox": 4}
    for turn in range(3):
        stood(alice, fence=1, key_turn=turn)
    assert (entered(alice)[0], entered(alice)[0]) == (0, 4)


def test_one_that_is_just_being_made_stands_behind_those_of_its_turn(alice, bob, two_at_once):
    busy(alice, 2)
    stood(bob, fence=1, key_turn=0)
    step = stood(alice).step
    made = Attempt(step=step, user=alice, number=2, price=1, provider="sandbox", key_turn=0)
    with transaction.atomic():
        assert line.enter(made) == 2


def test_of_those_with_the_same_turn_the_older_goes_first(alice, bob, two_at_once):
    busy(alice, 2)
    waiting = [stood(user, fence=1, key_turn=4) for user in (alice, bob)]
    assert [again(attempt) for attempt in waiting] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_whoever_is_next_looks_at_once_when_a_slot_is_free(alice, bob, two_at_once):
    jobs = [stood(alice, phase=Phase.FETCH, fence=1) for _ in range(2)]
    entered(alice), entered(alice), entered(bob)
    assert woken() == []
    ended(jobs[0])
    assert woken() == ["alice"]
    ended(jobs[1])
    assert woken() == ["alice", "bob"]


@pytest.mark.django_db(transaction=True)
def test_nobody_is_woken_while_the_key_is_busy(alice, two_at_once):
    busy(alice, 2)
    entered(alice)
    ended(entered(alice)[1])
    assert woken() == []


@pytest.mark.django_db(transaction=True)
def test_only_the_line_of_the_freed_key_is_woken(alice, bob, two_at_once):
    own = ProviderKey.objects.create(provider="fal", owner=bob, sealed="x", fingerprint="x", last_four="xxxx")
    busy(bob, 2, provider="fal", key=own)
    entered(bob, provider="fal", key=own)
    job = stood(alice, provider="pika", phase=Phase.FETCH)
    busy(alice, provider="fal")
    entered(alice, provider="fal")
    ended(job)
    assert woken() == ["alice"]


@pytest.mark.django_db(transaction=True)
def test_one_statement_wakes_whoever_is_next_and_none_is_needed_without_a_limit(
    alice, settings, django_assert_num_queries
):
    job = stood(alice, phase=Phase.FETCH)
    for limit, phase, statements in ((1, Phase.FETCH, 0), (1, Phase.STORE, 1), (1, Phase.DONE, 1), (0, Phase.DONE, 0)):
        settings.PROVIDER_CONCURRENCY, job.phase = {"sandbox": limit}, phase
        with django_assert_num_queries(statements):
            line.freed(job)


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_job_brings_the_next_to_its_key(alice, settings, monkeypatch):
    settings.PROVIDER_CONCURRENCY = {"sandbox": 1}
    monkeypatch.setattr(line, "SHORTEST", line.LONGEST)
    runs = [start(alice, "image-only", "a fox", **FAST) for _ in range(2)]
    [pipeline.advance(run.pk) for run in runs]
    assert claims.take(1, [Phase.SUBMIT]) == []
    pipeline.nudge("sandbox", sandbox.render_next())
    pipeline.advance(runs[0].pk)
    pipeline.advance_next()
    assert list(Attempt.objects.order_by("created").values_list("phase", flat=True)) == ["done", "fetch"]


# --- Two workers at once


def entered_with(attempt):
    with transaction.atomic():
        if not (place := line.enter(attempt)):
            Attempt.objects.filter(pk=attempt.pk).update(phase=Phase.SUBMITTING)
    return place


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_both_take_the_last_slot(alice, bob, two_at_once):
    busy(alice)
    attempts = stood(alice, fence=1), stood(bob, fence=1)
    assert meet(lambda: entered_with(attempts[0]), lambda: entered_with(attempts[1])) == [0, 1]


@pytest.mark.django_db(transaction=True)
def test_without_the_keys_lock_they_would(alice, bob, two_at_once, monkeypatch):
    monkeypatch.setattr(line, "_lock", lambda owner, key_id: None)
    busy(alice)
    attempts = stood(alice, fence=1), stood(bob, fence=1)
    assert meet(lambda: entered_with(attempts[0]), lambda: entered_with(attempts[1])) == [0, 0]


# --- What is shown


def shown(attempt):
    """The place that the status document tells."""
    return status_document(attempt.step.workflow)["steps"][0]["position"]


def test_a_run_that_no_worker_has_looked_at_knows_its_place(alice, bob):
    runs = [stood(alice), stood(alice), stood(bob)]
    assert [shown(attempt) for attempt in runs] == [1, 3, 2]


def test_a_run_whose_key_is_busy_knows_its_place_in_that_line(alice, bob, two_at_once):
    entered(alice), entered(alice)
    runs = [entered(alice)[1], entered(alice)[1], entered(bob)[1]]
    stood(bob)
    assert [shown(attempt) for attempt in runs] == [1, 3, 2]


def test_lines_of_other_keys_are_not_counted(alice, bob, two_at_once):
    own = ProviderKey.objects.create(provider="fal", owner=bob, sealed="x", fingerprint="x", last_four="xxxx")
    [entered(alice, provider="pika") for _ in range(4)]
    [entered(bob, provider="fal", key=own) for _ in range(3)]
    last = [entered(alice, provider="sandbox") for _ in range(3)][-1][1]
    assert shown(last) == 1
    assert shown(entered(alice, provider="fal")[1]) == 3


def test_what_is_submitted_or_was_sent_away_has_no_place(alice):
    assert shown(stood(alice, phase=Phase.FETCH, fence=1)) is None
    assert shown(stood(alice, fence=3)) is None


def test_a_place_in_the_providers_line_is_told_apart(alice):
    step = status_document(stood(alice, phase=Phase.FETCH, queue_position=4).step.workflow)["steps"][0]
    assert (step["position"], step["provider_position"]) == (None, 4)
