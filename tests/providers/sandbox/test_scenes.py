"""Every place, hour and subject the sandbox knows can be put on its stage, at any ratio."""

import numpy as np
import pytest

from providers.sandbox.cast import CAST
from providers.sandbox.compose import compose, developed
from providers.sandbox.vocabulary import PLACES, STYLES, TIMES, WEATHERS


def names(table):
    return [(name, words.split()[0].replace("_", " ")) for name, words in table.items()]


@pytest.mark.parametrize(("place", "word"), names(PLACES))
@pytest.mark.parametrize("size", [(160, 90), (90, 160)])
def test_every_place_fills_the_frame(place, word, size):
    stage = compose(f"somebody, {word}", width=size[0], height=size[1], seed=2)
    picture = developed(stage)
    assert picture.shape == (size[1], size[0], 3)
    assert np.isfinite(picture).all()
    assert (picture.max(axis=(1, 2)) > 8).all(), "a row of the picture was left empty"


@pytest.mark.parametrize("word", [word for table in (TIMES, WEATHERS, STYLES) for _, word in names(table)])
def test_every_hour_weather_and_style_can_be_painted(word):
    picture = developed(compose(f"a boat on a lake, {word}", width=160, height=90, seed=2))
    assert np.isfinite(picture).all()
    assert picture.std() > 4


@pytest.mark.parametrize("name", CAST)
def test_every_figure_has_a_body_in_all_its_phases(name):
    for phase in (0.0, 0.3, 0.9):
        masks = CAST[name].draw(phase).masks(40)
        drawn = np.maximum(np.asarray(masks.body), np.asarray(masks.light))
        assert (drawn > 128).mean() > 0.02
