"""A run as staff see it, and what they can do about one that is stuck."""

import datetime
import re
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from credits import ledger
from credits.ledger import Balance
from tests.pipeline import finish, start
from workflows import pipeline
from workflows.models import Attempt, Workflow

LIST = "admin:workflows_workflow_changelist"


@pytest.fixture
def staff(client, sam):
    client.force_login(sam)
    return client


def act(client, action, *workflows, **answers):
    chosen = {"action": action, "_selected_action": [workflow.pk for workflow in workflows]}
    return client.post(reverse(LIST), chosen | ({"confirmed": "yes", "key": uuid.uuid4()} | answers if answers else {}))


def found(client, **query):
    return list(client.get(reverse(LIST), query).context["cl"].result_list)


def test_ending_a_run_gives_back_exactly_what_was_held(staff, alice):
    workflow = start(alice, "complete", "a fox", resolution="480p", duration_seconds=2)
    assert ledger.balance(alice) == Balance(300, 5)
    act(staff, "end", workflow, reason="the provider is down")
    workflow.refresh_from_db()
    assert (workflow.status, workflow.reason) == ("failed", "other")
    assert ledger.balance(alice) == Balance(300, 0)
    assert Attempt.objects.get().detail == "ended by sam: the provider is down"


def test_ending_a_run_in_the_middle_takes_only_what_was_delivered(staff, alice):
    workflow = start(alice, "complete", "a fox #sim:slow=600@video", resolution="480p", duration_seconds=2)
    finish(workflow)
    act(staff, "end", workflow, reason="it hangs")
    workflow.refresh_from_db()
    assert [step.charged for step in workflow.steps.all()] == [1, 2, 0]
    assert ledger.balance(alice) == Balance(297, 0)


def test_ending_asks_for_a_reason_first(staff, alice):
    workflow = start(alice, "image-only", "a fox")
    assert b'name="reason"' in act(staff, "end", workflow).content
    assert b"errorlist" in act(staff, "end", workflow, reason="  ").content
    workflow.refresh_from_db()
    assert workflow.status == "pending"
    assert ledger.balance(alice).held == workflow.quoted


def test_ending_a_run_that_has_ended_changes_nothing(staff, alice):
    workflow = start(alice, "image-only", "a fox")
    pipeline.cancel(workflow.pk)
    act(staff, "end", workflow, reason="it hangs")
    workflow.refresh_from_db()
    assert workflow.status == "canceled"
    assert not LogEntry.objects.exists()


def test_staff_can_cancel_a_run(staff, alice, sam):
    workflow = start(alice, "image-only", "a fox")
    act(staff, "cancel", workflow)
    workflow.refresh_from_db()
    assert workflow.status == "canceled"
    assert ledger.balance(alice) == Balance(300, 0)
    assert LogEntry.objects.get().user == sam


def test_staff_can_try_a_run_again(staff, alice):
    workflow = start(alice, "image-only", "a fox")
    pipeline.cancel(workflow.pk)
    act(staff, "retry", workflow)
    workflow.refresh_from_db()
    assert workflow.status == "pending"
    assert ledger.balance(alice) == Balance(300, workflow.quoted)


def test_a_run_that_is_not_over_cannot_be_tried_again(staff, alice):
    workflow = start(alice, "image-only", "a fox")
    act(staff, "retry", workflow)
    assert ledger.balance(alice) == Balance(300, workflow.quoted)
    assert not LogEntry.objects.exists()


def test_one_page_shows_steps_attempts_timeline_and_money(staff, alice):
    workflow = start(alice, "image-only", "a fox #sim:fail")
    finish(workflow)
    page = staff.get(reverse("admin:workflows_workflow_change", args=[workflow.pk])).content.decode()
    text = " ".join(re.sub("<[^>]+>", " ", page).split())
    for shown in ("sandbox/words", "sandbox/still", "render_failed", "unavailable", "0 taken, 5 given back"):
        assert shown in text, shown
    assert [move["new"] for move in workflow.transitions.values("new")][-1] == "failed"
    assert text.count("in the making") >= 3


def test_staff_see_what_a_restored_run_may_have_sent_and_how_long_it_is_watched(staff, alice):
    workflow = start(alice, "image-only", "a fox")
    then = datetime.datetime(2026, 11, 20, 9, 30, tzinfo=datetime.UTC)
    Workflow.objects.update(doubted=then)
    Attempt.objects.update(watch_until=then + datetime.timedelta(days=1))
    page = staff.get(reverse("admin:workflows_workflow_change", args=[workflow.pk])).content.decode()
    assert "restored from a backup while it ran" in page
    assert "Nov. 20, 2026, 9:30 a.m." in page
    assert "<td>2026-11-21 09:30</td>" in page


def test_one_page_asks_the_database_as_often_as_it_must(staff, alice, django_assert_max_num_queries):
    workflow = finish(start(alice, "image-only", "a fox"))
    with django_assert_max_num_queries(10):
        staff.get(reverse("admin:workflows_workflow_change", args=[workflow.pk]))


@pytest.mark.parametrize("nonsense", ["1", "nothing", str(uuid.UUID(int=0))])
def test_a_run_that_does_not_exist_is_not_an_error_of_ours(staff, nonsense):
    response = staff.get(reverse("admin:workflows_workflow_change", args=[nonsense]))
    assert (response.status_code, response.url) == (302, "/admin/")


# --- Finding -----------------------------------------------------------------------------------------------


@pytest.fixture
def three(alice, bob):
    """A cheap run of alice's that was canceled, a dear one that waits, and one of bob's."""
    cheap = start(alice, "image-only", "a red fox", resolution="480p")
    pipeline.cancel(cheap.pk)
    dear = start(alice, "complete", "a blue whale", resolution="1080p", duration_seconds=10)
    return cheap, dear, start(bob, "image-only", "a green frog")


def test_runs_are_found_by_id_prompt_and_user(staff, three, bob):
    cheap, dear, other = three
    assert found(staff, q=str(dear.pk)) == [dear]
    assert found(staff, q=f" {dear.reference} ") == [dear]
    assert found(staff, q="red fox") == [cheap]
    assert found(staff, q="bob@example.org") == [other]
    assert found(staff, user__id__exact=bob.pk) == [other]
    assert found(staff, q="nobody") == []


def test_runs_are_filtered_by_status_type_reason_and_price(staff, three):
    cheap, dear, other = three
    assert found(staff, status__exact="canceled") == [cheap]
    assert found(staff, type__exact="complete") == [dear]
    assert found(staff, price="small") == [other, cheap]
    assert found(staff, price="medium") == [dear]
    assert found(staff, price="large") == found(staff, reason__exact="lost") == []


def test_runs_that_wait_too_long_are_found(staff, three):
    cheap, dear, other = three
    past = timezone.now() - datetime.timedelta(hours=1)
    Workflow.objects.filter(pk__in=[cheap.pk, dear.pk]).update(deadline=past)
    Attempt.objects.filter(step__workflow=other).update(next_check_at=past)
    assert found(staff, waiting="deadline") == [dear]
    assert found(staff, waiting="check") == [other]


def test_the_list_says_what_each_run_took(staff, alice):
    finish(start(alice, "image-only", "a fox", resolution="480p"))
    assert [workflow.taken for workflow in found(staff)] == [3]
