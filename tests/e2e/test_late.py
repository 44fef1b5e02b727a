"""What was given up and arrives after all: delivered, for nothing, once."""

import datetime
import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ
from PIL import Image

from credits import ledger
from credits.ledger import Balance
from credits.policy import Outcome
from providers import gateway
from providers.adapters import sandbox
from providers.base import Job, Output, ProviderError, Reason
from providers.base import Status as JobStatus
from providers.models import SandboxJob
from tests.e2e.conftest import Mishaps
from tests.pipeline import STILL, finish, run, start
from workflows import deletion, late, pipeline, settlement, watch
from workflows.document import status_document
from workflows.models import Asset, Attempt, Workflow

HALF_SENT = ProviderError(Reason.TIMED_OUT, "no answer", sent=True)
NOBODY_KNOWS = ProviderError(Reason.LOST, "no way to know")


@pytest.fixture
def lost(alice, mishaps):
    """A run that was given up and paid back, while its picture was made all the same."""
    mishaps.put("answer to submit", HALF_SENT)
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    workflow = run(alice, "image-only", "a fox", **STILL)
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "lost", Balance(300, 0))
    return Attempt.objects.get()


def hear(attempt):
    pipeline.heard(attempt.pk, "sandbox", str(SandboxJob.objects.get().pk))


def some_minutes_later():
    """As if nobody had looked for a while."""
    Attempt.objects.update(looked=timezone.now() - watch.EVERY - datetime.timedelta(seconds=1))


def test_it_is_delivered_for_nothing(alice, mishaps, lost):
    hear(lost)
    assert late.deliver_due() == 1
    workflow = Workflow.objects.get()
    document = status_document(workflow)
    assert (document["status"], document["error"], document["may_come"]) == ("succeeded", None, None)
    assert document["result"]["image"]["id"] == str(Asset.objects.get().pk)
    assert document["credits"] == {"quoted": 2, "held": 0, "settled": 0, "refunded": 2}
    assert ledger.balance(alice) == Balance(300, 0)
    assert mishaps.calls["submit"] == 1


def test_it_is_on_the_record_as_late(lost):
    hear(lost)
    late.deliver_due()
    step = Workflow.objects.get().steps.get()
    assert settlement.outcome(step, [step]) == Outcome.LATE
    assert step.charged == 0
    last = Workflow.objects.get().transitions.order_by("-pk")[:3]
    assert {(one.stage, one.old, one.new, one.reason) for one in last} == {
        ("image", "failed", "succeeded", "lost"), ("", "failed", "succeeded", "lost"),
    }  # fmt: skip


def test_its_owner_sees_it_and_reads_that_it_was_late(client, alice, lost):
    hear(lost)
    late.deliver_due()
    client.force_login(alice)
    page = client.get(Workflow.objects.get().get_absolute_url()).content.decode()
    assert "It arrived after its credits were given back: you keep it, for nothing." in page
    assert Asset.objects.get().thumbnail_url in page
    assert "0 credits taken." in page


@pytest.mark.parametrize("known", [True, False])
def test_its_owner_reads_that_it_may_still_arrive_where_it_may(client, alice, mishaps, lost, known):
    if known:
        mishaps.put("fetch", ProviderError(Reason.UNAVAILABLE, "502"))
        hear(lost)
        late.deliver_due()
    client.force_login(alice)
    page = client.get(Workflow.objects.get().get_absolute_url()).content.decode()
    assert ("It may still arrive: what comes within a day is yours, for nothing." in page) == known


def test_a_run_whose_words_were_not_improved_is_whole_all_the_same(alice, mishaps):
    mishaps.put("submit", *[ProviderError(Reason.UNAVAILABLE, "down", sent=False)] * 6)
    mishaps.put("answer to submit", HALF_SENT)
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    run(alice, "image-only", "a fox", resolution="480p")
    attempt = Attempt.objects.get(step__stage="image")
    hear(attempt)
    late.deliver_due()
    assert (Workflow.objects.get().status, ledger.balance(alice)) == ("succeeded", Balance(300, 0))


def test_it_is_delivered_once(lost):
    hear(lost)
    late.deliver_due()
    hear(lost)
    assert late.deliver_due() == 0
    late.deliver(lost.pk)
    assert Asset.objects.count() == 1


def test_two_who_deliver_at_the_same_moment_leave_one_file(lost, mishaps):
    hear(lost)
    mishaps.put("download", lambda: late.deliver(lost.pk))
    late.deliver(lost.pk)
    with default_storage.open(Asset.objects.get().file) as file:
        assert file.read(4) == b"\x89PNG"


