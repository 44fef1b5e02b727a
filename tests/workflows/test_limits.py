"""A user has so many runs in the making, and starts so many in a day; what is over is refused and nothing happens."""

import datetime
import re

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client

from credits import ledger
from tests.api.conftest import bearer, everything
from tests.api.test_openapi import assert_described
from tests.pictures import picture, sent
from tests.pipeline import start
from tests.problems import assert_problem
from tests.races import meet
from vidgenie import tokens
from workflows import limits, pipeline
from workflows.limits import TooMany
from workflows.models import Asset, Attempt, Step, Transition, Workflow

FAST = {"resolution": "480p", "duration_seconds": 2, "seed": 7, "enhance": False}
EXECUTE = "/api/workflow/execute"
BODY = {"type": "image-only", "prompt": "a fox", "options": {"resolution": "480p"}}
BOX = {"type": "image-only", "prompt": "a fox at noon", "key": "k1", "aspect_ratio": "1:1", "resolution": "480p"}
AT_ONCE = "You have 2 runs in the making, and no more may be at once. Wait until one ends, or cancel one."


@pytest.fixture
def two_at_once(settings):
    settings.WORKFLOWS_IN_FLIGHT_PER_USER, settings.WORKFLOWS_PER_DAY_PER_USER = 2, 0


@pytest.fixture
def two_a_day(settings):
    settings.WORKFLOWS_IN_FLIGHT_PER_USER, settings.WORKFLOWS_PER_DAY_PER_USER = 0, 2


@pytest.fixture
def api(alice):
    return bearer(tokens.create(alice, "a program")[1])


@pytest.fixture
def as_alice(alice):
    client = Client()
    client.force_login(alice)
    return client


def runs(user, count=2):
    return [start(user, "image-only", "a fox", **FAST) for _ in range(count)]


def refused(call):
    """What a start was refused with, after which everything is as it was."""
    before = everything(), Attempt.objects.count()
    with pytest.raises(TooMany) as refusal:
        call()
    assert (everything(), Attempt.objects.count()) == before
    return refusal.value


def happened(run, ago):
    """The run was started so many hours ago."""
    Workflow.objects.filter(pk=run.pk).update(created=Now() - datetime.timedelta(hours=ago))


# --- At once


def test_one_run_too_many_at_once_is_refused_and_nothing_happens(alice, two_at_once):
    runs(alice)
    refusal = refused(lambda: runs(alice))
    assert (refusal.code, refusal.limit, str(refusal)) == ("too_many_in_flight", 2, AT_ONCE)


def test_what_has_ended_is_not_counted(alice, two_at_once):
    pipeline.cancel(runs(alice)[0].pk)
    runs(alice, 1)
    assert Workflow.objects.filter(finished=None).count() == 2


def test_nobody_is_limited_by_somebody_else_and_staff_are_limited_too(alice, sam, two_at_once):
    runs(alice)
    runs(sam)
    assert refused(lambda: runs(sam)).limit == 2


def test_trying_again_counts_as_one_more(alice, two_at_once):
    first = runs(alice, 1)[0]
    pipeline.cancel(first.pk)
    runs(alice)
    assert refused(lambda: pipeline.retry(first.pk)).code == "too_many_in_flight"
    first.refresh_from_db()
    assert (first.status, first.finished is None) == ("canceled", False)


def test_the_time_to_come_back_is_when_the_first_will_probably_end(alice, two_at_once):
    first = runs(alice)[0]
    Step.objects.update(model="a model of yesterday's")  # taken to need a minute
    assert refused(lambda: runs(alice)).retry_after == pytest.approx(60, abs=4)
    Step.objects.filter(workflow=first).update(status="running", started=Now() - datetime.timedelta(seconds=9))
    assert refused(lambda: runs(alice)).retry_after == pytest.approx(51, abs=4)


def test_who_should_have_ended_long_ago_is_not_asked_after_at_once(alice, two_at_once):
    runs(alice)
    Step.objects.update(status="running", started=Now() - datetime.timedelta(hours=1))
    assert refused(lambda: runs(alice)).retry_after == 5


# --- In a day


def test_one_run_too_many_in_a_day_is_refused_until_the_oldest_is_a_day_old(alice, two_a_day):
    happened(runs(alice)[0], ago=21)
    refusal = refused(lambda: runs(alice))
    assert (refusal.code, refusal.limit) == ("too_many_today", 2)
    assert refusal.retry_after == pytest.approx(3 * 3600, abs=30)
    assert str(refusal).replace("\N{NO-BREAK SPACE}", " ") == (
        "You have started 2 runs in the last 24 hours, and no more may be. The next can start in 3 hours."
    )


def test_what_is_a_day_old_is_not_counted(alice, two_a_day):
    happened(runs(alice)[0], ago=24)
    runs(alice, 1)
    assert Workflow.objects.count() == 3


def test_with_more_than_the_limit_as_many_as_there_are_too_many_must_grow_old(alice, two_a_day, settings):
    settings.WORKFLOWS_PER_DAY_PER_USER = 0
    for ago, run in zip((23, 22, 20), runs(alice, 3), strict=True):
        happened(run, ago)
    settings.WORKFLOWS_PER_DAY_PER_USER = 2
    assert refused(lambda: runs(alice)).retry_after == pytest.approx(2 * 3600, abs=30)


