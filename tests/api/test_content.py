"""Files are handed out whole or in part, so that a player can seek, and to nobody but their owner."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.problems import assert_problem
from workflows import content
from workflows.models import Asset

BYTES = bytes(range(256)) * 4  # 1024 bytes


@pytest.fixture
def video(alice):
    return Asset.objects.create(
        user=alice,
        kind="video",
        file=default_storage.save("made/film.mp4", ContentFile(BYTES)),
        thumbnail=default_storage.save("made/film.webp", ContentFile(b"small")),
        content_type="video/mp4",
        size=len(BYTES),
        sha256="a" * 64,
        width=64,
        height=64,
        duration=2.0,
    )


def get(api, video, **headers):
    return api.get(video.get_absolute_url(), headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_the_whole_file(api, video):
    response = get(api, video)
    assert (response.status_code, b"".join(response)) == (200, BYTES)
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Content-Length"] == "1024"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["ETag"] == f'"{"a" * 64}"'
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert response.headers["Content-Disposition"] == f'inline; filename="vidgenie-{str(video.pk)[:8]}.mp4"'


def test_nothing_in_a_file_can_act_as_a_page(api, video):
    response = get(api, video)
    b"".join(response)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("0-0", 0, 0), ("0-99", 0, 99), ("1000-", 1000, 1023), ("-1", 1023, 1023), ("-24", 1000, 1023),
     ("-5000", 0, 1023), ("1000-5000", 1000, 1023), ("0-", 0, 1023), ("1023-1023", 1023, 1023)],
)  # fmt: skip
def test_a_part_of_it(api, video, wanted, first, last):
    response = get(api, video, Range=f"bytes={wanted}")
    assert (response.status_code, b"".join(response)) == (206, BYTES[first : last + 1])
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/1024"
    assert response.headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("wanted", ["1024-", "1024-1025", "-0", "99999999999-"])
def test_a_part_beyond_its_end(api, video, wanted):
    response = get(api, video, Range=f"bytes={wanted}")
    assert_problem(response, 416, "range_not_satisfiable")
    assert response.headers["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize(
    "wanted", ["", "bytes", "bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "bytes=0-1,5-6", "lines=0-5", "bytes=--5"]
)
def test_a_part_that_is_not_understood_is_answered_whole(api, video, wanted):
    response = get(api, video, Range=wanted)
    assert (response.status_code, b"".join(response)) == (200, BYTES)


@pytest.mark.parametrize(
    ("tag", "status"), [(f'"{"a" * 64}"', 206), ('"b"', 200), ("Sun, 22 Nov 2026 10:00:00 GMT", 200)]
)
def test_a_part_is_only_of_the_file_that_was_meant(api, video, tag, status):
    response = get(api, video, Range="bytes=0-9", If_Range=tag)
    assert (response.status_code, len(b"".join(response))) == (status, 10 if status == 206 else 1024)


@pytest.mark.parametrize("tag", ['"{}"', 'W/"{}"', '"x", "{}"'])
def test_what_the_browser_has_is_not_sent_again(api, video, tag):
    response = get(api, video, If_None_Match=tag.format("a" * 64))
    assert (response.status_code, response.content) == (304, b"")


def test_head_tells_its_size_and_sends_nothing(api, video):
    response = api.head(video.get_absolute_url(), headers={"Range": "bytes=0-9"})
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == "1024"


def test_it_can_be_saved(api, video):
    response = api.get(video.get_absolute_url(), {"download": "1"})
    b"".join(response)
    assert response.headers["Content-Disposition"].startswith("attachment; ")


def test_the_thumbnail(api, video):
    response = api.get(video.thumbnail_url)
    assert (response.headers["Content-Type"], b"".join(response)) == ("image/webp", b"small")
    assert response.headers["ETag"] == f'"{"a" * 64}-small"'


def test_a_video_without_a_thumbnail(api, video):
    Asset.objects.update(thumbnail="")
    assert_problem(api.get(video.thumbnail_url), 404, "not_found")


def test_a_file_that_is_gone(api, video):
    default_storage.delete(video.file)
    assert_problem(get(api, video), 404, "not_found")


@pytest.mark.parametrize("which", ["get_absolute_url", "thumbnail_url"])
def test_a_file_of_somebody_else(bobs_api, video, which):
    path = getattr(video, which)
    assert_problem(bobs_api.get(path() if callable(path) else path), 404, "not_found")


def test_it_is_read_block_by_block(api, video, monkeypatch):
    monkeypatch.setattr(content, "BLOCK", 100)
    response = get(api, video, Range="bytes=5-254")
    blocks = list(response)
    assert [len(block) for block in blocks] == [100, 100, 50]
    assert b"".join(blocks) == BYTES[5:255]


@pytest.fixture
def opened(monkeypatch):
    files = []
    inner = default_storage.open

    def remember(*which):
        files.append(inner(*which))
        return files[-1]

    monkeypatch.setattr(default_storage, "open", remember)
    return files


@pytest.mark.parametrize("read", [b"".join, lambda response: response.close()])
def test_the_file_is_closed_whoever_stops_reading(api, video, opened, read):
    read(get(api, video))
    assert [file.closed for file in opened] == [True]


@pytest.mark.parametrize("headers", [{"Range": "bytes=2000-"}, {"If_None_Match": f'"{"a" * 64}"'}])
def test_the_file_is_closed_when_nothing_is_sent(api, video, opened, headers):
    get(api, video, **headers)
    assert all(file.closed for file in opened)
