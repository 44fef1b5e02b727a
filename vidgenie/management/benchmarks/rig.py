"""What a benchmark runs on: the simulator, the worker, and people with credits, around a database of its own."""

import fcntl
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil  # type: ignore[import-untyped]
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management.base import CommandError
from django.db import connection, connections
from django.test import override_settings
from PIL import Image

from credits import ledger
from providers.simulator.media import TINY
from vidgenie.embedded import Server
from vidgenie.management.benchmarks import usage
from vidgenie.processes import die_with_parent
from workflows import pipeline
from workflows.models import Asset, Workflow
from workflows.quote import Quote
from workflows.states import UNFINISHED
from workflows.uploads import upload

CREDITS = 1_000_000_000
MODELS = {"text_model": "gpt", "image_model": "gpt-image"}
PATIENCE = 60.0  # seconds for a process to come up


@contextmanager
def database(name: str = "benchmark") -> Iterator[None]:
    """An empty database for as long as the block lasts: on a server of our own under var/, as durable as production's,
    or on the one that DATABASE_URL names. Whoever gives it another `name` is not in the way of others."""
    ours = Server.of(settings.BASE_DIR).serves(settings.DATABASES["default"])
    server = Server(settings.VAR_DIR / f"postgres-{name}")
    place, before = connections.settings["default"], connection.settings_dict["NAME"]
    with ExitStack() as stack:
        if ours:
            stack.enter_context(server.running())
            stack.callback(place.update, HOST=place["HOST"])
            place["HOST"] = str(server.socket)
        place["TEST"]["NAME"] = f"{before}_{name}"
        connections.close_all()
        stack.enter_context(_alone(place["TEST"]["NAME"]))
        _create()
        stack.callback(connection.creation.destroy_test_db, before, verbosity=0)
        stack.callback(connections.close_all)
        yield


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """One at a time uses a database, and the machine. Raises CommandError while another does."""
    folder = settings.VAR_DIR / "benchmark"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError("Another benchmark is under way here; each would spoil the other's figures.") from None
        yield


def _create() -> None:
    """Make the database anew. Raises CommandError where it cannot be made: Django would leave without a word."""
    told = io.StringIO()
    try:
        with redirect_stdout(told), redirect_stderr(told):  # it tells of what it finds and replaces
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    except SystemExit:
        last = (told.getvalue().strip().splitlines() or ["no reason was given"])[-1]
        raise CommandError(f"The benchmark's database cannot be made: {last}") from None


@dataclass
class Rig:
    """A simulator, where the files go, and what processes are started with."""

    base: str
    simulator: psutil.Process
    environment: dict[str, str]
    log: Path
    image: Asset | None = None
    people: list[User] = field(default_factory=list)

    def control(self, name: str, given: Any = None, **query: str) -> Any:
        """GET /_control/{name} of the simulator, or PUT when something is given."""
        url = f"{self.base}/_control/{name}?{urlencode(query)}"
        data = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(url, data, method="GET" if data is None else "PUT")  # noqa: S310 (loopback)
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    @contextmanager
    def worker(self) -> Iterator[psutil.Process]:
        """`manage.py worker` with its default settings, awake; ended with all that it started."""
        with self.running("worker") as process:
            yield process

    @contextmanager
    def queue(self) -> Iterator[psutil.Process]:
        """The queue alone, as the naive way has it."""
        with self.running("qcluster") as process:
            yield process

    @contextmanager
    def running(self, *arguments: str) -> Iterator[psutil.Process]:
        """A command of manage.py."""
        with self.process([sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]) as process:
            yield process

    @contextmanager
    def process(self, command: list[str]) -> Iterator[psutil.Process]:
        """A process with our database and simulator; what is left of it is killed at the end."""
        process = self.started(command)
        try:
            yield process
        finally:
            kill(process)

    def started(self, command: list[str]) -> psutil.Popen:
        """A process in a session of its own; what it says is in the log."""
        with self.log.open("ab") as log:
            return psutil.Popen(
                command,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def quote(self, type: str = "complete", video_model: str = "runway", **more: Any) -> Quote:
        """A run by simulated OpenAI and, as a rule, Runway; `more` are options of the request."""
        image = self.image if type == "video-from-image" else None
        options = {**MODELS, "video_model": video_model, "duration_seconds": 5, "seed": 7, **more}
        return pipeline.quote(type, "a fox crossing a frozen lake", options, image, user=self.people[0])

    def start(self, count: int, quote: Quote, pause: float = 0.0) -> list[Any]:
        """Start so many runs, spread over the people, one each `pause` seconds or as fast as it goes; their ids."""
        ids, begun = [], time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begun + number * pause - time.monotonic()))
            ids.append(self.start_one(number, quote).pk)
        return ids

    def start_one(self, number: int, quote: Quote) -> Workflow:
        """Start one run; each has a prompt of its own, by which the simulator's books would show a double."""
        mine = replace(quote, prompt=f"{quote.prompt} {number} #tag:{number}")
        return pipeline.start(self.people[number % len(self.people)], mine)