def test_each_time_a_run_is_tried_again_it_counts(alice, two_a_day):
    run = runs(alice, 1)[0]
    happened(run, ago=20)
    pipeline.cancel(run.pk)
    pipeline.retry(run.pk)
    Transition.objects.filter(new="pending", stage="").update(at=Now() - datetime.timedelta(hours=18))
    pipeline.cancel(run.pk)
    assert refused(lambda: pipeline.retry(run.pk)).retry_after == pytest.approx(4 * 3600, abs=30)
    happened(run, ago=25)
    assert pipeline.retry(run.pk).status == "pending"


def test_no_limit_asks_nothing_of_the_database(alice, settings, django_assert_num_queries):
    run = runs(alice, 1)[0]
    settings.WORKFLOWS_IN_FLIGHT_PER_USER = settings.WORKFLOWS_PER_DAY_PER_USER = 0
    with django_assert_num_queries(0):
        limits.require(run)


def test_both_limits_cost_one_statement(alice, django_assert_num_queries):
    run = runs(alice, 1)[0]
    with django_assert_num_queries(1):
        limits.require(run)


# --- Two starts at once


def begun(user):
    """What becomes of a start."""
    try:
        return runs(user, 1)[0].status
    except TooMany as refusal:
        return refusal.code


@pytest.mark.django_db(transaction=True)
def test_of_two_starts_at_once_the_one_too_many_is_refused(alice, settings):
    settings.WORKFLOWS_IN_FLIGHT_PER_USER = 1
    assert meet(lambda: begun(alice), lambda: begun(alice)) == ["pending", "too_many_in_flight"]
    assert (Workflow.objects.count(), ledger.balance(alice).held) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_of_the_account_both_would_begin(alice, settings, monkeypatch):
    settings.WORKFLOWS_IN_FLIGHT_PER_USER = 1
    monkeypatch.setattr(ledger, "hold", lambda user, amount, reference: None)
    assert meet(lambda: begun(alice), lambda: begun(alice)) == ["pending", "pending"]


# --- The doors


def test_the_api_answers_429_with_the_time_to_come_back(api, alice, two_at_once):
    runs(alice)
    before = everything()
    response = api.post(EXECUTE, BODY, content_type="application/json")
    assert assert_problem(response, 429, "too_many_in_flight")["detail"] == AT_ONCE
    assert (response.headers["Retry-After"], response.json()["limit"], everything()) == ("5", 2, before)
    assert_described(api.get("/api/schema").json(), EXECUTE, "post", response)


def test_the_api_refuses_to_try_one_too_many_again(api, alice, two_a_day):
    run = runs(alice)[0]
    pipeline.cancel(run.pk)
    response = api.post(f"/api/workflow/retry/{run.pk}")
    assert_problem(response, 429, "too_many_today")
    assert response.headers["Retry-After"] == "86400"
    run.refresh_from_db()
    assert run.status == "canceled"


@pytest.mark.parametrize("path", [EXECUTE, "/api/workflow/retry/{workflow_id}"])
def test_the_schema_tells_of_429(db, path):
    answer = Client().get("/api/schema").json()["paths"][path]["post"]["responses"]["429"]
    assert list(answer["content"]) == ["application/problem+json"]
    assert answer["headers"]["Retry-After"]["schema"] == {"type": "integer"}


def test_a_request_that_was_answered_before_is_answered_again(api, alice, two_at_once):
    first = api.post(EXECUTE, BODY, content_type="application/json", headers={"Idempotency-Key": "one"})
    runs(alice, 1)
    again = api.post(EXECUTE, BODY, content_type="application/json", headers={"Idempotency-Key": "one"})
    assert (again.status_code, again.json()) == (202, first.json())


def chosen(response, field):
    """Which of the field's choices is marked."""
    (mark,) = re.findall(rf'<input type="radio" name="{field}" value="([^"]*)"[^>]* checked', response.text)
    return mark


def test_the_page_keeps_what_was_typed_and_says_why(as_alice, alice, two_at_once):
    runs(alice)
    before = everything()
    response = as_alice.post("/workflows/create/", BOX)
    assert (response.status_code, response.headers["Retry-After"], everything()) == (429, "5", before)
    assert AT_ONCE in response.text
    assert "\na fox at noon</textarea>" in response.text
    assert chosen(response, "aspect_ratio") == "1:1"


def test_a_picture_that_was_sent_along_is_not_kept(as_alice, alice, two_at_once):
    runs(alice)
    response = as_alice.post("/workflows/create/", BOX | {"type": "video-from-image", "upload": sent(picture())})
    assert (response.status_code, Asset.objects.count()) == (429, 0)


def test_a_second_press_of_the_same_button_leads_to_the_run(as_alice, alice, two_at_once):
    first = as_alice.post("/workflows/create/", BOX)
    runs(alice, 1)
    assert as_alice.post("/workflows/create/", BOX).headers["Location"] == first.headers["Location"]


def test_the_page_of_a_run_says_why_it_is_not_tried_again(as_alice, alice, two_at_once):
    run = runs(alice, 1)[0]
    pipeline.cancel(run.pk)
    runs(alice)
    response = as_alice.post(f"/workflows/{run.pk}/retry/", follow=True)
    assert AT_ONCE in response.text


@pytest.mark.django_db(transaction=True)
def test_the_command_line_says_why(alice, two_at_once, tmp_path):
    runs(alice)
    with pytest.raises(CommandError, match="You have 2 runs in the making"):
        call_command("generate", "a fox", "--user", "alice", "--output", str(tmp_path))
    assert list(tmp_path.glob("a-fox*")) == []
