"""Room for one's own pictures, and how one makes some: a picture goes when no run needs it any more."""

from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread

import pytest
from django.db import connections

from tests.api.conftest import bearer, everything, nothing_happens
from tests.pictures import picture, sent
from tests.pipeline import finish
from tests.problems import assert_problem
from vidgenie import tokens
from workflows import deletion, pipeline, uploads
from workflows.models import Asset, Workflow

__all__ = ["nothing_happens"]


@pytest.fixture
def api(alice):
    return bearer(tokens.create(alice, "a program")[1])


@pytest.fixture
def image(alice):
    return uploads.upload(alice, sent(picture(320, 240)))


def film(alice, image, prompt="a fox"):
    options = {"enhance": False, "resolution": "480p", "duration_seconds": 2, "seed": 7}
    return pipeline.start(alice, pipeline.quote("video-from-image", prompt, options, image, user=alice))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# --- Room


def test_who_keeps_as_much_as_one_may_is_told_the_limit_and_what_to_do(api, alice, image, settings):
    settings.UPLOAD_MAX_BYTES_PER_USER = image.size + 1
    before = everything()
    answer = api.post("/api/assets", {"image": sent(picture(320, 240))})
    assert_problem(answer, 413, "no_room", "image")
    assert answer.json()["limit"] == image.size + 1
    assert "Delete some that you no longer need." in answer.json()["detail"]
    assert everything() == before


