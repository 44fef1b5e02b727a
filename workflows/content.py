"""Handing out a kept file: whole, in part so that a player can seek, or not at all when the browser has it.

Works with any storage whose files can be sought; a file is never read into memory as a whole.
"""

import re
from collections.abc import Iterator
from typing import IO

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.request import Request

from workflows.models import Asset

BLOCK = 256 * 1024  # bytes
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "video/mp4": "mp4"}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class RangeNotSatisfiable(Exception):
    """The part asked for lies beyond the end of the file; `size` is what there is, in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the file has {size} bytes")
        self.size = size


class Part:
    """Some bytes of an open file, block by block; whoever is done with it, even before the first block, closes it."""

    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        self.file, self.start, self.length = file, start, length

    def __iter__(self) -> Iterator[bytes]:
        self.file.seek(self.start)
        left = self.length
        while left > 0 and (block := self.file.read(min(BLOCK, left))):
            left -= len(block)
            yield block

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def serve(request: Request, asset: Asset) -> HttpResponseBase:
    """The asset's content; raises Http404 when the file is gone, RangeNotSatisfiable for a part beyond its end."""
    name = f"vidgenie-{str(asset.pk)[:8]}.{_ENDINGS.get(asset.content_type, 'bin')}"
    return _serve(request, asset.file, asset.content_type, f'"{asset.sha256}"', name)


def serve_thumbnail(request: Request, asset: Asset) -> HttpResponseBase:
    """The small picture that stands for the asset; raises like `serve`."""
    name = f"vidgenie-{str(asset.pk)[:8]}-small.webp"
    return _serve(request, asset.thumbnail, "image/webp", f'"{asset.sha256}-small"', name)


def _serve(request: Request, stored: str, content_type: str, etag: str, name: str) -> HttpResponseBase:
    if etag in (tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")):
        return _with_headers(HttpResponse(status=304), request, etag, name)
    file = _open(stored)
    try:
        response = _answer(request, file, etag)
    except RangeNotSatisfiable:
        file.close()
        raise
    response["Content-Type"] = content_type
    return _with_headers(response, request, etag, name)


def _open(stored: str) -> IO[bytes]:
    if not stored:
        raise Http404
    try:
        return default_storage.open(stored, "rb")
    except FileNotFoundError as error:
        raise Http404 from error


def _answer(request: Request, file: IO[bytes], etag: str) -> HttpResponseBase:
    size: int = file.size  # type: ignore[attr-defined]
    part = _part(request, size, etag)
    start, length = part or (0, size)
    if request.method == "HEAD":
        file.close()
        response: HttpResponseBase = HttpResponse()
    else:
        response = StreamingHttpResponse(Part(file, start, length))
    if part:
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    response["Content-Length"] = str(length)
    return response


def _part(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """Where the wanted part starts and how long it is, in bytes; None for the whole file.

    What we don't understand, several parts at once, or a part of an older file (If-Range) is answered whole.
    """
    wanted = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if request.method != "GET" or not wanted or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = wanted.groups()
    if not first and not last:
        return None
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        raise RangeNotSatisfiable(size)
    return start, end - start + 1


def _with_headers(response: HttpResponseBase, request: Request, etag: str, name: str) -> HttpResponseBase:
    """Nothing in a kept file may act as a page of ours, and nobody but its owner's browser may keep it."""
    disposition = "attachment" if request.GET.get("download") == "1" else "inline"
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    response["Content-Disposition"] = f'{disposition}; filename="{name}"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response
