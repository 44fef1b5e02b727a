"""Whether work gets done is judged by rows: what stands still is told from what is slow, and from what is idle."""

import datetime
import uuid
from itertools import pairwise

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django_q.models import OrmQ

from tests.pipeline import start
from workflows import pipeline, progress, tasks
from workflows.models import Attempt, Worker
from workflows.progress import Judge, Signs

PATIENCE = 60.0
FAST = {"resolution": "480p", "seed": 7}
HEALTHY = Signs(seen=1, worked=1)
ATTEMPT = frozenset({(uuid.UUID(int=1), 3)})


def verdicts(judge: Judge, *looks: tuple[float, Signs]) -> list[str]:
    """What a judge says at these times, to these signs."""
    return [judge.hears(signs, now) for now, signs in looks]


# --- Any part ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["clock", "queue"])
def test_a_part_that_works_is_left_alone(part):
    judge = Judge(part, PATIENCE, 0)
    assert verdicts(judge, (100, HEALTHY), (110, HEALTHY), (120, HEALTHY)) == ["", "", ""]


@pytest.mark.parametrize("part", ["clock", "queue"])
def test_one_without_a_sign_of_life_is_started_anew_at_the_second_look(part):
    frozen = Signs(seen=61, worked=61, in_hand=True)
    assert verdicts(Judge(part, PATIENCE, 0), (100, frozen), (110, frozen)) == ["", "no sign of life for 61 s"]


def test_a_good_look_in_between_begins_the_count_again():
    silent = Signs(seen=61, worked=61)
    looks = (100, silent), (110, HEALTHY), (120, silent)
    assert verdicts(Judge("clock", PATIENCE, 0), *looks) == ["", "", ""]


def test_a_part_that_has_not_come_up_is_given_a_minute_whatever_the_patience_is():
    looks = (50, Signs()), (59, Signs()), (61, Signs()), (62, Signs())
    assert verdicts(Judge("clock", 6, 0), *looks) == ["", "", "", "it has not come up in 62 s"]


def test_rows_of_one_that_was_replaced_say_nothing_of_its_successor():
    judge = Judge("clock", PATIENCE, 0)
    judge.begins(1000)
    assert verdicts(judge, (1010, Signs(seen=200, worked=200)), (1020, Signs(seen=210, worked=210))) == ["", ""]


def test_what_a_restart_does_not_help_is_started_anew_more_and_more_rarely():
    judge, silent, restarts, now = Judge("clock", PATIENCE, 0), Signs(seen=61, worked=61), [], 1000
    judge.begins(0)
    while now < 6000:
        if judge.hears(silent, now):
            restarts.append(now)
            judge.begins(now)
            now += 61
        now += 10
    assert [later - earlier for earlier, later in pairwise(restarts)][:4] == [81, 121, 241, 481]


def test_health_that_lasts_makes_it_quick_again():
    judge, silent = Judge("clock", PATIENCE, 0), Signs(seen=61, worked=61)
    verdicts(judge, (1000, silent), (1010, silent))
    judge.begins(1010)
    verdicts(judge, (1020, HEALTHY), (1080, HEALTHY))
    assert verdicts(judge, (1090, silent), (1100, silent)) == ["", "no sign of life for 61 s"]


# --- The clock ---------------------------------------------------------------------------------------------


def test_a_clock_that_stopped_ticking_is_started_anew():
    still = Signs(seen=1, worked=70)
    assert verdicts(Judge("clock", PATIENCE, 0), (100, still), (110, still)) == [
        "",
        "it has looked at nothing for 70 s",
    ]


def test_a_clock_with_a_call_in_hand_may_take_the_time_of_the_call():
    slow = Signs(seen=1, worked=300, in_hand=True, overdue=ATTEMPT)
    assert verdicts(Judge("clock", PATIENCE, 0), *[(500 + 10 * n, slow) for n in range(5)]) == [""] * 5


def test_a_clock_that_ticks_while_nothing_moves_is_started_anew():
    stuck = Signs(seen=1, worked=1, overdue=ATTEMPT)
    assert verdicts(Judge("clock", PATIENCE, 0), (100, stuck), (110, stuck), (120, stuck)) == [
        "",
        "",
        "what was due 60 s ago and earlier does not move",
    ]


