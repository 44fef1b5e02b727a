"""What is done after each kind of failure, in each phase: the whole table."""

import itertools
import math

import pytest

from providers.base import ProviderError, Reason
from workflows.models import Attempt
from workflows.retries import Again, GiveUp, LookUp, StorageAway, count, decide, wait

# How often a failure of this kind is met again in this phase; nothing said: not at all.
PATIENCE = {
    ("submit", "rate_limited"): 40,
    ("submit", "unavailable"): 5,
    ("submit", "timed_out"): 2,
    ("submitting", "lost"): 8,
    ("submitting", "rate_limited"): 40,
    ("submitting", "unavailable"): 40,
    ("submitting", "timed_out"): 40,
    ("fetch", "rate_limited"): 400,
    ("fetch", "unavailable"): 400,
    ("fetch", "timed_out"): 400,
    ("fetch", "lost"): 2,
    ("fetch", "unauthorized"): 400,
    ("fetch", "out_of_quota"): 400,
    ("store", "rate_limited"): 40,
    ("store", "unavailable"): 40,
    ("store", "timed_out"): 40,
    ("store", "lost"): 2,
    ("store", "bad_output"): 1,
}
CASES = list(itertools.product(("submit", "submitting", "fetch", "store"), Reason))


def after(phase, reason, tries, **how):
    return decide(ProviderError(reason, **({"sent": False} | how)), phase=phase, tries=tries)


@pytest.mark.parametrize(("phase", "reason"), CASES)
def test_it_tries_again_as_often_as_the_table_says_and_then_gives_up(phase, reason):
    times = PATIENCE.get((phase, reason.value), 0)
    if times:
        assert isinstance(after(phase, reason, times), Again)
    assert after(phase, reason, times + 1) == GiveUp(reason)


@pytest.mark.parametrize("reason", [Reason.UNAVAILABLE, Reason.TIMED_OUT])
@pytest.mark.parametrize("tries", [1, 99])
def test_a_submit_that_may_have_arrived_is_looked_up_and_never_repeated(reason, tries):
    assert after("submit", reason, tries, sent=True) == LookUp(after=5)


@pytest.mark.parametrize("phase", ["submitting", "fetch", "store"])
def test_what_costs_nothing_is_repeated_even_if_it_may_have_arrived(phase):
    assert after(phase, Reason.UNAVAILABLE, 1, sent=True) == Again(after=1.0)


@pytest.mark.parametrize("reason", [Reason.CONTENT_POLICY, Reason.INVALID_INPUT, Reason.OUT_OF_QUOTA, Reason.OTHER])
def test_a_submit_that_was_refused_is_given_up_even_if_it_was_sent(reason):
    assert after("submit", reason, 1, sent=True) == GiveUp(reason)


@pytest.mark.parametrize(
    ("tries", "retry_after", "seconds"),
    [
        (1, None, 1), (2, None, 2), (3, None, 4), (5, None, 16), (6, None, 30), (400, None, 30),
        (1, 7, 7), (9, 0.5, 0.5), (1, 900, 900), (1, 86_400, 900), (3, 0, 4), (3, -1, 4),
        (2, -1e30, 2), (1, 1e30, 900), (1, math.inf, 900), (4, math.nan, 8),
    ],
)  # fmt: skip
def test_how_long_it_waits(tries, retry_after, seconds):
    assert wait(tries, retry_after) == seconds


def test_it_waits_as_long_as_the_provider_asks():
    assert after("submit", Reason.RATE_LIMITED, 3, retry_after=42) == Again(after=42)


@pytest.mark.parametrize(("tries", "retry_after", "seconds"), [(1, None, 60), (2, None, 60), (1, 7, 60), (2, 120, 120)])
def test_a_job_that_its_provider_does_not_know_is_asked_for_a_minute_later(tries, retry_after, seconds):
    assert after("fetch", Reason.LOST, tries, retry_after=retry_after) == Again(after=seconds)


def test_a_submit_is_not_looked_up_minutes_apart():
    assert after("submitting", Reason.LOST, 1) == Again(after=1)


@pytest.mark.parametrize("phase", ["submit", "submitting", "fetch", "store"])
@pytest.mark.parametrize(("tries", "seconds"), [(1, 1), (6, 30), (30_000, 30)])
def test_nothing_is_given_up_because_our_storage_is_away(phase, tries, seconds):
    assert decide(StorageAway("No space left on device"), phase=phase, tries=tries) == Again(after=seconds)


@pytest.mark.parametrize(
    ("met", "tries", "now", "counted"),
    [
        ("", 0, Reason.LOST, 1), ("unavailable", 7, Reason.LOST, 1), ("lost", 1, Reason.LOST, 2),
        ("lost", 2, Reason.LOST, 3), ("", 0, Reason.UNAVAILABLE, 1), ("lost", 2, Reason.UNAVAILABLE, 3),
    ],
)  # fmt: skip
def test_only_what_is_unknown_again_and_again_is_lost(met, tries, now, counted):
    assert count(Attempt(reason=met, tries=tries), ProviderError(now)) == counted
