"""What stands outside: the simulator, or a provider whose behavior a test writes down."""

from collections import defaultdict
from typing import Any

import pytest

from providers import gateway
from providers.adapters.sandbox import SandboxAdapter
from tests.factories import rich_dora
from tests.pipeline import STILL, start
from tests.s3 import bucket, s3_server
from tests.simulator import simulator, simulator_server
from workflows import pipeline

__all__ = ["bucket", "mishaps", "outside", "s3_server", "simulator", "simulator_server"]


class Mishaps(SandboxAdapter):
    """Raises, or calls, what a test has put in line for an operation; otherwise it is the sandbox. Counts calls."""

    def __init__(self) -> None:
        self.line: dict[str, list[Any]] = defaultdict(list)
        self.calls: dict[str, int] = defaultdict(int)

    def put(self, operation: str, *mishaps: Any) -> None:
        """The next calls of this operation meet these, in order."""
        self.line[operation].extend(mishaps)

    def _meet(self, operation: str) -> None:
        self.calls[operation] += 1
        if self.line[operation]:
            mishap = self.line[operation].pop(0)
            if isinstance(mishap, Exception):
                raise mishap
            mishap()

    def submit(self, request, **key):
        self._meet("submit")
        job = super().submit(request, **key)
        self._meet("answer to submit")
        return job

    def fetch(self, job, **key):
        self._meet("fetch")
        return super().fetch(job, **key)

    def cancel(self, job, **key):
        self._meet("cancel")
        super().cancel(job, **key)

    def find(self, reference, **key):
        self._meet("find")
        return super().find(reference, **key)

    def download(self, output, **key):
        self._meet("download")
        return super().download(output, **key)


@pytest.fixture
def mishaps(monkeypatch):
    adapter = Mishaps()
    monkeypatch.setitem(gateway.ADAPTERS, "sandbox", adapter)
    return adapter


@pytest.fixture
def outside(transactional_db, simulator, settings):
    """Every provider at the simulator, and as much money as it takes."""
    settings.PROVIDER_URLS = simulator.urls
    settings.PROVIDER_MODE = "simulated"
    settings.MAX_TEST_CREDITS_PER_RUN = 10**6
    return simulator


@pytest.fixture
def dora(transactional_db):
    """Somebody rich, whose rows are really committed, so that other processes see them."""
    return rich_dora()


@pytest.fixture
def rendering(alice):
    """A run of alice's whose picture is being made, held at 2 credits."""
    workflow = start(alice, "image-only", "a fox", **STILL)
    pipeline.advance(workflow.pk)
    return workflow
