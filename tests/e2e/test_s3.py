"""A site that keeps its files in a bucket: whole runs, how they are handed out, and a bucket that is away."""

import ast
import hashlib
import io
from collections import Counter
from pydoc import locate

import pytest
import requests
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django_q.models import Schedule

from credits import ledger
from credits.ledger import Balance
from providers.adapters import sandbox
from tests.pictures import picture
from tests.pipeline import STILL, advance_due, finish, run, start
from workflows import deletion, media, pipeline, uploads
from workflows.models import Asset, Attempt, Workflow

FAST = {"resolution": "480p", "duration_seconds": 2, "seed": 7}


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch):
    """The bucket's client tries again at once."""
    from types import SimpleNamespace

    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def film(bucket, alice):
    """A video of alice's, of 1024 bytes that no decoder would take."""
    content = ContentFile(bytes(range(256)) * 4)
    names = {"file": bucket.save("made/1.mp4", content), "thumbnail": bucket.save("made/1.webp", ContentFile(b"small"))}
    measures = {"size": 1024, "sha256": "a" * 64, "width": 64, "height": 64, "duration": 2.0}
    return Asset.objects.create(user=alice, kind="video", content_type="video/mp4", **names, **measures)


@pytest.fixture
def rendered(bucket, alice, mishaps):
    """A run of alice's whose picture is made and not brought home yet; held at 2 credits."""
    workflow = start(alice, "image-only", "a fox", **STILL)
    pipeline.advance(workflow.pk)
    while sandbox.render_next():
        pass
    return workflow


def objects(place):
    """The names of all there is in the bucket."""
    return sorted(f"{folder}/{name}" for folder in place.listdir("")[0] for name in place.listdir(folder)[1])


def look():
    """One look at whatever is not finished."""
    Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
    advance_due()


def test_a_sentence_becomes_a_video_in_the_bucket(bucket, client, alice):
    workflow = run(alice, "complete", "a fox in the snow", **FAST)
    assert (workflow.status, ledger.balance(alice).held) == ("succeeded", 0)
    asset = workflow.steps.last().asset
    client.force_login(alice)
    answer = requests.get(client.get(asset.get_absolute_url())["Location"], timeout=30)
    assert (answer.headers["Content-Type"], len(answer.content)) == ("video/mp4", asset.size)
    assert hashlib.sha256(answer.content).hexdigest() == asset.sha256
    assert media.measure_video(io.BytesIO(answer.content)).duration == 2.0


def test_in_the_bucket_is_what_runs_have_made_under_names_of_ours(bucket, alice):
    made = {step.asset for step in run(alice, "complete", "../a fox", **FAST).steps.all() if step.asset}
    kept = sorted(name for asset in made for name in (asset.file, asset.thumbnail))
    assert [name for name in objects(bucket) if not name.startswith("sandbox/")] == kept


def test_a_run_asks_the_bucket_for_no_more_than_it_needs(bucket, alice, s3_server):
    """The sandbox puts down two files of its own, which are fetched as another provider's would be."""
    s3_server.gate.asked.clear()
    run(alice, "complete", "a fox", **FAST)
    asked = Counter((one.split()[0], "/sandbox/" in one) for one in s3_server.gate.asked)
    assert asked == {("PUT", False): 4, ("GET", False): 1, ("PUT", True): 2, ("GET", True): 2}


# --- Handing out -------------------------------------------------------------------------------------------


def test_a_browser_is_sent_to_the_bucket_for_any_part(client, alice, film):
    client.force_login(alice)
    response = client.get(film.get_absolute_url())
    assert (response.status_code, response["Cache-Control"]) == (302, "private, max-age=450")
    answer = requests.get(response["Location"], headers={"Range": "bytes=256-511"}, timeout=30)
    assert (answer.status_code, answer.content) == (206, bytes(range(256)))
    assert answer.headers["Content-Disposition"] == f'inline; filename="vidgenie-{str(film.pk)[:8]}.mp4"'


def test_a_download_is_saved_under_a_name_of_ours(client, alice, film):
    client.force_login(alice)
    answer = requests.get(client.get(film.get_absolute_url(), {"download": "1"})["Location"], timeout=30)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="vidgenie-{str(film.pk)[:8]}.mp4"'


