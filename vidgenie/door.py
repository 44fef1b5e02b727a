"""The web server's door: who could not be answered soon is turned away at once, and may come back in a moment.

A thread of gunicorn's takes one request at a time; the others wait, without a limit, and under ten times the load
everybody waits for ever. Here only so many may wait. The rest is refused before anything of Django runs, which costs
a fraction of a millisecond, so those who are let in are still answered.
"""

import contextlib
import ctypes
import json
import os
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
_head, _rest = ctypes.create_string_buffer(_HEAD), ctypes.create_string_buffer(_MUCH)
_system = ctypes.PyDLL(None)
for _call in (_system.recv, _system.send):
    _call.argtypes, _call.restype = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_ssize_t


class Door(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads behind a door.

    Each call of the system by Python's own functions gives Python's lock away, and a busy process takes milliseconds
    to give it back. So those who are refused are dealt with by calls that keep it (PyDLL), none of which waits.
    """

    def init_process(self) -> None:
        """Begin to work."""
        self.arrived: deque[float] = deque()  # when each one came that waits for a thread, the first one first
        self.lingering: deque[tuple[float, int]] = deque()  # until when, and the connection's file
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
            if (file := _system.accept(listener.fileno(), None, None)) < 0:  # nobody is left, or has gone again
                return
            if self.cfg.is_ssl or (head := _peeked(file)).startswith(SPARED):
                self.let_in(file, listener)
            else:
                self.refuse(file, head)

    def let_in(self, file: int, listener: socket.socket) -> None:
        """Let somebody wait for a thread although there is no room."""
        os.set_inheritable(file, False)
        sock = socket.socket(fileno=file)
        try:
            conn = TConn(self.cfg, sock, sock.getpeername(), listener.getsockname())
        except OSError:  # it has gone again
            sock.close()
            return
        self.nr_conns += 1
        super().enqueue_req(self.noted(conn))

    def enqueue_req(self, conn: TConn) -> None:
        """Let a request wait for a thread; on a connection that was kept it may have to be refused."""
        if self.is_full() and not self.cfg.is_ssl and not (head := _peeked(conn.sock.fileno())).startswith(SPARED):
            self.nr_conns -= 1
            self.refuse(conn.sock.detach(), head)
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

    def refuse(self, file: int, head: bytes) -> None:
        """Answer 503 and let go, without waiting for anybody."""
        told = refusal(head)
        _system.send(file, told, len(told), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        self.linger(file)
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
        file = conn.sock.detach()
        _system.shutdown(file, socket.SHUT_WR)
        self.linger(file)

    def linger(self, file: int) -> None:
        """Close it in a moment: what comes after the end resets the connection, and our answer would be lost."""
        self.lingering.append((time.monotonic() + LINGER, file))
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


def _peeked(file: int) -> bytes:
    """What has come of the request so far."""
    count = _system.recv(file, _head, _HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return ctypes.string_at(_head, max(0, count))


def _close(file: int) -> None:
    """Close it, having taken what is unread: that too would reset the connection."""
    _system.recv(file, _rest, _MUCH, socket.MSG_DONTWAIT)
    _system.close(file)


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
