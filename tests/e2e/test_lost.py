"""What goes missing or finds no room: waited for, asked for again, never made twice, given back at the end."""

import io

import pytest
from django.core.files.storage import FileSystemStorage
from django.db.models.functions import Now
from django.utils import timezone
from PIL import Image

from credits import ledger
from credits.ledger import Balance
from providers.base import Job, Output, ProviderError, Reason
from providers.base import Status as JobStatus
from tests.e2e.test_simulated_providers import finish as finish_all
from tests.e2e.test_simulated_providers import start as start_at
from tests.pipeline import STILL, finish, render, run, start
from workflows import pipeline
from workflows.document import status_document
from workflows.models import Asset, Attempt, Workflow

UNKNOWN = ProviderError(Reason.LOST, "404")
BAD_GATEWAY = ProviderError(Reason.UNAVAILABLE, "502")
FULL = OSError(28, "No space left on device")


def look(workflow):
    """One look, whenever it was planned; seconds until the next, in tens, since a busy machine may take some itself."""
    Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
    pipeline.advance(workflow.pk)
    attempt = Attempt.objects.get(step__workflow=workflow)
    return attempt.next_check_at and round((attempt.next_check_at - timezone.now()).total_seconds(), -1)


# --- A job that its provider does not know


def test_a_job_is_lost_when_its_provider_does_not_know_it_three_times_in_a_row(alice, mishaps, rendering):
    mishaps.put("fetch", *[UNKNOWN] * 3)
    assert [look(rendering) for _ in range(3)] == [60, 60, None]
    rendering.refresh_from_db()
    assert (rendering.status, rendering.reason, ledger.balance(alice)) == ("failed", "lost", Balance(300, 0))
    assert mishaps.calls["submit"] == 1


def test_a_job_that_is_known_the_third_time_is_not_lost(alice, mishaps, rendering):
    mishaps.put("fetch", UNKNOWN, UNKNOWN)
    render()
    assert [look(rendering), look(rendering)] == [60, 60]
    assert (finish(rendering).status, mishaps.calls["submit"]) == ("succeeded", 1)


@pytest.mark.parametrize("between", [BAD_GATEWAY, None])
def test_only_answers_in_a_row_count(mishaps, rendering, between):
    for _ in range(3):
        mishaps.put("fetch", UNKNOWN, UNKNOWN)
        look(rendering)
        look(rendering)
        if between:
            mishaps.put("fetch", between)
        look(rendering)
    assert Workflow.objects.get().status == "running"


def test_many_other_troubles_before_do_not_make_it_lost_at_once(mishaps, rendering):
    mishaps.put("fetch", *[BAD_GATEWAY] * 9, UNKNOWN)
    assert [look(rendering) for _ in range(10)][-2:] == [30, 60]


# --- A storage that is full or away


def test_a_full_storage_is_waited_for_as_long_as_it_takes(alice, mishaps, rendering):
    render()
    mishaps.put("download", *[FULL] * 100)
    for _ in range(100):
        look(rendering)
    rendering.refresh_from_db()
    assert (rendering.status, ledger.balance(alice)) == ("running", Balance(300, 2))
    assert (finish(rendering).status, mishaps.calls["submit"], Asset.objects.count()) == ("succeeded", 1, 1)
    assert ledger.balance(alice) == Balance(298, 0)


def test_while_it_waits_for_room_staff_see_why(mishaps, rendering):
    render()
    mishaps.put("download", FULL)
    look(rendering)
    attempt = Attempt.objects.get()
    assert (attempt.phase, attempt.reason, attempt.tries) == ("store", "unavailable", 1)
    assert attempt.detail == "storage: No space left on device"


def test_while_it_waits_for_room_its_owner_reads_that_it_is_made(client, alice, mishaps, rendering):
    render()
    mishaps.put("download", FULL)
    look(rendering)
    client.force_login(alice)
    text = "It is made, and cannot be brought home at the moment. We go on trying."
    assert text in client.get(rendering.get_absolute_url()).content.decode()
    assert status_document(rendering)["steps"][0]["held_up"] == text
    finish(rendering)
    assert status_document(rendering)["steps"][0]["held_up"] is None
    assert text not in client.get(rendering.get_absolute_url()).content.decode()


class AwayError(Exception):
    """What a storage elsewhere raises is no OSError."""


