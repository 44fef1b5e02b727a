"""The contact sheet: one's own runs, newest first, page by page."""

import uuid

from tests.pipeline import finish, run, start
from workflows import deletion, views
from workflows.models import Workflow

SMALL = {"resolution": "480p", "duration_seconds": 2}
URL = "/workflows/"


def prompts(answer):
    return [strip.workflow.prompt for strip in answer.context["strips"]]


def test_an_empty_gallery_shows_one_way_to_begin(as_alice):
    page = as_alice.get(URL).content.decode()
    assert "Everything you make will hang here, newest first." in page
    assert 'class="button" href="/workflows/create/"' in page


def test_the_newest_comes_first(as_alice, alice):
    for prompt in ("one", "two", "three"):
        start(alice, "image-only", prompt)
    assert prompts(as_alice.get(URL)) == ["three", "two", "one"]


def test_it_shows_only_ones_own(as_bob, alice):
    start(alice, "image-only", "a secret")
    assert prompts(as_bob.get(URL)) == []


def test_a_deleted_run_is_gone(as_alice, alice):
    deletion.delete(run(alice, "image-only", "a fox", resolution="480p"))
    assert prompts(as_alice.get(URL)) == []


def test_more_goes_on_where_the_page_ended(as_alice, alice, monkeypatch):
    monkeypatch.setattr(views, "PAGE", 2)
    for number in range(5):
        start(alice, "image-only", f"run {number}")
    first = as_alice.get(URL)
    second = as_alice.get(URL, {"before": first.context["more"]})
    third = as_alice.get(URL, {"before": second.context["more"]})
    assert [*prompts(first), *prompts(second), *prompts(third)] == ["run 4", "run 3", "run 2", "run 1", "run 0"]
    assert third.context["more"] is None


def test_a_script_gets_only_the_cards_that_follow(as_alice, alice, monkeypatch):
    monkeypatch.setattr(views, "PAGE", 1)
    start(alice, "image-only", "older")
    newer = start(alice, "image-only", "newer")
    page = as_alice.get(URL, {"before": newer.pk}, HTTP_HX_REQUEST="true").content.decode()
    assert "older" in page
    assert "<html" not in page


def test_filters_choose_by_kind_and_state(as_alice, alice):
    run(alice, "image-only", "a still", resolution="480p")
    run(alice, "complete", "a failure #sim:fail@image", **SMALL)
    start(alice, "complete", "a beginning", **SMALL)
    assert prompts(as_alice.get(URL, {"type": "image-only"})) == ["a still"]
    assert prompts(as_alice.get(URL, {"status": "failed"})) == ["a failure #sim:fail@image"]
    assert prompts(as_alice.get(URL, {"status": "unfinished"})) == ["a beginning"]
    assert "Nothing of this kind." in as_alice.get(URL, {"status": "canceled"}).content.decode()


def test_nonsense_in_the_address_is_no_error(as_alice, alice):
    start(alice, "image-only", "a still")
    assert prompts(as_alice.get(URL, {"type": "opera", "status": "bored"})) == ["a still"]
    assert as_alice.get(URL, {"before": "x"}).status_code == 404
    assert as_alice.get(URL, {"before": uuid.uuid4()}).status_code == 404


def test_a_card_of_a_running_run_looks_again_and_stops(as_alice, alice):
    workflow = start(alice, "image-only", "a fox", resolution="480p")
    url = f"/workflows/{workflow.pk}/card/"
    assert f'hx-get="{url}"' in as_alice.get(URL).content.decode()
    finish(workflow)
    card = as_alice.get(url).content.decode()
    assert "hx-get" not in card
    assert Workflow.objects.get().steps.get(stage="image").asset.thumbnail_url in card


def test_a_page_of_runs_takes_a_bounded_number_of_queries(as_alice, alice, django_assert_max_num_queries):
    for number in range(8):
        start(alice, "image-only", f"run {number}")
    with django_assert_max_num_queries(12):
        as_alice.get(URL)
