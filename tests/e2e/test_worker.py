"""The real worker, in processes of its own, killed without warning and started again."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings
from django.db import connection
from django_q.models import OrmQ

from credits import ledger
from credits.ledger import Balance
from credits.models import Entry
from providers.models import SandboxJob
from tests.factories import UserFactory
from workflows import pipeline
from workflows.models import Asset, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 150  # seconds; generous, since only the end matters and not how soon it comes


@pytest.fixture
def dora():
    """Somebody whose rows are really committed, so that other processes see them."""
    return UserFactory(username="dora")


@contextmanager
def worker(tmp_path: Path) -> Iterator[psutil.Popen]:
    """`manage.py worker` on the test's database and files; whatever is left of it is killed at the end."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = os.environ | {"DATABASE_URL": url, "MEDIA_ROOT": str(tmp_path)}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"]
    process = psutil.Popen(command, env=environment, start_new_session=True)
    try:
        yield process
        assert process.poll() in (None, 0, -signal.SIGKILL), "the worker ended by itself"
    finally:
        kill(process)


def kill(process: psutil.Popen) -> None:
    """SIGKILL to the worker and everything under it, in no order."""
    if process.is_running():
        family = [process, *process.children(recursive=True)]
        for member in family:
            member.kill()
        psutil.wait_procs(family)
        process.wait()


def wait_until(happened: Callable[[], bool]) -> None:
    """Look until it happened; the deadline is only there for runs in which it never would."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def is_finished(workflow: Workflow) -> bool:
    workflow.refresh_from_db()
    return workflow.is_finished


def test_a_worker_killed_in_the_middle_of_a_render_loses_nothing_and_takes_the_money_once(dora, tmp_path):
    quote = pipeline.quote("complete", "a fox in the snow", {"resolution": "480p", "duration_seconds": 4})
    workflow = pipeline.start(dora, quote)
    with worker(tmp_path) as first:
        wait_until(lambda: SandboxJob.objects.filter(kind="video", status="running").exists())
        kill(first)
    with worker(tmp_path):
        wait_until(lambda: is_finished(workflow))
    assert (workflow.status, SandboxJob.objects.count(), Asset.objects.count()) == ("succeeded", 2, 2)
    assert ledger.balance(dora) == Balance(300 - quote.credits, 0)
    assert Entry.objects.filter(kind="settle").count() == 1


def test_a_worker_stops_cleanly_when_told_to(dora, tmp_path):
    with worker(tmp_path) as process:
        wait_until(lambda: len(process.children(recursive=True)) >= 6)
        family = process.children(recursive=True)
        process.terminate()
        process.wait(PATIENCE)
        assert not [member for member in family if member.is_running() and member.status() != "zombie"]


def test_a_message_in_the_queue_carries_nothing_but_an_id(dora):
    workflow = pipeline.start(dora, pipeline.quote("image-only", "a fox", {"resolution": "480p"}))
    message = OrmQ.objects.get().task
    assert (message["func"], message["args"]) == ("workflows.pipeline.advance", (str(workflow.pk),))
