"""The one door: never inside a transaction, and what was paid for is not forgotten at it."""

import os

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction
from django.utils import timezone

from providers import gateway
from providers.base import Adapter, Job, JobRequest, Kind, Output, ProviderError, Reason, Status

REQUEST = JobRequest(Kind.IMAGE, "one", "a fox", {}, reference="reference")


class Acme(Adapter):
    """Answers a submit with what it made."""

    slug = "acme"
    needs_key = False

    def submit(self, request, *, token):
        return Job(request.reference, Status.SUCCEEDED, outputs=(Output(content=b"a picture"),))

    def check(self, *, token):
        return "fine"


@pytest.fixture(autouse=True)
def acme(db, monkeypatch):
    monkeypatch.setitem(gateway.ADAPTERS, "acme", Acme())


def test_no_provider_is_called_inside_a_transaction():
    with transaction.atomic(), pytest.raises(gateway.CalledInTransaction, match="acme was called inside a transaction"):
        gateway.check("acme")
    assert gateway.check("acme") == "fine"


def test_what_came_with_the_answer_is_found_by_whoever_comes_after_us():
    job = gateway.submit("acme", REQUEST)
    found = gateway.find("acme", "reference")
    assert (found.id, found.status, found.outputs[0].location) == ("reference", "succeeded", job.outputs[0].location)
    with gateway.download("acme", found.outputs[0]) as file:
        assert file.read() == b"a picture"


def test_where_nothing_came_the_provider_is_asked():
    with pytest.raises(ProviderError) as refused:
        gateway.find("acme", "another reference")
    assert refused.value.reason == Reason.LOST


def test_a_full_storage_does_not_make_a_paid_job_look_unsent(monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(default_storage, "save", full)
    with pytest.raises(ProviderError, match="No space left on device") as refused:
        gateway.submit("acme", REQUEST)
    assert (refused.value.reason, refused.value.sent) == (Reason.UNAVAILABLE, True)


def test_a_database_that_goes_away_does_not_cost_the_answer(monkeypatch, caplog):
    def away(provider):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(Acme, "needs_key", True)
    monkeypatch.setattr(gateway.keys, "token", lambda *_: "a-key-of-acme")
    monkeypatch.setattr(gateway.health, "went_well", away)
    assert gateway.submit("acme", REQUEST).status == "succeeded"
    assert "could not be written down: OperationalError" in caplog.text


def test_a_database_that_went_before_anything_was_sent_leaves_no_doubt(monkeypatch):
    def away(*_):
        raise OperationalError("connection refused")

    monkeypatch.setattr(gateway.keys, "token", away)
    with pytest.raises(ProviderError) as refused:
        gateway.submit("acme", REQUEST)
    assert (refused.value.reason, refused.value.sent) == (Reason.UNAVAILABLE, False)


def test_what_nobody_came_for_is_forgotten_after_days():
    gateway.submit("acme", REQUEST)
    gateway.forget_old()
    assert default_storage.listdir("inbox")[1] == ["reference.0"]
    old = (timezone.now() - gateway.LEFT_BEHIND).timestamp() - 1
    os.utime(default_storage.path("inbox/reference.0"), (old, old))
    gateway.forget_old()
    assert default_storage.listdir("inbox")[1] == []


def test_without_an_inbox_there_is_nothing_to_forget():
    gateway.forget_old()
    assert not default_storage.exists("inbox")
