"""A process is killed at every place where that could hurt, and another does again what it did.

Nothing is lost, nothing is paid twice, every run ends. Each place is met at its first and at a later passing; K01 to
K24 are the list of places that any such service should be killed at, the others are ours.
"""

import re
import sys
from functools import partial

import psutil
import pytest
from django.conf import settings as project

import crashpoint
from providers import crypto, keyring, keys
from providers.adapters import ADAPTERS
from providers.base import Adapter
from providers.models import ProviderKey
from tests.e2e import invariants, scenarios
from tests.e2e.dying import dies_at, forked
from tests.factories import UserFactory
from vidgenie.management.commands.worker import Guard
from vidgenie.processes import Program
from workflows.models import Attempt, Workflow
from workflows.progress import Judge

pytestmark = pytest.mark.django_db(transaction=True)

# Known as; where, at which passing; what was being done; what is left unfinished; how the runs end.
MATRIX = [
    ("", "quoted:1", "pictures", "", "succeeded, succeeded"),
    ("", "quoted:2", "pictures", "image submit", "succeeded, succeeded"),
    ("", "hold.written:1", "pictures", "", "succeeded, succeeded"),
    ("", "hold.written:2", "pictures", "image submit", "succeeded, succeeded"),
    ("K01", "start.written:1", "pictures", "", "succeeded, succeeded"),
    ("K01", "start.written:2", "pictures", "image submit", "succeeded, succeeded"),
    ("K02", "started:1", "pictures", "image submit", "succeeded, succeeded"),
    ("K02", "started:2", "pictures", "image submit, image submit", "succeeded, succeeded"),
    ("K03", "claimed:1", "video", "enhance submit", "succeeded"),
    ("K03", "claimed:2", "video", "video fetch", "succeeded"),
    ("", "submit.intended:1", "video", "enhance submitting", "succeeded"),
    ("", "submit.intended:2", "video", "image submitting", "failed lost"),
    ("K09", "submit.intended:3", "video", "video submitting", "failed lost"),
    ("K04", "request.sent:1", "video", "enhance submitting", "succeeded"),
    ("", "request.sent:2", "video", "image submitting", "failed lost"),
    ("K06", "request.sent:3", "video", "image submitting", "failed lost"),
    ("", "request.sent:4", "video", "video submitting", "failed lost"),
    ("", "request.sent:5", "video", "video submitting", "failed lost"),
    ("K10", "request.sent:6", "video", "video submitting", "failed lost"),
    ("K13", "request.sent:7", "video", "video fetch", "succeeded"),
    ("", "request.sent:9", "video", "video store", "succeeded"),
    ("K05", "submit.answered:1", "video", "enhance submitting", "succeeded"),
    ("", "submit.answered:2", "video", "image submitting", "failed lost"),
    ("K11", "submit.answered:3", "video", "video submitting", "failed lost"),
    ("K11", "submit.answered:3", "video google", "video submitting", "failed lost"),
    ("K11", "submit.answered:3", "video runway", "video submitting", "failed lost"),
    ("K11", "submit.answered:3", "video vertex", "video submitting", "failed lost"),
    ("K07", "answer.unspooled:1", "pictures", "image submitting, image submit", "failed lost, succeeded"),
    ("K07", "answer.unspooled:2", "pictures", "image submitting", "succeeded, failed lost"),
    ("K08", "answer.spooled:1", "pictures", "image submitting, image submit", "succeeded, succeeded"),
    ("K08", "answer.spooled:2", "pictures", "image submitting", "succeeded, succeeded"),
    ("", "find.answered:1", "doubted", "image submitting, image submitting", "succeeded, succeeded"),
    ("", "find.answered:2", "doubted", "image submitting", "succeeded, succeeded"),
    ("", "recorded:1", "video", "image submitting", "failed lost"),
    ("", "recorded:2", "video", "image store", "succeeded"),
    ("", "recorded:3", "video", "video submitting", "failed lost"),
    ("K12", "recorded:4", "video", "video fetch", "succeeded"),
    ("", "recorded:5", "video", "video store", "succeeded"),
    ("K19", "recorded:6", "video", "", "succeeded"),
    ("K13", "fetch.answered:1", "video", "video fetch", "succeeded"),
    ("K13", "fetch.answered:1", "video runway", "video fetch", "succeeded"),
    ("K13", "fetch.answered:1", "video vertex", "video fetch", "succeeded"),
    ("", "fetch.answered:2", "canceled", "video fetch", "canceled, canceled"),
    ("", "completed.seen:1", "video", "image submitting", "succeeded"),
    ("K14", "completed.seen:2", "video", "video fetch", "succeeded"),
    ("K15", "download.half:1", "video", "video store", "succeeded"),
    ("K15", "download.half:2", "video", "video store", "succeeded"),
    ("K15", "download.half:1", "video runway", "video store", "succeeded"),
    ("", "file.complete:1", "video", "image store", "succeeded"),
    ("K16", "file.complete:2", "video", "video store", "succeeded"),
    ("", "file.aside:1", "video", "image submitting", "failed lost"),
    ("", "file.aside:2", "video", "image store", "succeeded"),
    ("K16", "file.aside:4", "video", "video store", "succeeded"),
    ("", "file.placed:1", "video", "image store", "succeeded"),
    ("K17", "file.placed:2", "video", "video store", "succeeded"),
    ("", "stored:1", "video", "image store", "succeeded"),
    ("K17", "stored:2", "video", "video store", "succeeded"),
    ("", "discarding:1", "pictures", "image submit", "succeeded, succeeded"),
    ("", "discarding:2", "pictures", "", "succeeded, succeeded"),
    ("K18", "settle.written:1", "pictures", "image store, image submit", "succeeded, succeeded"),
    ("K18", "settle.written:2", "pictures", "image store", "succeeded, succeeded"),
    ("K18", "finish.written:1", "pictures", "image store, image submit", "succeeded, succeeded"),
    ("K18", "finish.written:2", "pictures", "image store", "succeeded, succeeded"),
    ("", "cancel.wished:1", "canceled", "video fetch, video fetch", "canceled, canceled"),
    ("", "cancel.wished:2", "canceled", "video fetch", "canceled, canceled"),
    ("K20", "cancel.intended:1", "canceled", "video fetch, video fetch", "canceled, canceled"),
    ("K20", "cancel.intended:2", "canceled", "video fetch", "canceled, canceled"),
    ("K21", "cancel.answered:1", "canceled", "video fetch, video fetch", "canceled, canceled"),
    ("K21", "cancel.answered:2", "canceled", "video fetch", "canceled, canceled"),
    ("", "retry.written:1", "retried", "image submit", "succeeded, succeeded"),
    ("", "retry.written:2", "retried", "image submit", "succeeded, succeeded"),
    ("K22", "refund.written:1", "refunded", "", "succeeded, succeeded"),
    ("K22", "refund.written:2", "refunded", "", "succeeded, succeeded"),
    ("", "heard.written:1", "found_late", "", "succeeded lost, succeeded lost"),
    ("", "heard.written:2", "found_late", "", "succeeded lost, succeeded lost"),
    ("", "late.stored:1", "found_late", "", "succeeded lost, succeeded lost"),
    ("", "late.stored:2", "found_late", "", "succeeded lost, succeeded lost"),
    ("", "late.written:1", "found_late", "", "succeeded lost, succeeded lost"),
    ("", "late.written:2", "found_late", "", "succeeded lost, succeeded lost"),
]  # fmt: skip
ROTATION = [
    ("K23", "rotation.opened:1"),
    ("K23", "rotation.opened:2"),
    ("K23", "rotation.written:1"),
    ("K23", "rotation.written:2"),
]
GUARD = [("K24", "guard.killing:1"), ("K24", "guard.killing:2")]
ALL = [(known_as, where) for known_as, where, *_ in [*MATRIX, *ROTATION, *GUARD]]


