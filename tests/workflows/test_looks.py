"""Looking at running jobs: seldom enough for ten thousand of them, and soon enough after each is made."""

import datetime
import heapq
import math
import random
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

import pytest

from providers.adapters import ADAPTERS
from tests.factories import UserFactory
from workflows import looks
from workflows.looks import History, Plan, bearable, plan
from workflows.models import Attempt, Step, Workflow

LIKE = {"duration_seconds": 5, "resolution": "720p"}
NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def _no_plans_of_others():
    looks.forget()
    yield
    looks.forget()


# --- One plan ----------------------------------------------------------------------------------------------


def test_renders_that_differ_little_are_looked_at_seldom_and_noticed_at_once():
    made = History(tuple(119 + step / 50 for step in range(100)))
    found = plan(made, shortest=1)
    assert made.looks(found.times) <= 2.5
    assert made.percentile(3) < found.times[0] < made.percentile(50)
    assert worst_wait(found, made) < 0.3 * 6


def test_the_first_look_is_earlier_where_renders_differ_much():
    made = History(tuple(60.0 + step for step in range(120)))
    assert 60 < plan(made, shortest=1).times[0] < made.percentile(15)


def test_nobody_looks_where_no_render_has_ever_ended():
    made = History(tuple([60 + step / 50 for step in range(100)] + [180 + step / 20 for step in range(100)]))
    times = plan(made, shortest=1).times
    assert [moment for moment in times if 68 < moment < 180] == []
    assert len([moment for moment in times if moment <= 68]) >= 1


def test_steps_grow_towards_the_stragglers():
    rare = (140.0, 160.0, 200.0, 260.0)
    times = plan(History(tuple(100 + step / 10 for step in range(200)) + rare), shortest=1).times
    steps = [after - before for before, after in pairwise(times)]
    assert steps[-1] > 4 * steps[0]


def test_two_looks_are_as_far_apart_as_the_provider_asks():
    found = plan(History(tuple(10 + step / 5 for step in range(200))), shortest=5)
    moments = look_times(found, 120)
    assert min(after - before for before, after in pairwise([0.0, *moments])) >= 5


def test_beyond_all_that_was_seen_each_step_is_a_tenth_of_the_time_so_far():
    found = Plan((10.0,), shortest=1, slack=0)
    assert (found.after(100), found.after(1000), found.after(10_000)) == (10, 100, 300)


def test_a_look_that_came_late_does_not_drop_the_next_one():
    found = Plan((10.0, 15.0), shortest=5, slack=0)
    assert found.after(10.4) == 5
    assert found.after(12.6) == 5


def test_those_who_were_submitted_together_look_apart():
    found = plan(History.expected(60), shortest=1)
    first = sorted(found.after(0, luck=step / 10) for step in range(11))
    assert len(set(first)) == 11
    assert first[-1] - first[0] == pytest.approx(found.slack)
    assert first[-1] == found.times[0]


def test_a_guess_is_looked_at_sooner_as_well_and_misses_nothing():
    found = Plan((100.0, 104.0), shortest=5, slack=0).exploring()
    assert look_times(found, 102) == [12.5, 25, 50, 100, 105]


def test_an_explorer_looks_where_nobody_else_does_and_not_oftener():
    found = Plan((100.0, 106.0, 112.0, 118.0), shortest=5, slack=0).exploring(left_out=2)
    assert look_times(found, 115) == [12.5, 25, 50, 112, 118]


def test_an_explorer_of_a_short_plan_keeps_its_last_look():
    assert look_times(Plan((100.0,), shortest=5, slack=0).exploring(left_out=2), 99) == [12.5, 25, 50, 100]


def test_an_explorer_keeps_the_distance_that_the_provider_asks_for():
    assert look_times(Plan((10.0,), shortest=5, slack=0).exploring(), 9) == pytest.approx([5, 10])


@pytest.mark.parametrize("expected", [0.1, 1.5, 60, 3600])
def test_without_any_history_the_catalog_says_where_to_begin(expected):
    found = plan(History.expected(expected), shortest=0.25)
    assert 0.5 * expected < found.times[0] < max(2 * expected, expected + 2.1)


@pytest.mark.parametrize("seconds", [(0.0,), (0.0,) * 200, (1e6,) * 200, (5.0,)])
def test_odd_histories_have_a_plan_too(seconds):
    assert plan(History(seconds), shortest=1).after(0) >= 1


# --- Thousands of renders, in no time ----------------------------------------------------------------------


