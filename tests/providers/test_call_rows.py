"""The row that each call leaves: how few statements it takes, when it is there, and what no trouble with it may do."""

import logging

import pytest
from django.db import OperationalError, connection

from providers import gateway, http, journal
from providers.adapters.sandbox import SandboxAdapter
from providers.base import Job, JobRef, JobRequest, Kind, ProviderError, Reason, Status
from providers.models import ProviderCall

REQUEST = JobRequest(Kind.IMAGE, "model-1", "a fox", {}, "attempt-1")


class Acme(SandboxAdapter):
    """Makes two calls for a submit and one for a look, and says of the last what it cost."""

    slug = "acme"
    error = None

    def submit(self, request, *, token):
        call("upload")
        self.seen = ProviderCall.objects.count()
        call("submit", cents=7)
        if self.error:
            raise self.error
        return Job("job-1", Status.RUNNING)

    def fetch(self, job, *, token):
        call("fetch", cents=25)
        return Job("job-1", Status.RUNNING)


def call(operation, cents=None):
    with journal.noted("acme", operation) as row:
        row.status = 200
    http.Answer(200, {}, b"", row).costs(cents)


def kept():
    return list(ProviderCall.objects.order_by("pk").values_list("operation", "reference", "cost"))


def away(*_):
    raise OperationalError("the server closed the connection")


@pytest.fixture(autouse=True)
def acme(monkeypatch):
    adapter = Acme()
    monkeypatch.setitem(gateway.ADAPTERS, "acme", adapter)
    monkeypatch.setattr(journal, "_buffer", journal._Buffer())
    return adapter


@pytest.fixture
def buffering(transactional_db, monkeypatch):
    """As the clock has it, but that no moment passes."""
    monkeypatch.setattr(journal, "MOMENT", 600.0)
    journal.start_buffering()
    yield
    journal.stop_buffering()


def test_the_rows_of_a_submit_take_one_statement_cost_included(db, django_assert_num_queries, acme):
    with django_assert_num_queries(2) as asked:  # one of them is that of this test, in the midst of it
        gateway.submit("acme", REQUEST)
    assert "INSERT" in asked[1]["sql"]
    assert kept() == [("upload", "attempt-1", None), ("submit", "attempt-1", 7)]


def test_the_row_of_a_look_takes_one_statement_cost_included(db, django_assert_num_queries):
    with django_assert_num_queries(1):
        gateway.fetch("acme", JobRef("job-1", "model-1"))
    assert kept() == [("fetch", "", 25)]


def test_a_call_outside_of_any_operation_leaves_its_row_at_once(db):
    call("webhook_keys")
    assert kept() == [("webhook_keys", "", None)]


def test_a_submit_that_fails_leaves_its_rows(db, acme):
    acme.error = ProviderError(Reason.UNAVAILABLE, "503")
    with pytest.raises(ProviderError):
        gateway.submit("acme", REQUEST)
    assert [operation for operation, *_ in kept()] == ["upload", "submit"]


def test_a_row_that_is_written_already_is_told_its_cost(db):
    with journal.noted("acme", "result") as row:
        pass
    journal.costs(row, 3)
    assert kept() == [("result", "", 3)]


def test_a_clock_keeps_its_looks_for_a_moment_and_writes_them_together_when_it_stops(buffering):
    for _ in range(3):
        gateway.fetch("acme", JobRef("job-1", "model-1"))
    assert kept() == []
    journal.stop_buffering()
    assert kept() == [("fetch", "", 25)] * 3


def test_the_rows_of_a_submit_are_there_before_anything_else_in_a_clock_too(buffering):
    gateway.submit("acme", REQUEST)
    assert [operation for operation, *_ in kept()] == ["upload", "submit"]


def test_fifty_rows_do_not_wait(transactional_db, monkeypatch):
    written = journal.threading.Event()
    monkeypatch.setattr(journal, "MOMENT", 600.0)
    monkeypatch.setattr(journal, "_insert_once", lambda rows: written.set())
    journal.start_buffering()
    for _ in range(journal.FULL):
        call("fetch")
    assert written.wait(10)
    journal.stop_buffering()


def test_a_moment_later_they_are_written(transactional_db, monkeypatch):
    written = journal.threading.Event()
    monkeypatch.setattr(journal, "MOMENT", 0.01)
    monkeypatch.setattr(journal, "_insert_once", lambda rows: written.set())
    journal.start_buffering()
    call("fetch")
    assert written.wait(10)
    journal.stop_buffering()


@pytest.mark.parametrize("is_on", [True, False])
def test_a_database_that_is_away_costs_no_job_and_is_told_later(transactional_db, monkeypatch, is_on):
    monkeypatch.setattr(journal, "MOMENT", 600.0)
    if is_on:
        journal.start_buffering()
    with monkeypatch.context() as patched:
        patched.setattr(journal, "_insert_once", away)
        patched.setattr(Acme, "submit", lambda *_, **__: call("submit") or Job("job-1", Status.RUNNING))
        assert gateway.submit("acme", REQUEST).id == "job-1"
    assert kept() == []
    call("fetch")
    journal.stop_buffering()
    assert [operation for operation, *_ in kept()] == ["submit", "fetch"]


def test_a_connection_that_died_during_the_call_is_made_anew(transactional_db):
    connection.ensure_connection()
    connection.connection.close()
    call("fetch")
    assert kept() == [("fetch", "", None)]


def test_a_database_that_stays_away_does_not_fill_the_memory(monkeypatch, caplog, db):
    monkeypatch.setattr(journal, "_insert_once", away)
    monkeypatch.setattr(journal, "MOST", 10)
    for _ in range(15):
        call("fetch")
    assert len(journal._buffer.rows) == 10
    assert "rows of calls are lost: the database has been away for too long." in caplog.text


def test_nothing_is_lost_silently_at_the_end(monkeypatch, caplog, db):
    monkeypatch.setattr(journal, "_insert_once", away)
    call("fetch")
    journal.stop_buffering()
    assert caplog.record_tuples[-1] == (
        "providers.journal", logging.ERROR, "1 rows of calls are lost: the database does not answer."
    )  # fmt: skip


def test_a_row_that_cannot_be_written_costs_no_job(monkeypatch, caplog, db):
    monkeypatch.setattr(journal, "_insert_once", lambda rows: 1 / 0)
    gateway.fetch("acme", JobRef("job-1", "model-1"))
    assert "1 rows of calls could not be written." in caplog.text
