"""PostgreSQL goes away at once, in the middle of everything, and comes back: nothing is lost, nothing is paid twice.

One short stop by default; `--soak` stops it for ten seconds in each phase of a run.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from tests.e2e import invariants, scenarios
from tests.factories import rich_dora
from tests.simulator import Simulator
from vidgenie.embedded import Server
from workflows import pipeline
from workflows.models import Attempt, Workflow
from workflows.states import TERMINAL

PATIENCE = 180  # seconds; generous, since only the end matters and not how soon it comes
Phase = Attempt.Phase
SLOWLY = {  # how each phase is made to last, so that the database can go in the middle of it
    Phase.SUBMITTING: "#sim:slow_body=8@fal.submit",
    Phase.FETCH: "#sim:slow",
    Phase.STORE: "#sim:slow_file=8",
}


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> None:
    """Asked for before anything is made ready."""
    if not request.config.getoption("--soak"):
        pytest.skip("long stops, one in each phase; the short one is always run. Run it with --soak")


@pytest.fixture
def database(django_db_blocker) -> Iterator[Server]:
    """A PostgreSQL of the test's own, with nothing left out that makes it durable, in place of everybody's."""
    place = Path(tempfile.mkdtemp(prefix="vg-"))
    place.chmod(0o755)
    server = Server.of(place)
    server.start()
    connection.close()
    before = dict(connection.settings_dict)
    with django_db_blocker.unblock():
        connection.settings_dict |= {"HOST": str(server.socket), "NAME": "vidgenie", "USER": "vidgenie", "PORT": "5432"}
        call_command("migrate", verbosity=0)
        yield server
        connection.close()
    connection.settings_dict |= before
    server.stop()
    shutil.rmtree(place)


@pytest.fixture
def providers(simulator: Simulator, settings) -> Simulator:
    """The simulator at a speed at which a render takes a few seconds."""
    settings.PROVIDER_URLS, settings.PROVIDER_MODE = simulator.urls, "simulated"
    simulator.control("clock", {"speed": 40})
    simulator.control("concurrency", {"fal": 0})
    return simulator


@pytest.fixture
def dora(database: Server) -> User:
    return rich_dora()


@contextmanager
def worker(database: Server, providers: Simulator) -> Iterator[psutil.Popen]:
    """`manage.py worker` on this database; whatever is left of it is killed at the end."""
    environment = os.environ | {
        "DATABASE_URL": database.url,
        "MEDIA_ROOT": str(project.MEDIA_ROOT),
        "VIDGENIE_PROVIDER_MODE": "simulated",
        "SIMULATOR_PORT": str(urlsplit(providers.base).port),
        "MAX_TEST_CREDITS_PER_RUN": "1000000",
        "FAL_CONCURRENCY": "0",
    }
    command = [sys.executable, str(project.BASE_DIR / "manage.py"), "worker"]
    process = psutil.Popen(command, env=environment, start_new_session=True)
    try:
        yield process
        assert process.poll() is None, "the worker ended by itself"
    finally:
        family = [process, *process.children(recursive=True)] if process.is_running() else []
        for member in family:
            member.kill()
        psutil.wait_procs(family)
        process.wait()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen; there is {phases()}"
        for job in Attempt.objects.filter(phase=Phase.FETCH).values_list("job_id", flat=True):
            pipeline.nudge("fal", job)  # as a webhook would; when to look without one is another matter
        time.sleep(0.2)


def phases() -> set[str]:
    """What is being done for the videos now."""
    return set(Attempt.objects.filter(step__stage="video", finished=None).values_list("phase", flat=True))


def all_ended() -> bool:
    return not Workflow.objects.exclude(status__in=TERMINAL).exists()


def stop_for(database: Server, seconds: float) -> None:
    """What a power cut does, and an operator after it."""
    connection.close()
    postmaster = psutil.Process(int((database.data / "postmaster.pid").read_text().split()[0]))
    postmaster.send_signal(signal.SIGQUIT)  # "immediate": nobody is asked, nothing is written down
    postmaster.wait(30)
    time.sleep(seconds)
    assert database.start(), "it was down"


def start(user: User, number: int, tags: str = "") -> None:
    scenarios.start(user, number, "complete", tags, enhance=False, **scenarios.VIDEOS["fal"])


def assert_nothing_lost(providers: Simulator, runs: int) -> None:
    wait_until(all_ended)
    assert Workflow.objects.count() == runs
    assert invariants.broken(providers.books()) == []
    ended = [(run.status, run.reason, run.prompt) for run in Workflow.objects.all()]
    assert [end for end in ended if end[:2] != ("succeeded", "")] == []


def test_runs_in_every_phase_outlive_a_database_that_stops(database, providers, dora):
    for number, tags in enumerate(SLOWLY.values()):
        start(dora, number, tags)
    with worker(database, providers):
        wait_until(lambda: phases() >= set(SLOWLY))
        for number in range(3, 6):
            start(dora, number)  # and some that are anywhere, settling for one
        time.sleep(0.5)
        stop_for(database, 1.5)
        assert_nothing_lost(providers, runs=6)


@pytest.mark.parametrize("phase", [*SLOWLY, Phase.DONE])
def test_ten_seconds_without_a_database(soak, database, providers, dora, phase):
    for number in range(4):
        start(dora, number, SLOWLY.get(phase, ""))
    with worker(database, providers):
        # Settling takes no time; where the first run is through, the others are about to.
        wait_until(lambda: phase in phases() or Workflow.objects.filter(status__in=TERMINAL).exists())
        stop_for(database, 10)
        assert_nothing_lost(providers, runs=4)