@dataclass
class Simulation:
    """Twenty renders at once, looked at as the looks before them tell; `late` is a part of what is bearable."""

    length: object
    expected: float = 120
    shortest: float = 1
    looks: list[int] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def run(self, renders=2000, skip=500):
        """Render so many, and leave the first out of the account."""
        chance, seen, due = random.Random(7), [], [(0.0, 0)] * 20
        planned, until = None, 0.0
        for number in range(renders):
            now, _ = heapq.heappop(due)
            if planned is None or now > until:
                planned, until = self.plan(seen), now + self.expected / 10
            luck, took = chance.random(), self.length(chance, number)
            mine = planned if number % looks.EXPLORERS else planned.exploring(left_out=looks.STEPS - 1)
            moments = look_times(mine, took, luck=luck, delay=lambda: chance.uniform(0, 0.25))
            seen.append(sample(moments, chance.random()))
            heapq.heappush(due, (now + moments[-1], number))
            self.looks.append(len(moments))
            self.late.append((moments[-1] - took) / bearable(took))
        self.looks, self.late = self.looks[skip:], sorted(self.late[skip:])
        return self

    def plan(self, seen):
        known = History(tuple(sorted(seen[-looks.NEWEST :])))
        return plan(known if len(seen) >= looks.ENOUGH else known + History.expected(self.expected), self.shortest)

    @property
    def average(self):
        return sum(self.looks) / len(self.looks)

    @property
    def late_at_95(self):
        return self.late[int(0.95 * len(self.late))]


def look_times(planned, took, luck=0.0, delay=lambda: 0.0):
    """When a render that takes so long is looked at; the last time it is found made."""
    moments, elapsed = [], 0.0
    while elapsed < took:
        elapsed += planned.after(elapsed, luck=luck) + delay()
        moments.append(elapsed)
    return moments


def sample(moments, luck):
    """How long such a render took, as `looks` sees it in its row."""
    looked = None if len(moments) == 1 else NOON + datetime.timedelta(seconds=moments[-2])
    made = NOON + datetime.timedelta(seconds=moments[-1])
    return looks.taken(NOON, looked, made, luck=luck)


def worst_wait(planned, made):
    """The longest that one of these renders waits to be noticed, in seconds."""
    return max(look_times(planned, seconds)[-1] - seconds for seconds in made.seconds)


def normal(mean, spread):
    return lambda chance, number: chance.gauss(mean, spread)


def lognormal(median, sigma):
    return lambda chance, number: chance.lognormvariate(math.log(median), sigma)


def either(chance, number):
    return chance.gauss(60, 2) if chance.random() < 0.5 else chance.gauss(180, 6)


def drifting(factor):
    return lambda chance, number: 120 * factor ** (number / 2000) * chance.lognormvariate(0, 0.08)


def jumping(factor):
    return lambda chance, number: (120 if number < 300 else 120 * factor) * chance.lognormvariate(0, 0.08)


ON_TIME = {
    # name: (how long renders take, looks at one on average)
    "always the same": (normal(120, 0), 3),
    "hardly different": (normal(120, 2.4), 3.5),
    "a tenth more or less": (lambda chance, number: chance.uniform(108, 132), 5),
    "spread": (lognormal(120, 0.1), 6),
    "of two kinds": (either, 6),
    "faster and faster": (drifting(0.5), 6),
    "slower and slower": (drifting(2), 6.5),
    "suddenly twice as fast": (jumping(0.5), 6),
    "suddenly half as fast": (jumping(2), 6),
    "brief": (lognormal(5, 0.3), 3),
    "half a minute": (lognormal(30, 0.15), 6),
    "ten minutes": (lognormal(600, 0.1), 6),
}


@pytest.mark.parametrize(("length", "average"), ON_TIME.values(), ids=ON_TIME)
def test_a_made_render_is_noticed_in_time_at_the_95th_percentile_with_few_looks(length, average):
    found = Simulation(length).run()
    assert found.average <= average
    assert found.late_at_95 <= 1


def test_where_five_seconds_must_lie_between_two_looks_it_is_noticed_in_time_too():
    found = Simulation(lognormal(120, 0.08), shortest=5).run()
    assert found.average <= 6
    assert found.late_at_95 <= 1


@pytest.mark.parametrize("expected", [12, 1200])
def test_a_catalog_that_is_quite_wrong_is_soon_forgotten(expected):
    found = Simulation(lognormal(120, 0.08), expected=expected).run()
    assert found.average <= 6.5
    assert found.late_at_95 <= 1


