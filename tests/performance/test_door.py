"""The web server's door: there is room for so many, and the others are told at once to come back."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing

import pytest

from vidgenie.door import WAITING, prepare, refusal
from vidgenie.management.commands.run import web_server
from vidgenie.management.load.installation import free_port

THREADS = 2
ROOM = THREADS + WAITING * THREADS  # those who are being answered, and those who may wait for them


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def ask(sock, path="/", *more):
    lines = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *more))
    sock.sendall(f"{lines}\r\n".encode())
    return sock


def answer(sock):
    """Status, headers and body of an answer, as soon as it is whole."""
    with sock.makefile("rb") as file:
        status = int(file.readline().split()[1])
        lines = [line.decode().strip() for line in iter(file.readline, b"\r\n")]
        headers = dict(line.split(": ", 1) for line in lines)
        return status, headers, file.read(int(headers["Content-Length"]))


def up(port):
    try:
        with closing(connect(port)) as sock:
            return answer(ask(sock, "/healthz"))[0] == 200
    except (OSError, IndexError):
        return False


@pytest.fixture
def site(tmp_path):
    """The port of one process of two threads, and the gate that makes it answer."""
    port, gate = free_port(), tmp_path / "gate"
    command = [part.replace("vidgenie.wsgi", "tests.performance.crowded") for part in web_server("127.0.0.1", port)]
    folder = command[command.index("--chdir") + 1]
    variables = os.environ | {"TEST_GATE": str(gate), "PYTHONPATH": folder, "VIDGENIE_ENVIRONMENT": "test"}
    process = subprocess.Popen(
        [*command, "--workers", "1", "--threads", str(THREADS), "--keep-alive", "600"], env=variables, cwd=folder
    )
    try:
        deadline = time.monotonic() + 60
        while not up(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port, gate
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def taken(gate, number):
    """Whether a thread has taken this one: until then it is one of those who wait."""
    return gate.with_name(f"taken-{number}").exists()


def crowd(stack, port, gate):
    """As many as there is room for: the first ones keep the threads busy, the others wait for them."""
    inside = []
    for number in range(ROOM):
        inside.append(ask(stack.enter_context(closing(connect(port))), f"/{number}"))
        deadline = time.monotonic() + 60
        while number < THREADS and not taken(gate, number):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    return inside


def refused(port, path="/", *more):
    """The answer to one who comes when there is no room any more."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with closing(connect(port)) as sock:
            sock.settimeout(1)
            try:
                return answer(ask(sock, path, *more))
            except TimeoutError:  # there was room; it has gone on, and leaves when the gate opens
                continue
    raise AssertionError("nobody was refused")


def test_who_finds_no_room_is_told_at_once_and_who_came_before_is_answered(site):
    port, gate = site
    with ExitStack() as stack:
        inside = crowd(stack, port, gate)
        status, headers, body = refused(port, "/api/models")
        assert (status, headers["Retry-After"], headers["Content-Type"]) == (503, "2", "application/problem+json")
        assert json.loads(body)["code"] == "overloaded"
        gate.touch()
        assert [answer(sock)[::2] for sock in inside] == [(200, f"/{n}".encode()) for n in range(ROOM)]
    assert up(port)


def test_who_asks_whether_it_lives_may_wait_although_there_is_no_room(site):
    port, gate = site
    with ExitStack() as stack:
        crowd(stack, port, gate)
        sock = ask(stack.enter_context(closing(connect(port))), "/healthz")
        assert refused(port)[0] == 503  # they come in one after the other: by now the first has been let in
        gate.touch()
        status, _, body = answer(sock)
        assert (status, body) == (200, b"/healthz")


def test_a_kept_connection_is_refused_like_a_new_one(site):
    port, gate = site
    gate.touch()
    kept = connect(port)
    with ExitStack() as stack:
        stack.enter_context(closing(kept))
        kept.sendall(b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        gate.unlink()
        crowd(stack, port, gate)
        assert refused(port)[0] == 503
        status, headers, _ = answer(ask(kept, "/second"))
        assert (status, headers["Connection"]) == (503, "close")
        gate.touch()


def test_a_client_that_does_not_close_holds_nobody_up(site):
    port, gate = site
    gate.touch()
    with ExitStack() as stack:
        begin = time.monotonic()
        for _ in range(30):  # gunicorn alone would wait 2 s for each of them to close
            sock = ask(stack.enter_context(closing(connect(port))))
            assert answer(sock)[0] == 200
        assert up(port)
        assert time.monotonic() - begin < 30


def test_people_are_told_in_their_language():
    prepare()
    said = [refusal(f"GET / HTTP/1.1\r\n{more}\r\n\r\n".encode()) for more in ("", "Accept-Language: fr-FR,fr;q=0.9")]
    assert b"There is too much to do at the moment." in said[0]
    assert [b'lang="en"' in said[0], b'lang="fr"' in said[1]] == [True, True]
    assert refusal(b"GET / HTTP/1.1\r\nAccept-Language: en\r\nCookie: django_language=fr\r\n\r\n") == said[1]
    assert refusal(b"") == refusal(b"GET / HTTP/1.1\r\nAccept-Language: xx\r\n\r\n") == said[0]


def test_a_refusal_has_the_length_it_says_and_lets_nothing_be_kept_or_framed():
    prepare()
    for head in (b"GET / HTTP/1.1\r\n", b"POST /api/workflow/execute HTTP/1.1\r\n"):
        top, _, body = refusal(head).partition(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in top.split(b"\r\n")[1:])
        assert int(headers[b"Content-Length"]) == len(body)
        assert (headers[b"Cache-Control"], headers[b"X-Frame-Options"]) == (b"no-store", b"DENY")
        assert (b"script" in body, headers[b"Connection"]) == (False, b"close")


def test_the_command_line_of_the_web_server_wins_over_its_settings():
    assert web_server("127.0.0.1", 80)[:3] == [sys.executable, "-m", "gunicorn"]
    assert web_server("::1", 80)[-1] == "[::1]:80"
