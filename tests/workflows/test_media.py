"""Files are opened before they count as made; what does not open is refused, and nothing of it is kept."""

import hashlib
import io
import tempfile
from pathlib import Path

import av
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from tests.pictures import picture
from workflows import media
from workflows.calls import _require_length
from workflows.media import BadMedia
from workflows.models import Asset


def noise(size, place):
    """Any frame of a video."""
    return Image.effect_noise(size, 60).convert("RGB")


def video(seconds=2, rate=10, size=(64, 48), format="mp4", draw=noise, **options):
    """A file with a video of noise, or of what `draw` makes of a size and the place of a frame."""
    # It needs a name, since the muxer opens it again to move the index.
    with (
        tempfile.NamedTemporaryFile() as target,
        av.open(target.name, "w", format=format, options=options) as container,
    ):
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for place in range(seconds * rate):
            container.mux(stream.encode(av.VideoFrame.from_image(draw(size, place))))
        container.mux(stream.encode())
        container.close()
        return Path(target.name).read_bytes()


STREAMED = video(movflags="faststart")  # its index comes first, so that the first half of it plays


def store(content, kind):
    file, size, sha256 = media.fetch_to_disk(io.BytesIO(content))
    with file:
        return media.store(file, size, sha256, name="made/1", kind=kind)


def read(name):
    with default_storage.open(name) as file:
        return file.read()


def kept():
    return [path for path in Path(default_storage.location).rglob("*") if path.is_file()]


# --- Fetching ----------------------------------------------------------------------------------------------


def test_it_copies_counts_and_hashes():
    content = b"fox" * 200_000
    file, size, sha256 = media.fetch_to_disk(io.BytesIO(content))
    with file:
        assert (file.read(), size, sha256) == (content, 600_000, hashlib.sha256(content).hexdigest())


def test_it_refuses_an_empty_file():
    with pytest.raises(BadMedia, match="the file is empty"):
        media.fetch_to_disk(io.BytesIO())


def test_a_file_may_be_as_large_as_the_limit_and_no_larger():
    file, size, _ = media.fetch_to_disk(io.BytesIO(b"x" * 10), limit=10)
    with file:
        assert size == 10
    with pytest.raises(BadMedia, match="the file is larger than 10 bytes"):
        media.fetch_to_disk(io.BytesIO(b"x" * 11), limit=10)


def test_it_stops_reading_at_the_limit():
    source = io.BytesIO(b"x" * 3_000_000)
    with pytest.raises(BadMedia):
        media.fetch_to_disk(source, limit=1000)
    assert source.tell() <= 256 * 1024


# --- Images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format", "type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_an_image_is_kept_as_it_came_with_what_was_measured(format, type):
    content = picture(80, 60, format)
    asset = store(content, "image")
    assert (asset.content_type, asset.width, asset.height, asset.duration) == (type, 80, 60, None)
    assert (asset.size, asset.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert read(asset.file) == content


def test_it_has_a_thumbnail_that_fits_the_gallery():
    asset = store(picture(2000, 1000), "image")
    with Image.open(io.BytesIO(read(asset.thumbnail))) as small:
        assert (small.format, small.size) == ("WEBP", (400, 200))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "I;16"])
def test_an_image_of_any_color_mode_has_a_thumbnail(mode):
    image = Image.new("RGB", (8, 8)).convert(mode) if mode != "I;16" else Image.new(mode, (8, 8))
    assert media.thumbnail(image).startswith(b"RIFF")


BAD_IMAGES = {
    "half a png": picture(400, 300, "PNG", compress_level=0)[:200_000],
    "half a jpeg": picture(400, 300, "JPEG")[:800],
    "only a signature": b"\x89PNG\r\n\x1a\n",
    "html": b"<!doctype html><title>Not Found</title>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "gif": picture(8, 8, "GIF"),
    "noise": bytes(range(256)) * 20,
    "mp4": video(1),
}


@pytest.mark.parametrize("content", BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_what_is_no_image_is_refused_and_not_kept(content):
    with pytest.raises(BadMedia, match="the image does not open"):
        store(content, "image")
    assert kept() == []


# --- Videos ------------------------------------------------------------------------------------------------


def test_a_video_is_kept_as_it_came_with_what_was_measured():
    content = video(seconds=2, size=(64, 48))
    asset = store(content, "video")
    assert (asset.content_type, asset.width, asset.height, asset.duration) == ("video/mp4", 64, 48, 2.0)
    assert (asset.size, asset.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert read(asset.file) == content
    assert read(asset.thumbnail).startswith(b"RIFF")


@pytest.mark.parametrize(
    ("size", "small"),
    [((1280, 720), (400, 225)), ((720, 1280), (225, 400)), ((64, 48), (64, 48)), ((1600, 2), (400, 1))],
)
def test_a_video_has_a_thumbnail_that_fits_the_gallery(size, small):
    asset = store(video(seconds=1, rate=2, size=size), "video")
    assert (asset.width, asset.height) == size
    with Image.open(io.BytesIO(read(asset.thumbnail))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", small)


@pytest.mark.parametrize("size", [(64, 48), (800, 600)])
def test_the_thumbnail_of_a_video_shows_its_middle(size):
    def draw(size, place):
        return Image.new("RGB", size, (200, 40, 40) if 9 <= place <= 11 else (40, 40, 200))

    asset = store(video(seconds=2, rate=10, size=size, draw=draw), "video")
    with Image.open(io.BytesIO(read(asset.thumbnail))) as small:
        red, _green, blue = small.resize((1, 1)).getpixel((0, 0))
    assert (red > 150, blue < 100) == (True, True)


BAD_VIDEOS = {
    "html": b"<!doctype html><title>Not Found</title>",
    "an error in json": b'{"error": "expired"}',
    "png": picture(),
    "noise": bytes(range(256)) * 20,
    "half a video": video()[: len(video()) // 2],
    "half of one that streams": STREAMED[: len(STREAMED) // 2],
    "nine tenths of one that streams": STREAMED[: len(STREAMED) * 9 // 10],
    "another container": video(format="matroska"),
    "a playlist of other files": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "a list of other files": b"ffconcat version 1.0\nfile '/etc/hostname'\n",
}


@pytest.mark.parametrize("content", BAD_VIDEOS.values(), ids=BAD_VIDEOS)
def test_what_is_no_video_is_refused_and_not_kept(content):
    with pytest.raises(BadMedia, match="the video"):
        store(content, "video")
    assert kept() == []


@pytest.mark.parametrize("duration", [4.0, 4.5, 5.0, 6.0])
def test_a_length_near_what_was_asked_for_is_accepted(duration):
    _require_length(Asset(duration=duration), 5)


@pytest.mark.parametrize("duration", [0.1, 3.9, 6.1, 60.0])
def test_another_length_is_refused(duration):
    with pytest.raises(BadMedia, match=f"5 s were asked for, the video has {duration} s"):
        _require_length(Asset(duration=duration), 5)


def test_an_image_has_no_length():
    _require_length(Asset(duration=None), 5)


def test_storing_again_under_the_same_name_leaves_no_second_copy():
    store(picture(), "image")
    store(picture(), "image")
    assert len(kept()) == 2
