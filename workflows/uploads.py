"""A picture of the user's own: looked at before it is decoded, and drawn anew, so that only its pixels are kept.
The decoding is done by a process that may take little and knows nothing (`drawing.py`).

What it is counts by its content, never by its name or the type it claims. Position, camera and author go; so does
whatever else may hide in a file.
"""

import base64
import hashlib
import io
import json
import logging
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from threading import BoundedSemaphore
from typing import IO, TYPE_CHECKING, Any

import PIL
from django.conf import settings
from django.core.files.base import File
from django.db import connection, transaction
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from providers import gateway, storage
from providers.base import ProviderError
from workflows import drawing, media
from workflows.models import Asset
from workflows.prompts import InvalidInput

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

log = logging.getLogger(__name__)

SMALLEST_SIDE = 16  # pixels
LONGEST = 60  # seconds by the clock on the wall, where the ten of a processor that a drawer has take long
_DRAWERS = BoundedSemaphore(2)  # at once in one process, so that uploads do not take the memory of all the others
_PILLOW = str(Path(PIL.__file__).parents[1])


class TooLarge(InvalidInput):
    """The file has more bytes than may be uploaded."""


class NoRoom(InvalidInput):
    """The user keeps as many bytes of pictures as one may; `limit` is how many that are."""

    def __init__(self, used: int, limit: int) -> None:
        text = _("Your pictures take %(used)s, and there is room for %(limit)s. Delete some that you no longer need.")
        super().__init__({"image": text % {"used": filesizeformat(used), "limit": filesizeformat(limit)}})
        self.limit = limit


def upload(user: "User", file: "File[bytes]") -> Asset:
    """Keep a picture; nothing is kept when it raises InvalidInput naming `image` (TooLarge, NoRoom for its bytes)."""
    require_size(file.size or 0)
    require_room(user)
    with storage.temporary() as drawn:
        found = _draw(file, drawn)
        size = drawn.seek(0, io.SEEK_END)
        drawn.seek(0)
        sha256 = hashlib.file_digest(drawn, "sha256").hexdigest()  # type: ignore[arg-type]
        asset = media.place(found, drawn, size, sha256, name=f"uploads/{uuid.uuid4()}", kind=Asset.Kind.IMAGE)
    asset.user, asset.uploaded = user, True
    try:
        _save(asset)
    except BaseException:
        asset.delete_files()
        raise
    return asset


def _save(asset: Asset) -> None:
    """One upload of a user after the other, so that of two at once the second counts the first."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"uploads:{asset.user_id}"])
        require_room(asset.user, asset.size)
        asset.save(force_insert=True)


def upload_from(user: "User", url: object) -> Asset:
    """Fetch a picture from an https address and keep it; raises InvalidInput naming `url` or `image`."""
    if not isinstance(url, str) or not url.startswith("https://") or len(url) > 2000:
        raise InvalidInput({"url": _("This must be an https address.")})
    try:
        with gateway.at_address(url, limit=settings.UPLOAD_MAX_BYTES) as file:
            return upload(user, File(file))
    except ProviderError as error:
        text = _("Nothing could be fetched from this address. It must be public and lead to a picture.")
        raise InvalidInput({"url": text}) from error


def require_size(size: int) -> None:
    """Raise TooLarge for more bytes than may be uploaded."""
    if size > settings.UPLOAD_MAX_BYTES:
        limit = settings.UPLOAD_MAX_BYTES // (1024 * 1024)
        raise TooLarge({"image": _("This file is too large; at most %(limit)d MB are possible.") % {"limit": limit}})


def own(user: "User") -> "QuerySet[Asset]":
    """What a user has uploaded, newest first."""
    return Asset.objects.filter(user=user, uploaded=True).order_by("-created", "-pk")


def room_taken(user: "User") -> int:
    """Bytes of all that a user has uploaded and not deleted."""
    return own(user).aggregate(bytes=Sum("size"))["bytes"] or 0


def require_room(user: "User", size: int = 1) -> None:
    """Raise NoRoom when so many bytes more are more than a user may keep."""
    limit = settings.UPLOAD_MAX_BYTES_PER_USER
    if limit and (used := room_taken(user)) + size > limit:
        raise NoRoom(used, limit)


def drawn_anew(file: "File[bytes]") -> bytes:
    """The picture as it would be kept, which it is not: upright, without metadata. Raises InvalidInput."""
    with tempfile.TemporaryFile() as target:
        _draw(file, target)
        target.seek(0)
        return target.read()


def _draw(source: "File[bytes]", target: IO[bytes]) -> media.Measured:
    """Have the picture drawn anew by a process of its own; why it is refused is said here, in the user's words."""
    source.seek(0)
    told = _told_by_drawer(source.read(), target)
    if refused := told.get("refused"):
        raise InvalidInput({"image": _SENTENCES[refused]()})
    thumbnail = base64.b64decode(told["thumbnail"])
    return media.Measured(told["content_type"], told["width"], told["height"], None, thumbnail)


def _told_by_drawer(content: bytes, target: IO[bytes]) -> dict[str, Any]:
    number = target.fileno()
    command = [sys.executable, "-I", "-S", drawing.__file__, _PILLOW, json.dumps(_limits()), str(number)]
    with _DRAWERS:
        try:
            # What runs is ours, and of the user's there is only what it reads; it is told no secret.
            done = subprocess.run(
                command, input=content, capture_output=True, pass_fds=[number], env={}, timeout=LONGEST
            )
        except subprocess.TimeoutExpired:
            return {"refused": "too_much"}
    if done.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
        return {"refused": "too_much"}
    if done.returncode:  # a decoder that crashed, or a mistake of ours
        log.error("Drawing a picture anew failed (%d): %s", done.returncode, done.stderr.decode("utf-8", "replace"))
        return {"refused": "no_picture"}
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _limits() -> dict[str, int]:
    return {
        "pixels": settings.UPLOAD_MAX_PIXELS,
        "side": settings.UPLOAD_MAX_SIDE,
        "least": SMALLEST_SIDE,
        "thumbnail": media.THUMBNAIL[0],
    }


def _too_big() -> str:
    return _("This picture is too big; at most %(side)d pixels a side and %(pixels)d million in all are possible.") % {
        "side": settings.UPLOAD_MAX_SIDE,
        "pixels": settings.UPLOAD_MAX_PIXELS // 1_000_000,
    }


_SENTENCES: dict[str, Callable[[], str]] = {
    "too_big": _too_big,
    "too_small": lambda: _("This picture is too small; each side needs %(least)d pixels.") % {"least": SMALLEST_SIDE},
    "no_picture": lambda: _("This is not a PNG, JPEG or WebP picture that can be opened."),
    "too_much": lambda: _(
        "This picture takes too much memory or time to open. Save it with fewer pixels and send that."
    ),
}
