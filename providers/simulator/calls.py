"""One request to one operation of a provider, and everything it may look up or change."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .books import Books, Entry, fingerprint, label
from .clock import Clock, Renders
from .faults import Faults, Struck, Tag, tags_in
from .jobs import Job, Jobs
from .media import Media
from .misbehave import Complaint
from .webhooks import Webhooks

CONCURRENCY = {"fal": 2, "runway": 5}  # jobs that run at a time per key; further ones wait in line
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
        renders: Renders | None = None,
        tiny: int | None = None,
    ) -> None:
        self.clock = Clock(speed)
        self.renders = renders
        self.faults = Faults(rates, seed)
        self.books = Books()
        self.jobs = Jobs(self.clock, CONCURRENCY | dict(concurrency or {}))
        self.media = Media(tiny=tiny)
        self.random = random.Random(seed)  # noqa: S311
        self.bad_keys: dict[str, str] = {}  # key: "revoked" or "exhausted"
        self.foreign: list[dict[str, Any]] = []  # requests that arrived at the other host
        self.mistakes: list[str] = []  # of the simulator itself; there should be none
        self.uploads: dict[str, tuple[bytes, str]] = {}  # content and its type, by name
        self.webhooks = Webhooks(self.clock)

    def reset(self) -> None:
        """Forget everything, and let it be now again."""
        self.clock.ahead, self.renders = 0.0, None
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
        takes = self.sim.renders.draw(self.sim.random) if self.sim.renders else job.latency
        job.latency = self.sim.clock.scaled(takes * (10 if "slow" in job.faults else 1))
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
    complain: Complaint
    job: str = ""


def foreign(call: Call, path: str) -> str:
    """The same server under another name: to a client it is another host."""
    host, _, port = call.header("host").rpartition(":")
    other = "127.0.0.1" if host == "localhost" else "localhost"
    return f"http://{other}:{port}/_foreign{path}"
