"""How long a video takes, measured as a user of the API meets it; printed with its method, never asserted."""

import os
import statistics
import time
import timeit
import uuid
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.test import Client

from credits import ledger
from providers import crypto
from vidgenie.management.commands.run import worker
from vidgenie.management.own_database import own_database
from vidgenie.processes import Program, stop_together
from workflows.models import Workflow

REQUEST = {"type": "complete", "prompt": "a fox crossing a frozen lake at dawn", "options": {"seed": 7}}
LOOK = 0.05  # seconds between two looks at the status
BAR = 15  # seconds; the aim is 6
METHOD = (
    "POST /api/workflow/execute for a 5 s 720p video of the sandbox until its status is succeeded, one run after\n"
    "another, worker and PostgreSQL on this machine, status asked every {look} s, the first run left out."
)


class Command(BaseCommand):
    help = "Times complete sandbox runs from POST to succeeded, with a worker of its own; or the sealing of keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--runs", type=int, default=5, help="measured runs; default: 5")
        parser.add_argument("--suite", choices=["runs", "encryption"], default="runs", help="what is measured")

    def handle(self, *, runs: int, suite: str, **options: Any) -> None:
        if suite == "encryption":
            self.stdout.write(encryption())
            return
        with own_database():
            program = Program("worker", worker())
            program.start()
            try:
                taken = [self._measure(number) for number in range(runs + 1)][1:]
            finally:
                stop_together([program])
            self._report(taken)

    def _measure(self, number: int) -> float:
        client, start = _client(), time.perf_counter()
        answer = client.post("/api/workflow/execute", REQUEST, content_type="application/json")
        if answer.status_code != 202:
            raise CommandError(f"execute answered {answer.status_code}: {answer.content.decode()}")
        status_url = answer["Location"]
        while (status := client.get(status_url).json()["status"]) in ("pending", "running"):
            time.sleep(LOOK)
        if status != "succeeded":
            raise CommandError(f"the run ended as {status}")
        taken = time.perf_counter() - start
        self.stderr.write(f"run {number}: {taken:.2f} s{'' if number else ' (warm-up)'}")
        return taken

    def _report(self, taken: list[float]) -> None:
        last = Workflow.objects.filter(user__username="benchmark").order_by("-created")[0]
        for step in last.steps.all():
            if step.finished and step.started:
                self.stdout.write(
                    f"  {step.stage:8} {(step.finished - step.started).total_seconds():6.2f} s (last run)"
                )
        self.stdout.write(METHOD.format(look=LOOK))
        median = statistics.median(taken)
        self.stdout.write(
            f"{len(taken)} runs on {os.cpu_count()} cores: median {median:.2f} s, "
            f"min {min(taken):.2f}, max {max(taken):.2f}; bar {BAR} s: {'met' if max(taken) < BAR else 'MISSED'}"
        )


def encryption() -> str:
    """What sealing and opening a provider key cost, with a ring of one key and with five."""
    place: dict[str, Any] = {"provider": "openai", "owner": 1, "row": uuid.uuid4()}
    entries = [crypto.new_key() for _ in range(5)]
    one, five = crypto.Ring.parse(entries[-1]), crypto.Ring.parse(",".join(entries))
    plain = "sk-" + "x" * 160
    sealed = one.seal(plain, **place)
    acts = {
        "seal": lambda: one.seal(plain, **place),
        "open, ring of 1": lambda: one.open(sealed, **place),
        "open, ring of 5 (the last opens)": lambda: five.open(sealed, **place),
    }
    lines = [f"{name:33} {_microseconds(act):6.1f} µs" for name, act in acts.items()]
    return "\n".join(
        [*lines, f"A key of {len(plain)} characters; the median of 50 rounds of 200. Bar for opening: 50 µs."]
    )


def _microseconds(act: Callable[[], object]) -> float:
    rounds = [timeit.timeit(act, number=200) / 200 for _ in range(50)]
    return statistics.median(rounds) * 1e6


def _client() -> Client:
    user, _created = User.objects.get_or_create(username="benchmark")
    if ledger.balance(user).available < 100:
        ledger.grant(user, 1000, key=f"benchmark:{time.time_ns()}", reason="benchmark")
    client = Client(SERVER_NAME=settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "localhost")
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client
