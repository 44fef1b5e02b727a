"""The real worker, in processes of its own: killed without warning, paralyzed, told to stop in the middle of a call.

How soon anything happens is nobody's business here, except that it happens: every deadline is generous.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from pydoc import locate
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django_q.models import OrmQ, Schedule

from credits import ledger
from credits.ledger import Balance
from credits.models import Entry
from providers.models import SandboxJob
from tests.factories import UserFactory
from tests.simulator import picture
from vidgenie.processes import ECHO
from workflows import models, pipeline
from workflows.models import Asset, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 240  # seconds; generous, since only the end matters and not how soon it comes


@pytest.fixture
def dora():
    """Somebody whose rows are really committed, so that other processes see them."""
    return UserFactory(username="dora")


class Worker(psutil.Popen):
    """`manage.py worker` on the test's database and files, and what it says."""

    def __init__(self, tmp_path: Path, *arguments: str, **more: str) -> None:
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
        environment = os.environ | {"DATABASE_URL": url, "MEDIA_ROOT": str(tmp_path)} | more
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker", *arguments]
        self.log = tmp_path / f"worker-{time.monotonic_ns()}.log"
        with self.log.open("w") as log:
            super().__init__(command, env=environment, start_new_session=True, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        """All that it and its parts have said so far."""
        return self.log.read_text()

    def part(self, name: str) -> psutil.Process:
        """The process of a part, the first of its family."""
        return next(child for child in self.children() if child.cmdline()[-1] == name)

    def awaits(self, happened: Callable[[], object]) -> None:
        """Look until it happened; the deadline is only there for runs in which it never would."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert self.poll() is None, f"the worker ended with {self.poll()}:\n{self.said}"
            assert time.monotonic() < deadline, f"it did not happen:\n{self.said}"
            time.sleep(0.05)


@contextmanager
def worker(tmp_path: Path, *arguments: str, **more: str) -> Iterator[Worker]:
    """A worker; whatever is left of it is killed at the end."""
    process = Worker(tmp_path, *arguments, **more)
    try:
        yield process
    finally:
        kill(process)


def kill(process: psutil.Process) -> None:
    """SIGKILL to a process and everything under it, in no order."""
    if process.is_running():
        family = [process, *process.children(recursive=True)]
        for member in family:
            member.kill()
        psutil.wait_procs(family)


def is_gone(process: psutil.Process) -> bool:
    """Whether it does nothing any more; a zombie, which nobody has waited for, does not."""
    return not process.is_running() or process.status() == "zombie"


def is_finished(workflow: Workflow) -> bool:
    workflow.refresh_from_db()
    return workflow.is_finished


def image(user: User, **options: str) -> Workflow:
    """A run of one call, and of one render, which is short."""
    return pipeline.start(
        user, pipeline.quote("image-only", "a fox", {"resolution": "720p", "enhance": False} | options, user=user)
    )


def pids(part: str) -> list[int]:
    return list(models.Worker.objects.filter(part=part).order_by("started").values_list("pid", flat=True))


# --- Killed ------------------------------------------------------------------------------------------------


def test_a_worker_killed_in_the_middle_of_a_render_loses_nothing_and_takes_the_money_once(dora, tmp_path):
    quote = pipeline.quote("complete", "a fox in the snow", {"resolution": "480p", "duration_seconds": 4})
    workflow = pipeline.start(dora, quote)
    with worker(tmp_path) as first:
        first.awaits(lambda: SandboxJob.objects.filter(kind="video", status="running").exists())
        kill(first)
    with worker(tmp_path) as second:
        second.awaits(lambda: is_finished(workflow))
    assert (workflow.status, SandboxJob.objects.count(), Asset.objects.count()) == ("succeeded", 2, 2)
    assert ledger.balance(dora) == Balance(300 - quote.credits, 0)
    assert Entry.objects.filter(kind="settle").count() == 1


def test_a_queue_whose_parent_is_killed_leaves_no_orphans_and_comes_back(dora, tmp_path):
    with worker(tmp_path, "--only", "queue") as process:
        process.awaits(lambda: len(process.children(recursive=True)) == 6 and len(pids("queue")) == 2)
        parent = process.part("queue")
        family = parent.children(recursive=True)
        parent.kill()
        process.awaits(lambda: all(map(is_gone, family)))
        image(dora)
        process.awaits(lambda: SandboxJob.objects.count() == 1)
        assert "The queue ended by itself (SIGKILL). Starting it again." in process.said


# --- Alive, and paralyzed ----------------------------------------------------------------------------------


def test_what_lives_and_gets_nothing_done_is_started_anew(dora, tmp_path):
    """An idle process of the queue takes the queue's lock with it when it dies; the clock is stopped in its tracks."""
    with worker(tmp_path, "--only", "queue", "--only", "clock", WORKER_PATIENCE_SECONDS="12") as process:
        process.awaits(lambda: len(pids("queue")) == 2 and process.part("clock").pid in pids("clock"))
        queue, clock = process.part("queue"), process.part("clock")
        for pid in pids("queue"):
            os.kill(pid, signal.SIGKILL)
        clock.suspend()
        image(dora)
        process.awaits(lambda: is_gone(queue) and is_gone(clock))
        process.awaits(lambda: SandboxJob.objects.count() == 1 and not OrmQ.objects.exists())
        assert "The queue lives and gets nothing done: messages wait, and none has come round for" in process.said
        assert "The clock lives and gets nothing done: no sign of life for" in process.said


# --- One driver alone --------------------------------------------------------------------------------------


def test_the_clock_alone_finishes_a_run(dora, tmp_path):
    workflow = image(dora)
    with worker(tmp_path, "--only", "clock", "--only", "renderer") as process:
        process.awaits(lambda: is_finished(workflow))
        assert (workflow.status, pids("queue"), OrmQ.objects.count()) == ("succeeded", [], 1)


def test_the_queue_alone_finishes_a_run(dora, tmp_path):
    workflow = image(dora)
    with worker(tmp_path, "--only", "queue", "--only", "renderer") as process:
        process.awaits(lambda: SandboxJob.objects.filter(status="succeeded").exists())
        schedule = Schedule.objects.get(name="advance what is due")
        process.awaits(lambda: is_finished(workflow) or (locate(schedule.func)() and False))
        assert (workflow.status, pids("clock")) == ("succeeded", [])


# --- Told to stop ------------------------------------------------------------------------------------------


def test_a_worker_stops_cleanly_when_told_to(dora, tmp_path):
    with worker(tmp_path) as process:
        process.awaits(lambda: len(process.children(recursive=True)) == 9)
        family = process.children(recursive=True)
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert all(map(is_gone, family))
        assert models.Worker.objects.count() == 0


class SlowOpenAI(HTTPServer):
    """Answers a paid call when it is told to, and counts them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Paid)
        self.asked: list[str] = []
        self.may_answer = threading.Event()

    @property
    def environment(self) -> dict[str, str]:
        """What sends a worker here."""
        url = f"http://127.0.0.1:{self.server_port}/v1"
        return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-simulated-0123456789", "OPENAI_MODERATION": "false"} | {
            "VIDGENIE_PROVIDER_MODE": "real", "MAX_TEST_CREDITS_PER_RUN": "1000",
        }  # fmt: skip


class _Paid(BaseHTTPRequestHandler):
    server: SlowOpenAI

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        self.server.may_answer.wait(PATIENCE)
        body = json.dumps({"created": 1, "data": [{"b64_json": picture()}]}).encode()
        with suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def openai(settings):
    server = SlowOpenAI()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.PROVIDER_KEYS = {"openai": "sk-simulated-0123456789"}
    yield server
    server.may_answer.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("part", ["clock", "queue"])
def test_a_paid_call_in_hand_is_waited_for_even_when_everybody_is_told_to_stop_at_once(dora, tmp_path, openai, part):
    """As systemd does it."""
    workflow = image(dora, image_model="openai/gpt-image-2")
    with worker(tmp_path, "--only", part, **openai.environment) as process:
        process.awaits(lambda: openai.asked)
        for member in [process, *process.children(recursive=True)]:
            member.terminate()
        process.awaits(lambda: "Waiting for openai, which has been asked for something that costs" in process.said)
        openai.may_answer.set()
        assert process.wait(PATIENCE) == 0
    attempt = models.Attempt.objects.get(step__workflow=workflow)
    assert openai.asked == ["/v1/images/generations"]
    assert (attempt.submitted is not None, attempt.unanswered, attempt.worker) == (True, 0, None)


def test_told_twice_it_waits_for_nothing(dora, tmp_path, openai):
    image(dora, image_model="openai/gpt-image-2")
    with worker(tmp_path, "--only", "clock", **openai.environment) as process:
        process.awaits(lambda: openai.asked)
        clock = process.part("clock")
        process.terminate()
        process.awaits(lambda: "once more" in process.said)
        time.sleep(ECHO + 0.5)
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert is_gone(clock)
    attempt = models.Attempt.objects.get()
    assert (openai.asked, attempt.phase, attempt.unanswered) == (["/v1/images/generations"], "submitting", 1)


# --- The queue's settings ----------------------------------------------------------------------------------


def test_a_worker_refuses_to_start_a_queue_that_would_kill_paid_calls(settings):
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"timeout": 60}
    with pytest.raises(SystemCheckError, match="Q_CLUSTER has a timeout of 60 s, and a task may take 720 s"):
        call_command("worker")


def test_a_message_in_the_queue_carries_nothing_but_the_name_of_what_to_do(dora):
    pipeline.start(dora, pipeline.quote("image-only", "a fox", {"resolution": "480p"}))
    message = OrmQ.objects.get().task
    assert (message["func"], message["args"], message["kwargs"]) == ("workflows.tasks.advance_next", (), {})
