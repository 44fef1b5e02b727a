"""The server as a whole: every door of every provider, and what each request goes through."""

import re
from collections.abc import Awaitable, Callable, Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import control, fal, fal_storage, files, google, misbehave, openai, runway, vertex
from .answers import Refused
from .calls import Call, Door, Simulator, foreign
from .faults import Stage
from .jobs import Job

_OPERATION = re.compile(rb"/operations/([0-9a-f\-]{36})")


def application(sim: Simulator) -> Starlette:
    """The ASGI application; its state is the simulator that is given."""
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
