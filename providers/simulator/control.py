"""How a test steers the simulator and reads its books; only from this machine, as the rest of it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .answers import as_json
from .calls import Simulator
from .clock import Renders
from .faults import FAULTS

Action = Callable[[Any, Request], Any]
_LOOPBACK = ("127.0.0.1", "::1")


def routes(sim: Simulator) -> list[Route]:
    """GET or PUT JSON at /_control/…"""
    doors = {
        "GET": {"books": books, "faults": faults, "headers": headers, "jobs": jobs, "state": state},
        "PUT": {
            "faults": set_faults,
            "clock": set_clock,
            "keys": set_keys,
            "concurrency": set_concurrency,
            "renders": set_renders,
            "reset": reset,
        },
    }
    return [
        Route(f"/_control/{name}", _endpoint(sim, action), methods=[method])
        for method, actions in doors.items()
        for name, action in actions.items()
    ]


def _endpoint(sim: Simulator, action: Callable[[Simulator, Any], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if request.client is None or request.client.host not in _LOOPBACK:
            return as_json({"error": "only from this machine"}, 403)
        try:
            given = await request.json() if request.method == "PUT" else dict(request.query_params)
            return as_json(action(sim, given))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return as_json({"error": str(error)}, 400)

    return endpoint


def books(sim: Simulator, given: dict[str, str]) -> Any:
    """What was accepted and billed; ?provider=fal, ?entries=0."""
    return sim.books.report(given.get("provider", ""), entries=given.get("entries") != "0")


def faults(sim: Simulator, given: Any) -> Any:
    """Rates, script, what has struck how often, and what there is."""
    script = [vars(line) for line in sim.faults.script]
    known = {
        fault.name: {"stage": fault.stage, "meaning": fault.meaning, "drawn": fault.drawn} for fault in FAULTS.values()
    }
    return {
        "rates": sim.faults.rates,
        "seed": sim.faults.seed,
        "script": script,
        "struck": sim.faults.struck,
        "known": known,
    }


def set_faults(sim: Simulator, given: dict[str, Any]) -> Any:
    """{"rates": {name: 0.1}, "seed": 7, "script": [{"fault", "operation", "times", "detail", "skip"}]}; no others."""
    sim.faults.reset(given.get("rates"), int(given.get("seed", 0)), given.get("script", ()))
    return {"rates": sim.faults.rates, "seed": sim.faults.seed}


def headers(sim: Simulator, given: Any) -> Any:
    """The requests that arrived at the other host, with their headers."""
    return sim.foreign


def jobs(sim: Simulator, given: Any) -> Any:
    """Of each job: provider, id, when it was accepted and (as unix time) is made, how often it was asked about."""
    return [[job.provider, job.id, job.accepted, job.end, job.polls] for job in sim.jobs]


def state(sim: Simulator, given: Any) -> Any:
    """How busy it is, its clock, and its own mistakes."""
    clock = {"now": sim.clock.now(), "speed": sim.clock.speed}
    return {
        "in_flight": sim.jobs.in_flight(),
        "accepted": len(sim.books.entries),
        "webhooks": sim.webhooks.sent,
        "mistakes": sim.mistakes,
    } | clock


def set_clock(sim: Simulator, given: dict[str, Any]) -> Any:
    """{"speed": 10} for jobs from now on, {"advance": 60} to let time go by."""
    sim.clock.run_at(float(given.get("speed", sim.clock.speed)))
    sim.clock.advance(float(given.get("advance", 0)))
    return {"now": sim.clock.now(), "speed": sim.clock.speed}


def set_keys(sim: Simulator, given: dict[str, str]) -> Any:
    """{key: "revoked" or "exhausted"}; for Vertex the service account's e-mail address."""
    if wrong := set(given.values()) - {"revoked", "exhausted"}:
        raise ValueError(f"a key is revoked or exhausted, not {wrong}")
    sim.bad_keys = {re.sub(r"\W", "_", key) if "@" in key else key: state for key, state in given.items()}
    return {"bad": len(sim.bad_keys)}


def set_concurrency(sim: Simulator, given: dict[str, int]) -> Any:
    """{"fal": 2}: how many jobs of a key run at a time, 0 for no limit; jobs in line stay where they are."""
    sim.jobs.limit({name: int(slots) for name, slots in given.items()})
    return sim.jobs.concurrency


def set_renders(sim: Simulator, given: dict[str, float]) -> Any:
    """{"median": 120, "sigma": 0.2}: how long jobs take from now on; {} as long as their models."""
    sim.renders = Renders(**given) if given else None
    return given


def reset(sim: Simulator, given: Any) -> Any:
    """Forget jobs, books, faults, uploads and notes; the clock is right again."""
    sim.reset()
    return {}
