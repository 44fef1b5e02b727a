"""fal's webhooks: signed with Ed25519, sent when a job is done, and the ways in which they go wrong."""

import asyncio
import base64
import hashlib
import heapq
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .clock import Clock
from .jobs import Job

TIMEOUT = 15.0  # seconds a receiver has
TRIES = 4
_AGAIN = 2.0  # seconds before the second try, doubled each time
_LATE = 30.0  # seconds
_USER = "user_simulated"


Payload = Callable[[], tuple[int, Any]]  # status and body of a job's result


@dataclass
class Message:
    """A webhook that is due."""

    job: Job
    payload: Payload
    fault: str = ""
    tries: int = 0


class Webhooks:
    """One heap of what is due and one task that looks at it; sending happens in a few threads."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[dict[str, Any]] = []
        self._key = Ed25519PrivateKey.generate()
        self._forger = Ed25519PrivateKey.generate()
        self._due: list[tuple[float, int, Message]] = []
        self._count = itertools.count()
        self._task: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(4, "webhook")

    def jwks(self) -> dict[str, Any]:
        """The public key as fal publishes it."""
        raw = self._key.public_key().public_bytes_raw()
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")}]}

    def plan(self, job: Job, payload: Payload) -> None:
        """Send what will be sent of a job, at the end of it."""
        end, faults = job.end, job.faults
        if not {"never_ends", "stays_queued"} & faults.keys() and "webhook_missing" not in faults:
            late = self.clock.scaled(_LATE) if "webhook_late" in faults else 0.0
            self._push(end + late, Message(job, payload))
        for fault in ("webhook_twice", "webhook_early", "webhook_forged", "webhook_stale", "webhook_other"):
            if fault in faults:
                when = job.accepted if fault == "webhook_early" else end
                self._push(when, Message(job, payload, fault))

    def clear(self) -> None:
        """Forget what was to be sent."""
        self._due.clear()
        self.sent.clear()

    def _push(self, when: float, message: Message) -> None:
        heapq.heappush(self._due, (when, next(self._count), message))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._due:
            when, _, message = self._due[0]
            if (wait := when - self.clock.now()) > 0:
                await asyncio.sleep(min(wait, 0.05))  # the clock may be moved, the heap may get an earlier one
                continue
            heapq.heappop(self._due)
            if message.job.canceled is None:
                deliver = asyncio.create_task(self._deliver(message))
                self._running.add(deliver)
                deliver.add_done_callback(self._running.discard)

    async def _deliver(self, message: Message) -> None:
        body = self._body(message)
        headers = self._headers(message, body)
        url = message.job.notes["hook"]
        status = await asyncio.get_running_loop().run_in_executor(self._threads, _post, url, body, headers)
        message.tries += 1
        self.sent.append({"job": message.job.id, "fault": message.fault, "status": status, "try": message.tries})
        # A redirect is a failure for good, as is an answer to a message that was wrong on purpose.
        if not 200 <= status < 400 and message.tries < TRIES and not message.fault:
            self._push(self.clock.now() + self.clock.scaled(_AGAIN * 2**message.tries), message)

    def _body(self, message: Message) -> bytes:
        job = message.job
        early = message.fault == "webhook_early"
        code, payload = (200, None) if early else message.payload()
        found: dict[str, Any] = {"request_id": job.id, "gateway_request_id": job.notes["gateway"], "payload": payload}
        if message.fault == "webhook_other":
            found["request_id"] = f"{job.id[:-4]}ffff"
        found |= {"status": "OK", "error": None}
        if code != 200:
            found |= {"status": "ERROR", "error": f"Invalid status code: {code}"}
        return json.dumps(found).encode()

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        ago = 600 if message.fault == "webhook_stale" else 0
        moment = str(int(self.clock.now()) - ago)
        key = self._forger if message.fault == "webhook_forged" else self._key
        named = json.loads(body)["request_id"]
        text = "\n".join((named, _USER, moment, hashlib.sha256(body).hexdigest()))
        return {
            "content-type": "application/json",
            "x-fal-webhook-request-id": named,
            "x-fal-webhook-user-id": _USER,
            "x-fal-webhook-timestamp": moment,
            "x-fal-webhook-signature": key.sign(text.encode()).hex(),
        }


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """The receiver's status, 0 when there was none."""
    try:
        return requests.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False).status_code
    except requests.RequestException:
        return 0
