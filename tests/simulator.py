"""The simulator in a process of its own, for tests that talk HTTP.

A conftest takes both fixtures: `from tests.simulator import simulator, simulator_server`.
"""

import base64
import dataclasses
import functools
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

PROJECT = Path(__file__).resolve().parent.parent
KEYS = {
    "openai": "sk-simulated-0123456789abcdef",
    "fal": "11111111-2222-3333-4444-555555555555:0123456789abcdef",
    "google": "AIzaSimulated0123456789abcdefghijklmnop",
    "runway": "key_" + "0123456789abcdef" * 8,
}


@dataclasses.dataclass
class Simulator:
    """A running simulator: where it is, and its control."""

    base: str
    process: "subprocess.Popen[str]"

    @property
    def urls(self) -> dict[str, str]:
        """What settings.PROVIDER_URLS has to be."""
        places = {"openai": "openai/v1", "fal_queue": "fal-queue", "fal_rest": "fal-rest", "google": "google"}
        places |= {"vertex": "vertex", "runway": "runway"}
        return {name: f"{self.base}/{path}" for name, path in places.items()}

    def headers(self, provider: str) -> dict[str, str]:
        """What a good request to this provider carries."""
        key = KEYS.get(provider, "")
        return {
            "openai": {"Authorization": f"Bearer {key}"},
            "fal": {"Authorization": f"Key {key}"},
            "google": {"x-goog-api-key": key},
            "vertex": {"Authorization": "Bearer ya29.simulated-abc-tester"},
            "runway": {"Authorization": f"Bearer {key}", "X-Runway-Version": "2024-11-06"},
        }[provider]

    def service_account(self) -> str:
        """A service account's JSON whose tokens come from here."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "vidgenie-test",
                "private_key_id": "1",
                "private_key": _private_key(),
                "client_email": "tester@vidgenie-test.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": f"{self.base}/vertex/token",
            }
        )

    def control(self, name: str, given: Any = None, **query: str) -> Any:
        """GET /_control/{name}, or PUT when something is given."""
        method = "GET" if given is None else "PUT"
        answer = requests.request(method, f"{self.base}/_control/{name}", json=given, params=query, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def ask(self, provider: str, method: str, path: str, json: Any = None, **more: Any) -> requests.Response:
        """One good request to a provider; `path` may be a whole address."""
        url = path if path.startswith("http") else f"{self.base}{path}"
        more.setdefault("headers", self.headers(provider))
        return requests.request(method, url, json=json, timeout=30, allow_redirects=False, **more)

    def reset(self, *, speed: float = 0) -> None:
        """A simulator as new."""
        self.control("reset", {})
        self.control("clock", {"speed": speed})
        self.control("concurrency", {"fal": 2, "runway": 5})

    def books(self, provider: str = "") -> Any:
        """What was accepted and billed."""
        return self.control("books", provider=provider)

    def faults(self, *script: dict[str, Any], rates: dict[str, float] | None = None, seed: int = 1) -> None:
        """From now on meet these faults; none when nothing is given."""
        self.control("faults", {"script": list(script), "rates": rates or {}, "seed": seed})

    def advance(self, seconds: float) -> None:
        """Let time go by at the providers."""
        self.control("clock", {"advance": seconds})


@pytest.fixture(scope="session")
def simulator_server() -> Iterator[Simulator]:
    """The process, for as long as the tests run."""
    command = [sys.executable, str(PROJECT / "manage.py"), "simulate_providers", "--port", "0", "--speed", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found, "the simulator did not say where it listens"
        simulator = Simulator(found[0], process)
        _wait(simulator)
        yield simulator
        process.terminate()


def _wait(simulator: Simulator) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            simulator.control("state")
            return
        except requests.ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.fixture
def simulator(simulator_server: Simulator) -> Iterator[Simulator]:
    """The simulator, emptied: no jobs, no faults, everything at once."""
    simulator_server.reset()
    yield simulator_server
    assert simulator_server.control("state")["mistakes"] == []


@functools.cache
def _private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def picture(width: int = 640, height: int = 360) -> str:
    """A PNG in base64."""
    target = io.BytesIO()
    Image.new("RGB", (width, height), (40, 80, 120)).save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()
