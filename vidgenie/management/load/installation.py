"""What the load falls on: web server, worker, simulated providers and PostgreSQL on this machine, with a past."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psutil  # type: ignore[import-untyped]

from vidgenie.management.benchmarks import rig as rigs
from vidgenie.management.benchmarks import usage
from vidgenie.management.benchmarks.rig import Rig, wait
from vidgenie.management.commands.run import answers, web_server
from vidgenie.management.load.furnish import furnish
from vidgenie.management.load.mix import HOST, Person

DATABASE = "load"  # its name, apart from what others measure on
PROVIDERS_SPEED = 4.0  # times as fast as in life: a run takes some seconds, so there are some in the making
COMES_UP = 60.0  # seconds


@dataclass(frozen=True)
class Installation:
    """All processes, and whom to be."""

    on: Rig
    web: psutil.Process
    worker: psutil.Process
    port: int
    people: list[Person]

    @property
    def parts(self) -> dict[str, psutil.Process]:
        """The processes that are watched, by what they are; PostgreSQL only where it is on this machine."""
        known = {"web": self.web, "worker": self.worker, "simulator": self.on.simulator}
        server = usage.database()
        return known | ({"postgresql": server} if server else {})


@contextmanager
def installed(people: int, runs: int, say: Callable[[str], object]) -> Iterator[Installation]:
    """So many people with so many finished runs each, on a database that lasts as long as the block."""
    with rigs.database(DATABASE), rigs.rig(speed=0, people=people) as on, named(on, "worker").worker() as worker:
        say(f"{people} people with {runs} runs each ...")
        furnished = furnish(on, runs)
        on.control("clock", {"speed": PROVIDERS_SPEED})
        with serving(on) as (web, port):
            yield Installation(on, web, worker, port, furnished)


@contextmanager
def serving(on: Rig, *more: str, **environment: str) -> Iterator[tuple[psutil.Process, int]]:
    """The web server as `manage.py run` starts it, and its port."""
    port = free_port()
    with named(on, "web", **environment).process([*web_server(HOST, port), *more]) as web:
        wait(lambda: answers(HOST, port), COMES_UP, "the web server does not answer")
        yield web, port


def named(on: Rig, part: str, **environment: str) -> Rig:
    """The rig for processes whose connections to the database bear this name."""
    return replace(on, environment=on.environment | {"PGAPPNAME": part} | environment)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    return port
