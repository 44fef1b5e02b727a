"""How long each kind of request takes when nobody else asks: the real web server, one client, one after the other.

A client that waits for its answer cannot see what a crowd would: that is what `manage.py load_test` is for.
"""

import http.client
import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from random import Random

from django.core.management.base import CommandError

from vidgenie.management.benchmarks.figures import LEAST_RUNS, Figure, percentile
from vidgenie.management.benchmarks.ground import Ground, settled
from vidgenie.management.benchmarks.rig import Rig, wait
from vidgenie.management.commands.run import answers, web_server
from vidgenie.management.load import furnish, mix
from vidgenie.management.load.mix import EXECUTE, HOST, Asked, Person, Route

BAR = 120.0  # milliseconds, of the 95th percentile
REQUESTS, WARM_UP = 20, 5  # of a route in a round
STARTS = 4  # of these requests, where each starts a run: a person may not start many
METHOD = (
    f"gunicorn as `manage.py run` starts it, one connection that is kept, one request after the other: rounds of "
    f"{REQUESTS} requests of a route ({STARTS} where each starts a run), {WARM_UP} before them are left out. "
    "A figure is made of the rounds' 95th percentiles."
)


# Of the load test's kinds of requests, by the ids of their figures.
ROUTES = {
    "home": "GET /",
    "gallery": "GET /workflows/",
    "create": "GET /workflows/create/",
    "run": "GET /workflows/{id}/",
    "status": "GET /api/workflow/status/{id}",
    "list": "GET /api/workflow",
    "execute": EXECUTE,
}


def report(ground: Ground, runs: int = LEAST_RUNS) -> Iterator[Figure | str]:
    """Latency of each route, in so many rounds. Raises CommandError for an answer that was not to be."""
    on, _ = ground.rig, ground.worker
    ground.providers(speed=0, refuse_images=True)
    done = on.start(3, on.quote("image-only"))
    settled(done)
    with served(on) as port, closing(http.client.HTTPConnection(HOST, port, timeout=30)) as line:
        person = furnish.person(on.people[0], 0)
        for key, name in ROUTES.items():
            rounds = _measured(line, mix.route(name), person, runs)
            medians, highs = ([percentile(one, share) for one in rounds] for share in (0.5, 0.95))
            yield Figure.of(f"{name}, half within", medians, unit="ms", id=f"{key}-p50")
            yield Figure.of(f"{name}, 95 % within", highs, unit="ms", at_most=BAR, id=f"{key}-p95")
    ground.providers(speed=1)


@contextmanager
def served(on: Rig) -> Iterator[int]:
    """The web server beside the worker; the port where it listens."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    with on.process(web_server(HOST, port)):
        wait(lambda: answers(HOST, port), 60, "the web server does not answer")
        yield port


def _measured(line: http.client.HTTPConnection, route: Route, person: Person, rounds: int) -> list[list[float]]:
    """Milliseconds of each request, by rounds."""
    chance = Random(1)  # noqa: S311 (the same requests each time)
    count, first = (STARTS, 1) if route.writes else (REQUESTS, WARM_UP)
    asked = (route.build(person, chance, f"benchmark-{number}") for number in itertools.count())
    for _ in range(first):
        _asked(line, next(asked))
    return [[_asked(line, next(asked)) for _ in range(count)] for _ in range(rounds)]


def _asked(line: http.client.HTTPConnection, asked: Asked) -> float:
    """Raises CommandError for an answer that was not to be."""
    start = time.perf_counter()
    line.request(asked.method, asked.path, asked.body or None, dict(asked.headers))
    answer = line.getresponse()
    answer.read()
    if answer.status not in asked.right:
        raise CommandError(f"{asked.method} {asked.path} answered {answer.status}")
    return (time.perf_counter() - start) * 1000
