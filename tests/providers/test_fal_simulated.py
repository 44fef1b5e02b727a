"""Whole runs through fal and Pika over HTTP, with all that can go wrong on the way, against the simulator's books."""

import time

import pytest

from credits import ledger
from providers import gateway
from providers.adapters import fal
from tests.pictures import picture, sent
from tests.pipeline import finish, start
from tests.simulator import simulator, simulator_server  # noqa: F401 (fixtures)
from workflows import late, pipeline, uploads
from workflows.models import Attempt, Workflow

MODELS = [
    "fal/kling-2.5-turbo-pro", "fal/hailuo-2.3-fast", "fal/ltx-2.3", "fal/wan-2.5", "pika/2.2",
]  # fmt: skip
KLING = MODELS[0]


@pytest.fixture
def outside(simulator, settings):  # noqa: F811
    """The simulator in place of the world."""
    settings.PROVIDER_MODE = "simulated"
    settings.MAX_TEST_CREDITS_PER_RUN = 1_000_000
    settings.PROVIDER_URLS = simulator.urls
    fal._KEYS.forget()
    yield simulator
    fal._KEYS.forget()


@pytest.fixture
def hooked(outside, settings, live_server, transactional_db):
    """It reaches us with webhooks."""
    settings.PUBLIC_URL = live_server.url
    return outside


@pytest.fixture
def alice(transactional_db):
    from tests.factories import UserFactory

    return UserFactory(username="alice")


def begin(user, prompt="a fox", model=KLING, **options):
    image = uploads.upload(user, sent(picture(640, 360)))
    return start(user, "video-from-image", prompt, image, video_model=model, enhance=False, **options)


def wait_for(what):
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("model", MODELS)
def test_a_whole_run(alice, outside, model):
    workflow = finish(begin(alice, model=model))
    books = outside.books("fal")
    assert (workflow.status, workflow.steps.last().asset.content_type) == ("succeeded", "video/mp4")
    assert (books["providers"]["fal"]["accepted"], books["doubles"]) == (1, [])


@pytest.mark.parametrize("provider", ["fal", "pika"])
def test_the_check(db, outside, provider):
    assert gateway.check(provider) == "the key is accepted; a token for uploads was given"
    assert outside.books("fal")["entries"] == []


@pytest.mark.parametrize(
    ("fault", "reason"), [("moderation_output", "content_policy"), ("done_without_video", "bad_output")]
)
def test_a_job_that_fails_is_paid_back(alice, outside, fault, reason):
    workflow = finish(begin(alice, f"a fox #sim:{fault}"))
    assert (workflow.status, workflow.reason) == ("failed", reason)
    assert ledger.balance(alice).available == 300


@pytest.mark.parametrize("fault", ["reset_after", "error_502_after", "malformed_json", "empty_answer"])
def test_a_lost_submit_is_found_by_its_webhook_and_never_repeated(alice, hooked, fault):
    workflow = begin(alice, f"a fox #sim:{fault}@fal.submit")
    pipeline.advance(workflow.pk)
    wait_for(lambda: Attempt.objects.get().job_id)
    books = hooked.books("fal")
    assert finish(workflow).status == "succeeded"
    assert (books["providers"]["fal"]["accepted"], books["doubles"]) == (1, [])


def test_what_was_lost_and_given_up_comes_late_by_its_webhook(alice, hooked):
    hooked.control("clock", {"speed": 1})
    workflow = begin(alice, "a fox #sim:reset_after@fal.submit")
    pipeline.advance(workflow.pk)
    assert (finish(workflow).reason, ledger.balance(alice).available) == ("lost", 300)
    hooked.advance(200)  # a message is good for 300
    wait_for(lambda: Attempt.objects.get().job_id)
    late.deliver_due()
    assert (Workflow.objects.get().status, ledger.balance(alice).available) == ("succeeded", 300)
    assert hooked.books("fal")["doubles"] == []


@pytest.mark.parametrize(
    "fault", ["webhook_twice", "webhook_early", "webhook_forged", "webhook_stale", "webhook_other"]
)
def test_webhooks_that_go_wrong_do_no_harm(alice, hooked, fault):
    workflow = begin(alice, f"a fox #sim:{fault}")
    pipeline.advance(workflow.pk)
    wait_for(lambda: len(hooked.control("state")["webhooks"]) == 2)
    bad = [one["status"] for one in hooked.control("state")["webhooks"] if one["fault"] == fault]
    assert bad == [401 if fault in ("webhook_forged", "webhook_stale") else 204]
    assert finish(workflow).status == "succeeded"
    assert hooked.books("fal")["doubles"] == []


@pytest.mark.parametrize(
    "fault", ["expired_url", "truncated_once", "file_502", "cross_host", "late_to_appear", "odd_status"]
)
def test_what_can_be_overcome_is_overcome(alice, outside, fault):
    workflow = finish(begin(alice, f"a fox #sim:{fault}"))
    assert (workflow.status, workflow.reason) == ("succeeded", "")
    assert outside.books("fal")["providers"]["fal"]["accepted"] == 1