@pytest.fixture
def outside(outside, settings):
    """Google's Veo as well, which wants a key of its own."""
    settings.PROVIDER_KEYS = settings.PROVIDER_KEYS | {"vertex": outside.service_account()}
    return outside


def left():
    """What is unfinished, as "video fetch"."""
    attempts = Attempt.objects.filter(finished=None).order_by("created").select_related("step")
    return ", ".join(f"{attempt.step.stage} {attempt.phase}" for attempt in attempts)


def ends():
    """How the runs stand, in the order of their beginning, as "failed lost"."""
    return ", ".join(f"{run.status} {run.reason}".strip() for run in Workflow.objects.order_by("created"))


def doing(scenario, user, outside):
    """What both processes do."""
    if scenario == "found_late":
        return partial(scenarios.found_late, user, lambda: [e["job"] for e in outside.books("fal")["entries"]])
    name, _, provider = scenario.partition(" ")
    return partial(getattr(scenarios, name), user, *[provider] * bool(provider))


@pytest.mark.parametrize("kill", MATRIX, ids=lambda kill: f"{kill[1]}-{kill[2]}")
def test_it_ends_and_adds_up_whatever_dies(outside, dora, kill):
    _, where, scenario, unfinished, ended = kill
    act = doing(scenario, dora, outside)
    dies_at(where, act)
    assert left() == unfinished
    act()
    assert ends() == ended
    assert invariants.broken(outside.books()) == []


