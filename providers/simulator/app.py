"""The server as a whole: every door of every provider, and what each request goes through."""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import misbehave
from .answers import Refused
from .books import Books, Entry, fingerprint, label
from .clock import Clock
from .faults import FAULTS, Faults, Stage, Struck, Tag, tags_in
from .jobs import Job, Jobs
from .media import Media
from .webhooks import Webhooks

CONCURRENCY = {"fal": 2, "runway": 5}  # jobs that run at a time per key; further ones wait in line


_OPERATION = re.compile(rb"/operations/([0-9a-f\-]{36})")
_NOTED = ("x-fal-", "idempotency-key", "api-revision", "openai-")  # beginnings of headers that the books keep


class Simulator:
    """Everything that is kept while the server runs."""

    def __init__(
        self,
        *,
        speed: float = 1.0,
        rates: Mapping[str, float] | None = None,
        seed: int = 0,
        concurrency: Mapping[str, int] | None = None,
    ) -> None:
        self.clock = Clock(speed)
        self.faults = Faults(rates, seed)
        self.books = Books()
        self.jobs = Jobs(self.clock, CONCURRENCY | dict(concurrency or {}))
        self.media = Media()
        self.random = random.Random(seed)  # noqa: S311
        self.bad_keys: dict[str, str] = {}  # key: "revoked" or "exhausted"
        self.foreign: list[dict[str, Any]] = []  # requests that arrived at the other host
        self.mistakes: list[str] = []  # of the simulator itself; there should be none
        self.uploads: dict[str, tuple[bytes, str]] = {}  # content and its type, by name
        self.webhooks = Webhooks(self.clock)

    def reset(self) -> None:
        """Forget everything, and let it be now again."""
        self.clock.ahead = 0.0
        self.faults.reset()
        for kept in (self.books, self.jobs, self.webhooks, self.bad_keys, self.foreign, self.uploads, self.mistakes):
            kept.clear()


class Call:
    """One request to one operation, and what was found out about it on the way."""

    def __init__(self, sim: Simulator, operation: str, request: Request, body: bytes) -> None:
        self.sim, self.operation, self.request, self.body = sim, operation, request, body
        self.provider = operation.partition(".")[0]
        self.tags: tuple[Tag, ...] = tags_in(body)
        self.struck: Struck | None = None
        self.entry: Entry | None = None
        self.key = ""

    @property
    def base(self) -> str:
        """Where the caller reaches this server."""
        return f"http://{self.request.headers.get('host', '127.0.0.1')}"

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params.get(name, ""))

    def header(self, name: str) -> str:
        """A header, "" where it is missing."""
        return self.request.headers.get(name, "")

    def json(self) -> Any:
        """The body; raises ValueError."""
        try:
            return json.loads(self.body.decode())
        except RecursionError as error:
            raise ValueError("nested too deep") from error

    def meets(self, fault: str) -> bool:
        """Whether this request has drawn a fault that the operation itself plays."""
        return self.struck is not None and self.struck.fault.name == fault

    def known(self, key: str) -> str:
        """Note who calls; "revoked", "exhausted" or "" as the control says of this key."""
        self.key = fingerprint(key)
        return self.sim.bad_keys.get(key, "")

    def accept(self, job: Job, prompt: str, *, reference: str = "") -> Job:
        """Accept a job: decide its fate, put it in line and into the books."""
        job.faults, job.tags = self.sim.faults.on_job(self.operation, self.tags), self.tags
        job.latency = self.sim.clock.scaled(job.latency * (10 if "slow" in job.faults else 1))
        self.sim.jobs.add(job)
        self.write(job.model, prompt, lambda: job.billed(self.sim.clock.now()), job=job.id, reference=reference)
        return job

    def write(self, model: str, prompt: str, cost: Callable[[], float], *, job: str = "", reference: str = "") -> None:
        """Put an accepted submit into the books."""
        self.entry = self.sim.books.write(
            Entry(
                provider=self.provider,
                operation=self.operation,
                model=model,
                key=self.key,
                prompt=fingerprint(prompt),
                tag=label(prompt),
                reference=reference,
                at=self.sim.clock.now(),
                job=job,
                headers={name: one for name, one in self.request.headers.items() if name.startswith(_NOTED)},
            ),
            cost,
        )

    async def work(self, seconds: float) -> None:
        """Let a synchronous call take its time."""
        if wait := self.sim.clock.scaled(seconds):
            await asyncio.sleep(wait)


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True)
class Door:
    """One operation of a provider. `job` names the part of the path that is a job's id, or "body" where that has it."""

    method: str
    path: str
    operation: str
    handler: Handler
    complain: misbehave.Complaint
    job: str = ""


def application(sim: Simulator) -> Starlette:
    """The ASGI application; its state is the simulator that is given."""
    from . import control, fal, fal_storage, files, google, openai, runway, vertex

    doors: list[Door] = []
    for provider in (openai, fal, fal_storage, google, vertex, runway, files):
        doors += provider.DOORS
    routes = [Route(door.path, _endpoint(sim, door), methods=[door.method]) for door in doors]
    return Starlette(routes=[*control.routes(sim), *routes, *_elsewhere(doors)])


def _endpoint(sim: Simulator, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        call = Call(sim, door.operation, request, await request.body())
        job = _asked_about(call, door)
        tags = job.tags if job else call.tags
        call.struck = sim.faults.on_request(
            door.operation, tags, job.id if job else hash(call.body) if call.tags else None
        )
        return await _answered(call, door)

    return endpoint


def _asked_about(call: Call, door: Door) -> Job | None:
    """The job that a request is about, whose prompt's tags may be meant for this operation."""
    if door.job == "body":
        found = _OPERATION.search(call.body)
        return call.sim.jobs.get(found[1].decode(), call.provider) if found else None
    return call.sim.jobs.get(call.path(door.job), call.path("provider") or call.provider) if door.job else None


async def _answered(call: Call, door: Door) -> Response:
    struck = call.struck
    if struck and struck.fault.stage is Stage.BEFORE:
        if struck.fault.name == "redirect":
            return _elsewhere_redirect(call)
        if spoiled := misbehave.before(struck, door.complain):
            return spoiled
    try:
        answer = await door.handler(call)
    except Refused as refused:
        answer = misbehave.told(refused)
    except Exception as error:
        call.sim.mistakes.append(f"{call.operation}: {error!r}")
        raise
    if struck and struck.fault.stage is Stage.AFTER:
        if call.entry:
            call.entry.answered = False
        return misbehave.after(struck, answer)
    return answer


def _elsewhere_redirect(call: Call) -> Response:
    return RedirectResponse(foreign(call, call.request.url.path), 307)


def foreign(call: Call, path: str) -> str:
    """The same server under another name: to a client it is another host."""
    host, _, port = call.header("host").rpartition(":")
    other = "127.0.0.1" if host == "localhost" else "localhost"
    return f"http://{other}:{port}/_foreign{path}"


def _elsewhere(doors: Iterable[Door]) -> list[Route]:
    """Whatever else is asked of a provider: its own words for "no such thing"."""
    first = {door.path.split("/")[1]: door for door in doors}
    return [
        Route(f"/{prefix}/{{path:path}}", _nothing_there(door), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        for prefix, door in first.items()
    ]


def _nothing_there(door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return misbehave.told(door.complain("no_route", request.url.path))

    return endpoint


__all__ = ["FAULTS", "Call", "Door", "Simulator", "application"]