def test_the_small_picture_comes_from_us_to_be_kept_for_good(client, alice, film):
    client.force_login(alice)
    response = client.get(film.thumbnail_url)
    assert (response.status_code, b"".join(response)) == (200, b"small")
    assert response["Cache-Control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize("which", ["get_absolute_url", "thumbnail_url"])
def test_nobody_else_is_told_an_address(client, bob, film, s3_server, which):
    client.force_login(bob)
    s3_server.gate.asked.clear()
    path = getattr(film, which)
    response = client.get(path() if callable(path) else path)
    assert (response.status_code, "Location" in response, s3_server.gate.asked) == (404, False, [])


def test_a_site_may_hand_the_parts_out_itself(client, alice, film, bucket):
    bucket.querystring_expire = 0
    client.force_login(alice)
    response = client.get(film.get_absolute_url(), headers={"Range": "bytes=256-511"})
    assert (response.status_code, b"".join(response)) == (206, bytes(range(256)))
    assert client.get(film.get_absolute_url(), headers={"Range": "bytes=2000-"}).status_code == 416


def test_a_file_that_is_gone_is_missing_for_whoever_goes_there(client, alice, film, bucket):
    client.force_login(alice)
    bucket.delete(film.file)
    bucket.delete(film.thumbnail)
    answer = requests.get(client.get(film.get_absolute_url())["Location"], timeout=30)
    assert answer.status_code in (403, 404)  # S3 says 404 only to those who may list
    assert client.get(film.thumbnail_url).status_code == 404


# --- Names, deletion ---------------------------------------------------------------------------------------


def test_no_name_of_a_users_gets_into_the_bucket(bucket, alice):
    files = [SimpleUploadedFile("../../made/fox.png", picture(80, 60)) for _ in range(2)]
    kept = [uploads.upload(alice, file) for file in files]
    assert len({asset.file for asset in kept}) == 2
    assert all(name.startswith("uploads/") and "fox" not in name for name in objects(bucket))


def test_what_is_deleted_leaves_the_bucket(bucket, alice):
    workflow = run(alice, "image-only", "a fox", **STILL)
    names = [(asset := workflow.steps.get().asset).file, asset.thumbnail]
    deletion.delete(workflow)
    assert [name for name in names if bucket.exists(name)] == []


def test_what_is_deleted_while_the_bucket_is_away_leaves_it_later(bucket, alice, s3_server):
    workflow = run(alice, "image-only", "a fox", **STILL)
    names = [(asset := workflow.steps.get().asset).file, asset.thumbnail]
    s3_server.gate.always = "SlowDown"
    deletion.delete(workflow)
    do_what_is_scheduled()
    assert Asset.objects.count() == 0
    s3_server.gate.always = ""
    assert [bucket.exists(name) for name in names] == [True, True]
    do_what_is_scheduled()
    assert [name for name in names if bucket.exists(name)] == []
    assert not Schedule.objects.filter(name__startswith="delete ").exists()


def do_what_is_scheduled():
    """What django-q does with deletions that wait: their rows go, and their functions are called."""
    for waiting in Schedule.objects.filter(name__startswith="delete ", schedule_type=Schedule.ONCE):
        waiting.delete()
        locate(waiting.func)(ast.literal_eval(waiting.args))


# --- A bucket that is away ---------------------------------------------------------------------------------


def gone(place, server):
    server.stop()


def throttled(place, server):
    server.gate.always = "SlowDown"


def refusing(place, server):
    server.gate.always = "InvalidAccessKeyId"


def missing(place, server):
    place.bucket_name = "never-made"


def back(place, server, name):
    """All is well again."""
    place.bucket_name, server.gate.always = name, ""
    if not server.answers:
        server.start()


TROUBLES = [
    (gone, "EndpointConnectionError"),
    (throttled, "SlowDown"),
    (refusing, "InvalidAccessKeyId"),
    (missing, "NoSuchBucket"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble[1])
def test_a_bucket_that_is_away_is_waited_for_and_nothing_is_made_twice(alice, mishaps, rendered, s3_server, trouble):
    name, (break_it, detail) = default_storage.bucket_name, trouble
    try:
        break_it(default_storage, s3_server)
        for _ in range(45):  # more often than anything else is forgiven
            look()
        attempt = Attempt.objects.get()
        assert (attempt.phase, attempt.detail) == ("store", f"storage: bucket: {detail}")
        assert (Workflow.objects.get().status, ledger.balance(alice)) == ("running", Balance(300, 2))
    finally:
        back(default_storage, s3_server, name)
    assert (finish(rendered).status, ledger.balance(alice)) == ("succeeded", Balance(298, 0))
    assert (mishaps.calls["submit"], Asset.objects.count()) == (1, 1)


def test_a_bucket_that_fails_between_the_picture_and_its_small_one_is_written_to_again(
    alice, rendered, bucket, s3_server
):
    s3_server.gate.line = ["", "", *["SlowDown"] * 3]  # the sandbox's file is read, its copy written, and then
    look()
    assert Attempt.objects.get().detail == "storage: bucket: SlowDown"
    assert finish(rendered).status == "succeeded"
    asset = Asset.objects.get()
    assert [name for name in objects(bucket) if name.startswith("made/")] == sorted([asset.file, asset.thumbnail])


def test_pages_do_without_a_bucket_that_is_away(client, alice, film, s3_server):
    client.force_login(alice)
    s3_server.gate.always = "SlowDown"
    assert client.get(film.get_absolute_url()).status_code == 302
    assert client.get("/").status_code in (200, 302)
    assert default_storage.address(film.file, content_type="video/mp4", disposition="inline")
