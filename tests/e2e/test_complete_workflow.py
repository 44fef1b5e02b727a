"""One run of each type, from prompt to a file that a decoder reads, with the sandbox at the other end."""

import hashlib

import av
import pytest
from django.core.files.storage import default_storage
from django_q.models import OrmQ

from credits import ledger
from credits.ledger import Balance, InsufficientCredits
from providers.models import SandboxJob
from tests.pipeline import finish, run, start
from workflows import pipeline
from workflows.models import Asset, Attempt, Workflow
from workflows.prompts import InvalidInput

FAST = {"resolution": "480p", "duration_seconds": 2, "seed": 7}


@pytest.fixture
def picture(alice):
    """An image of alice's, made by a run of hers."""
    return run(alice, "image-only", "a lighthouse at night", resolution="480p").steps.last().asset


@pytest.mark.parametrize(
    ("type", "stages"),
    [
        ("complete", ["enhance", "image", "video"]),
        ("image-only", ["enhance", "image"]),
        ("video-from-image", ["video"]),
    ],
)
def test_each_type_walks_through_its_stages(alice, picture, type, stages):
    workflow = run(alice, type, "a fox in the snow", picture, **FAST)
    assert workflow.status == "succeeded"
    assert [(step.stage, step.status) for step in workflow.steps.all()] == [(s, "succeeded") for s in stages]


def test_a_sentence_becomes_words_a_still_and_a_video(alice):
    words, still, motion = run(alice, "complete", "a fox in the snow", **FAST).steps.all()
    assert "a fox in the snow" in words.text
    assert (still.asset.content_type, still.asset.width, still.asset.height) == ("image/png", 854, 480)
    assert (motion.asset.content_type, motion.asset.duration) == ("video/mp4", 2.0)


def test_the_video_is_h264_of_the_size_and_length_asked_for(alice):
    asset = run(alice, "complete", "a fox", **FAST | {"aspect_ratio": "9:16"}).steps.last().asset
    with av.open(default_storage.path(asset.file)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (480, 854)
        assert container.duration / 1_000_000 == pytest.approx(2.0, abs=0.1)


def test_what_is_kept_has_the_hash_of_its_bytes(alice):
    asset = run(alice, "image-only", "a fox", resolution="480p").steps.last().asset
    with default_storage.open(asset.file) as file:
        content = file.read()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (asset.sha256, asset.size)


def test_it_takes_exactly_the_quote_when_all_is_delivered(alice):
    workflow = run(alice, "complete", "a fox in the snow", **FAST)
    assert [step.charged for step in workflow.steps.all()] == [1, 2, 2]
    assert (workflow.quoted, ledger.balance(alice)) == (5, Balance(295, 0))


def test_the_price_is_held_from_the_start(alice):
    start(alice, "complete", "a fox", **FAST)
    assert ledger.balance(alice) == Balance(balance=300, held=5)


def test_words_are_left_alone_when_asked(alice):
    workflow = run(alice, "image-only", "a fox", enhance=False, resolution="480p")
    assert [step.stage for step in workflow.steps.all()] == ["image"]
    assert Attempt.objects.get().prompt == "a fox"


def test_the_video_starts_from_the_still_of_the_same_run(alice):
    workflow = run(alice, "complete", "a fox", **FAST)
    with default_storage.open(workflow.steps.get(stage="image").asset.file) as still:
        assert bytes(SandboxJob.objects.get(kind="video").image) == still.read()


def test_the_same_seed_makes_the_same_picture(alice):
    first, second = (run(alice, "image-only", "a fox", **FAST).steps.last().asset for _ in range(2))
    assert first.sha256 == second.sha256


def test_every_change_of_status_is_on_the_timeline(alice):
    workflow = run(alice, "image-only", "a fox", enhance=False, resolution="480p")
    moves = [(move.stage, move.attempt, move.old, move.new) for move in workflow.transitions.all()]
    assert moves == [
        ("", None, "pending", "running"),
        ("image", None, "pending", "running"),
        ("image", 1, "pending", "queued"),
        ("image", 1, "queued", "succeeded"),
        ("image", None, "running", "succeeded"),
        ("", None, "running", "succeeded"),
    ]


def test_without_enough_credits_nothing_is_held_written_or_queued(alice):
    ledger.adjust(alice, -296, key="poor", reason="test")
    with pytest.raises(InsufficientCredits) as refusal:
        start(alice, "complete", "a fox", **FAST)
    assert (refusal.value.needed, refusal.value.available, refusal.value.held) == (5, 4, 0)
    assert (ledger.balance(alice), Workflow.objects.count(), OrmQ.objects.count()) == (Balance(4, 0), 0, 0)


def test_the_same_key_gives_the_same_run_and_holds_once(alice):
    quote = pipeline.quote("image-only", "a fox", {"resolution": "480p"})
    runs = {pipeline.start(alice, quote, key="k1", digest="d").pk for _ in range(3)}
    assert (len(runs), ledger.balance(alice).held, OrmQ.objects.count()) == (1, 3, 1)


def test_the_same_key_for_another_request_is_refused(alice):
    quote = pipeline.quote("image-only", "a fox", {"resolution": "480p"})
    pipeline.start(alice, quote, key="k1", digest="d")
    with pytest.raises(pipeline.KeyReused):
        pipeline.start(alice, quote, key="k1", digest="another")
    assert (Workflow.objects.count(), ledger.balance(alice).held) == (1, 3)


def test_keys_of_different_users_have_nothing_to_do_with_each_other(alice, bob):
    quote = pipeline.quote("image-only", "a fox", {"resolution": "480p"})
    ours, theirs = (pipeline.start(user, quote, key="k1", digest="d") for user in (alice, bob))
    assert ours.pk != theirs.pk


def test_a_video_cannot_be_made_from_a_video(alice):
    video = run(alice, "complete", "a fox", **FAST).steps.last().asset
    with pytest.raises(InvalidInput) as refusal:
        start(alice, "video-from-image", "a fox", video)
    assert list(refusal.value.errors) == ["image"]


def test_a_lost_nudge_costs_nothing_but_time(alice):
    workflow = start(alice, "image-only", "a fox", resolution="480p")
    OrmQ.objects.all().delete()
    assert finish(workflow).status == "succeeded"


def test_a_doubled_nudge_changes_nothing(alice):
    workflow = start(alice, "image-only", "a fox", resolution="480p")
    for _ in range(3):
        pipeline.advance(workflow.pk)
    assert (Attempt.objects.count(), SandboxJob.objects.count()) == (2, 1)
    assert (finish(workflow).status, Asset.objects.count(), ledger.balance(alice)) == ("succeeded", 1, Balance(297, 0))


def test_the_sandbox_draws_the_users_words_and_not_its_own(alice):
    improved, plain = (
        run(alice, "image-only", "a whale under the northern lights", **FAST, enhance=enhance).steps.last().asset
        for enhance in (True, False)
    )
    assert improved.sha256 == plain.sha256
