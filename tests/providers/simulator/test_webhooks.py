"""fal's webhooks, verified as fal's documentation says."""

import base64
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.providers.simulator.talk import body
from tests.simulator import Simulator


@dataclass
class Receiver:
    """A web server that notes what it is sent, and answers with these statuses in turn, then 200."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def wait(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        end = time.monotonic() + 15
        while len(self.got) < count and time.monotonic() < end:
            time.sleep(0.01)
        return self.got


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, content))
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}/hooks/our-token"
        yield found
        server.shutdown()


def submit(simulator: Simulator, receiver: Receiver, prompt: str) -> dict[str, Any]:
    path = f"/fal-queue/fal-ai/pika/v2.2/image-to-video?fal_webhook={receiver.url}"
    job: dict[str, Any] = simulator.ask("fal", "POST", path, body("fal", prompt)).json()
    return job


def verified(simulator: Simulator, headers: dict[str, str], content: bytes) -> bool:
    """By the rules of fal's page on webhooks."""
    if abs(time.time() - int(headers["x-fal-webhook-timestamp"])) > 300:
        return False
    names = ("request-id", "user-id", "timestamp")
    parts = [headers[f"x-fal-webhook-{name}"] for name in names] + [hashlib.sha256(content).hexdigest()]
    keys = simulator.ask("fal", "GET", "/fal-rest/.well-known/jwks.json").json()["keys"]
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(keys[0]["x"] + "="))
    try:
        key.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), "\n".join(parts).encode())
    except InvalidSignature:
        return False
    return True


def test_a_webhook_tells_of_the_end(simulator: Simulator, receiver: Receiver) -> None:
    job = submit(simulator, receiver, "a fox")
    (headers, content), *_ = receiver.wait(1)
    assert verified(simulator, headers, content)
    message = json.loads(content)
    assert (message["request_id"], message["status"]) == (job["request_id"], "OK")
    assert message["payload"]["video"]["url"].endswith("out.mp4")
    assert simulator.books("fal")["entries"][0]["reference"] == "our-token"


def test_a_webhook_tells_of_a_failure(simulator: Simulator, receiver: Receiver) -> None:
    submit(simulator, receiver, "a fox #sim:moderation_output")
    message = json.loads(receiver.wait(1)[0][1])
    assert (message["status"], message["error"]) == ("ERROR", "Invalid status code: 422")
    assert message["payload"]["detail"][0]["type"] == "content_policy_violation"


def test_a_webhook_finds_a_submit_that_was_lost(simulator: Simulator, receiver: Receiver) -> None:
    import requests

    with pytest.raises(requests.ConnectionError):
        submit(simulator, receiver, "a fox #sim:reset_after")
    assert json.loads(receiver.wait(1)[0][1])["status"] == "OK"


def test_a_webhook_is_sent_again_until_it_is_taken(simulator: Simulator, receiver: Receiver) -> None:
    receiver.statuses = [500, 503]
    submit(simulator, receiver, "a fox")
    assert len({content for _, content in receiver.wait(3)}) >= 1
    assert len(receiver.got) == 3


@pytest.mark.parametrize(
    ("fault", "good"), [("webhook_twice", 2), ("webhook_forged", 1), ("webhook_stale", 1), ("webhook_early", 2)]
)
def test_webhooks_come_twice_forged_stale_and_early(
    simulator: Simulator, receiver: Receiver, fault: str, good: int
) -> None:
    submit(simulator, receiver, f"a fox #sim:{fault}")
    found = receiver.wait(2)
    assert len(found) == 2
    assert sum(verified(simulator, *one) for one in found) == good


def test_no_webhook_is_sent_of_a_job_that_was_canceled(simulator: Simulator, receiver: Receiver) -> None:
    simulator.control("clock", {"speed": 1})
    job = submit(simulator, receiver, "a fox")
    simulator.ask("fal", "PUT", job["cancel_url"])
    simulator.advance(120)
    time.sleep(0.3)
    assert receiver.got == []
