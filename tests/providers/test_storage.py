"""A file of ours is there whole or not at all, whoever dies while it is written and whenever the disk is full."""

import errno
import io
import os
import resource
import signal
import time
from pathlib import Path

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage, default_storage
from PIL import Image

from providers import storage
from providers.storage import LEFT_BEHIND, UNFINISHED
from tests.pictures import picture
from workflows import media, tasks

OLD, NEW = b"old", b"new" * 100_000


class Stopping(File):
    """A file that can be read to its middle; then something happens."""

    def __init__(self, happening):
        super().__init__(io.BytesIO(NEW))
        self.happening = happening

    def chunks(self, chunk_size=None):
        yield NEW[:150_000]
        self.happening()
        yield NEW[150_000:]


@pytest.fixture(autouse=True)
def _old():
    default_storage.save("made/fox.mp4", ContentFile(OLD))


@pytest.fixture
def tiny_disk():
    """No file can become larger than 100 kB. Python has asked not to be killed for trying."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def read(name="made/fox.mp4"):
    with default_storage.open(name) as file:
        return file.read()


def unfinished():
    return sorted(Path(default_storage.path(UNFINISHED)).glob("*"))


def full():
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_takes_the_place_of_the_one_before_it():
    assert default_storage.save("made/fox.mp4", ContentFile(NEW)) == "made/fox.mp4"
    assert read() == NEW
    assert unfinished() == []


def test_nobody_but_us_may_read_it():
    with storage.temporary() as file:
        file.write(b"x")
        default_storage.save("made/owl.mp4", File(file))
    default_storage.save("made/bee.mp4", ContentFile(b"x"))
    folder = Path(default_storage.path("made"))
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == folder.with_name(UNFINISHED).stat().st_mode & 0o777 == 0o700


def test_until_all_of_it_is_there_its_name_leads_to_what_was_there_before():
    seen = []
    default_storage.save("made/fox.mp4", Stopping(lambda: seen.append(read())))
    default_storage.save("inbox/1.0", Stopping(lambda: seen.append(default_storage.exists("inbox/1.0"))))
    assert seen == [OLD, False]
    assert read() == read("inbox/1.0") == NEW


def test_it_is_on_the_disk_before_it_has_its_name_and_so_is_the_name(monkeypatch):
    done, sync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.fstat(file).st_ino), sync(file)))
    monkeypatch.setattr(os, "replace", lambda source, target: (done.append("named"), replace(source, target)))
    default_storage.save("made/fox.mp4", ContentFile(NEW))
    file = Path(default_storage.path("made/fox.mp4"))
    assert done == [file.stat().st_ino, "named", file.parent.stat().st_ino]


def test_when_the_disk_is_full_all_stays_as_it_was():
    with pytest.raises(OSError, match="No space left"):
        default_storage.save("made/fox.mp4", Stopping(full))
    assert read() == OLD
    assert unfinished() == []


@pytest.mark.parametrize("name", ["made/fox.mp4", "made/owl.mp4"])
def test_a_disk_that_takes_a_part_of_a_file_keeps_nothing_of_it(tiny_disk, name):
    with pytest.raises(OSError, match="File too large"):
        default_storage.save(name, ContentFile(NEW))
    assert read() == OLD
    assert not default_storage.exists("made/owl.mp4")
    assert unfinished() == []


def test_a_download_that_does_not_fit_leaves_nothing(tiny_disk):
    with pytest.raises(OSError, match="File too large"):
        media.fetch_to_disk(io.BytesIO(NEW))
    assert unfinished() == []


def test_a_folder_that_cannot_be_made_leaves_nothing():
    with pytest.raises(OSError, match=r"fox\.mp4"):
        default_storage.save("made/fox.mp4/owl.mp4", ContentFile(NEW))
    assert read() == OLD
    assert unfinished() == []


def test_whoever_is_killed_while_writing_leaves_the_old_file_and_something_to_sweep():
    child = os.fork()
    if not child:
        default_storage.save("made/fox.mp4", Stopping(lambda: os.kill(os.getpid(), signal.SIGKILL)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert read() == OLD
    assert len(unfinished()) == 1


# --- What was downloaded -----------------------------------------------------------------------------------


def test_what_was_downloaded_to_our_disk_is_kept_without_a_copy():
    file, *_ = media.fetch_to_disk(io.BytesIO(NEW))
    with file:
        inode = os.fstat(file.fileno()).st_ino
        default_storage.save("made/fox.mp4", File(file))
    assert Path(default_storage.path("made/fox.mp4")).stat().st_ino == inode
    assert read() == NEW
    assert unfinished() == []


def test_what_was_written_to_it_last_is_kept_as_well():
    with storage.temporary() as file:
        file.write(b"fox")
        default_storage.save("made/fox.mp4", File(file))
        assert read() == b"fox"


def test_where_a_file_cannot_have_two_names_it_is_copied(monkeypatch):
    monkeypatch.setattr(os, "link", lambda *names: full())
    file, *_ = media.fetch_to_disk(io.BytesIO(NEW))
    with file:
        default_storage.save("made/fox.mp4", File(file))
    assert read() == NEW
    assert unfinished() == []


def test_what_nobody_keeps_is_gone_when_it_is_closed():
    file, *_ = media.fetch_to_disk(io.BytesIO(NEW))
    assert len(unfinished()) == 1
    file.close()
    assert unfinished() == []


def test_a_storage_that_is_no_disk_of_ours_takes_files_too(monkeypatch):
    elsewhere = InMemoryStorage()
    monkeypatch.setattr(storage, "default_storage", elsewhere)
    monkeypatch.setattr(media, "default_storage", elsewhere)
    content = picture(80, 60)
    file, size, sha256 = media.fetch_to_disk(io.BytesIO(content))
    with file:
        asset = media.store(file, size, sha256, name="made/1", kind="image")
    with elsewhere.open(asset.file) as kept, Image.open(elsewhere.open(asset.thumbnail)) as small:
        assert (kept.read(), small.size) == (content, (80, 60))
    storage.forget_unfinished()
    assert unfinished() == []


# --- Sweeping ----------------------------------------------------------------------------------------------


def test_what_was_left_behind_is_swept_up_after_an_hour_and_nothing_else():
    folder = Path(default_storage.path(UNFINISHED))
    for name, age in (("dead", LEFT_BEHIND + 60), ("alive", LEFT_BEHIND - 60)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    os.utime(default_storage.path("made/fox.mp4"), (0, 0))
    storage.forget_unfinished()
    assert [path.name for path in unfinished()] == ["alive"]
    assert read() == OLD


def test_there_is_nothing_to_sweep_where_nothing_was_ever_written(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "new"
    storage.forget_unfinished()
    assert not (tmp_path / "new").exists()


def test_it_is_swept_every_hour(db):
    from django_q.models import Schedule

    tasks.schedule()
    assert Schedule.objects.get(func="providers.storage.forget_unfinished").minutes == 60
