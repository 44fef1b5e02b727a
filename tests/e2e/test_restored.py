"""A backup that is brought back while jobs are in flight: nothing is sent twice, nothing is charged twice."""

import subprocess
from contextlib import contextmanager

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection, connections

from credits import ledger
from providers.base import ProviderError, Reason
from tests.e2e.test_simulated_providers import assert_exact, finish
from tests.e2e.test_simulated_providers import start as start_at
from tests.factories import UserFactory
from tests.pipeline import STILL, start
from tests.pipeline import finish as finish_here
from vidgenie.embedded import bin_dir
from workflows import pipeline, restored
from workflows.models import Attempt, Origin, Workflow

NOBODY_KNOWS = ProviderError(Reason.LOST, "no way to know")


def postgres(program, *arguments):
    """One of PostgreSQL's own programs, on the server that the tests use."""
    connection.ensure_connection()
    at = connection.connection.info
    environment = {"PGHOST": at.host, "PGPORT": str(at.port), "PGUSER": at.user, "PGPASSWORD": at.password or ""}
    done = subprocess.run([bin_dir() / program, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextmanager
def living_in(name):
    """All that this process does is done in another database."""
    mine = connection.settings_dict["NAME"]
    connections.close_all()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = mine


@pytest.fixture
def backup(transactional_db, tmp_path):
    """Takes a backup; brings it back into a database of its own, whose name it gives."""
    file, copy = tmp_path / "backup", f"{connection.settings_dict['NAME']}_restored"

    class Backup:
        def take(self):
            postgres("pg_dump", "-Fc", "-f", str(file), connection.settings_dict["NAME"])

        def bring_back(self):
            postgres("createdb", copy)
            postgres("pg_restore", "-d", copy, str(file))
            return living_in(copy)

    yield Backup()
    postgres("dropdb", "--if-exists", "--force", copy)


@pytest.fixture
def outside(outside, settings):
    """And somebody to be told."""
    settings.ADMINS = [("sam", "sam@example.org")]
    return outside


def in_flight(user):
    """Runs that have got as far as this many calls: one waits to begin, others are on their way."""
    runs = [start_at(user, "fal", number) for number in range(5)]
    for number, workflow in enumerate(runs):
        calls = iter(range(number))
        if number:
            pipeline.advance(workflow.pk, lambda call, left=calls: next(left, None) is not None)
    return runs


def submits(outside):
    return [(entry["operation"], entry["prompt"]) for entry in outside.books()["entries"]]


def test_an_old_backup_neither_sends_again_nor_charges_again(outside, backup, caplog):
    dora = UserFactory(username="dora")
    ledger.grant(dora, 1000, key="rich", reason="test")
    restored.require_origin()
    in_flight(dora)
    before = set(Attempt.objects.filter(status__in=["pending", "queued", "running"]).values_list("phase", flat=True))
    assert {"submit", "fetch"} <= before
    backup.take()
    finish()
    made = submits(outside)
    assert set(Workflow.objects.values_list("status", flat=True)) == {"succeeded"}
    with backup.bring_back():
        restored.require_origin()
        finish()
        assert submits(outside) == made
        assert outside.books()["doubles"] == []
        assert set(Workflow.objects.values_list("status", flat=True)) == {"succeeded", "failed"}
        assert set(Workflow.objects.filter(status="failed").values_list("reason", flat=True)) == {"lost"}
        assert_exact(dora)
    assert "5 runs were going on in it" in caplog.text
    assert [told.subject for told in mail.outbox] == ["[Django] the database was restored from a backup"]


def test_the_same_backup_sends_again_when_nobody_doubts_it(outside, backup):
    """That the test above can fail."""
    dora = UserFactory(username="dora")
    ledger.grant(dora, 1000, key="rich", reason="test")
    in_flight(dora)
    backup.take()
    finish()
    with backup.bring_back():
        restored.nothing_was_sent()
        finish()
        assert outside.books()["doubles"] != []


# --- Knowing it


@pytest.fixture
def waiting(alice, mishaps, monkeypatch):
    """A run of alice's that waits to be submitted, at a provider that knows nothing of our references."""
    monkeypatch.setattr(restored, "_FREE", ())
    restored.require_origin()
    return start(alice, "image-only", "a fox", **STILL)


def move(part):
    """As if this part of the place had been another one when the place was noted."""
    parts = Origin.objects.get().place.split("/")
    parts[part] = "1234"
    Origin.objects.update(place="/".join(parts))


@pytest.mark.parametrize("part", range(4), ids=["cluster", "timeline", "database", "table"])
def test_another_place_puts_in_doubt_what_waits(waiting, part):
    move(part)
    restored.require_origin()
    attempt = Attempt.objects.get()
    assert (attempt.phase, attempt.detail) == ("submitting", restored.DETAIL)
    assert Workflow.objects.get().doubted is not None


def test_at_the_same_place_nothing_is_in_doubt(waiting, caplog):
    for _ in range(2):
        restored.require_origin()
    assert (Attempt.objects.get().phase, Workflow.objects.get().doubted, caplog.text) == ("submit", None, "")


def test_a_table_that_was_made_anew_is_another_place(waiting):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("CREATE TABLE anew (LIKE workflows_origin INCLUDING ALL)")
        cursor.execute("INSERT INTO anew SELECT * FROM workflows_origin")
        cursor.execute("DROP TABLE workflows_origin")
        cursor.execute("ALTER TABLE anew RENAME TO workflows_origin")
    restored.require_origin()
    assert Attempt.objects.get().phase == "submitting"


def test_the_doubt_is_found_once(waiting, caplog):
    move(0)
    restored.require_origin()
    assert "was restored" in caplog.text
    caplog.clear()
    restored.require_origin()
    assert caplog.text == ""


# --- What becomes of it


def test_what_nobody_can_look_up_is_given_back_and_never_sent(alice, mishaps, waiting):
    move(0)
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    restored.require_origin()
    workflow = finish_here(waiting)
    assert (workflow.status, workflow.reason, mishaps.calls["submit"]) == ("failed", "lost", 0)
    assert ledger.balance(alice) == ledger.Balance(300, 0)


def test_what_has_been_sent_is_found_and_delivered(alice, mishaps, waiting):
    pipeline.advance(waiting.pk)  # in the other life, of which the backup knows nothing
    Attempt.objects.update(phase="submit", status="pending", job_id="", submitted=None)
    waiting.steps.update(status="pending", started=None)
    Workflow.objects.update(status="pending")
    move(0)
    restored.require_origin()
    assert (finish_here(waiting).status, mishaps.calls["submit"]) == ("succeeded", 1)
    assert ledger.balance(alice) == ledger.Balance(298, 0)


def test_the_steps_after_it_are_in_doubt_as_well(alice, mishaps, monkeypatch):
    restored.require_origin()
    workflow = start(alice, "complete", "a fox", **STILL | {"duration_seconds": 2})
    pipeline.advance(workflow.pk)
    monkeypatch.setattr(restored, "_FREE", ())
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    restored.doubt_all()
    workflow = finish_here(workflow)
    assert [(step.stage, step.status, step.charged) for step in workflow.steps.all()] == [
        ("image", "succeeded", 2), ("video", "failed", 0),
    ]  # fmt: skip
    assert mishaps.calls["submit"] == 1


def test_a_person_who_tries_again_is_believed(mishaps, waiting):
    move(0)
    mishaps.put("find", *[NOBODY_KNOWS] * 9)
    restored.require_origin()
    finish_here(waiting)
    asked = mishaps.calls["find"]
    pipeline.retry(waiting.pk)
    assert (finish_here(waiting).status, mishaps.calls["submit"]) == ("succeeded", 1)
    assert mishaps.calls["find"] == asked


def test_the_sandbox_costs_nothing_and_is_never_in_doubt(alice):
    restored.require_origin()
    start(alice, "image-only", "a fox", **STILL)
    move(0)
    restored.require_origin()
    assert Attempt.objects.get().phase == "submit"


# --- The command


def test_an_operator_can_say_that_it_is_a_copy(waiting, capsys):
    call_command("after_restore")
    assert "1 runs were going on in it" in capsys.readouterr().out
    assert Attempt.objects.get().phase == "submitting"


def test_an_operator_can_say_that_nothing_was_sent(waiting, capsys):
    move(0)
    call_command("after_restore", "--nothing-was-sent")
    restored.require_origin()
    assert (Attempt.objects.get().phase, Workflow.objects.get().doubted) == ("submit", None)