def test_a_clock_that_has_far_too_much_to_do_is_left_alone_as_long_as_anything_moves():
    looks = []
    for n in range(10):
        waiting = frozenset((uuid.UUID(int=each), 0) for each in range(n, n + 50))
        looks.append((100 + 10 * n, Signs(seen=1, worked=1, overdue=waiting)))
    assert verdicts(Judge("clock", PATIENCE, 0), *looks) == [""] * 10


# --- The queue ---------------------------------------------------------------------------------------------


def test_an_idle_queue_is_sent_canaries_and_left_alone_while_they_come_round():
    judge = Judge("queue", PATIENCE, 0)
    assert verdicts(judge, (100, Signs(seen=1, worked=11))) == [""]
    assert judge.wants_canaries
    assert verdicts(judge, (110, Signs(seen=1, worked=9)), (120, Signs(seen=1, worked=19))) == ["", ""]


def test_a_queue_whose_canaries_do_not_come_round_is_started_anew():
    judge = Judge("queue", PATIENCE, 0)
    said = verdicts(judge, *[(100 + 10 * n, Signs(seen=1, worked=11 + 10 * n)) for n in range(5)])
    assert said == ["", "", "", "", "messages wait, and none has come round for 51 s"]


def test_a_queue_with_a_long_task_in_hand_is_left_alone():
    looks = [(100 + 10 * n, Signs(seen=1, worked=5)) for n in range(20)]  # the task in hand is told of now and then
    assert verdicts(Judge("queue", PATIENCE, 0), *looks) == [""] * 20


# --- What the rows say -------------------------------------------------------------------------------------


@pytest.fixture
def family():
    return uuid.uuid4()


def enlisted(family, part="clock", **ago: float) -> Worker:
    """A worker's row; keyword arguments are seconds ago."""
    worker = Worker.objects.create(family=family, part=part, host="here", pid=1)
    times = {name: Now() - datetime.timedelta(seconds=seconds) for name, seconds in ago.items()}
    Worker.objects.filter(pk=worker.pk).update(**times)
    return worker


def attempt(alice, **values) -> Attempt:
    pipeline.start(alice, pipeline.quote("image-only", "a fox", {"resolution": "480p"}))
    made = Attempt.objects.latest("created")
    Attempt.objects.filter(pk=made.pk).update(**values)
    return made


def ago(seconds: float):
    return Now() - datetime.timedelta(seconds=seconds)


def test_the_latest_sign_of_any_of_its_processes_counts(db, family):
    enlisted(family, seen=100, worked=300)
    enlisted(family, seen=200, worked=40)
    enlisted(uuid.uuid4(), seen=1, worked=1)
    signs = progress.signs("clock", family, PATIENCE)
    assert (round(signs.seen), round(signs.worked), signs.in_hand, signs.overdue) == (100, 40, False, frozenset())


def test_a_part_that_never_enlisted_gives_no_sign(db, family):
    enlisted(family, "queue")
    assert progress.signs("clock", family, PATIENCE) == Signs(None)


def test_overdue_is_what_was_due_before_the_patience_ended(alice, family):
    enlisted(family)
    long_due = attempt(alice, next_check_at=ago(70), fence=4)
    attempt(alice, next_check_at=ago(50))
    assert progress.signs("clock", family, PATIENCE).overdue == {(long_due.pk, 4)}
    assert round(progress.longest_due()) == 70


def test_a_claim_is_in_hand_until_its_lease_runs_out(alice, family):
    mine = attempt(alice, next_check_at=ago(-30), worker=enlisted(family))
    assert progress.signs("clock", family, PATIENCE).in_hand
    Attempt.objects.filter(pk=mine.pk).update(next_check_at=ago(1))
    assert not progress.signs("clock", family, PATIENCE).in_hand


def test_paid_calls_are_told_by_provider_with_the_longest_that_they_may_take(alice, family):
    worker = enlisted(family)
    attempt(alice, phase="submitting", provider="openai", next_check_at=ago(-300), worker=worker)
    attempt(alice, phase="submitting", provider="openai", next_check_at=ago(-100), worker=worker)
    attempt(alice, phase="fetch", provider="runway", next_check_at=ago(-50), worker=worker)
    attempt(alice, phase="submitting", provider="fal", next_check_at=ago(1), worker=worker)
    attempt(alice, phase="submitting", provider="pika", next_check_at=ago(-9), worker=enlisted(uuid.uuid4()))
    told = progress.paid_calls(family)
    assert told == {"openai": pytest.approx(300, abs=30)}


