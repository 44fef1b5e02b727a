"""What a run would be and cost: what is refused by field, what is ignored, and the exact price."""

import pytest

from workflows.models import Asset
from workflows.prompts import InvalidInput
from workflows.quote import quote

pytestmark = pytest.mark.django_db  # what is on offer may depend on rows

RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
IMAGE = Asset(kind="image", width=1600, height=900)


def refusal(*arguments, **named):
    with pytest.raises(InvalidInput) as error:
        quote(*arguments, **named)
    return error.value.errors


@pytest.mark.parametrize(
    ("type", "options", "prices"),
    [
        ("complete", {}, {"enhance": 1, "image": 4, "video": 10}),
        ("complete", {"enhance": False}, {"image": 4, "video": 10}),
        ("complete", {"resolution": "480p", "duration_seconds": 3}, {"enhance": 1, "image": 2, "video": 3}),
        ("complete", {"resolution": "1080p", "duration_seconds": 10}, {"enhance": 1, "image": 8, "video": 40}),
        ("image-only", {}, {"enhance": 1, "image": 4}),
        ("image-only", {"enhance": False, "resolution": "480p"}, {"image": 2}),
        ("video-from-image", {}, {"video": 10}),
        ("video-from-image", {"enhance": True}, {"enhance": 1, "video": 10}),
    ],
)
def test_the_price_is_the_sum_of_what_will_be_done(type, options, prices):
    quoted = quote(type, "a fox", options, IMAGE)
    assert {line.stage: line.credits for line in quoted.lines} == prices
    assert quoted.credits == sum(prices.values())


def test_every_default_is_filled_in():
    quoted = quote("complete", " a fox ", {"seed": 7})
    assert (quoted.type, quoted.prompt, quoted.image) == ("complete", "a fox", None)
    assert quoted.options == {
        "enhance": True, "style": "", "text_model": "sandbox/words", "image_model": "sandbox/still",
        "video_model": "sandbox/motion", "aspect_ratio": "16:9", "resolution": "720p", "duration_seconds": 5,
        "seed": 7,
    }  # fmt: skip
    line = quoted.lines[2]
    assert (line.stage, line.provider, line.model, line.credits) == ("video", "sandbox", "sandbox/motion", 10)


def test_a_seed_is_chosen_when_none_is_given():
    seeds = {quote("image-only", "a fox").options["seed"] for _ in range(3)}
    assert len(seeds) == 3
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_an_option_that_is_null_is_as_if_it_were_not_there():
    options = dict.fromkeys(("aspect_ratio", "duration_seconds", "resolution", "style", "enhance", "video_model"))
    assert quote("complete", "a fox", options | {"seed": 7}) == quote("complete", "a fox", {"seed": 7})


@pytest.mark.parametrize("type", ["", "movie", "Complete", None, 7, True, ["complete"], {"complete": 1}], ids=repr)
def test_it_refuses_a_type_that_is_none(type):
    assert refusal(type, "a fox") == {"type": "Choose one of: complete, image-only, video-from-image."}


@pytest.mark.parametrize("options", [[], "fast", 7, True, [("seed", 1)]], ids=repr)
def test_it_refuses_options_that_are_no_object(options):
    assert refusal("complete", "a fox", options) == {"options": "This must be an object of options."}


def test_it_refuses_options_that_there_are_none_of_and_says_which_there_are():
    errors = refusal("complete", "a fox", {"fps": 60, "loop": True, "seed": 7})
    assert set(errors) == {"fps", "loop"}
    assert errors["fps"] == (
        "There is no such option. The options are: aspect_ratio, duration_seconds, resolution, style, enhance, "
        "text_model, image_model, video_model, seed."
    )


@pytest.mark.parametrize("prompt", [7, ["a fox"], None, {"a": 1}, True], ids=repr)
def test_it_refuses_a_prompt_that_is_no_text(prompt):
    assert refusal("complete", prompt) == {"prompt": "This must be text."}


@pytest.mark.parametrize("field", ["text_model", "image_model", "video_model"])
def test_it_refuses_a_model_that_is_not_on_offer(field):
    errors = refusal("complete", "a fox", {field: "acme/none"})
    assert set(errors) == {field}
    assert errors[field].startswith("There is no such model. Choose one of: auto, sandbox/")


def test_it_names_every_wrong_field_at_once():
    options = {"aspect_ratio": "5:4", "duration_seconds": 7, "resolution": "4k", "seed": -1, "enhance": 1}
    # A stage that refuses one of its options says nothing of the others yet; every wrong stage speaks.
    assert set(refusal("complete", "", options)) == {"prompt", "enhance", "aspect_ratio"}
    assert set(refusal("video-from-image", "", {"duration_seconds": 7})) == {"prompt", "image", "duration_seconds"}


@pytest.mark.parametrize("options", [{"duration_seconds": 99}, {"video_model": "acme/none"}], ids=repr)
def test_it_ignores_options_that_this_type_has_no_use_for(options):
    quoted = quote("image-only", "a fox", options | {"seed": 7})
    assert quoted == quote("image-only", "a fox", {"seed": 7})


# --- From an image -----------------------------------------------------------------------------------------


def test_a_video_from_an_image_keeps_the_image_and_the_words():
    quoted = quote("video-from-image", "it turns its head", {}, IMAGE)
    assert (quoted.image, quoted.options["enhance"]) == (IMAGE, False)


@pytest.mark.parametrize("image", [None, Asset(kind="video", width=1600, height=900)], ids=["none", "video"])
def test_it_refuses_a_video_from_no_image(image):
    assert refusal("video-from-image", "a fox", {}, image) == {"image": "Choose or upload an image to bring to life."}


def test_an_image_is_not_used_where_one_is_drawn():
    assert quote("complete", "a fox", {}, IMAGE).image is None


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [
        (1920, 1080, "16:9"), (1080, 1920, "9:16"), (512, 512, "1:1"), (1024, 768, "4:3"), (768, 1024, "3:4"),
        (2520, 1080, "21:9"), (8000, 100, "21:9"), (100, 8000, "9:16"), (1000, 990, "1:1"), (1500, 1000, "4:3"),
    ],
)  # fmt: skip
def test_the_shape_of_the_image_decides_the_ratio(width, height, ratio):
    image = Asset(kind="image", width=width, height=height)
    assert quote("video-from-image", "a fox", {}, image).options["aspect_ratio"] == ratio


@pytest.mark.parametrize("ratio", RATIOS)
def test_unless_another_is_asked_for(ratio):
    assert quote("video-from-image", "a fox", {"aspect_ratio": ratio}, IMAGE).options["aspect_ratio"] == ratio


def test_a_wrong_model_is_named_even_with_an_image():
    assert set(refusal("video-from-image", "a fox", {"video_model": "acme/none"}, IMAGE)) == {"video_model"}
