"""`manage.py run` as a person meets it: it comes up, answers, restarts what dies, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from psycopg import sql

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(database_server: None) -> Iterator[dict[str, str]]:
    """An empty database of the test server, as if nobody had ever run VidGenie on it."""
    name = f"run_{os.getpid()}"
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield {**os.environ, "DATABASE_URL": re.sub(r"(@[^/]*/)\w+", rf"\g<1>{name}", url)}
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "run", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, text=True, **pipes)


@contextmanager
def running(environment: dict[str, str], port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """VidGenie, up, with what it has said until then."""
    process = run(environment, "--port", str(port))
    try:
        yield process, read_until(process, "To stop")
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"It ended without saying {words!r}:\n{said}")


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def children(process: subprocess.Popen[str]) -> dict[str, int]:
    """Process ids of the web server and the worker."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True)
    lines = [line.split(None, 1) for line in listed.stdout.splitlines()]
    return {"worker" if "worker" in arguments.split() else "web": int(pid) for pid, arguments in lines}


def test_it_comes_up_revives_a_killed_worker_and_stops(environment: dict[str, str], port: int) -> None:
    with running(environment, port) as (process, said):
        assert re.search(r"Sign in as +admin\n +Password +\S{16} ", said)
        assert urlopen(f"http://127.0.0.1:{port}/accounts/login/").status == 200

        killed = children(process)["worker"]
        os.kill(killed, signal.SIGKILL)
        assert "The worker ended by itself (SIGKILL). Starting it again." in read_until(process, "ended by itself")
        assert eventually(lambda: children(process).get("worker", killed) != killed)

        assert "Everything has stopped." in stopped(process, signal.SIGTERM)

    with running(environment, port) as (process, said):
        assert "Password" not in said, "the second start finds the account of the first"
        stopped(process, signal.SIGINT)


def stopped(process: subprocess.Popen[str], by: signal.Signals) -> str:
    """What it says from the signal to its end, which is a good one."""
    process.send_signal(by)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return rest


def test_a_taken_port_is_told_before_anything_starts(port: int) -> None:
    nowhere = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    with socket.create_server(("127.0.0.1", port)):
        said, _ = run(nowhere, "--port", str(port)).communicate(timeout=60)

    assert said.startswith(f"CommandError: Cannot listen on 127.0.0.1 port {port}: Address already in use.")


@pytest.mark.parametrize("port", ["0", "65536", "http", ""])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(CommandError, match=f"PORT is '{port}'; it must be a number from 1 to 65535"):
        call_command("run", port=port)


def test_it_starts_the_simulator_where_providers_are_simulated(environment: dict[str, str], port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"http://127.0.0.1:{server.getsockname()[1]}"
    simulated = {"VIDGENIE_PROVIDER_MODE": "simulated", "SIMULATOR_PORT": place.rpartition(":")[2]}
    with running({**environment, **simulated}, port) as (process, said):
        assert said.index("simulator of the providers") < said.index("web server and the worker")
        assert f"simulated at {place}/" in said
        assert urlopen(f"{place}/_control/books").status == 200  # noqa: S310
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{place}/_control/books")  # noqa: S310