def test_what_a_dead_part_had_claimed_is_due_at_once_and_its_row_is_gone(alice, family):
    mine = attempt(alice, next_check_at=ago(-300), worker=enlisted(family, started=50), unanswered=1)
    others = attempt(alice, next_check_at=ago(-300), worker=enlisted(family, "queue", started=50))
    progress.bury(family, "clock", before=40)
    assert set(Attempt.objects.filter(next_check_at__lte=Now()).values_list("pk", "unanswered")) == {(mine.pk, 1)}
    assert Attempt.objects.get(pk=others.pk).worker.part == "queue"
    assert Worker.objects.get(family=family).part == "queue"


def test_what_was_started_since_is_not_buried(alice, family):
    attempt(alice, next_check_at=ago(-300), worker=enlisted(family, started=30))
    progress.bury(family, "clock", before=40)
    assert (Worker.objects.count(), Attempt.objects.filter(next_check_at__lte=Now()).count()) == (1, 0)


def test_who_was_told_to_stop_did_not_die_of_its_attempts(alice, family):
    mine = attempt(alice, next_check_at=ago(-300), worker=enlisted(family), unanswered=2)
    progress.bury(family, innocent=True)
    mine.refresh_from_db()
    assert (mine.unanswered, mine.worker) == (0, None)


def test_queues_are_counted_by_their_signs_of_life(db, family):
    assert progress.queues() == 1
    for each in (family, family, uuid.uuid4()):
        enlisted(each, "queue")
    enlisted(uuid.uuid4(), "queue", seen=31)
    enlisted(uuid.uuid4(), "clock")
    assert progress.queues() == 2


# --- Messages ----------------------------------------------------------------------------------------------


def sent() -> list[tuple[str, tuple]]:
    return [(message.task["func"], message.task["args"]) for message in OrmQ.objects.order_by("pk")]


def test_canaries_are_not_added_to_messages_that_wait_already(db):
    tasks.send_canaries(2)
    tasks.send_canaries(3)
    assert sent() == [("workflows.tasks.canary", ())] * 3


def test_what_is_due_is_nudged_each_with_a_message_of_its_own(alice):
    first = attempt(alice, next_check_at=ago(9))
    attempt(alice, next_check_at=ago(-9))
    OrmQ.objects.all().delete()
    assert tasks.advance_due() == 1
    assert sent() == [("workflows.tasks.advance", (str(first.step.workflow_id),))]


def test_one_nudge_that_nobody_has_taken_is_enough_for_all_who_start(alice):
    for _ in range(3):
        start(alice, "image-only", "a fox", **FAST)
    assert sent() == [("workflows.tasks.advance_next", ())]
    OrmQ.objects.update(lock="2999-01-01T00:00Z")
    start(alice, "image-only", "a fox", **FAST)
    assert sent() == [("workflows.tasks.advance_next", ())] * 2


@pytest.mark.django_db(transaction=True)
def test_a_nudge_submits_all_that_waits(alice):
    for _ in range(3):
        start(alice, "image-only", "a fox", **FAST)
    tasks.advance_next()
    assert list(Attempt.objects.exclude(phase="done").values_list("phase", flat=True)) == ["fetch"] * 3


def test_nudges_are_not_heaped_up(alice, monkeypatch):
    for _ in range(3):
        attempt(alice, next_check_at=ago(9))
    OrmQ.objects.all().delete()
    monkeypatch.setattr(tasks, "AT_ONCE", 2)
    assert (tasks.advance_due(), tasks.advance_due(), OrmQ.objects.count()) == (2, 0, 2)


def test_the_longest_wait_is_that_of_the_oldest_message_nobody_took(db):
    assert tasks.longest_wait() == 0
    tasks.send_canaries(2)
    OrmQ.objects.filter(pk=OrmQ.objects.first().pk).update(lock=F("lock") - datetime.timedelta(seconds=40))
    OrmQ.objects.exclude(pk=OrmQ.objects.first().pk).update(lock=F("lock") + datetime.timedelta(seconds=40))
    assert (round(tasks.longest_wait()), tasks.waiting()) == (40, 1)


def test_a_task_that_begins_while_the_queue_stops_does_nothing(alice, monkeypatch):
    made = attempt(alice)
    monkeypatch.setattr(tasks, "stopping", b"\1")
    tasks.advance(str(made.step.workflow_id))
    assert Attempt.objects.get(pk=made.pk).phase == "submit"