@pytest.mark.parametrize("sigma", [0.2, 0.35])
def test_where_nobody_can_know_the_looks_stay_few(sigma):
    found = Simulation(lognormal(120, sigma)).run()
    assert found.average <= 6
    assert found.late[len(found.late) // 2] <= 1.5


def test_what_an_outage_has_delayed_does_not_delay_the_renders_after_it():
    found = Simulation(lambda chance, number: 3000.0 if 300 <= number < 600 else chance.gauss(120, 2.4))
    found.run(skip=1300)
    assert found.late_at_95 <= 1


# --- What was seen here ------------------------------------------------------------------------------------


@pytest.fixture
def step(db):
    workflow = Workflow.objects.create(
        user=UserFactory(), type="complete", prompt="a fox", quoted=50, deadline=NOON, options=LIKE
    )
    return Step.objects.create(workflow=workflow, stage="video", position=1, provider="fal", model="fal/x", price=50)


def attempts(step, lengths, *, model="fal/x", options=LIKE, looked=None, since=NOON):
    """Attempts that were seen made so many seconds after their submit, one a minute; `looked` is when before that."""
    known = step.attempts.count()
    return Attempt.objects.bulk_create(
        Attempt(
            pk=UUID(int=(known + place) * 0x9E3779B97F4A7C15), step=step, number=known + place, user=step.workflow.user,
            provider="fal", model=model, prompt="a fox",
            options=options, price=50, status="succeeded", phase="done", submitted=at,
            looked=looked and at + datetime.timedelta(seconds=looked), made=at + datetime.timedelta(seconds=seconds),
        )
        for place, seconds in enumerate(lengths, start=1)
        for at in [since + datetime.timedelta(minutes=place)]
    )  # fmt: skip


def running(pk=1, *, model="fal/x", options=LIKE):
    return Attempt(pk=UUID(int=pk), provider="fal", model=model, options=options)


def test_a_render_took_until_some_moment_after_it_was_last_seen_unfinished():
    looked, made = NOON + datetime.timedelta(seconds=98), NOON + datetime.timedelta(seconds=100)
    assert [looks.taken(NOON, looked, made, luck=luck) for luck in (0, 0.5, 1)] == [100, 99, 98]


@pytest.mark.parametrize("looked", [None, 0, 50])
def test_a_render_that_nobody_has_looked_at_for_long_took_a_little_less_than_was_seen(looked):
    looked = None if looked is None else NOON + datetime.timedelta(seconds=looked)
    made = NOON + datetime.timedelta(seconds=100)
    assert [looks.taken(NOON, looked, made, luck=luck) for luck in (0, 1)] == [100, pytest.approx(90)]


@pytest.mark.parametrize(("looked", "made"), [(10, -5), (200, 100), (-5, 0)])
def test_clocks_that_went_backwards_make_no_negative_time(looked, made):
    looked, made = (NOON + datetime.timedelta(seconds=seconds) for seconds in (looked, made))
    assert 0 <= looks.taken(NOON, looked, made, luck=1) <= 100


def test_the_history_is_of_the_newest_renders_of_the_same_model(step):
    attempts(step, [500.0] * 50)
    attempts(step, [9000.0] * 50, model="fal/y", since=NOON + datetime.timedelta(days=2))
    attempts(step, [100.0] * 200, since=NOON + datetime.timedelta(days=1))
    found = looks.history(running()).seconds
    assert len(found) == 200
    assert 90 <= found[0] < found[-1] <= 100


def test_renders_of_another_length_or_size_count_only_where_there_are_too_few_like_it(step):
    attempts(step, [100.0] * 19)
    attempts(step, [300.0] * 30, options={"duration_seconds": 10, "resolution": "720p"})
    assert looks.history(running()).seconds[-1] > 200
    attempts(step, [100.0])
    assert looks.history(running()).seconds[-1] <= 100


def test_too_few_renders_are_filled_up_with_what_the_catalog_expects(step):
    attempts(step, [100.0] * 19)
    found = looks.history(running()).seconds
    assert len(found) == 19 + looks.ENOUGH
    assert (found[0], found[-1]) == pytest.approx((30, 120))  # a minute, as for every model that is not in the catalog


def test_as_long_as_one_only_guesses_one_looks_sooner_as_well(step):
    attempts(step, [100.0] * 19)
    assert looks.after(running(), 0.0) < 15
    looks.forget()
    attempts(step, [100.0])
    assert looks.after(running(), 0.0) > 80


def test_the_next_look_follows_the_plan(step):
    attempts(step, [100.0] * 100, looked=99.0)
    first = looks.after(running(), 0.0)
    assert 99 < first < 100
    assert 0.5 <= looks.after(running(), first) < 1


def test_a_plan_is_made_once_for_all_who_are_alike(step, django_assert_num_queries):
    attempts(step, [100.0] * 30)
    with django_assert_num_queries(1):
        told = {looks.after(running(pk << 8), 0.0) for pk in range(1, 200)}
    assert len(told) > 150
    with django_assert_num_queries(1):
        looks.after(running(options={"duration_seconds": 10, "resolution": "720p"}), 0.0)


def test_one_in_so_many_looks_sooner(step):
    attempts(step, [100.0] * 100, looked=99.0)
    sooner = [pk for pk in range(10 * looks.EXPLORERS) if looks.after(running(pk), 0.0) < 50]
    assert len(sooner) == 10


def test_no_provider_is_asked_oftener_than_it_allows():
    assert {slug: adapter.shortest_look for slug, adapter in ADAPTERS.items()} == {
        "fal": 0.5, "google": 5.0, "openai": 1.0, "pika": 0.5, "runway": 5.0, "sandbox": 0.25, "vertex": 5.0,
    }  # fmt: skip