def test_a_storage_elsewhere_that_is_away_is_waited_for(mishaps, rendering, monkeypatch):
    render()
    with monkeypatch.context() as away:
        away.setattr(FileSystemStorage, "save", _raising(AwayError))
        for _ in range(50):
            look(rendering)
    assert Attempt.objects.get().detail == "storage: AwayError"
    assert (finish(rendering).status, mishaps.calls["submit"]) == ("succeeded", 1)


def test_a_still_that_cannot_be_read_is_waited_for_before_anything_is_sent(alice, mishaps, monkeypatch):
    image = run(alice, "image-only", "a fox", **STILL).steps.get().asset
    workflow = start(alice, "video-from-image", "a fox", image, resolution="480p", duration_seconds=2, enhance=False)
    with monkeypatch.context() as away:
        away.setattr(FileSystemStorage, "open", _raising(AwayError))
        for _ in range(10):
            look(workflow)
    assert (Workflow.objects.get(pk=workflow.pk).status, mishaps.calls["submit"]) == ("running", 1)
    assert (finish(workflow).status, mishaps.calls["submit"]) == ("succeeded", 2)


def test_a_picture_that_comes_with_the_answer_and_finds_no_room_is_not_asked_for_twice(alice, mishaps, monkeypatch):
    mishaps.put("find", *[ProviderError(Reason.LOST, "no way to know")] * 9)
    asked = []
    monkeypatch.setattr(mishaps, "submit", lambda request, **key: asked.append(request) or _made_at_once())
    monkeypatch.setattr(FileSystemStorage, "save", _raising(OSError))
    workflow = run(alice, "image-only", "a fox", **STILL)
    assert (workflow.status, workflow.reason, len(asked)) == ("failed", "lost", 1)
    assert ledger.balance(alice) == Balance(300, 0)


def test_whatever_breaks_on_our_side_while_it_is_submitted_it_is_not_submitted_again(alice, mishaps):
    mishaps.put("answer to submit", OSError(5, "Input/output error"))
    assert run(alice, "image-only", "a fox", **STILL).status == "succeeded"
    assert (mishaps.calls["submit"], mishaps.calls["find"]) == (1, 1)


def test_a_storage_that_stays_away_ends_with_the_run(alice, mishaps, rendering):
    render()
    mishaps.put("download", *[FULL] * 9)
    look(rendering)
    Workflow.objects.update(deadline="2026-01-01T00:00Z")
    workflow = finish(rendering)
    assert (workflow.status, workflow.reason, ledger.balance(alice)) == ("failed", "timed_out", Balance(300, 0))
    assert Attempt.objects.get().watch_until is not None


def _raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def _made_at_once():
    picture = io.BytesIO()
    Image.new("RGB", (64, 36)).save(picture, "PNG")
    return Job("job-1", JobStatus.SUCCEEDED, outputs=(Output(content=picture.getvalue(), content_type="image/png"),))


# --- At providers that misbehave, over HTTP


def jobs(outside, provider):
    return outside.books()["providers"].get(provider, {}).get("accepted", 0)


@pytest.mark.parametrize("provider", ["fal", "runway"])
def test_an_address_that_has_expired_is_asked_for_again(outside, dora, provider):
    outside.faults({"fault": "expired_url", "operation": f"{provider}.submit", "times": 1})
    workflow = start_at(dora, provider, 1)
    finish_all()
    workflow.refresh_from_db()
    assert (workflow.status, outside.books()["doubles"]) == ("succeeded", [])


@pytest.mark.parametrize("provider", ["fal", "runway"])
def test_a_file_that_is_gone_for_good_is_given_back_and_not_made_again(outside, dora, provider):
    outside.faults({"fault": "dead_url", "operation": f"{provider}.submit", "times": 9})
    workflow = start_at(dora, provider, 1)
    finish_all()
    workflow.refresh_from_db()
    assert (workflow.status, workflow.reason, outside.books()["doubles"]) == ("failed", "lost", [])
    assert [step.charged for step in workflow.steps.filter(status="failed")] == [0]


@pytest.mark.parametrize("provider", ["fal", "runway"])
def test_a_submit_without_an_answer_is_given_back_and_not_made_again(outside, dora, provider):
    outside.faults({"fault": "reset_after", "operation": f"{provider}.submit", "times": 1})
    workflow = start_at(dora, provider, 1)
    finish_all()
    workflow.refresh_from_db()
    assert (workflow.status, workflow.reason) == ("failed", "lost")
    assert (outside.books()["doubles"], ledger.balance(dora).held) == ([], 0)
    assert jobs(outside, provider) == 1
