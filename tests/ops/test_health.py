"""Alive and well are two questions; strangers are told yes or no, staff's machines every part."""

import datetime
import time
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from credits.models import Verdict
from tests import pipeline as runs
from vidgenie import health, monitoring
from workflows.models import Attempt, Worker

TOKEN = "a-token-for-the-monitor"


def seconds(count: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=count)


@pytest.fixture(autouse=True)
def looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "FRESH", 0.0)


@pytest.fixture
def working(db: None, settings: Any) -> None:
    """A site at work, and a monitor that may look."""
    settings.METRICS_TOKEN = TOKEN
    for part in ("clock", "queue"):
        Worker.objects.create(part=part, host="one", pid=1)
    Verdict.objects.create(seconds=1)


def parts(client: Client, status: int) -> dict[str, Any]:
    """The parts that /readyz tells of, each with its status."""
    response = client.get("/readyz", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == status
    return {name: part["status"] for name, part in response.json()["parts"].items()}


WELL = dict.fromkeys(("books", "database", "due", "queue", "storage", "workers"), "ok")


def test_a_process_is_alive_without_asking_the_database(client):
    client.cookies["session"] = "x" * 32  # whoever has it

    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_a_site_at_work_is_ready(client, working):
    assert parts(client, 200) == WELL


def test_each_part_says_how_old_what_it_knows_is(client, working):
    Verdict.objects.update(at=Now() - seconds(3600))
    Worker.objects.update(worked=Now() - seconds(20))

    document = client.get("/readyz", headers={"Authorization": f"Bearer {TOKEN}"}).json()

    ages = {name: part["age"] for name, part in document["parts"].items()}
    assert ages["books"] == pytest.approx(3600, abs=30)
    assert ages["workers"] == pytest.approx(20, abs=15)


def test_strangers_are_told_no_more_than_yes_or_no(client, working):
    assert client.get("/readyz").json() == {"status": "ok"}

    Worker.objects.all().delete()

    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "failed"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_there_is_nothing_to_be_sent_there(method, path, client, db):
    assert getattr(client, method)(path).status_code == 405


# --- What fails --------------------------------------------------------------------------------------------


def test_a_clock_that_lives_and_looks_at_nothing_has_failed(client, working):
    Worker.objects.update(worked=Now() - seconds(120))
    assert parts(client, 503) == WELL | {"workers": "failed"}


@pytest.mark.parametrize(("part", "failed"), [("clock", "workers"), ("queue", "queue")])
def test_a_part_of_the_workers_that_fell_silent_is_named(part, failed, client, working):
    Worker.objects.filter(part=part).update(seen=Now() - seconds(31))
    assert parts(client, 503) == WELL | {failed: "failed"}


def test_what_is_due_and_never_taken_is_a_failure(client, working, alice):
    runs.start(alice, "image-only", "a fox in snow")
    assert parts(client, 200) == WELL

    Attempt.objects.update(next_check_at=Now() - seconds(90))
    assert parts(client, 503) == WELL | {"due": "failed"}


def test_messages_that_nobody_takes_are_a_failure(client, working):
    OrmQ.objects.create(key="vidgenie", payload="", lock=timezone.now() - seconds(301))
    assert parts(client, 503) == WELL | {"queue": "failed"}


def test_broken_books_are_a_failure(client, working):
    Verdict.objects.create(seconds=1, findings=[{"check": "balance", "rule": "R.", "count": 1, "ids": ["7"]}])
    assert parts(client, 503) == WELL | {"books": "failed"}


def test_books_that_nobody_checked_are_unknown_which_is_no_failure(client, working):
    Verdict.objects.update(at=Now() - datetime.timedelta(days=3))
    assert parts(client, 200) == WELL | {"books": "unknown"}

    Verdict.objects.all().delete()
    assert parts(client, 200) == WELL | {"books": "unknown"}


def test_a_storage_that_keeps_nothing_is_a_failure(client, working, monkeypatch):
    def full(*given: object, **named: object) -> str:
        raise OSError(28, "No space left on device: /secret/place")

    monkeypatch.setattr(default_storage, "save", full)

    assert parts(client, 503) == WELL | {"storage": "failed"}
    assert "/secret" not in health.report()["storage"].detail


def test_a_storage_that_never_answers_holds_up_no_request(client, working, monkeypatch):
    monkeypatch.setattr(health, "STORAGE_PATIENCE", 0.05)
    monkeypatch.setattr(health, "_round_trip", lambda: time.sleep(0.3))

    assert parts(client, 503) == WELL | {"storage": "failed"}


def test_the_look_at_the_storage_leaves_nothing_behind(client, working):
    assert parts(client, 200) == WELL
    assert default_storage.listdir("probes")[1] == []


def test_without_the_database_nothing_is_known_of_what_is_in_it(client, working, monkeypatch):
    def away() -> None:
        raise OperationalError("connection to 10.0.0.1 failed: password rejected")

    monkeypatch.setattr(health, "_require_database", away)

    response = client.get("/readyz", headers={"Authorization": f"Bearer {TOKEN}"})

    unknown = dict.fromkeys(("books", "due", "queue", "workers"), "unknown")
    assert {name: part["status"] for name, part in response.json()["parts"].items()} == {
        "database": "failed", "storage": "ok", **unknown,
    }  # fmt: skip
    assert response.status_code == 503
    assert "password" not in response.content.decode()


def test_many_who_ask_at_once_make_one_look(client, working, monkeypatch):
    monkeypatch.setattr(monitoring, "FRESH", 60.0)
    monkeypatch.setattr(monitoring, "_looked", monitoring._Looks())
    looks: list[int] = []
    report = health.report
    monkeypatch.setattr(health, "report", lambda: looks.append(1) or report())

    for _ in range(3):
        assert client.get("/readyz").status_code == 200
    assert looks == [1]
