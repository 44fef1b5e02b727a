"""The sandbox's films are measured by decoding them: codec, size, length, motion, and no flicker."""

import io
import itertools

import av
import numpy as np
import pytest
from PIL import Image

from providers.sandbox.film import shoot
from providers.sandbox.label import label_masks
from providers.sandbox.still import draw_still

FOX = "a fox crossing a frozen lake at dawn"
SIZE = {"width": 256, "height": 144}


def film(image, *, seconds=1.0, fps=24, seed=7, width=256, height=144, **more):
    target = io.BytesIO()
    shoot(image, prompt=FOX, seconds=seconds, width=width, height=height, seed=seed, fps=fps, target=target, **more)
    return target.getvalue()


def frames(data):
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="gray").astype(np.int16) for frame in container.decode(video=0)]


def picture(mode="RGB", size=(64, 48)):
    base = Image.linear_gradient("L").resize(size).convert("RGB")
    base.paste((200, 40, 40), (0, 0, max(1, size[0] // 2), max(1, size[1] // 2)))
    data = io.BytesIO()
    kind = {"CMYK": "JPEG", "I;16": "PNG", "F": "TIFF"}.get(mode, "PNG")
    base.convert("I").convert("I;16").save(data, kind) if mode == "I;16" else base.convert(mode).save(data, kind)
    return data.getvalue()


@pytest.fixture(scope="module")
def fox():
    return film(draw_still(FOX, seed=7, **SIZE), seconds=2.0)


def test_it_is_h264_that_plays_everywhere(fox):
    with av.open(io.BytesIO(fox)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (256, 144, 24)
        assert len(container.streams) == 1


def test_its_index_comes_first(fox):
    assert 0 < fox.index(b"moov") < fox.index(b"mdat")


def test_it_has_exactly_the_frames_asked_for(fox):
    assert len(frames(fox)) == 48
    with av.open(io.BytesIO(fox)) as container:
        assert container.duration == pytest.approx(2.0 * av.time_base, abs=av.time_base / 100)


def test_its_metadata_says_what_it_is(fox):
    with av.open(io.BytesIO(fox)) as container:
        assert container.metadata["title"] == FOX
        assert container.metadata["comment"] == "sandbox preview, not AI"


def test_it_moves(fox):
    seen = frames(fox)
    assert np.abs(seen[12] - seen[36]).mean() > 3


def test_it_does_not_flicker(fox):
    seen = frames(fox)[10:-10]
    steps = [np.abs(a - b).mean() for a, b in itertools.pairwise(seen)]
    brightness = [abs(a.mean() - b.mean()) for a, b in itertools.pairwise(seen)]
    assert max(steps) < 8
    assert max(brightness) < 1


def test_it_fades_in_and_out(fox):
    seen = frames(fox)
    assert seen[0].mean() < seen[24].mean() * 0.5
    assert seen[-1].mean() < seen[24].mean() * 0.5


def test_its_middle_looks_like_the_still(fox):
    still = np.asarray(Image.open(io.BytesIO(draw_still(FOX, seed=7, **SIZE))).convert("L"), np.int16)
    assert np.abs(frames(fox)[24] - still).mean() < 12


def test_layers_near_the_camera_move_more_than_far_ones():
    seen = frames(film(draw_still("mountains, golden hour", width=256, height=144, seed=3), seconds=2.0))
    change = np.abs(seen[14] - seen[34]).mean(axis=1)
    assert change[-30:].mean() > 2 * change[:20].mean()


def test_the_same_picture_gives_the_same_film():
    still = draw_still(FOX, width=128, height=72, seed=7)
    assert film(still, width=128, height=72, seconds=0.5) == film(still, width=128, height=72, seconds=0.5)


def test_it_reports_its_progress():
    heard = []
    film(picture(), width=64, height=36, seconds=0.5, progress=heard.append)
    assert heard == [pytest.approx(n / 12) for n in range(1, 13)]


@pytest.mark.parametrize(
    "prompt", ["a lighthouse in a storm", "snow in the forest", "the city in the rain", "jellyfish", "nebula"]
)
def test_every_kind_of_weather_can_be_filmed(prompt):
    assert len(frames(film(draw_still(prompt, width=128, height=72, seed=1), width=128, height=72, seconds=0.25))) == 6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_it_films_an_upload_of_any_mode(mode):
    seen = frames(film(picture(mode), seconds=0.5))
    assert len(seen) == 12
    assert seen[6].max() - seen[6].min() > 40


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (33, 57)])
def test_it_films_an_upload_of_any_shape(size):
    seen = frames(film(picture(size=size), seconds=0.25, width=160, height=90))
    assert seen[0].shape == (90, 160)


def test_an_upload_moves_too():
    seen = frames(film(picture(size=(400, 300)), seconds=1.0))
    assert np.abs(seen[10] - seen[-11]).mean() > 0.3


@pytest.mark.parametrize("high", [480, 720, 1080])
@pytest.mark.parametrize("ratio", [(16, 9), (9, 16), (1, 1), (4, 3), (3, 4), (21, 9)])
def test_every_ratio_and_resolution_is_exact(high, ratio, tmp_path):
    short = high if ratio[0] >= ratio[1] else high * ratio[1] / ratio[0]
    width, height = (2 * round(side / 2) for side in (short * ratio[0] / ratio[1], short))
    path = tmp_path / "film.mp4"
    shoot(picture(), prompt=FOX, seconds=1, fps=1, width=width, height=height, seed=1, target=path)
    with av.open(str(path)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (width, height)


@pytest.mark.parametrize(("width", "height", "seconds"), [(255, 144, 1), (256, 0, 1), (256, 144, 0), (256, 144, -1)])
def test_it_refuses_impossible_films(width, height, seconds, tmp_path):
    with pytest.raises(ValueError, match="cannot film"):
        shoot(picture(), prompt=FOX, seconds=seconds, width=width, height=height, seed=1, target=tmp_path / "no.mp4")
    assert not (tmp_path / "no.mp4").exists()


def test_it_refuses_what_is_no_picture(tmp_path):
    with pytest.raises(OSError, match="cannot identify"):
        shoot(b"not a picture", prompt=FOX, seconds=1, seed=1, target=tmp_path / "no.mp4", **SIZE)


def test_it_carries_its_label_in_a_corner():
    black = io.BytesIO()
    Image.new("RGB", (64, 36)).save(black, "PNG")
    frame = frames(film(black.getvalue(), width=640, height=360, seconds=0.5))[6]
    at, _, letters = label_masks(640, 360)
    corner = frame[at[1] : at[1] + letters.height, at[0] : at[0] + letters.width]
    assert corner[np.asarray(letters) > 150].mean() > 120