def test_a_job_that_nobody_named_is_not_looked_for(lost, mishaps):
    asked = mishaps.calls["fetch"]
    assert late.deliver_due() == 0
    assert mishaps.calls["fetch"] == asked


def test_after_a_day_nobody_looks_any_more(lost):
    hear(lost)
    Attempt.objects.update(watch_until=F("watch_until") - datetime.timedelta(hours=24, seconds=1))
    assert late.deliver_due() == 0
    assert (Workflow.objects.get().status, Attempt.objects.get().watch_until) == ("failed", None)


def test_it_is_watched_for_a_day(lost):
    assert lost.watch_until - lost.finished == datetime.timedelta(hours=24)
    assert status_document(Workflow.objects.get())["may_come"] is None  # as long as nobody knows its job
    hear(lost)
    assert status_document(Workflow.objects.get())["may_come"] == {
        "until": lost.watch_until.isoformat(),
        "message": "It may still arrive: what comes within a day is yours, for nothing.",
    }


def test_between_two_looks_there_are_some_minutes(lost, mishaps):
    hear(lost)
    mishaps.put("fetch", ProviderError(Reason.UNAVAILABLE, "502"))
    assert [late.deliver_due(), late.deliver_due()] == [1, 0]
    some_minutes_later()
    assert late.deliver_due() == 1
    assert Workflow.objects.get().status == "succeeded"


def test_a_job_that_failed_late_is_not_looked_at_again(alice, lost):
    hear(lost)
    SandboxJob.objects.update(status="failed", failure="render_failed")
    assert late.deliver_due() == 1
    assert late.deliver_due() == 0
    assert (Attempt.objects.get().reason, Workflow.objects.get().reason) == ("unavailable", "lost")
    assert Attempt.objects.get().watch_until is None
    assert ledger.balance(alice) == Balance(300, 0)


def test_what_cannot_be_fetched_now_is_fetched_later(lost, mishaps):
    hear(lost)
    mishaps.put("fetch", ProviderError(Reason.UNAVAILABLE, "502"))
    mishaps.put("download", OSError(28, "No space left on device"))
    for expected in ("failed", "failed", "succeeded"):
        some_minutes_later()
        late.deliver_due()
        assert Workflow.objects.get().status == expected


def test_a_run_that_was_tried_again_keeps_what_that_made(alice, lost, mishaps):
    hear(lost)
    pipeline.retry(Workflow.objects.get().pk)
    assert late.deliver_due() == 0
    while sandbox.render_next():
        pass
    assert ledger.balance(alice).held == 2


def test_a_run_that_was_deleted_gets_nothing(lost):
    hear(lost)
    deletion.delete(Workflow.objects.get())
    assert late.deliver_due() == 0
    assert (Asset.objects.count(), Attempt.objects.get().watch_until) == (0, None)


# --- Given up for other reasons than a lost submit


@pytest.fixture
def slow(alice):
    """A run whose picture takes longer than its owner was promised."""
    workflow = start(alice, "image-only", "a fox #sim:slow=3600", **STILL)
    finish(workflow)
    return workflow


def end_of_patience(workflow):
    Workflow.objects.update(deadline="2026-01-01T00:00Z")
    return finish(workflow)


def it_is_made():
    SandboxJob.objects.update(created="2026-01-01T00:00Z")
    some_minutes_later()


def test_what_is_made_after_the_deadline_is_delivered_for_nothing(alice, mishaps, slow):
    assert end_of_patience(slow).reason == "timed_out"
    it_is_made()
    assert late.deliver_due() == 1
    slow.refresh_from_db()
    assert (slow.status, slow.reason, ledger.balance(alice)) == ("succeeded", "timed_out", Balance(300, 0))
    assert (slow.steps.get().charged, mishaps.calls["submit"], Asset.objects.count()) == (0, 1, 1)


def test_what_is_made_after_a_cancel_that_its_provider_ignored_is_delivered_for_nothing(alice, mishaps, slow):
    mishaps.cancel = lambda job, **key: None
    assert pipeline.cancel(slow.pk).status == "running"
    assert end_of_patience(slow).status == "failed"
    it_is_made()
    late.deliver_due()
    slow.refresh_from_db()
    assert (slow.status, ledger.balance(alice)) == ("succeeded", Balance(300, 0))


def test_a_cancel_that_its_provider_confirmed_is_the_end(alice, mishaps, slow):
    assert pipeline.cancel(slow.pk).status == "canceled"
    it_is_made()
    assert (late.deliver_due(), Attempt.objects.get().watch_until) == (0, None)