def test_a_full_room_is_known_before_anything_is_opened(alice, image, settings, monkeypatch):
    settings.UPLOAD_MAX_BYTES_PER_USER = image.size
    monkeypatch.setattr(uploads, "_draw", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(uploads.NoRoom):
        uploads.upload(alice, sent(picture()))


def test_what_others_keep_and_what_was_made_does_not_count(alice, bob, image, settings):
    Asset.objects.filter(pk=image.pk).update(user=bob)
    made = uploads.upload(alice, sent(picture()))
    Asset.objects.filter(pk=made.pk).update(uploaded=False)
    settings.UPLOAD_MAX_BYTES_PER_USER = made.size
    assert uploads.upload(alice, sent(picture())).pk
    assert uploads.room_taken(alice) == made.size


def test_without_a_limit_there_is_always_room(alice, image, settings):
    settings.UPLOAD_MAX_BYTES_PER_USER = 0
    assert uploads.upload(alice, sent(picture())).pk


@pytest.mark.django_db(transaction=True)
def test_of_two_uploads_at_once_the_second_counts_the_first(alice, settings, monkeypatch):
    settings.UPLOAD_MAX_BYTES_PER_USER = len(uploads.drawn_anew(sent(picture()))) + 1
    save, both, refused = Asset.save, Barrier(2), []

    def save_together(asset, **how):
        with suppress(BrokenBarrierError):  # where they take turns, each waits in vain for the other
            both.wait(1)
        save(asset, **how)

    def upload():
        try:
            uploads.upload(alice, sent(picture()))
        except uploads.NoRoom:
            refused.append(1)
        connections.close_all()

    monkeypatch.setattr(Asset, "save", save_together)
    threads = [Thread(target=upload) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Asset.objects.count(), refused) == (1, [1])


# --- Deleting


def test_a_picture_that_no_run_needs_goes_with_its_files(api, image, settings):
    assert len(files(settings.MEDIA_ROOT)) == 2
    assert api.delete(f"/api/assets/{image.pk}").status_code == 204
    assert (Asset.objects.count(), files(settings.MEDIA_ROOT)) == (0, [])
    assert_problem(api.delete(f"/api/assets/{image.pk}"), 404, "not_found")


def test_somebody_elses_picture_does_not_exist(image, bob):
    assert_problem(bearer(tokens.create(bob, "a program")[1]).delete(f"/api/assets/{image.pk}"), 404, "not_found")
    assert Asset.objects.count() == 1


def test_a_token_that_only_reads_deletes_nothing(alice, image):
    reader = bearer(tokens.create(alice, "a reader", scopes=["read"])[1])
    assert_problem(reader.delete(f"/api/assets/{image.pk}"), 403, "insufficient_scope")
    assert Asset.objects.count() == 1


def test_a_run_that_goes_on_keeps_its_picture(api, alice, image):
    film(alice, image)
    before = everything()
    assert_problem(api.delete(f"/api/assets/{image.pk}"), 409, "still_needed")
    assert everything() == before
    assert Workflow.objects.get().image == image


def test_so_does_one_that_can_be_tried_again_until_it_is_deleted(api, alice, image):
    workflow = film(alice, image)
    pipeline.cancel(workflow.pk)
    assert_problem(api.delete(f"/api/assets/{image.pk}"), 409, "still_needed")
    deletion.delete(Workflow.objects.get())
    assert api.delete(f"/api/assets/{image.pk}").status_code == 204


@pytest.mark.django_db(transaction=True)
def test_what_was_made_from_it_stays(api, alice, image):
    workflow = finish(film(alice, image))
    assert (workflow.status, api.delete(f"/api/assets/{image.pk}").status_code) == ("succeeded", 204)
    workflow.refresh_from_db()
    assert (workflow.image, workflow.steps.get().asset) == (None, Asset.objects.get())


def test_a_run_that_begins_at_the_same_moment_keeps_its_picture(alice, image, monkeypatch):
    film(alice, image)
    monkeypatch.setattr(deletion, "_in_need", Workflow.objects.none)  # as it looked a moment before
    with pytest.raises(deletion.StillNeeded, match="A run still needs this picture"):
        deletion.delete_upload(image)
    assert Workflow.objects.get().image == image


def test_what_a_run_made_goes_with_the_run_alone(api, alice, image):
    Asset.objects.filter(pk=image.pk).update(uploaded=False)
    assert_problem(api.delete(f"/api/assets/{image.pk}"), 409, "still_needed")
    assert Asset.objects.count() == 1


def test_the_list_has_ones_own_uploads_alone(api, alice, bob, image):
    uploads.upload(bob, sent(picture()))
    made = uploads.upload(alice, sent(picture()))
    Asset.objects.filter(pk=made.pk).update(uploaded=False)
    assert [asset["id"] for asset in api.get("/api/assets").json()["results"]] == [str(image.pk)]


# --- The page


def test_the_page_shows_what_there_is_and_lets_go_of_it(client, alice, image):
    client.force_login(alice)
    page = client.get("/workflows/pictures/").content.decode()
    assert "of 1.0\xa0GB." in page
    assert image.thumbnail_url in page
    said = client.post(f"/workflows/pictures/{image.pk}/delete/", follow=True).content.decode()
    assert "The picture is deleted." in said
    assert "The pictures that you bring to life will be here, newest first." in said
    assert Asset.objects.count() == 0


def test_the_page_offers_no_button_where_a_run_needs_it_and_refuses_all_the_same(client, alice, image):
    film(alice, image)
    client.force_login(alice)
    page = client.get("/workflows/pictures/").content.decode()
    assert "a run still needs it" in page
    assert f"/workflows/pictures/{image.pk}/delete/" not in page
    said = client.post(f"/workflows/pictures/{image.pk}/delete/", follow=True).content.decode()
    assert "A run still needs this picture." in said
    assert Asset.objects.count() == 1


def test_the_page_does_not_know_somebody_elses_picture(client, bob, image):
    client.force_login(bob)
    assert "Bring a picture to life" in client.get("/workflows/pictures/").content.decode()
    assert client.post(f"/workflows/pictures/{image.pk}/delete/").status_code == 404
    assert Asset.objects.count() == 1


def test_the_page_asks_as_often_for_ten_as_for_one(client, alice, image, django_assert_max_num_queries):
    for number in range(9):
        Asset.objects.create(**{**Asset.objects.filter(pk=image.pk).values().get(), "id": None} | {"id": _id(number)})
    client.force_login(alice)
    with django_assert_max_num_queries(7):
        client.get("/workflows/pictures/")


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"
