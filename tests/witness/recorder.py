"""A server on loopback that writes down what arrives and answers as it was told: both sides of a comparison meet it."""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# What of the headers has a meaning to the provider; the rest is telemetry and the libraries' own business.
MATTER = (
    "authorization", "content-type", "idempotency-key", "api-revision", "x-goog-api-key", "x-goog-user-project",
    "x-runway-version", "x-fal-file-name", "x-fal-object-lifecycle", "x-fal-object-lifecycle-preference",
    "x-fal-request-timeout", "x-fal-queue-priority", "x-fal-no-retry", "openai-organization", "openai-project",
)  # fmt: skip
ABSENT = "(absent)"


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.url).path

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def facts(self) -> dict[str, Any]:
        """All that matters, one fact a line: method, path, query.x, header.x, json.x.y or the parts of a form."""
        found: dict[str, Any] = {"method": self.method, "path": self.path}
        found |= {f"query.{name}": value for name, value in parse_qsl(urlsplit(self.url).query)}
        found |= {f"header.{name}": self._header(name) for name in MATTER if name in self.headers}
        return found | dict(self._content())

    def _header(self, name: str) -> Any:
        value = self.headers[name]
        if name == "content-type":
            return value.partition(";")[0]
        return json.loads(value) if value.startswith("{") else value

    def _content(self) -> Iterator[tuple[str, Any]]:
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            yield from enumerate_parts(self.body, kind)
        elif kind.startswith("application/json") and self.body:
            yield from flat(self.json, "json")
        elif self.body:
            yield "body", self.body


def flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """JSON as its leaves, each by its path; an empty object or list is a leaf too."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}")
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from flat(inner, f"{name}.{number}")
    else:
        yield name, value


def enumerate_parts(body: bytes, kind: str) -> Iterator[tuple[str, Any]]:
    """The parts of a form, numbered, since their order counts: name, file name and content."""
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    for number, part in enumerate(body.split(b"--" + boundary)[1:-1]):
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        names = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode()))
        yield f"form.{number}.{names['name']}", (names.get("filename", ""), content)


def differences(theirs: Asked, ours: Asked) -> dict[str, tuple[Any, Any]]:
    """Every fact in which two requests differ: what the SDK says, and what we say."""
    left, right = theirs.facts(), ours.facts()
    names = sorted(left.keys() | right.keys())
    pairs = {name: (left.get(name, ABSENT), right.get(name, ABSENT)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass
class Reply:
    """What the server does with a request: answer, or after having read all of it, cut the line or say nothing."""

    json: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    fate: str = "answer"  # or reset, hang

    def content(self) -> bytes:
        """The bytes of the answer."""
        if self.text or self.status == 204:
            return self.text.encode()
        return json.dumps(self.json).encode()


class Recorder:
    """The server. `replies` are by method and a pattern of the path; the last one that fits counts."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: list[tuple[str, re.Pattern[str], Reply]] = []
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def reply(self, method: str, pattern: str, json: Any = None, **how: Any) -> Reply:
        """From now on answer so; returns the reply, which may still be changed."""
        found = Reply(json, **how)
        self.replies.append((method, re.compile(pattern), found))
        return found

    def what(self, method: str, path: str) -> Reply:
        """The reply to a request."""
        for asked, pattern, reply in reversed(self.replies):
            if asked == method and pattern.search(path):
                return reply
        return Reply({"error": f"nobody said what to answer to {method} {path}"}, 418)

    def during(self, act: Callable[[], Any]) -> list[Asked]:
        """What arrives while something is done."""
        before = len(self.asked)
        act()
        return self.asked[before:]

    def paid(self, pattern: str) -> int:
        """How many POSTs have arrived at a path."""
        return sum(one.method == "POST" and re.search(pattern, one.path) is not None for one in self.asked)

    @contextmanager
    def running(self) -> Iterator["Recorder"]:
        """Serve, in a thread."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: with two, the other side's delayed ACK costs 40 ms

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.asked.append(Asked(self.command, self.path, headers, body))
            _act(self, recorder.what(self.command, urlsplit(self.path).path), recorder.over)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler


def _act(handler: BaseHTTPRequestHandler, reply: Reply, over: threading.Event) -> None:
    if reply.fate == "hang":
        over.wait(20)
    if reply.fate != "answer":
        handler.close_connection = True
        linger = struct.pack("ii", 1, 0)  # closing sends RST: the line is cut, not ended
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.connection.close()
        return
    content = reply.content()
    handler.send_response(reply.status)
    for name, value in {"Content-Type": "application/json", **reply.headers}.items():
        handler.send_header(name, value)
    if reply.status != 204:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
    handler.wfile.flush()
