"""What jobs have made, at addresses that expire, break off, redirect and lie as providers' own do."""

from collections.abc import Callable

from starlette.responses import RedirectResponse, Response

from .answers import Drops, Half, Refused, as_json, page
from .calls import Call, Door, foreign
from .jobs import Job

SIGNED_FOR = 24 * 3600.0  # seconds


def address(base: str, job: Job, now: float, number: int = 0) -> str:
    """Where a job's file is; each time the job is looked at, the address is a fresh one."""
    job.signed = {turn: when for turn, when in job.signed.items() if turn > job.handed_out - 10} | {job.handed_out: now}
    return f"{base}/{job.notes['media']}/files/{job.id}/{job.handed_out}/{number}/out.mp4"


def complain(kind: str, detail: str = "") -> Refused:
    """A content server's errors say little."""
    status = {"rate_limited": 429, "unauthorized": 403, "not_found": 404, "no_route": 404}.get(kind, 500)
    return Refused(status, {"detail": kind})


async def media(call: Call) -> Response:
    """GET of a made file. These hosts take no keys: a request that brings one is a leak, and refused."""
    if call.header("authorization"):
        raise Refused(400, {"detail": "Only one auth mechanism allowed"})
    provider = call.path("provider")
    job = call.sim.jobs.get(call.path("id"), provider)
    if job is None:
        raise Refused(404, {"detail": "File not found"})
    return await deliver(call, job, int(call.path("turn") or 0))


async def deliver(call: Call, job: Job, turn: int) -> Response:
    """The file of a job, or what its faults make of it."""
    job.downloads += 1
    first = job.downloads == 1
    if "dead_url" in job.faults:
        raise Refused(410, {"detail": "Gone"})
    if "expired_url" in job.faults and turn <= 1 and call.provider != "google":
        raise Refused(403, {"detail": "Request has expired"})
    if job.provider == "runway" and call.sim.clock.now() > job.signed.get(turn, 0) + SIGNED_FOR:
        raise Refused(403, {"detail": "Request has expired"})
    if "file_502" in job.faults and first:
        return page(502)
    if "endless_redirect" in job.faults:
        return RedirectResponse(str(call.request.url), 302)
    if "inward_redirect" in job.faults:
        return RedirectResponse("http://169.254.169.254/latest/meta-data/", 302)
    if "cross_host" in job.faults:
        return RedirectResponse(foreign(call, f"/file/{job.provider}/{job.id}"), 302)
    return _spoiled(job, await content(call, job), first)


async def content(call: Call, job: Job) -> Response:
    """The film itself."""
    seconds = 1 if "wrong_length" in job.faults else job.seconds
    if not job.seconds:
        return Response(await call.sim.media.picture(job.size), media_type="image/png")
    return Response(await call.sim.media.film(job.size, seconds), media_type="video/mp4")


_SPOILED: dict[str, Callable[[Response], Response]] = {
    "html_as_mp4": lambda good: Response(b"<!doctype html><title>Sign in</title>" * 40, media_type="video/mp4"),
    "empty_file": lambda good: Response(b"", media_type="video/mp4"),
    "broken_film": lambda good: Response(bytes(good.body[:64]).ljust(len(good.body), b"\0"), media_type="video/mp4"),
    "wrong_content_type": lambda good: Response(good.body, media_type="text/plain"),
    "truncated_length": Half,
    "truncated_chunked": lambda good: Half(good, sized=False),
    "truncated_quiet": lambda good: Half(good, sized=False, honest=True),
}


def _spoiled(job: Job, good: Response, first: bool) -> Response:
    for fault, spoil in _SPOILED.items():
        if fault in job.faults:
            return spoil(good)
    if "truncated_once" in job.faults and first:
        return Half(good)
    return Drops(good, float(job.faults["slow_file"] or 2)) if "slow_file" in job.faults else good


async def other_host(call: Call) -> Response:
    """The other host: notes what headers arrive there, and gives the file when it was the address of one."""
    note = {"path": call.request.url.path, "method": call.request.method, "headers": dict(call.request.headers)}
    call.sim.foreign.append(note)
    job = call.sim.jobs.get(call.path("id"), call.path("provider")) if call.path("id") else None
    return await content(call, job) if job else as_json({"here": "another host"})


DOORS = [
    Door("GET", "/{provider}-media/files/{id}/{turn}/{number}/out.mp4", "media.download", media, complain, "id"),
    Door("GET", "/_foreign/file/{provider}/{id}", "foreign.file", other_host, complain),
    Door("GET", "/_foreign/{path:path}", "foreign.any", other_host, complain),
    Door("POST", "/_foreign/{path:path}", "foreign.any", other_host, complain),
]
