"""The sandbox's stills are real pictures of the prompt, and say what they are."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from providers.sandbox.label import LABEL, label_masks
from providers.sandbox.still import CHUNK, draw_still, remembered

FOX = "a fox crossing a frozen lake at dawn"


def draw(prompt=FOX, *, width=320, height=180, seed=7):
    return draw_still(prompt, width=width, height=height, seed=seed)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)), np.int16)


def test_the_same_prompt_and_seed_give_the_same_bytes():
    assert draw() == draw()


def test_another_seed_gives_another_picture():
    assert np.abs(pixels(draw()) - pixels(draw(seed=8))).mean() > 5


@pytest.mark.parametrize("other", ["a fox crossing a frozen lake at night", "a lighthouse in a storm", "love"])
def test_another_prompt_gives_another_picture(other):
    assert np.abs(pixels(draw()) - pixels(draw(other))).mean() > 10


def test_it_is_no_flat_gradient():
    picture = pixels(draw())
    assert picture.std() > 25
    assert np.abs(np.diff(picture.mean(axis=-1), axis=1)).mean() > 1


def test_it_carries_its_label_in_a_corner():
    at, _, letters = label_masks(640, 360)
    assert LABEL == "sandbox preview · not AI"
    assert at[0] + letters.width <= 640
    assert at[1] + letters.height <= 360
    picture = pixels(draw(width=640, height=360, prompt="night"))[at[1] :, at[0] :].mean(axis=-1)
    mask = np.asarray(letters)[: picture.shape[0], : picture.shape[1]]
    assert picture[: mask.shape[0], : mask.shape[1]][mask > 150].mean() > 150


def test_its_metadata_says_what_it_is_and_what_it_shows():
    text = Image.open(io.BytesIO(draw())).text
    assert text["Software"] == "VidGenie sandbox"
    assert text["Comment"] == "sandbox preview, not AI"
    assert text["Description"] == FOX
    scene = json.loads(text[CHUNK])
    assert (scene["prompt"], scene["seed"], scene["version"]) == (FOX, 7, 1)
    assert scene["pixels"] == hashlib.sha256(Image.open(io.BytesIO(draw())).tobytes()).hexdigest()


def test_a_picture_remembers_its_scene():
    assert remembered(draw()) == (FOX, 7)


def test_a_picture_that_was_painted_over_is_a_stranger():
    picture = Image.open(io.BytesIO(draw()))
    text = picture.text
    picture.putpixel((3, 3), (255, 0, 0))
    info = PngImagePlugin.PngInfo()
    info.add_itxt(CHUNK, text[CHUNK])
    changed = io.BytesIO()
    picture.save(changed, "PNG", pnginfo=info)
    assert remembered(changed.getvalue()) is None


@pytest.mark.parametrize(
    "chunk", ["", "[]", "null", "{", '{"prompt": 1}', '{"version": 1, "prompt": "x", "seed": "1"}']
)
def test_a_forged_scene_is_not_believed(chunk):
    info = PngImagePlugin.PngInfo()
    info.add_itxt(CHUNK, chunk)
    forged = io.BytesIO()
    Image.new("RGB", (8, 8)).save(forged, "PNG", pnginfo=info)
    assert remembered(forged.getvalue()) is None


@pytest.mark.parametrize("size", [(426, 240), (240, 426), (240, 240), (320, 240), (240, 320), (560, 240)])
def test_every_ratio_has_exactly_its_size(size):
    assert Image.open(io.BytesIO(draw(width=size[0], height=size[1]))).size == size


@pytest.mark.parametrize("prompt", ["", "ثعلب في الليل", "🦊🌊", "x" * 10_000, "a\x00b\x1f", "\ud800"])
def test_no_prompt_is_too_strange(prompt):
    assert Image.open(io.BytesIO(draw(prompt, width=160, height=90))).size == (160, 90)
