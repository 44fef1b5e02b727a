"""Every provider, over HTTP, misbehaving: all runs end, the ledger is exact, nothing is submitted twice.

A few runs for each provider by default; `--soak` makes it 40 of each, 200 in all.
"""

from concurrent.futures import ThreadPoolExecutor

import av
import pytest
from django.core.files.storage import default_storage
from django.db import connections
from django.db.models.functions import Now

from credits.models import Account, Entry, Hold
from workflows import pipeline
from workflows.models import Asset, Attempt, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = {
    "openai": ("image-only", {}),
    "fal": ("complete", {"video_model": "fal/kling-2.5-turbo-pro", "duration_seconds": 5}),
    "pika": ("complete", {"video_model": "pika/2.2", "duration_seconds": 5}),
    "google": ("complete", {"video_model": "google/omni-1.2-flash", "duration_seconds": 5}),
    "vertex": ("complete", {"video_model": "vertex/veo-3.1-fast", "duration_seconds": 4}),
    "runway": ("complete", {"video_model": "runway/gen4-turbo", "duration_seconds": 5}),
}


def start(user, provider, number):
    kind, options = MODELS[provider]
    prompt = f"a fox in the snow, take {number} #tag:{provider}-{number}"
    return pipeline.start(
        user, pipeline.quote(kind, prompt, {"seed": number, "resolution": "720p"} | options, user=user)
    )


def finish(looks=400):
    """Look at everything, again and again, as if no time had to pass in between; some threads, as in a worker."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(looks):
            Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
            if not list(pool.map(_advance, pipeline.due(1000))):
                break
        for _ in range(4):
            pool.submit(connections.close_all)


def _advance(workflow_id):
    pipeline.advance(workflow_id)
    connections.close_all()


def assert_exact(user):
    """The balance is the sum of the entries, nothing is held, and each run has cost what it delivered."""
    account = Account.objects.get(user=user)
    assert account.balance == sum(entry.amount for entry in Entry.objects.filter(account=account))
    assert (account.held, Hold.objects.filter(status="open").count()) == (0, 0)
    for workflow in Workflow.objects.all():
        charged = sum(step.charged for step in workflow.steps.all())
        assert charged == sum(hold.settled for hold in Hold.objects.filter(reference=workflow.reference))
        assert charged <= workflow.quoted


def assert_files_open():
    for asset in Asset.objects.all():
        if asset.kind == "video":
            with av.open(default_storage.path(asset.file)) as container:
                assert next(container.decode(video=0)).width == asset.width


@pytest.mark.parametrize("provider", MODELS)
def test_a_run_through_each_provider_delivers(outside, dora, provider):
    workflow = start(dora, provider, 1)
    finish()
    workflow.refresh_from_db()
    assert (workflow.status, workflow.steps.last().provider) == ("succeeded", provider)
    assert_exact(dora)
    assert_files_open()
    assert outside.books()["doubles"] == []
    assert not default_storage.exists("inbox") or default_storage.listdir("inbox")[1] == []


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_runs_with_every_fault_at_once_end_exactly(outside, dora, request, rate):
    outside.faults(rates={"all": rate}, seed=7)
    number = 40 if request.config.getoption("--soak") else 3
    for provider in MODELS:
        if provider != "openai":
            for take in range(number):
                start(dora, provider, take)
    finish()
    ended = Workflow.objects.values_list("status", flat=True)
    assert set(ended) <= {"succeeded", "failed"}
    assert len(ended) == 5 * number
    assert_exact(dora)
    assert_files_open()
    assert outside.books()["doubles"] == []
