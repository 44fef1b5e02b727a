"""What our own code costs per submit and fetch, with the network taken out: a transport that has all answers ready."""

import base64
import io
import json
import os
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import requests
import urllib3
from django.db import transaction
from django.test import override_settings

from providers import wire
from providers.adapters import ADAPTERS, vertex
from providers.base import JobRef, JobRequest, Kind, Picture

BAR = 3.0  # ms of CPU
ROUNDS, CALLS, WARM_UP = 5, 20, 5
SMALL, LARGE = os.urandom(1_000), os.urandom(1_001_000)  # pictures; their difference is a megabyte
METHOD = (
    f"CPU time of this process for one call of an adapter, all its requests together: the median of {CALLS} in the "
    f"quietest of the rounds after {WARM_UP} calls to warm up, with a picture of a kilobyte; and what a megabyte "
    "more of it takes (base64, JSON). A row for each request is in it; connecting, TLS, sockets, PostgreSQL are not."
)
OPTIONS = {"aspect_ratio": "16:9", "resolution": "720p", "duration_seconds": 6, "instructions": "Describe the shot."}
_OPERATION = "projects/simulated/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001/operations/1"
_TASK = {"id": "1", "createdAt": "2026-11-22T10:00:00Z", "status": "RUNNING", "progress": 0.5}
HEADERS = {"Content-Type": "application/json", "x-request-id": "1"}
# What the providers answer, by the end of the path.
ANSWERS: tuple[tuple[str, Any], ...] = (
    (
        "/chat/completions",
        {"id": "1", "choices": [{"finish_reason": "stop", "message": {"content": "A fox in snow."}}]},
    ),
    ("/storage/auth/token", {"token": "t", "token_type": "Bearer", "base_url": "https://v3.fal.media"}),
    ("/files/upload", {"access_url": "https://v3.fal.media/files/a/still.jpg"}),
    ("/status", {"status": "IN_PROGRESS", "request_id": "1", "logs": []}),
    ("/image-to-video", {"status": "IN_QUEUE", "request_id": "1", "queue_position": 1}),
    ("/interactions(/1)?", {"id": "1", "status": "in_progress"}),
    ("/token", {"access_token": "t", "expires_in": 3599, "token_type": "Bearer"}),
    (":(predictLongRunning|fetchPredictOperation)", {"name": _OPERATION}),
    ("/image_to_video", {"id": "1", "estimatedCost": {"credits": 25.0}}),
    ("/tasks/1", _TASK),
)


@dataclass(frozen=True)
class Case:
    """One operation of an adapter."""

    provider: str
    what: str
    model: str
    kind: Kind = Kind.VIDEO


CASES = (
    Case("openai", "submit", "gpt-6-luna", Kind.TEXT),
    Case("openai", "submit", "gpt-image-2.5-flare", Kind.IMAGE),
    *(
        Case(provider, what, model)
        for provider, model in {
            "fal": "fal-ai/kling-video/v2.5-turbo/pro/image-to-video",
            "pika": "fal-ai/pika/v2.2/image-to-video",
            "google": "gemini-omni-1.2-flash",
            "vertex": "veo-3.1-fast-generate-001",
            "runway": "gen4_turbo",
        }.items()
        for what in ("submit", "fetch")
    ),
)


@dataclass(frozen=True)
class Measured:
    """What a case took: milliseconds of CPU in each round, with a small picture and with a large one."""

    case: Case
    small: list[float]
    large: list[float]
    requests: int

    @property
    def megabyte(self) -> float:
        """Milliseconds that a megabyte more of picture takes."""
        return max(0.0, min(self.large) - min(self.small))


def measured(rounds: int = ROUNDS) -> Iterator[Measured]:
    """Measure, case by case."""
    with override_settings(OPENAI_MODERATION=False):
        for case in CASES:
            small, requests_made = _rounds(case, SMALL, rounds)
            yield Measured(case, small, _rounds(case, LARGE, rounds)[0], requests_made)


def _rounds(case: Case, picture: bytes, rounds: int) -> tuple[list[float], int]:
    """Milliseconds of CPU in each round, and how many requests one call makes."""
    act = _act(case, picture)
    with _canned(picture) as asked:
        for _ in range(WARM_UP):
            act()
        found = [statistics.median(_cpu(act) for _ in range(CALLS)) for _ in range(rounds)]
    return found, len(asked) // (WARM_UP + rounds * CALLS)


def _act(case: Case, picture: bytes) -> Callable[[], object]:
    adapter = ADAPTERS[case.provider]
    key = adapter.sample_key()
    if case.what == "fetch":
        job = JobRef("1", case.model, {"operation": _OPERATION} if case.provider == "vertex" else {})
        return lambda: adapter.fetch(job, token=key)
    image = Picture(picture, "image/jpeg") if case.kind is Kind.VIDEO else None
    request = JobRequest(case.kind, case.model, "a red fox in snow", OPTIONS, "benchmark", image)
    return lambda: adapter.submit(request, token=key)


def _cpu(act: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.process_time()
    act()
    return (time.process_time() - start) * 1000


@contextmanager
def _canned(picture: bytes) -> Iterator[list[str]]:
    """Answer every request from the table; the addresses that were asked for. Nothing stays behind."""
    asked: list[str] = []
    image = ("/images/generations", {"data": [{"b64_json": base64.b64encode(picture).decode()}]})
    encoded = [(end, json.dumps(answer).encode()) for end, answer in (image, *ANSWERS)]

    def send(line: wire.Line, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        path = (request.url or "").partition("?")[0]
        asked.append(path)
        answer = next(answer for end, answer in encoded if re.search(f"{end}$", path))
        raw = urllib3.HTTPResponse(io.BytesIO(answer), HEADERS, status=200, preload_content=False)
        return line.build_response(request, raw)

    tokens = mock.patch.dict(vertex._TOKENS, clear=True)  # what is granted here is good nowhere else
    with mock.patch.object(wire.Line, "send", send), tokens, transaction.atomic():
        yield asked
        transaction.set_rollback(True)
