"""What must be so of our own settings before VidGenie starts; the worker, which starts without Django's checks, asks
`require_a_sound_queue`.
"""

import math
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.management.base import SystemCheckError

from providers import storage
from providers.adapters import ADAPTERS
from workflows.tasks import TAKING_ON

SPARE = 30  # seconds


def register() -> None:
    """Have Django ask these with its own; once, when the app is ready."""
    checks.register(the_queue_lets_calls_finish)
    checks.register(the_bucket_is_there_and_private, deploy=True)


def the_queue_lets_calls_finish(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """No task is killed in the middle of a call, and none is given to a second worker while the first still runs it."""
    queue: dict[str, Any] = settings.Q_CLUSTER
    return [*_timeout(queue["timeout"]), *_retry(queue), *_attempts(queue)]


def longest_task() -> float:
    """Seconds: it takes on one call after the other for a while; the last may be the slowest there is, and its answer
    may then wait as long for a database that is away.
    """
    longest = max(max(one.longest_submit, one.longest_call, one.longest_download) for one in ADAPTERS.values())
    return TAKING_ON + 2 * longest + SPARE


def shortest_retry(queue: dict[str, Any]) -> float:
    """Seconds after which a message may be given to somebody else: all that was fetched before it may be slow, too."""
    rounds = 1 + math.ceil((queue["queue_limit"] + queue["bulk"]) / queue["workers"])
    return float(queue["timeout"] * rounds + SPARE)


def require_a_sound_queue() -> None:
    """Raise SystemCheckError when the queue's settings would kill calls that cost, or run tasks twice."""
    for found in the_queue_lets_calls_finish(None):
        raise SystemCheckError(f"{found.msg}\n{found.hint or ''}".strip())


def _timeout(timeout: float) -> list[CheckMessage]:
    if timeout >= longest_task():
        return []
    return [
        Error(
            f"Q_CLUSTER has a timeout of {timeout} s, and a task may take {longest_task():.0f} s.",
            hint="The queue would kill a call in the middle, be it one that costs money. Raise the timeout, and retry.",
            id="vidgenie.E001",
        )
    ]


def _retry(queue: dict[str, Any]) -> list[CheckMessage]:
    if queue["retry"] >= shortest_retry(queue):
        return []
    return [
        Error(
            f"Q_CLUSTER has a retry of {queue['retry']} s, a message may be in hand {shortest_retry(queue):.0f} s.",
            hint="retry >= timeout * (1 + ceil((queue_limit + bulk) / workers)) + 30, or tasks run twice.",
            id="vidgenie.E002",
        )
    ]


def _attempts(queue: dict[str, Any]) -> list[CheckMessage]:
    if queue["max_attempts"] == 1 and queue["ack_failures"]:
        return []
    return [
        Error(
            "Q_CLUSTER lets the queue try failed tasks again.",
            hint='Our own rows decide what is tried again: "max_attempts": 1 and "ack_failures": True.',
            id="vidgenie.E003",
        )
    ]


def the_bucket_is_there_and_private(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Whether the bucket, if there is one, is ours to use and nobody else's. Asked before deployments only."""
    try:
        rights = storage.open_to_strangers()
    except OSError as error:
        return [
            Error(
                f"Files cannot be kept: {error.strerror or type(error).__name__}.",
                hint="See S3_BUCKET and S3_ENDPOINT_URL, and docs/deploying.md for what its key must allow.",
                id="vidgenie.E010",
            )
        ]
    if not rights:
        return []
    return [
        Error(
            f"Anybody may {' and '.join(rights)} what is in the bucket, without a key.",
            hint="Block public access to it: it holds what users have uploaded and made.",
            id="vidgenie.E011",
        )
    ]
