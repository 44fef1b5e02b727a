"""How much longer a complete run takes than its providers did, alone and among many, polled and with webhooks."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from typing import Any

from credits.models import Entry, Hold
from providers.simulator.openai import CHAT_SECONDS, IMAGE_SECONDS
from vidgenie.management.benchmarks import naive
from vidgenie.management.benchmarks.figures import Figure, spread
from vidgenie.management.benchmarks.rig import Rig, rig, succeeded, unfinished, wait
from vidgenie.management.commands.run import answers, web_server
from workflows.models import Attempt

RENDERS = {"median": 30.0, "sigma": 0.3}  # seconds
ALONE, AMONG = 300, 5  # milliseconds; per cent
SINGLES, HURRY = 5, 4.0  # runs one after the other, by providers that are so much faster than in life
SMALL = 128  # pixels of the shorter side of what is made; fal takes no smaller pictures
USUAL = 1.0  # how fast they are when many run at once
METHOD = (
    f"Complete runs by simulated OpenAI (words {CHAT_SECONDS:.0f} s, still {IMAGE_SECONDS:.0f} s, answered in the "
    f"call) and a queue (film, lognormal {RENDERS['median']:.0f}:{RENDERS['sigma']} s, so of unknown length), tiny "
    "media; from the start's transaction until it is settled, less what the simulator's books say its providers "
    f"took. Runs one after the other have providers {HURRY:.0f} times as fast. Worker with default settings, "
    "PostgreSQL (durable), simulator and, for webhooks, the web server on one machine."
)


def report(runs: int = 200) -> Iterator[Figure | str]:
    """Measure with webhooks (fal), with polls alone (Runway), and the naive way."""
    for name, model, judged in (("with webhooks, by fal", "fal", True), ("polled, by Runway", "runway", False)):
        with ExitStack() as stack:
            on = _with_web(stack) if model == "fal" else stack.enter_context(rig(speed=1))
            on.control("renders", RENDERS)
            stack.enter_context(on.worker())
            yield f"Complete runs {name}:"
            yield from _alone(on, model, min(SINGLES, runs), judged=judged)
            yield from _among(on, model, runs, judged=judged)
    with rig(speed=HURRY) as on:
        on.control("renders", RENDERS)
        yield from _naively(on)


def _with_web(stack: ExitStack) -> Rig:
    """The web server beside it, where providers can reach it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    on = stack.enter_context(rig(speed=1, tiny=SMALL, PUBLIC_URL=f"http://127.0.0.1:{port}", FAL_CONCURRENCY="0"))
    stack.enter_context(on.process(web_server("127.0.0.1", port)))
    wait(lambda: answers("127.0.0.1", port), 60, "the web server does not answer")
    return on


def _alone(on: Rig, model: str, runs: int, *, judged: bool) -> Iterator[Figure | str]:
    """One run after the other; the first is left out."""
    on.control("clock", {"speed": HURRY})
    quote, found = on.quote(video_model=model), []
    for number in range(runs + 1):
        ids = [on.start_one(number, quote).pk]
        wait(lambda: not unfinished(), 180, "a run is not settled")
        found += _overheads(on, ids, HURRY)
    longer = [(taken - theirs) * 1000 for taken, theirs in found[1:]]
    bar = ALONE if judged else None
    yield Figure.of(
        f"one run takes longer than its providers by ({model})", longer, unit="ms", at_most=bar, id=f"{model}-alone"
    )
    yield f"    {len(longer)} runs: {spread(longer)} ms, where providers took {spread([t for _, t in found[1:]])} s"


def _among(on: Rig, model: str, runs: int, *, judged: bool) -> Iterator[Figure | str]:
    on.control("clock", {"speed": USUAL})
    ids = on.start(runs, on.quote(video_model=model))
    wait(lambda: not unfinished(), 900, "the runs are not all settled")
    found = _overheads(on, ids, USUAL)
    longer = [(taken / theirs - 1) * 100 for taken, theirs in found]
    bar = AMONG if judged else None
    yield Figure.of(
        f"{runs} at once take longer by ({model}, p95)", longer, "p95", unit="%", at_most=bar, id=f"{model}-among"
    )
    yield f"    {spread(longer)} %, where providers took {spread([theirs for _, theirs in found])} s"


def _overheads(on: Rig, ids: list[Any], speed: float) -> list[tuple[float, float]]:
    """Of each run: seconds from start to settled, and seconds that its providers took."""
    succeeded(ids)
    renders = {job: end - accepted for _, job, accepted, end, _ in on.control("jobs")}
    calls = (CHAT_SECONDS + IMAGE_SECONDS) / speed
    films = Attempt.objects.filter(step__workflow__in=ids, step__stage="video").select_related("step__workflow")
    runs = [(film.step.workflow, renders[film.job_id]) for film in films]
    return [((run.finished - run.created).total_seconds(), calls + render) for run, render in runs if run.finished]


def _naively(on: Rig) -> Iterator[Figure | str]:
    """Two runs after a first one; what is said of two hundred is worked out from these."""
    settled = Entry.objects.filter(key__startswith="naive:").select_related("hold")
    with on.queue():
        for number in range(3):
            naive.start(on.people[number], on.quote(), number)
            wait(lambda number=number: settled.count() > number, 180, "a naive run is not settled")  # type: ignore[misc]
    renders = {job: end - accepted for _, job, accepted, end, _ in on.control("jobs")}
    calls, longer = (CHAT_SECONDS + IMAGE_SECONDS) / HURRY, []
    for entry in settled.order_by("created")[1:]:
        hold: Hold = entry.hold  # type: ignore[assignment]
        taken = (entry.created - hold.created).total_seconds()
        longer.append((taken - calls - renders[entry.key.rpartition(":")[2]]) * 1000)
    yield f"The naive way, polled every {naive.POLL:.0f} s, two runs:"
    yield Figure.of("one run takes longer than its providers by (naively)", longer, unit="ms", id="naive-alone")
    each = CHAT_SECONDS + IMAGE_SECONDS + RENDERS["median"] + median(longer) / 1000
    worked_out = (200 / 2 * each / (each - median(longer) / 1000) - 1) * 100
    name = "200 at once, the last by (naively; worked out for 2 workers, not measured)"
    yield Figure(name, worked_out, "%", id="naive-among")
