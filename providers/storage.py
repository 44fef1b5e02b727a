"""Where files are kept. On our own disk a file is there whole or not at all, whoever dies while it is written and
whenever the disk is full; the other place, a bucket, is in `bucket.py`.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils._os import safe_makedirs

from crashpoint import crashpoint

UNFINISHED = "unfinished"  # a folder beside the others, so that a file gets from here to its place by its name alone
LEFT_BEHIND = 3600.0  # seconds that nobody has written to a file; no download takes so long


class WholeFiles(FileSystemStorage):
    """Files are written aside, and get their name when all of it is on the disk; a file of that name is replaced."""

    def unfinished(self) -> IO[bytes]:
        """An empty file on the same disk, which is gone when it is closed. To save it costs nothing."""
        self._make_folder(self.path(UNFINISHED))
        return tempfile.NamedTemporaryFile(dir=self.path(UNFINISHED))

    def forget_unfinished(self) -> None:
        """Delete what was left behind by those who died while they wrote."""
        for path in Path(self.path(UNFINISHED)).glob("*"):
            with suppress(FileNotFoundError):  # finished meanwhile
                if path.stat().st_mtime < time.time() - LEFT_BEHIND:
                    path.unlink()

    def _save(self, name: str, content: "File[bytes]") -> str:
        aside = f"{UNFINISHED}/{uuid4().hex}"
        try:
            self._write(aside, content)
            self._move(self.path(aside), self.path(name))
        except BaseException:
            self.delete(aside)
            raise
        return name

    def _write(self, aside: str, content: "File[bytes]") -> None:
        if os.path.dirname(str(content.name or "")) != self.path(UNFINISHED) or not self._link(content, aside):
            super()._save(aside, content)  # type: ignore[misc]  # django-stubs leaves it out

    def _link(self, content: "File[bytes]", aside: str) -> bool:
        """Give what is on the disk already a second name; False where the file system has no such thing."""
        content.flush()
        try:
            os.link(str(content.name), self.path(aside))
        except OSError:
            return False
        if self.file_permissions_mode is not None:
            os.chmod(self.path(aside), self.file_permissions_mode)
        return True

    def _move(self, source: str, target: str) -> None:
        self._make_folder(os.path.dirname(target))
        _flush_to_disk(source)
        crashpoint("file.aside")
        os.replace(source, target)
        _flush_to_disk(os.path.dirname(target))

    def _make_folder(self, path: str) -> None:
        safe_makedirs(path, 0o777 if self.directory_permissions_mode is None else self.directory_permissions_mode, True)


def temporary() -> IO[bytes]:
    """An empty file for what may be saved later, gone when it is closed; on the same disk, if our storage is one."""
    make = getattr(default_storage, "unfinished", tempfile.TemporaryFile)
    file: IO[bytes] = make()
    return file


def address(name: str, *, content_type: str, disposition: str) -> str | None:
    """Where a browser gets a file by itself for a while; None where files go through us. Raises OSError."""
    ask: Callable[..., str | None] | None = getattr(default_storage, "address", None)
    return ask(name, content_type=content_type, disposition=disposition) if ask else None


def make() -> None:
    """Make the bucket, where files are kept in one that is not there. Raises OSError."""
    getattr(default_storage, "make", lambda: None)()


def open_to_strangers() -> list[str]:
    """What anybody may do with a bucket of ours, "read" or "list": it should be nothing. Raises OSError."""
    ask: Callable[[], list[str]] = getattr(default_storage, "open_to_strangers", list)
    return ask()


def forget_unfinished() -> None:
    """Delete what was left behind in our storage by those who died while they wrote."""
    if isinstance(default_storage, WholeFiles):
        default_storage.forget_unfinished()


def _flush_to_disk(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
