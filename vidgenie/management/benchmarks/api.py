"""How long each kind of request takes when nobody else asks: the real web server, one client, one after the other.

A client that waits for its answer cannot see what a crowd would: that is what `manage.py load_test` is for.
"""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.test import Client

from vidgenie import tokens
from vidgenie.management.benchmarks.figures import LEAST_RUNS, Figure, percentile
from vidgenie.management.benchmarks.ground import Ground, settled
from vidgenie.management.benchmarks.rig import Rig, wait
from vidgenie.management.commands.run import answers, web_server

HOST = "127.0.0.1"
BAR = 120.0  # milliseconds, of the 95th percentile
REQUESTS, WARM_UP = 20, 5  # of a route in a round
STARTS = 4  # of these requests, where each starts a run: a person may not start many
METHOD = (
    f"gunicorn as `manage.py run` starts it, one connection that is kept, one request after the other: rounds of "
    f"{REQUESTS} requests of a route ({STARTS} where each starts a run), {WARM_UP} before them are left out. "
    "A figure is made of the rounds' 95th percentiles."
)


@dataclass(frozen=True)
class Route:
    """What is asked. `signed_in` by a session, else by a token; `body` makes it a POST."""

    id: str
    name: str
    path: str
    signed_in: bool = False
    body: dict[str, Any] | None = None
    status: int = 200


def report(ground: Ground, runs: int = LEAST_RUNS) -> Iterator[Figure | str]:
    """Latency of each route, in so many rounds. Raises CommandError for an answer that was not to be."""
    on, _ = ground.rig, ground.worker
    ground.providers(speed=0, refuse_images=True)
    done = on.start(3, on.quote("image-only"))
    settled(done)
    with served(on) as port, closing(http.client.HTTPConnection(HOST, port, timeout=30)) as line:
        headers = _tickets(on)
        for route in routes(str(done[0])):
            rounds = _measured(line, route, headers[route.signed_in], runs)
            medians, highs = ([percentile(one, share) for one in rounds] for share in (0.5, 0.95))
            yield Figure.of(f"{route.name}, half within", medians, unit="ms", id=f"{route.id}-p50")
            yield Figure.of(f"{route.name}, 95 % within", highs, unit="ms", at_most=BAR, id=f"{route.id}-p95")
    ground.providers(speed=1)


def routes(run: str) -> tuple[Route, ...]:
    """The kinds of requests, given the id of somebody's run."""
    options = {"text_model": "gpt", "image_model": "gpt-image"}
    execute = {"type": "image-only", "prompt": "a fox in the snow", "options": options}
    return (
        Route("home", "GET /", "/"),
        Route("gallery", "GET /workflows/", "/workflows/", signed_in=True),
        Route("create", "GET /workflows/create/", "/workflows/create/", signed_in=True),
        Route("run", "GET /workflows/<id>/", f"/workflows/{run}/", signed_in=True),
        Route("status", "GET /api/workflow/status", f"/api/workflow/status?workflow_id={run}"),
        Route("list", "GET /api/workflow", "/api/workflow"),
        Route("execute", "POST /api/workflow/execute", "/api/workflow/execute", body=execute, status=202),
    )


@contextmanager
def served(on: Rig) -> Iterator[int]:
    """The web server beside the worker; the port where it listens."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    with on.process(web_server(HOST, port)):
        wait(lambda: answers(HOST, port), 60, "the web server does not answer")
        yield port


def _tickets(on: Rig) -> dict[bool, dict[str, str]]:
    """Headers of somebody who is signed in, and of their program."""
    client = Client()
    client.force_login(on.people[0], backend=settings.AUTHENTICATION_BACKENDS[0])
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    _, token = tokens.create(on.people[0], "benchmark")
    return {True: {"Cookie": cookie}, False: {"Authorization": f"Bearer {token}"}}


def _measured(
    line: http.client.HTTPConnection, route: Route, headers: dict[str, str], rounds: int
) -> list[list[float]]:
    """Milliseconds of each request, by rounds."""
    count, first = (STARTS, 1) if route.body else (REQUESTS, WARM_UP)
    for _ in range(first):
        _asked(line, route, headers)
    return [[_asked(line, route, headers) for _ in range(count)] for _ in range(rounds)]


def _asked(line: http.client.HTTPConnection, route: Route, headers: dict[str, str]) -> float:
    body = json.dumps(route.body) if route.body else None
    kind = {"Content-Type": "application/json"} if body else {}
    start = time.perf_counter()
    line.request("POST" if body else "GET", route.path, body, headers | kind)
    answer = line.getresponse()
    answer.read()
    if answer.status != route.status:
        raise CommandError(f"{route.name} answered {answer.status}")
    return (time.perf_counter() - start) * 1000
