"""Files in a bucket that speaks S3, for sites of more than one machine: MEDIA_STORAGE=s3.

What goes wrong there is told as a disk would tell it, by FileNotFoundError and OSError, so that nobody else has to know
what a bucket is. A file is one PUT: it is there whole or not at all, and nothing is left of half of one. Only STORAGES
names this module, since boto3 takes a process most of a second to import.
"""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile, File
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

PATIENCE = {"connect_timeout": 5, "read_timeout": 20}  # seconds, of each of the tries
TRIES = 3  # at any request; S3 asks its callers to repeat what it is too busy for
BLOCK = 64 * 1024  # bytes, read ahead
KEPT_BY_BROWSERS = "private, max-age=31536000, immutable"  # what is under a name never changes once it is shown
_MISSING = {"NoSuchKey", "404"}


class BucketAway(OSError):
    """The bucket does not answer, refuses, or is not there; `strerror` says which, without any address."""

    def __init__(self, detail: str) -> None:
        super().__init__(errno.EIO, f"bucket: {detail}")


class Bucket(S3Storage):  # type: ignore[misc]  # it comes without types
    """A private bucket. The same name is written over, as on a disk of ours; names are made by us alone."""

    def __init__(self, *, addressing_style: str, **options: Any) -> None:
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": addressing_style},
            retries={"mode": "standard", "total_max_attempts": TRIES},
            max_pool_connections=50,
            tcp_keepalive=True,
            **PATIENCE,
        )
        super().__init__(client_config=config, file_overwrite=True, default_acl=None, **options)
        self._resource: Any = None
        self._owner = 0  # the process whose connections these are; they don't survive a fork

    @property
    def connection(self) -> Any:
        """One for all threads of a process: each would cost 0.1 s and 12 MB, and its client may be shared."""
        if self._owner != os.getpid():
            self._bucket, self._resource, self._owner = None, self._connected(), os.getpid()
        return self._resource

    def _connected(self) -> Any:
        return self._create_session().resource(
            "s3", region_name=self.region_name, endpoint_url=self.endpoint_url, config=self.client_config
        )

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name, or one in a folder of this name; raises OSError."""
        with suppress(FileNotFoundError), _like_a_disk(name):
            self._ask("head_object", name)
            return True
        # To a HEAD, a bucket that is missing looks like a file that is; to a listing it does not.
        with _like_a_disk(name):
            asked = {"Bucket": self.bucket_name, "Prefix": f"{self._key(name)}/", "MaxKeys": 1}
            return bool(self._client.list_objects_v2(**asked)["KeyCount"])

    def size(self, name: str) -> int:
        """In bytes; raises OSError."""
        size: int = self._head(name)["ContentLength"]
        return size

    def get_modified_time(self, name: str) -> Any:
        """When it was written, with its time zone; raises OSError."""
        return self._head(name)["LastModified"]

    def delete(self, name: str) -> None:
        """Take a file away, if it is there; raises OSError."""
        with suppress(FileNotFoundError), _like_a_disk(name):
            self._ask("delete_object", name)

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        """Folders and files; none where there is no such folder. Raises OSError."""
        with _like_a_disk(name):
            found: tuple[list[str], list[str]] = super().listdir(name)
            return found

    def address(self, name: str, *, content_type: str, disposition: str) -> str | None:
        """Where anybody gets the file for a while, with these headers: a secret while it lives. None where it goes
        through us. Raises OSError.
        """
        if not self.querystring_expire:
            return None
        shown = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        with _like_a_disk(name):
            url: str = self.url(name, parameters={**shown, "ResponseCacheControl": KEPT_BY_BROWSERS})
            return url

    def make(self) -> None:
        """Make the bucket, unless it is there; raises OSError."""
        place = {} if self.region_name == "us-east-1" else {"LocationConstraint": self.region_name}
        with _like_a_disk():
            try:
                self._client.head_bucket(Bucket=self.bucket_name)
            except ClientError as error:
                if _code(error) not in ("404", "NoSuchBucket"):
                    raise
                more = {"CreateBucketConfiguration": place} if place else {}
                self._client.create_bucket(Bucket=self.bucket_name, **more)

    def open_to_strangers(self) -> list[str]:
        """What anybody may do without a key: "read", "list". It should be nothing. Raises OSError."""
        name = self.save(f"probes/{uuid4().hex}", ContentFile(b"is this private?"))
        stranger = self.unsigned_connection.meta.client
        try:
            may_read = _succeeds(stranger.get_object, Bucket=self.bucket_name, Key=self._key(name))
            may_list = _succeeds(stranger.list_objects_v2, Bucket=self.bucket_name, MaxKeys=1)
        finally:
            self.delete(name)
        return [right for right, has in (("read", may_read), ("list", may_list)) if has]

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        if mode != "rb":
            raise ValueError("Files are opened to be read, as bytes.")
        remote = Remote(lambda **more: self._get(name, **more))
        file = File(io.BufferedReader(remote, BLOCK), name)
        file.size = remote.size
        return file

    def _get(self, name: str, **more: str) -> Any:
        with _like_a_disk(name):
            return self._ask("get_object", name, **more)

    def _save(self, name: str, content: "File[bytes]") -> str:
        content.seek(0)
        with _like_a_disk(name):
            self._ask("put_object", name, Body=content.file, **self._get_write_parameters(name, content))
        return name

    def _head(self, name: str) -> Any:
        with _like_a_disk(name):
            return self._ask("head_object", name)

    def _ask(self, operation: str, name: str, **more: Any) -> Any:
        return getattr(self._client, operation)(Bucket=self.bucket_name, Key=self._key(name), **more)

    def _key(self, name: str) -> str:
        key: str = self._normalize_name(clean_name(name))
        return key

    @property
    def _client(self) -> Any:
        return self.connection.meta.client


class Remote(io.RawIOBase):
    """A file in a bucket, read as it comes. Whoever seeks elsewhere is given the rest from there, of the same file."""

    def __init__(self, get: Callable[..., Any]) -> None:
        answer = get()
        self.size: int = answer["ContentLength"]
        self._get, self._tag, self._body = get, answer["ETag"], answer["Body"]
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go on from there."""
        target = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if target != self._at:
            self._let_go()
            self._at = target
        return target

    def readinto(self, buffer: Any) -> int:
        """Some bytes; raises OSError, also when the file breaks off."""
        if self._at >= self.size:
            return 0
        if self._body is None:
            self._body = self._get(Range=f"bytes={self._at}-", IfMatch=self._tag)["Body"]
        with _like_a_disk():
            block = self._body.read(len(buffer))
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)

    def close(self) -> None:
        """Let the connection go."""
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        body = getattr(self, "_body", None)  # there is none yet where even the first answer failed
        if body is not None:
            body.close()
            self._body = None


@contextmanager
def _like_a_disk(name: str = "") -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) in _MISSING:
            raise FileNotFoundError(errno.ENOENT, "not in the bucket", name) from error
        raise BucketAway(_code(error)) from error
    except BotoCoreError as error:
        raise BucketAway(type(error).__name__) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) or "refused"


def _succeeds(ask: Callable[..., Any], **given: Any) -> bool:
    with _like_a_disk():
        try:
            ask(**given)
        except ClientError as error:
            if _code(error) in ("AccessDenied", "403"):
                return False
            raise
    return True