def test_what_staff_have_ended_is_delivered_all_the_same(alice, slow):
    pipeline.fail(slow.pk, detail="ended by sam")
    it_is_made()
    late.deliver_due()
    assert (Workflow.objects.get().status, ledger.balance(alice)) == ("succeeded", Balance(300, 0))


def test_a_result_that_could_not_be_stored_in_time_is_stored_when_there_is_room(alice, mishaps):
    mishaps.put("download", OSError(28, "No space left on device"))
    workflow = start(alice, "image-only", "a fox", **STILL)
    pipeline.advance(workflow.pk)
    while sandbox.render_next():
        pass
    Attempt.objects.update(next_check_at=timezone.now())
    pipeline.advance(workflow.pk)
    assert end_of_patience(workflow).status == "failed"
    asked = mishaps.calls["fetch"]
    some_minutes_later()
    late.deliver_due()
    workflow.refresh_from_db()
    assert (workflow.status, mishaps.calls["submit"], mishaps.calls["fetch"]) == ("succeeded", 1, asked)
    assert ledger.balance(alice) == Balance(300, 0)


def test_what_came_with_the_answer_is_kept_until_it_is_stored(alice, django_capture_on_commit_callbacks):
    workflow = start(alice, "image-only", "a fox", **STILL)
    name = default_storage.save("inbox/answer.0", ContentFile(png()))
    outputs = [{"location": f"inbox:{name}", "content_type": "image/png"}]
    Attempt.objects.update(phase="store", status="running", outputs=outputs)
    workflow.steps.update(status="running")
    with django_capture_on_commit_callbacks(execute=True):
        pipeline.fail(workflow.pk, detail="ended by sam")
    assert default_storage.exists(name)
    with django_capture_on_commit_callbacks(execute=True):
        late.deliver_due()
    assert (Asset.objects.count(), default_storage.exists(name)) == (1, False)


def png():
    picture = io.BytesIO()
    Image.new("RGB", (64, 36)).save(picture, "PNG")
    return picture.getvalue()


@pytest.mark.parametrize("prompt", ["a fox #sim:fail", "a fox #sim:moderation", "a fox #sim:badfile"])
def test_what_its_provider_has_ended_is_not_watched(alice, prompt):
    assert run(alice, "image-only", prompt, **STILL).status == "failed"
    assert Attempt.objects.get().watch_until is None


def test_a_submit_that_was_never_sent_is_not_watched(alice, mishaps):
    mishaps.put("submit", *[ProviderError(Reason.UNAVAILABLE, "down", sent=False)] * 6)
    assert run(alice, "image-only", "a fox", **STILL).status == "failed"
    assert Attempt.objects.get().watch_until is None


def test_words_that_come_late_are_of_no_use(alice, mishaps):
    mishaps.put("submit", *[HALF_SENT] * 9)
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    run(alice, "image-only", "a fox", resolution="480p")
    attempt = Attempt.objects.get(step__stage="enhance")
    assert (attempt.reason, attempt.watch_until) == ("lost", None)


# --- Many of them


def test_those_that_waited_longest_are_looked_at_first(alice):
    moment = timezone.now() - datetime.timedelta(hours=1)
    for minutes in (30, 10, None, 20):
        attempt = given_up(alice)
        looked = None if minutes is None else moment - datetime.timedelta(minutes=minutes)
        Attempt.objects.filter(pk=attempt.pk).update(looked=looked, job_id=f"job-{minutes}")
    order = [Attempt.objects.get(pk=watch.take(1)[0]).job_id for _ in range(4)]
    assert order == ["job-None", "job-30", "job-20", "job-10"]
    assert watch.take(1) == []


def given_up(user):
    workflow = start(user, "image-only", "a fox", **STILL)
    attempt = Attempt.objects.get(step__workflow=workflow)
    Attempt.objects.filter(pk=attempt.pk).update(phase="fetch", status="queued")
    pipeline.fail(workflow.pk, detail="ended by sam")
    return attempt


def test_a_job_that_kills_whoever_looks_is_left_alone_after_three_deaths(alice, mishaps, slow):
    pipeline.fail(slow.pk, detail="ended by sam")
    mishaps.put("fetch", *[_die] * 3)
    for _ in range(3):
        some_minutes_later()
        with pytest.raises(KeyboardInterrupt):
            late.deliver_due()
    some_minutes_later()
    assert watch.take(1) == []
    assert (late.deliver_due(), Attempt.objects.get().watch_until) == (0, None)


