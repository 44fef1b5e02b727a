"""How long each stage takes, told apart: what its provider took, and what is ours.

The product's targets are judged where nothing but this machine decides (the sandbox really draws), or where the
simulated provider answers as fast as the real one usually does. A provider's own time is no promise of ours.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from providers.simulator.openai import CHAT_SECONDS, IMAGE_SECONDS
from vidgenie.management.benchmarks.figures import LEAST_RUNS, Figure
from vidgenie.management.benchmarks.ground import Ground, finished, settled
from vidgenie.management.benchmarks.rig import succeeded, wait
from workflows.models import Attempt, Step

TOGETHER = 6  # prompts that are enhanced at once
SANDBOX: dict[str, Any] = {"image_model": "sandbox/still", "enhance": False}
OURS = 300.0  # milliseconds; what a stage may take beyond its provider
ENHANCE = (
    f"Rounds of {TOGETHER} runs that are started at once; simulated OpenAI takes {CHAT_SECONDS:g} s for its answer. "
    "From the start's transaction until the improved prompt is stored. The image after it is declined, so that "
    "nothing else goes on. A round's rate is from its first start to its last answer. A first round is left out."
)
IMAGE = (
    "By the sandbox, which draws a real picture of the usual size here: from the stage's beginning until it is checked "
    f"and stored, one after the other, the first left out. By simulated OpenAI, which takes {IMAGE_SECONDS:g} s as the "
    "real one does: all at once, told with its provider's time taken out."
)
VIDEO = (
    "Runs from an image to simulated Runway, whose answer to a submit comes at once, one after the other: from the "
    "start's transaction until its job id is stored; nobody waits for the films. The first is left out."
)


def enhance(ground: Ground, runs: int = LEAST_RUNS) -> Iterator[Figure]:
    """Enhancement: over 1 a second, under 5 s on average."""
    on, _ = ground.rig, ground.worker
    ground.providers(speed=1, refuse_images=True)
    quote, rounds = on.quote("image-only"), []
    for _ in range(runs + 1):
        ids = on.start(TOGETHER, quote)
        finished(ids, "enhance")
        rounds.append([(step.workflow.created, _end(step)) for step in _steps(ids, "enhance")])
        settled(ids)
    ground.providers(speed=1)
    taken = [(end - start).total_seconds() for one in rounds[1:] for start, end in one]
    rates = [len(one) / (max(e for _, e in one) - min(s for s, _ in one)).total_seconds() for one in rounds[1:]]
    yield Figure.of("prompts enhanced a second", rates, "median", unit="/s", at_least=1, strictly=True, id="rate")
    yield Figure.of("one prompt takes, on average", taken, "mean", unit="s", at_most=5, strictly=True, id="seconds")
    ours = [(seconds - CHAT_SECONDS) * 1000 for seconds in taken]
    yield Figure.of("of it our own share", ours, unit="ms", id="own-share")


def image(ground: Ground, runs: int = LEAST_RUNS, simulated: bool = True) -> Iterator[Figure]:
    """An image: under 10 s. The sandbox's is read from complete runs where some were measured here."""
    ids = ground.films or _drawn(ground, runs)
    taken = [_seconds(step) for step in _steps(ids, "image")]
    yield Figure.of("one image takes (sandbox)", taken, unit="s", at_most=10, strictly=True, id="seconds")
    if simulated:
        yield from _simulated(ground, runs)


def _drawn(ground: Ground, runs: int) -> list[Any]:
    on, _ = ground.rig, ground.worker
    quote, ids = on.quote("image-only", **SANDBOX), []
    for number in range(runs + 1):
        ids.append(on.start_one(number, quote).pk)
        settled(ids)
    succeeded(ids)
    return ids[1:]


def _simulated(ground: Ground, runs: int) -> Iterator[Figure]:
    on, _ = ground.rig, ground.worker
    ground.providers(speed=1)
    ids = on.start(runs, on.quote("image-only", enhance=False))
    settled(ids)
    succeeded(ids)
    taken = [_seconds(step) for step in _steps(ids, "image")]
    yield Figure.of("one image takes (simulated OpenAI)", taken, unit="s", id="simulated-seconds")
    ours = [(seconds - IMAGE_SECONDS) * 1000 for seconds in taken]
    yield Figure.of("of it our own share", ours, unit="ms", at_most=OURS, id="own-share")


def video(ground: Ground, runs: int = LEAST_RUNS) -> Iterator[Figure]:
    """Creating a video job: under 2 s."""
    on, _ = ground.rig, ground.worker
    ground.providers(speed=0)
    quote, ids = on.quote("video-from-image", enhance=False), []
    for number in range(runs + 1):
        ids.append(on.start_one(number, quote).pk)
        mine = Attempt.objects.filter(step__workflow=ids[-1], submitted=None)
        wait(lambda mine=mine: not mine.exists(), 60, "a video job is not created", every=0.02)  # type: ignore[misc]
    taken = [
        (sent - created).total_seconds()
        for sent, created in Attempt.objects.filter(step__workflow__in=ids[1:], step__stage="video")
        .order_by("created")
        .values_list("submitted", "step__workflow__created")
        if sent
    ]
    ground.providers(speed=1)
    yield Figure.of("a video job is created within", taken, unit="s", at_most=2, strictly=True, id="submit-seconds")


def _steps(ids: list[Any], stage: str) -> list[Step]:
    found = Step.objects.filter(workflow__in=ids, stage=stage, finished__isnull=False)
    return list(found.select_related("workflow").order_by("started"))


def _end(step: Step) -> datetime:
    """Raises ValueError for a step that is under way, which nobody asks for."""
    if step.finished is None:
        raise ValueError(step.pk)
    return step.finished


def _seconds(step: Step) -> float:
    return (_end(step) - (step.started or step.workflow.created)).total_seconds()
