"""A run's page: the strip while it is made, what came of it, what it cost, and what can be done with it."""

import uuid

import pytest
from django.core.files.storage import default_storage

from credits import ledger
from credits.ledger import Balance
from tests.pipeline import finish, run, start
from workflows.models import Asset, Workflow

SMALL = {"resolution": "480p", "duration_seconds": 2, "seed": 7}


def page(client, workflow, part=""):
    answer = client.get(f"/workflows/{workflow.pk}/{part}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def made(alice):
    return run(alice, "complete", "a fox in the snow", **SMALL)


def test_a_run_that_just_began_shows_what_is_held(as_alice, alice):
    workflow = start(alice, "complete", "a fox in the snow", **SMALL)
    text = page(as_alice, workflow)
    assert "5 credits held, nothing taken until you have it." in text
    assert "5 come back" in text
    assert 'hx-trigger="every 1s"' in text
    assert '<meta http-equiv="refresh" content="3">' in text


def test_the_still_is_there_before_the_video(as_alice, alice):
    workflow = start(alice, "complete", "a fox in the snow #sim:slow=600@video", **SMALL)
    finish(workflow)
    text = page(as_alice, workflow)
    still = workflow.steps.get(stage="image").asset
    assert still.thumbnail_url in text
    assert "<video" not in text
    assert "2 come back" in text


def test_cancel_gives_back_exactly_what_it_said(as_alice, alice):
    workflow = finish(start(alice, "complete", "a fox in the snow #sim:slow=600@video", **SMALL))
    assert "2 come back" in page(as_alice, workflow)
    as_alice.post(f"/workflows/{workflow.pk}/cancel/")
    finish(workflow)
    assert ledger.balance(alice) == Balance(300 - 3, 0)
    assert "2 credits are back." in page(as_alice, workflow)


def test_a_finished_run_plays(as_alice, made):
    text = page(as_alice, made)
    video = made.steps.get(stage="video").asset
    assert f'src="{video.get_absolute_url()}"' in text
    assert f'poster="{video.thumbnail_url}"' in text
    assert "5 credits taken." in text
    assert "a fox in the snow. The setting is" in text or made.steps.get(stage="enhance").text in text


def test_a_finished_run_is_not_asked_again(as_alice, made):
    text = page(as_alice, made)
    assert "hx-get" not in text
    assert "http-equiv" not in text


def test_it_says_that_the_sandbox_is_no_ai(as_alice, made):
    assert "Sandbox preview, not AI" in page(as_alice, made)


def test_the_timeline_tells_each_change(as_alice, made):
    text = page(as_alice, made)
    for line in ("<b>the run</b> made", "<b>words</b> made", "<b>still</b> made", "<b>motion</b> made"):
        assert line in text


def test_the_receipt_lists_each_part(as_alice, made):
    text = page(as_alice, made)
    assert '<tr><th scope="row">still</th><td>sandbox/still</td><td class="n">2</td><td class="n">2</td></tr>' in text


def test_its_words_cannot_become_markup(as_alice, alice):
    workflow = start(alice, "complete", "<script>alert(1)</script>", **SMALL)
    assert "<script>alert" not in page(as_alice, workflow)


# --- Failure


def test_a_failure_stands_in_the_place_of_its_frame(as_alice, alice):
    workflow = run(alice, "complete", "a fox #sim:fail@video", **SMALL)
    text = page(as_alice, workflow)
    assert "The provider could not finish it." in text
    assert "2 credits are back." in text
    assert "3 credits taken." in text
    assert "Try again · <b>2 credits</b>" in text


def test_trying_again_holds_exactly_what_the_button_said(as_alice, alice):
    workflow = run(alice, "complete", "a fox #sim:fail@video", **SMALL)
    as_alice.post(f"/workflows/{workflow.pk}/retry/")
    assert ledger.balance(alice) == Balance(297, 2)
    assert Workflow.objects.get().status == "pending"


def test_a_refused_prompt_is_to_be_changed_not_repeated(as_alice, alice):
    workflow = run(alice, "complete", "a fox #sim:moderation", **SMALL)
    text = page(as_alice, workflow)
    assert "Try other words for what you want to see." in text
    assert "Change it and try again" in text
    assert "5 credits are back." in text


def test_a_finished_run_is_not_tried_again(as_alice, alice, made):
    answer = as_alice.post(f"/workflows/{made.pk}/retry/", follow=True)
    assert "Only a run that failed or was canceled can be tried again." in answer.content.decode()
    assert ledger.balance(alice) == Balance(295, 0)


def test_trying_again_without_credits_says_what_is_missing(as_alice, alice):
    workflow = run(alice, "complete", "a fox #sim:fail@video", **SMALL)
    ledger.adjust(alice, -296, key="test", reason="test")
    answer = as_alice.post(f"/workflows/{workflow.pk}/retry/", follow=True)
    assert "It needs 2 credits; you have 1, and 0 are held for other runs." in answer.content.decode()
    assert Workflow.objects.get().status == "failed"


# --- Watching


def test_nothing_new_is_answered_with_304(as_alice, alice):
    workflow = start(alice, "complete", "a fox", **SMALL)
    url = f"/workflows/{workflow.pk}/live/"
    first = as_alice.get(url)
    again = as_alice.get(url, HTTP_IF_NONE_MATCH=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_what_moved_is_answered_anew(as_alice, alice):
    workflow = start(alice, "complete", "a fox", **SMALL)
    url = f"/workflows/{workflow.pk}/live/"
    before = as_alice.get(url).headers["ETag"]
    finish(workflow)
    after = as_alice.get(url, HTTP_IF_NONE_MATCH=before)
    assert after.status_code == 200
    assert "hx-trigger" not in after.content.decode()
    assert 'data-says="It is made."' in after.content.decode()
    assert "<b>295</b> <span>credits</span>" in after.content.decode()


def test_progress_is_told_only_where_the_provider_tells_it(as_alice, alice):
    workflow = start(alice, "complete", "a fox", **SMALL)
    assert "<progress" not in page(as_alice, workflow)
    finish(start(alice, "complete", "an owl #sim:slow=600@video", **SMALL))
    assert "<progress" in page(as_alice, Workflow.objects.get(prompt__startswith="an owl"), "live/")


def test_looking_at_a_run_takes_few_queries(as_alice, made, django_assert_max_num_queries):
    with django_assert_max_num_queries(11):
        page(as_alice, made, "live/")


# --- Delete


def test_delete_asks_first(as_alice, made):
    assert "Delete this for good?" in page(as_alice, made, "delete/")
    assert Workflow.objects.get().deleted is None


def test_delete_takes_the_files_and_keeps_the_receipt(as_alice, alice, made):
    names = list(Asset.objects.values_list("file", flat=True))
    as_alice.post(f"/workflows/{made.pk}/delete/")
    assert not any(default_storage.exists(name) for name in names)
    text = page(as_alice, made)
    assert "This run was deleted" in text
    assert "fox" not in text
    assert "5 credits taken." in text


def test_what_is_in_the_making_is_not_deleted(as_alice, alice):
    workflow = start(alice, "complete", "a fox", **SMALL)
    answer = as_alice.post(f"/workflows/{workflow.pk}/delete/", follow=True)
    assert "It is still in the making. Cancel it first." in answer.content.decode()
    assert Workflow.objects.get().deleted is None


def test_a_cancel_that_came_too_late_is_told(as_alice, made):
    answer = as_alice.post(f"/workflows/{made.pk}/cancel/", follow=True)
    assert "It was finished before it could be canceled." in answer.content.decode()


# --- Somebody else's


@pytest.mark.parametrize("part", ["", "live/", "card/", "delete/"])
def test_somebody_elses_run_does_not_exist(as_bob, made, part):
    assert as_bob.get(f"/workflows/{made.pk}/{part}").status_code == 404


@pytest.mark.parametrize("act", ["cancel", "retry", "delete"])
def test_somebody_else_can_do_nothing_to_it(as_bob, alice, act):
    workflow = start(alice, "complete", "a fox", **SMALL)
    assert as_bob.post(f"/workflows/{workflow.pk}/{act}/").status_code == 404
    workflow.refresh_from_db()
    assert (workflow.status, workflow.cancel_requested, workflow.deleted) == ("pending", None, None)


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_looking_never_acts(as_alice, made, act):
    assert as_alice.get(f"/workflows/{made.pk}/{act}/").status_code == 405


def test_a_run_that_never_was_is_404(as_alice):
    answer = as_alice.get(f"/workflows/{uuid.uuid4()}/")
    assert answer.status_code == 404
    assert "This frame is empty." in answer.content.decode()