class Acme(Adapter):
    slug = "acme"


@pytest.mark.parametrize("where", [where for _, where in ROTATION])
def test_keys_stay_keys_when_sealing_them_anew_dies(dora, settings, monkeypatch, where):
    old, new = crypto.new_key(), crypto.new_key()
    monkeypatch.setitem(ADAPTERS, "acme", Acme())
    settings.ENCRYPTION_KEYS, settings.PROVIDER_MODE = old, "real"
    owners = [dora, UserFactory(), UserFactory()]
    rows = [keys.store("acme", f"key-number-{n}", owner=owner).pk for n, owner in enumerate(owners)]
    settings.ENCRYPTION_KEYS = f"{new},{old}"
    act = partial(scenarios.rotated, dora)
    dies_at(where, act)
    assert len(keyring.count_by_key()) == (1 if where == "rotation.opened:1" else 2), "some are old and some new"
    act()
    settings.ENCRYPTION_KEYS = new
    assert [keys.token(ADAPTERS["acme"], row) for row in rows] == ["key-number-0", "key-number-1", "key-number-2"]
    assert ProviderKey.objects.filter(active=True).count() == 3


@pytest.fixture
def part():
    """A part of a worker that is alive and gets nothing done."""
    program = Program("clock", [sys.executable, "-c", "import time; time.sleep(60)"], gives_up=False)
    yield program
    if program.process:
        program.process.kill()
        program.process.wait()


def guard(part, tmp_path, looks):
    """Start the part and look at it; the pid of each that ran is noted."""
    guard = Guard([part], say=lambda text: None)
    guard.start()
    for _ in range(looks):
        with (tmp_path / "pids").open("a") as pids:
            pids.write(f"{part.process.pid}\n")
        guard.next_look = 0.0
        guard.look()


@pytest.mark.parametrize("where", [where for _, where in GUARD])
def test_a_guard_that_dies_killing_leaves_nobody_at_work_unseen(monkeypatch, tmp_path, part, where):
    monkeypatch.setattr(Judge, "hears", lambda *_: "it does nothing")
    looks = int(where.partition(":")[2])
    dies_at(where, partial(guard, part, tmp_path, looks))
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(set(pids)) == looks
    psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=20)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    guard(part, tmp_path, 1)
    assert part.is_running
    assert part.process.pid not in pids


def test_every_place_is_in_the_matrix_twice():
    tried = [where.partition(":")[0] for _, where in ALL]
    assert {point for point in crashpoint.POINTS if tried.count(point) < 2} == set()


def test_the_matrix_knows_every_place_in_the_source():
    packages = ("vidgenie", "workflows", "credits", "providers")
    sources = [path.read_text() for package in packages for path in (project.BASE_DIR / package).rglob("*.py")]
    placed = {name for source in sources for name in re.findall(r'crashpoint\("([\w.]+)"\)', source)}
    assert placed == set(crashpoint.POINTS)


def test_the_matrix_has_every_kill_that_was_asked_for():
    assert {known_as for known_as, _ in ALL} - {""} == {f"K{number:02}" for number in range(1, 25)}


def test_a_point_that_is_not_reached_is_no_success():
    with pytest.raises(AssertionError, match="was not reached: the process ended with 0"):
        dies_at("claimed:2", lambda: crashpoint.crashpoint("claimed"))
    assert forked(lambda: 1 / 0) == 1
