"""Handing out a kept file: whole, in part so that a player can seek, or not at all when the browser has it.

Works with any storage whose files can be sought; a file is never read into memory as a whole. Where the storage gives
out addresses that work for a while, the browser is sent there for the file itself, and the small picture that stands
for it still comes from here: browsers keep it for good, while each such address is a new one.
"""

import re
from collections.abc import Iterator
from typing import IO

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from rest_framework.request import Request

from providers import storage
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
    if url := storage.address(asset.file, content_type=asset.content_type, disposition=_disposition(request, name)):
        return _elsewhere(url)
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


def _elsewhere(url: str) -> HttpResponse:
    """There, also in a while; what the browser keeps for good under the address is still used then."""
    response = HttpResponseRedirect(url)
    response["Cache-Control"] = f"private, max-age={settings.S3_SIGNED_SECONDS // 2}"
    return response


def _disposition(request: Request, name: str) -> str:
    disposition = "attachment" if request.GET.get("download") == "1" else "inline"
    return f'{disposition}; filename="{name}"'


def _with_headers(response: HttpResponseBase, request: Request, etag: str, name: str) -> HttpResponseBase:
    """Nothing in a kept file may act as a page of ours, and nobody but its owner's browser may keep it."""
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    response["Content-Disposition"] = _disposition(request, name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response