@contextmanager
def rig(
    *, speed: float = 0, renders: str = "", tiny: int = TINY, people: int = 100, **environment: str
) -> Iterator[Rig]:
    """Everything but the worker. `speed` and `renders` are the simulator's own; 0 answers at once."""
    folder = Path(settings.VAR_DIR) / "benchmark"
    folder.mkdir(parents=True, exist_ok=True)
    media = folder / f"media-{os.getpid()}"  # whoever else measures has another
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulate_providers", "--port", "0"]
    command += ["--speed", str(speed), "--concurrency", "fal=0,runway=0", "--tiny", str(tiny)]
    command += ["--renders", renders] if renders else []
    process = psutil.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    try:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        if found is None:
            raise CommandError("the simulator did not say where it listens")
        with override_settings(PROVIDER_MODE="simulated", MEDIA_ROOT=media):
            yield _furnished(Rig(found[0], process, _environment(found[1], environment), folder / "log"), people)
    finally:
        kill(process)
        process.stdout.close()
        shutil.rmtree(media, ignore_errors=True)


def _environment(port: str, more: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "MEDIA_ROOT": str(settings.MEDIA_ROOT),
        "VIDGENIE_PROVIDER_MODE": "simulated",
        "SIMULATOR_PORT": port,
        "MAX_TEST_CREDITS_PER_RUN": str(CREDITS),
        **more,
    }


def database_url() -> str:
    """Where our own connection leads, for other processes."""
    place = connection.settings_dict
    socket = {"host": place["HOST"], "port": place["PORT"]}
    given = os.environ.get("DATABASE_URL") or f"postgresql://{place['USER']}@/?{urlencode(socket)}"
    return urlsplit(given)._replace(path=f"/{place['NAME']}").geturl()


def _furnished(rig: Rig, people: int) -> Rig:
    names = [f"benchmark {number}" for number in range(people)]
    User.objects.bulk_create([User(username=name) for name in names], ignore_conflicts=True)
    rig.people = list(User.objects.filter(username__in=names))
    for user in rig.people:
        ledger.grant(user, CREDITS, key=f"benchmark:{user.pk}", reason="benchmark")
    still = io.BytesIO()
    Image.new("RGB", (64, 36), (40, 80, 120)).save(still, "JPEG")
    rig.image = upload(rig.people[0], ContentFile(still.getvalue(), "still.jpg"))
    return rig


def kill(process: psutil.Process) -> None:
    """SIGKILL to a process and everything under it, at once, as a machine dies."""
    members = usage.family(process)
    usage.bury(members[1:])
    for member in members:
        try:
            member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(members, timeout=10)


def wait(until: Callable[[], bool], patience: float, what: str, every: float = 0.1) -> float:
    """Look until it is so; the seconds it took. Raises CommandError when patience ends."""
    start = time.monotonic()
    while not until():
        if time.monotonic() - start > patience:
            raise CommandError(f"after {patience:.0f} s {what}")
        time.sleep(every)
    return time.monotonic() - start


def succeeded(ids: list[Any]) -> None:
    """Raise CommandError unless all of these runs did: what is measured of failures is nothing."""
    ends = Workflow.objects.filter(pk__in=ids).exclude(status="succeeded").values_list("status", "reason")
    if ends:
        raise CommandError(f"{len(ends)} of {len(ids)} runs did not succeed: {dict(Counter(ends))}")


def unfinished() -> int:
    """How many runs are under way."""
    return Workflow.objects.filter(status__in=UNFINISHED).count()
