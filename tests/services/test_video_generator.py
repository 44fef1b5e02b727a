"""Motion: what each video model can do, what it costs, what is asked and what is kept."""

import datetime

import pytest
import time_machine

from providers.base import Job, JobRequest, Kind, Output, Picture, ProviderError, Reason, Status
from tests.services.refusals import refused
from workflows.prompts import InvalidInput
from workflows.services import VideoGeneratorService

SERVICE = VideoGeneratorService()
pytestmark = pytest.mark.usefixtures("models")

CLIP = {
    "video_model": "acme/clip", "aspect_ratio": "16:9", "resolution": "720p", "duration_seconds": 4, "seed": None,
}  # fmt: skip
FILM = {
    "video_model": "acme/film", "aspect_ratio": "16:9", "resolution": "1080p", "duration_seconds": 1, "seed": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "cleaned"),
    [
        ({}, CLIP),
        ({"duration_seconds": 8, "seed": 7}, CLIP | {"duration_seconds": 8, "seed": 7}),
        ({"resolution": "480p", "aspect_ratio": "9:16"}, CLIP | {"resolution": "480p", "aspect_ratio": "9:16"}),
        ({"video_model": "acme/film"}, FILM),
        ({"video_model": "acme/film", "duration_seconds": 10}, FILM | {"duration_seconds": 10}),
        ({"enhance": "nonsense", "image_model": "nonsense"}, CLIP),
    ],
)
def test_it_accepts_what_the_model_can_do_and_fills_in_the_rest(options, cleaned):
    assert SERVICE.validate(options) == cleaned


@pytest.mark.parametrize("value", [5, 0, -4, 4.5, "4", True, None, [4], 10**30], ids=repr)
def test_it_refuses_a_length_that_the_model_cannot_do(value):
    with refused({"duration_seconds": f"This model cannot do {value!r}. Choose one of: 4, 8."}):
        SERVICE.validate({"video_model": "acme/clip", "duration_seconds": value})


def test_true_is_not_one_second():
    with refused({"duration_seconds": "This model cannot do True. Choose one of: 1, 10."}):
        SERVICE.validate({"video_model": "acme/film", "duration_seconds": True})


def test_a_length_with_a_point_is_the_whole_number_it_is():
    assert repr(SERVICE.validate({"duration_seconds": 4.0})["duration_seconds"]) == "4"


@pytest.mark.parametrize("value", ["1:1", "21:9", 16], ids=repr)
def test_it_refuses_a_ratio_that_the_model_cannot_do(value):
    with refused({"aspect_ratio": f"This model cannot do {value!r}. Choose one of: 16:9, 9:16."}):
        SERVICE.validate({"video_model": "acme/clip", "aspect_ratio": value})


def test_it_refuses_a_resolution_that_the_model_cannot_do():
    with refused({"resolution": "This model cannot do '720p'. Choose one of: 1080p."}):
        SERVICE.validate({"video_model": "acme/film", "resolution": "720p"})


@pytest.mark.parametrize("value", [-1, 2**31, 7.0, "7", False], ids=repr)
def test_it_refuses_a_seed_that_is_none(value):
    with refused({"seed": "This must be a whole number from 0 to 2147483647."}):
        SERVICE.validate({"seed": value})


@pytest.mark.parametrize("wish", ["sora-9", "acme/draw", "acme/old", 7], ids=repr)
def test_it_refuses_a_model_that_is_not_on_offer_any_more(wish):
    with refused({"video_model": "There is no such model. Choose one of: auto, acme/clip, acme/film."}):
        SERVICE.validate({"video_model": wish})


def test_a_model_is_on_offer_until_the_day_it_retires():
    with time_machine.travel(datetime.datetime(1999, 12, 31, 23, 59, tzinfo=datetime.UTC)):
        assert SERVICE.model({"video_model": "acme/old"}).slug == "acme/old"
    with time_machine.travel(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)), pytest.raises(InvalidInput):
        SERVICE.model({"video_model": "acme/old"})


@pytest.mark.parametrize(
    ("options", "credits"),
    [
        ({"duration_seconds": 4}, 11),
        ({"duration_seconds": 8}, 21),
        ({"duration_seconds": 4, "resolution": "480p"}, 6),
        ({"duration_seconds": 8, "resolution": "480p"}, 11),
        ({"video_model": "acme/film", "duration_seconds": 10}, 200),
    ],
)
def test_its_price_follows_length_and_resolution_rounded_up(options, credits):
    assert SERVICE.price(SERVICE.validate(options)) == credits


def test_it_asks_for_a_video_with_the_picture_it_starts_from():
    options, picture = SERVICE.validate({}), Picture(b"png", "image/png")
    request = SERVICE.ask("clip", "a fox", options, "attempt-1", picture)
    assert request == JobRequest(Kind.VIDEO, "clip", "a fox", options, "attempt-1", picture)


def test_it_keeps_the_video():
    output = Output(location="a.mp4", content_type="video/mp4")
    assert SERVICE.keep(Job("1", Status.SUCCEEDED, outputs=(output,))) == output


def test_no_video_is_a_bad_output():
    with pytest.raises(ProviderError) as failure:
        SERVICE.keep(Job("1", Status.SUCCEEDED))
    assert failure.value.reason == Reason.BAD_OUTPUT
