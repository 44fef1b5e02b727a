"""How each step of a finished run ended, in the words of the policy."""

import pytest

from credits.policy import Outcome
from providers.base import Reason
from workflows.models import Step
from workflows.settlement import outcome


def step(pk, stage, status, reason="", started=True):
    return Step(pk=pk, stage=stage, status=status, reason=reason, started="2026-01-01" if started else None)


def ended(status, reason="", started=True):
    lone = step(1, "video", status, reason, started)
    return outcome(lone, [lone])


@pytest.mark.parametrize("stage", ["image", "video"])
def test_a_picture_that_was_made_is_delivered(stage):
    made = step(1, stage, "succeeded")
    assert outcome(made, [made, step(2, "video", "failed", "other")]) == Outcome.DELIVERED


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (["failed"], Outcome.UNUSED),
        (["canceled", "canceled"], Outcome.UNUSED),
        ([], Outcome.UNUSED),
        (["succeeded"], Outcome.DELIVERED),
        (["succeeded", "failed"], Outcome.DELIVERED),
    ],
)
def test_words_count_when_a_picture_was_made_from_them(others, expected):
    words = step(1, "enhance", "succeeded")
    rest = [step(pk, "image", status, "other") for pk, status in enumerate(others, start=2)]
    assert outcome(words, [words, *rest]) == expected


@pytest.mark.parametrize("reason", Reason)
def test_a_failure_is_a_failure_whoevers_fault_it_was(reason):
    special = {Reason.CONTENT_POLICY: Outcome.REFUSED, Reason.LOST: Outcome.LOST}
    assert ended("failed", reason.value) == special.get(reason, Outcome.FAILED)


def test_what_was_stopped_midway_is_canceled_and_what_was_never_begun_unstarted():
    assert ended("canceled") == Outcome.CANCELED
    assert ended("canceled", started=False) == Outcome.UNSTARTED
    assert ended("pending", started=False) == Outcome.UNSTARTED
