"""The web server's door: who could not be answered soon is turned away at once, and may come back in a moment.

A thread of gunicorn's takes one request at a time; the others wait, without a limit, and under ten times the load
everybody waits for ever. Here only so many may wait. The rest is refused before anything of Django runs, which costs
a fraction of a millisecond, so those who are let in are still answered.
"""

import contextlib
import json
import re
import socket
import sys
import time
from collections import deque
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

WAITING = 8  # requests for each thread that may wait
PATIENCE = 1.0  # seconds that the one who came first may have waited
RETRY_AFTER = 2  # seconds
LINGER = 1.0  # seconds for a client to take its answer
LINGERING = 500  # at most so many; beyond, the oldest are closed
AT_ONCE = 50  # refusals between two looks at what else there is to do
TOLD_EVERY = 10.0  # seconds
SWITCH = 0.0005  # seconds; in Python's usual 5 ms a thread at work keeps the door shut
SPARED = (b"GET /healthz ", b"HEAD /healthz ")  # whoever asks this ends a process that does not answer
_LANGUAGES = (rb"(?i)\bdjango_language=([a-z]{2})\b", rb"(?i)\r\naccept-language: *([a-z]{2})\b")
_HEAD, _MUCH = 4096, 256 * 1024  # bytes


class Door(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads behind a door.

    Each call of the system gives Python's lock away, and a busy process takes milliseconds to give it back: so a
    refusal makes as few of them as it can.
    """

    def init_process(self) -> None:
        """Begin to work."""
        self.arrived: deque[float] = deque()  # when each one came that waits for a thread, the first one first
        self.lingering: deque[tuple[float, socket.socket]] = deque()
        self.refusals, self.told = 0, time.monotonic()
        sys.setswitchinterval(SWITCH)
        for listener in self.sockets:
            _wait_for_words(listener.sock)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the site; what cannot be said is found out now, and not when there is too much to do."""
        super().load_wsgi()
        prepare()

    def is_full(self) -> bool:
        """Whether somebody who came now would wait too long."""
        with contextlib.suppress(IndexError):  # a thread has just taken the last one
            waited = time.monotonic() - self.arrived[0]
            return len(self.arrived) >= WAITING * self.cfg.threads or waited > PATIENCE
        return False

    def accept(self, listener: socket.socket) -> None:
        """Take the next who knocks; when there is no room, turn away all who do."""
        for _ in range(AT_ONCE):
            if not self.is_full():
                super().accept(listener)
                return
            try:
                sock, address = listener.accept()
            except OSError:  # nobody is left, or has gone again
                return
            head = _peeked(sock)
            if self.cfg.is_ssl or head.startswith(SPARED):
                self.nr_conns += 1
                super().enqueue_req(self.noted(TConn(self.cfg, sock, address, listener.getsockname())))
            else:
                self.refuse(sock, head)

    def enqueue_req(self, conn: TConn) -> None:
        """Let a request wait for a thread; on a connection that was kept it may have to be refused."""
        if self.is_full() and not self.cfg.is_ssl and not (head := _peeked(conn.sock)).startswith(SPARED):
            self.nr_conns -= 1
            self.refuse(conn.sock, head)
            return
        super().enqueue_req(self.noted(conn))

    def noted(self, conn: TConn) -> TConn:
        """Remember that it waits from now on."""
        self.arrived.append(time.monotonic())
        return conn

    def handle(self, conn: TConn) -> Any:
        """A thread takes it: the one who came first."""
        self.arrived.popleft()
        return super().handle(conn)

    def refuse(self, sock: socket.socket, head: bytes) -> None:
        """Answer 503 and let go, without waiting for anybody."""
        with contextlib.suppress(OSError):
            sock.send(refusal(head), socket.MSG_DONTWAIT)
        self.linger(sock)
        self.refusals += 1
        if time.monotonic() - self.told > TOLD_EVERY:
            self.log.warning("Too much to do: %d requests were refused with 503.", self.refusals)
            self.refusals, self.told = 0, time.monotonic()

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """A thread is done with it. gunicorn would wait here for the client to close, and the door with it."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            return
        self.nr_conns -= 1
        with contextlib.suppress(OSError):  # it has gone already
            conn.sock.shutdown(socket.SHUT_WR)
        self.linger(conn.sock)

    def linger(self, sock: socket.socket) -> None:
        """Close it in a moment: what comes after the end resets the connection, and our answer would be lost."""
        self.lingering.append((time.monotonic() + LINGER, sock))
        self.let_go()

    def let_go(self) -> None:
        """Close those who have had their time, and the oldest when there are too many."""
        now = time.monotonic()
        while self.lingering and (len(self.lingering) > LINGERING or self.lingering[0][0] < now):
            _close(self.lingering.popleft()[1])

    def murder_pending(self) -> None:
        """What gunicorn does in each round of its loop, and ours."""
        super().murder_pending()
        self.let_go()


def _wait_for_words(listener: socket.socket) -> None:
    """Have the system hand over connections only when something is said: whom we refuse is told by what they ask."""
    if listener.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_DEFER_ACCEPT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)


def _peeked(sock: socket.socket) -> bytes:
    """What has come of the request so far."""
    try:
        return sock.recv(_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return b""


def _close(sock: socket.socket) -> None:
    """Close it, having taken what is unread: that too would reset the connection."""
    with contextlib.suppress(OSError):
        sock.recv(_MUCH, socket.MSG_DONTWAIT)
    sock.close()


# --- What is said ------------------------------------------------------------------------------------------

_answers: dict[str, bytes] = {}
_PROGRAMS = "programs"  # beside the languages


def prepare() -> None:
    """Write down what is said: a problem for programs, and a page for people in each language."""
    from django.conf import settings

    _answers[_PROGRAMS] = _problem()
    _answers.update({code: _page(code) for code in (settings.LANGUAGE_CODE, *dict(settings.LANGUAGES))})


def refusal(head: bytes) -> bytes:
    """The answer to a request that begins like this, as far as that has been prepared."""
    if re.match(rb"[A-Z]+ /api/", head):
        return _answers[_PROGRAMS]
    found = (match[1].decode().lower() for pattern in _LANGUAGES if (match := re.search(pattern, head)))
    usual = next(code for code in _answers if code != _PROGRAMS)
    return _answers[next((code for code in found if code in _answers), usual)]


def _problem() -> bytes:
    from vidgenie.api import PROBLEM, problem_document

    document = problem_document(503, "overloaded", "There is too much to do at the moment. Try again in a few seconds.")
    return _answer(PROBLEM, json.dumps(document).encode())


def _page(language: str) -> bytes:
    from django.template.loader import render_to_string
    from django.utils import translation

    with translation.override(language):
        return _answer("text/html; charset=utf-8", render_to_string("503.html").encode())


def _answer(content_type: str, body: bytes) -> bytes:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {
        "Content-Type": content_type,
        "Content-Length": len(body),
        "Retry-After": RETRY_AFTER,
        "Connection": "close",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode() + body
