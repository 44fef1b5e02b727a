"""Still: what each image model can do, what it costs, what is asked and what is kept."""

import pytest

from providers.base import Job, JobRequest, Kind, Output, ProviderError, Reason, Status
from tests.services.refusals import refused
from workflows.services import ImageGeneratorService

SERVICE = ImageGeneratorService()
pytestmark = pytest.mark.usefixtures("models")

DRAW = {"image_model": "acme/draw", "aspect_ratio": "16:9", "resolution": "720p", "seed": None}
PAINT = {"image_model": "acme/paint", "aspect_ratio": "9:16", "resolution": "480p", "seed": None}


@pytest.mark.parametrize(
    ("options", "cleaned"),
    [
        ({}, DRAW),
        ({"image_model": "auto"}, DRAW),
        ({"image_model": "acme/paint"}, PAINT),
        ({"aspect_ratio": "1:1", "seed": 0}, DRAW | {"aspect_ratio": "1:1", "seed": 0}),
        ({"seed": 2**31 - 1}, DRAW | {"seed": 2**31 - 1}),
        ({"image_model": "acme/paint", "resolution": "1080p"}, PAINT | {"resolution": "1080p"}),
        ({"duration_seconds": 99, "style": 7}, DRAW),
    ],
)
def test_it_accepts_what_the_model_can_do_and_fills_in_the_rest(options, cleaned):
    assert SERVICE.validate(options) == cleaned


@pytest.mark.parametrize("value", ["9:16", "16/9", "", 16, None, True, ["16:9"], {"16": 9}], ids=repr)
def test_it_refuses_a_ratio_that_the_model_cannot_do(value):
    with refused({"aspect_ratio": f"This model cannot do {value!r}. Choose one of: 1:1, 16:9."}):
        SERVICE.validate({"image_model": "acme/draw", "aspect_ratio": value})


@pytest.mark.parametrize("value", ["1080p", "480p", "4k", 720, ["720p"]], ids=repr)
def test_it_refuses_a_resolution_that_the_model_cannot_do(value):
    with refused({"resolution": f"This model cannot do {value!r}. Choose one of: 720p."}):
        SERVICE.validate({"image_model": "acme/draw", "resolution": value})


def test_it_shows_only_the_start_of_nonsense():
    with refused({"resolution": f"This model cannot do {repr('x' * 99)[:40]}. Choose one of: 720p."}):
        SERVICE.validate({"image_model": "acme/draw", "resolution": "x" * 99})


@pytest.mark.parametrize("value", [-1, 2**31, 7.0, "7", True, [7]], ids=repr)
def test_it_refuses_a_seed_that_is_none(value):
    with refused({"seed": "This must be a whole number from 0 to 2147483647."}):
        SERVICE.validate({"seed": value})


@pytest.mark.parametrize("wish", ["dall-e-9", "acme/words", "acme/clip", 7, ["auto"]], ids=repr)
def test_it_refuses_a_model_that_is_not_on_offer(wish):
    with refused({"image_model": "There is no such model. Choose one of: auto, acme/draw, acme/paint."}):
        SERVICE.validate({"image_model": wish})


def test_it_finds_its_model():
    assert SERVICE.model({}).slug == "acme/draw"
    assert SERVICE.model({"image_model": "acme/paint"}).slug == "acme/paint"


@pytest.mark.parametrize(
    ("slug", "resolution", "credits"),
    [("acme/draw", "720p", 3), ("acme/paint", "480p", 3), ("acme/paint", "1080p", 9)],
)
def test_its_price_follows_the_resolution_rounded_up(slug, resolution, credits):
    assert SERVICE.price(SERVICE.validate({"image_model": slug, "resolution": resolution})) == credits


def test_it_asks_for_an_image_with_the_prompt_and_the_options_as_they_are():
    options = SERVICE.validate({"seed": 7})
    request = SERVICE.ask("draw", "a fox", options, "attempt-1")
    assert request == JobRequest(Kind.IMAGE, "draw", "a fox", options, "attempt-1", None)


def test_it_keeps_the_first_of_several_images():
    first, second = Output(location="a.png"), Output(location="b.png")
    assert SERVICE.keep(Job("1", Status.SUCCEEDED, outputs=(first, second))) == first


def test_no_image_is_a_bad_output():
    with pytest.raises(ProviderError) as failure:
        SERVICE.keep(Job("1", Status.SUCCEEDED))
    assert failure.value.reason == Reason.BAD_OUTPUT
