"""What a place for our files must do, be it a folder or a bucket: the rest of the house cannot tell which it is."""

import datetime
import io
import os
import random

import pytest
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from providers import gateway, storage
from tests.pictures import picture
from workflows import media

CONTENT = random.Random(1).randbytes(300_000)  # more than is read ahead


@pytest.fixture(params=["folder", "bucket"], autouse=True)
def place(request):
    if request.param == "bucket":
        request.getfixturevalue("bucket")
    return request.param


def keep(name="made/fox.mp4", content=CONTENT):
    return default_storage.save(name, ContentFile(content))


def read(name="made/fox.mp4"):
    with default_storage.open(name) as file:
        return file.read()


class Breaking(io.BytesIO):
    """A file that cannot be read beyond its middle."""

    def read(self, size=-1):
        if self.tell() >= len(CONTENT) // 2:
            raise OSError(5, "Input/output error")
        return super().read(min(size, 100_000) if size and size > 0 else 100_000)


def test_what_is_kept_is_read_again():
    assert keep() == "made/fox.mp4"
    assert read() == CONTENT
    assert (default_storage.exists("made/fox.mp4"), default_storage.size("made/fox.mp4")) == (True, len(CONTENT))


def test_it_is_read_from_anywhere_to_anywhere():
    keep()
    with default_storage.open("made/fox.mp4") as file:
        assert file.size == len(CONTENT)
        for at in (200_000, 10, 299_999, 0):
            file.seek(at)
            assert (file.tell(), file.read(5)) == (at, CONTENT[at : at + 5])
        assert (file.seek(-7, os.SEEK_END), file.read(), file.read()) == (len(CONTENT) - 7, CONTENT[-7:], b"")


def test_an_empty_file_is_a_file():
    keep(content=b"")
    assert (read(), default_storage.size("made/fox.mp4")) == (b"", 0)


def test_a_name_that_is_taken_leads_to_the_newest():
    keep(content=b"old")
    assert keep() == "made/fox.mp4"
    assert read() == CONTENT
    assert default_storage.listdir("made") == ([], ["fox.mp4"])


def test_what_is_not_there_is_said_to_be_missing():
    assert not default_storage.exists("made/fox.mp4")
    for ask in (default_storage.open, default_storage.size, default_storage.get_modified_time):
        with pytest.raises(FileNotFoundError):
            ask("made/fox.mp4")


def test_what_is_deleted_is_gone_and_twice_is_no_mistake():
    keep()
    default_storage.delete("made/fox.mp4")
    default_storage.delete("made/fox.mp4")
    assert not default_storage.exists("made/fox.mp4")


def test_a_folder_is_there_when_something_is_in_it():
    keep("inbox/1.0", b"x")
    assert (default_storage.exists("inbox"), default_storage.exists("in")) == (True, False)
    assert default_storage.listdir("inbox") == ([], ["1.0"])
    assert "inbox" in default_storage.listdir("")[0]


def test_it_is_known_when_a_file_was_written():
    keep()
    age = timezone.now() - default_storage.get_modified_time("made/fox.mp4")
    assert abs(age) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("taken", [False, True])
def test_of_a_file_that_breaks_in_the_middle_nothing_is_kept(taken):
    if taken:
        keep(content=b"old")
    with pytest.raises(OSError, match=r"Input/output error|bucket: "):
        default_storage.save("made/fox.mp4", File(Breaking(CONTENT)))
    assert default_storage.exists("made/fox.mp4") == taken
    assert not taken or read() == b"old"


@pytest.mark.parametrize("name", ["../fox.mp4", "made/../../fox.mp4", "/etc/fox.mp4"])
def test_no_name_leads_out(name):
    with pytest.raises(SuspiciousOperation):
        keep(name)


def test_a_download_is_kept_with_its_picture():
    file, size, sha256 = media.fetch_to_disk(io.BytesIO(picture(80, 60)))
    with file:
        asset = media.store(file, size, sha256, name="made/1", kind="image")
    assert (asset.file, asset.thumbnail) == ("made/1.png", "made/1.thumbnail.webp")
    assert read(asset.file) == picture(80, 60)
    with default_storage.open(asset.thumbnail) as small:
        assert Image.open(small).size == (80, 60)


def test_what_was_written_to_a_file_last_is_kept_as_well():
    with storage.temporary() as file:
        file.write(b"fox")
        default_storage.save("made/fox.mp4", File(file))
        assert read() == b"fox"
    storage.forget_unfinished()
    assert read() == b"fox"


def test_answers_that_nobody_came_for_are_forgotten(monkeypatch):
    keep("inbox/1.0", b"x")
    gateway.forget_old()
    assert default_storage.exists("inbox/1.0")
    monkeypatch.setattr(gateway, "LEFT_BEHIND", datetime.timedelta(seconds=-600))
    gateway.forget_old()
    assert not default_storage.exists("inbox/1.0")