def test_a_look_that_is_survived_is_not_held_against_it(alice, mishaps, slow):
    pipeline.fail(slow.pk, detail="ended by sam")
    for _ in range(4):
        some_minutes_later()
        assert late.deliver_due() == 1
    assert Attempt.objects.get().watch_until is not None


def _die():
    raise KeyboardInterrupt


# --- An answer that brings all it made, and comes when nobody waits for it any more


class AtOnce(Mishaps):
    """A provider that makes a picture, or words, while it is asked."""

    made: JobStatus = JobStatus.SUCCEEDED

    def submit(self, request, **key):
        self._meet("submit")
        output = (
            Output(text="a better fox") if request.kind == "text" else Output(content=png(), content_type="image/png")
        )
        self._meet("answer to submit")
        outputs = (output,) if self.made == JobStatus.SUCCEEDED else ()
        return Job(request.reference, self.made, outputs=outputs, reason=Reason.CONTENT_POLICY)

    def fetch(self, job, **key):
        raise ProviderError(Reason.LOST, "there is nothing to ask for")

    find = fetch


@pytest.fixture
def at_once(monkeypatch):
    adapter = AtOnce()
    monkeypatch.setitem(gateway.ADAPTERS, "sandbox", adapter)
    return adapter


def others_look(workflow, times):
    """What others do while an answer is on its way: the lease runs out, and they ask what became of the submit."""

    def look():
        for _ in range(times):
            Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
            pipeline.advance(workflow.pk)

    return look


@pytest.fixture
def overtaken(alice, at_once):
    """A run that was given up while its picture was on the way to us."""
    workflow = start(alice, "image-only", "a fox", **STILL)
    at_once.put("answer to submit", others_look(workflow, 9))
    pipeline.advance(workflow.pk)
    workflow.refresh_from_db()
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "lost", Balance(300, 0))
    return workflow


def test_a_picture_that_came_with_a_late_answer_is_delivered_for_nothing(alice, at_once, overtaken):
    assert late.deliver_due() == 1
    overtaken.refresh_from_db()
    assert (overtaken.status, overtaken.reason, ledger.balance(alice)) == ("succeeded", "lost", Balance(300, 0))
    assert (overtaken.steps.get().charged, at_once.calls["submit"], Asset.objects.count()) == (0, 1, 1)


def test_it_is_brought_home_at_once_and_leaves_nothing_behind(overtaken, django_capture_on_commit_callbacks):
    assert OrmQ.objects.last().func() == "workflows.late.deliver"
    with django_capture_on_commit_callbacks(execute=True):
        late.deliver(Attempt.objects.get().pk)
    assert default_storage.listdir("inbox") == ([], [])


def test_a_refusal_that_comes_too_late_is_nothing_to_wait_for(alice, at_once):
    at_once.made = JobStatus.FAILED
    workflow = start(alice, "image-only", "a fox", **STILL)
    at_once.put("answer to submit", others_look(workflow, 9))
    pipeline.advance(workflow.pk)
    assert (late.deliver_due(), Attempt.objects.get().outputs) == (0, [])
    assert (Workflow.objects.get().reason, ledger.balance(alice)) == ("lost", Balance(300, 0))


def test_a_picture_that_comes_while_others_still_ask_is_kept_and_paid(alice, at_once):
    workflow = start(alice, "image-only", "a fox", **STILL)
    at_once.put("answer to submit", others_look(workflow, 1))
    pipeline.advance(workflow.pk)
    assert Attempt.objects.get().phase == "store"
    assert (finish(workflow).status, ledger.balance(alice)) == ("succeeded", Balance(298, 0))
    assert (at_once.calls["submit"], Asset.objects.count(), Attempt.objects.count()) == (1, 1, 1)


def test_words_that_come_while_others_still_ask_are_used(alice, at_once):
    workflow = start(alice, "image-only", "a fox", **STILL | {"enhance": True})
    at_once.put("answer to submit", others_look(workflow, 1))
    pipeline.advance(workflow.pk)
    assert finish(workflow).status == "succeeded"
    assert Attempt.objects.get(step__stage="image").prompt == "a better fox"
    assert (at_once.calls["submit"], ledger.balance(alice)) == (2, Balance(297, 0))


def test_a_refusal_that_comes_while_others_still_ask_is_told_as_such(alice, at_once):
    at_once.made = JobStatus.FAILED
    workflow = start(alice, "image-only", "a fox", **STILL)
    at_once.put("answer to submit", others_look(workflow, 1))
    pipeline.advance(workflow.pk)
    assert (Workflow.objects.get().reason, ledger.balance(alice)) == ("content_policy", Balance(300, 0))
