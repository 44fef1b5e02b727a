"""What the processes weigh, at rest and after work: web server, worker and PostgreSQL."""

import http.client
from collections.abc import Iterator
from contextlib import closing

import psutil  # type: ignore[import-untyped]

from vidgenie.management.benchmarks import usage
from vidgenie.management.benchmarks.api import served
from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.benchmarks.ground import Ground, settled
from vidgenie.management.load.mix import HOST

ALL = 1200.0  # MB; web server, worker and PostgreSQL together
WORK, REQUESTS = 60, 200
METHOD = (
    f"PSS of a process and all that it has started (shared pages are counted once among them), in millions of bytes; "
    f"at rest when they have just begun, and after {WORK} complete runs by simulated providers and {REQUESTS} requests "
    "for a page. USS, what only one process has, is told beside it."
)


def report(ground: Ground, runs: int = WORK) -> Iterator[Figure | str]:
    """Measure at rest and after so many runs."""
    on, worker = ground.rig, ground.worker
    with served(on) as port:
        weighed = {"worker": worker, "web": _listening(port)}
        if server := usage.database():
            weighed["database"] = server
        yield from _weights(weighed, "at rest")
        _work(ground, port, runs)
        yield from _weights(weighed, "after work")
        whole = sum(usage.megabytes(process) for process in weighed.values())
        yield Figure("web server, worker and PostgreSQL together, after work", whole, "MB", at_most=ALL, id="all")


def _weights(weighed: dict[str, psutil.Process], when: str) -> Iterator[Figure | str]:
    for name, process in weighed.items():
        yield Figure(f"{name}, {when}", usage.megabytes(process), "MB", id=f"{name}-{when.replace(' ', '-')}")
        alone = usage.unshared(process)
        told = f"{len(alone)} processes have {sum(alone):.0f} MB to themselves (USS), {alone[0]:.0f} at most"
        yield f"  {name}, {when}: {told}"


def _work(ground: Ground, port: int, runs: int) -> None:
    ground.providers(speed=0)
    on = ground.rig
    ids = on.start(runs, on.quote())
    with closing(http.client.HTTPConnection(HOST, port, timeout=30)) as line:
        for _ in range(REQUESTS):
            line.request("GET", "/")
            line.getresponse().read()
    settled(ids)
    ground.providers(speed=1)


def _listening(port: int) -> psutil.Process:
    """The web server's first process: the eldest of those that listen there."""
    mine = psutil.Process().children(recursive=True)
    listening = [one for one in mine if any(at.laddr.port == port for at in one.net_connections("tcp"))]
    return min(listening, key=lambda one: one.create_time())
