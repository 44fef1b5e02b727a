"""Answers, good ones and the kinds that no well-behaved server gives: broken off, in drops, or none at all."""

import asyncio
import json
import socket
import struct
from asyncio import BaseTransport, Transport
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORTS: dict[object, Transport] = {}


class Protocol(H11Protocol):
    """uvicorn's own, with the connection within reach of an answer that has to break it."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Remember the connection by its other end."""
        super().connection_made(transport)  # type: ignore[arg-type]
        _TRANSPORTS[self.client] = self.transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        _TRANSPORTS.pop(self.client, None)
        super().connection_lost(exc)


class Refused(Exception):
    """A request that the provider refuses: status, body and headers of its answer."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers or {})


def as_json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON, as all providers answer."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Response(content, status, headers, media_type="application/json")


def page(status: int) -> Response:
    """The HTML of a gateway that cannot reach what is behind it."""
    word = {502: "Bad Gateway", 503: "Service Temporarily Unavailable"}.get(status, "Internal Server Error")
    text = f"<html><head><title>{status} {word}</title></head><body><center><h1>{status} {word}</h1></center>"
    return Response(f"{text}<hr><center>nginx</center></body></html>", status, media_type="text/html")


class Reset(Response):
    """No answer: the connection is reset (RST)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Break the connection as a crashed server does."""
        if transport := _TRANSPORTS.get(tuple(scope["client"])):
            line: socket.socket = transport.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        await gone(receive)


class Silence(Response):
    """No answer for so many seconds, or until the other side gives up."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then reset."""
        try:
            await asyncio.wait_for(gone(receive), self.seconds)
        except TimeoutError:
            await Reset()(scope, receive, send)


class Half(Response):
    """The first half of an answer. `honest` ends it properly, in chunks, so that only the content shows it."""

    def __init__(self, whole: Response, *, sized: bool = True, honest: bool = False) -> None:
        super().__init__()
        self.whole, self.sized, self.honest = whole, sized, honest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half, then close."""
        content = bytes(self.whole.body)
        await send(_start(self.whole, sized=self.sized))
        await send(_body(content[: len(content) // 2], more=not self.honest))
        if self.honest:
            return
        if transport := _TRANSPORTS.get(tuple(scope["client"])):
            transport.close()
        await gone(receive)


class Drops(Response):
    """An answer that comes in twenty drops over so many seconds."""

    def __init__(self, whole: Response, seconds: float) -> None:
        super().__init__()
        self.whole, self.seconds = whole, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send drop by drop."""
        content = bytes(self.whole.body)
        step = max(1, -(-len(content) // 20))
        await send(_start(self.whole))
        for first in range(0, len(content), step):
            await asyncio.sleep(self.seconds / 20)
            await send(_body(content[first : first + step], more=True))
        await send(_body(b"", more=False))


class Flood(Response):
    """So many megabytes of JSON, without holding them."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        self.megabytes = megabytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it is enough or nobody listens."""
        self.headers["content-type"] = "application/json"
        await send(_start(self, sized=False))
        for block in self._blocks():
            await send(_body(block, more=True))
            await asyncio.sleep(0)
            if tuple(scope["client"]) not in _TRANSPORTS:
                return
        await send(_body(b'"}', more=False))

    def _blocks(self) -> Iterator[bytes]:
        yield b'{"padding":"'
        for _ in range(self.megabytes):
            yield b"x" * 1024 * 1024


async def gone(receive: Receive) -> None:
    """Wait until the other side has left, or has been made to."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(response: Response, *, sized: bool = True) -> dict[str, Any]:
    headers = [(name, value) for name, value in response.raw_headers if sized or name != b"content-length"]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def _body(content: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}
