"""The sandbox reads a prompt by rule, in any script, and always arrives at a scene."""

import pytest

from providers.sandbox.cast import part
from providers.sandbox.vocabulary import HOMES, PLACES, SUBJECTS
from providers.sandbox.words import enhance, read


@pytest.mark.parametrize(
    ("prompt", "subject", "place", "time"),
    [
        ("a fox crossing a frozen lake at dawn", "fox", "frozen", "dawn"),
        ("un renard traverse un lac gelé à l'aube", "fox", "frozen", "dawn"),
        ("un chat sur un toit à Paris au crépuscule", "cat", "rooftops", "dusk"),
        ("A Whale under the Northern Lights", "whale", "sea", "aurora"),
        ("two horses galloping in a meadow, golden hour", "horse", "meadow", "golden"),
        ("a hot air balloon over mountains at sunset", "balloon", "mountains", "sunset"),
        ("an astronaut on a red desert at noon", "astronaut", "mars", "day"),
        ("夜の海の船", "ship", "sea", "night"),
    ],
)
def test_it_reads_subject_place_and_time(prompt, subject, place, time):
    scene = read(prompt, seed=1)
    assert (scene.subject, scene.place, scene.time) == (subject, place, time)


def test_it_reads_weather_season_and_a_second_subject():
    scene = read("a dragon above a castle in a snowstorm", seed=1)
    assert (scene.subject, scene.second, scene.weather, scene.season) == ("dragon", "castle", "snow", "winter")


@pytest.mark.parametrize(
    "prompt", ["", "   ", "12345", "love", "قصيدة عن الصمت", "🦄🌈", "x" * 10_000, "\x00\u202e\ud800"]
)
def test_any_text_gives_a_scene(prompt):
    scene = read(prompt, seed=5)
    assert scene.place in PLACES
    assert scene == read(prompt, seed=5)


def test_the_seed_decides_what_the_words_leave_open():
    scenes = {read("love", seed=seed) for seed in range(12)}
    assert len(scenes) > 6


def test_every_subject_it_knows_can_be_drawn_and_has_a_home():
    for subject in SUBJECTS:
        assert part(subject, "meadow") is not None, subject
        assert set(HOMES.get(subject, "lake").split()) <= set(PLACES), subject


def test_it_enhances_from_the_users_own_words():
    prompt = "A fox,  crossing « le lac »\nat DAWN"
    enhanced = enhance(prompt, seed=3)
    assert enhanced.startswith(prompt)
    assert 40 <= len(enhanced.split()) - len(prompt.split()) <= 85


def test_enhancing_is_the_same_for_a_seed_and_differs_between_seeds():
    prompt = "a fox crossing a frozen lake at dawn"
    assert enhance(prompt, seed=3) == enhance(prompt, seed=3)
    assert len({enhance(prompt, seed=seed) for seed in range(8)}) > 4


def test_it_keeps_the_style_that_was_asked_for():
    assert enhance("a fox", style="film noir", seed=1).endswith("Style: film noir.")


@pytest.mark.parametrize("prompt", ["ثعلب في الصحراء ليلا", "🦊", "a" * 10_000])
def test_it_enhances_any_script(prompt):
    assert enhance(prompt, seed=1).startswith(prompt)
