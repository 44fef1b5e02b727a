"""What staff are told: by mail and in the log, after the fact, and not again and again."""

import logging

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import transaction

from workflows.alarms import tell_staff


@pytest.fixture(autouse=True)
def admins(settings):
    settings.ADMINS = [("sam", "sam@example.org")]


class Broken:
    """A mail server that takes nothing."""

    def __init__(self, *args, **kwargs):
        pass

    def send_messages(self, messages):
        raise OSError("connection refused")


@pytest.fixture(name="afterwards")
def _afterwards(transactional_db):
    """A database where what waits for a commit is seen to wait; its cache is no model, so nobody empties it."""
    cache.clear()
    yield
    cache.clear()


def test_it_is_mailed_and_logged(afterwards, caplog):
    tell_staff("the ledger drifts", "account 7 is off by 3")
    (told,) = mail.outbox
    assert (told.subject, told.body, told.to) == (
        "[Django] the ledger drifts", "account 7 is off by 3", ["sam@example.org"],
    )  # fmt: skip
    assert "the ledger drifts: account 7 is off by 3" in caplog.text


def test_the_same_subject_is_mailed_once_an_hour_and_logged_each_time(afterwards, caplog):
    for text in ("off by 3", "off by 4"):
        tell_staff("the ledger drifts", text)
    tell_staff("something else", "entirely")
    assert [told.body for told in mail.outbox] == ["off by 3", "entirely"]
    assert "off by 4" in caplog.text


def test_it_waits_for_the_commit(afterwards):
    with transaction.atomic():
        tell_staff("the ledger drifts", "off by 3")
        assert mail.outbox == []
    assert len(mail.outbox) == 1


def test_what_is_rolled_back_is_not_mailed(afterwards):
    with transaction.atomic():
        tell_staff("the ledger drifts", "off by 3")
        transaction.set_rollback(True)
    assert mail.outbox == []


def test_mail_trouble_breaks_nothing(afterwards, settings, caplog):
    settings.EMAIL_BACKEND = f"{__name__}.Broken"
    with transaction.atomic():
        tell_staff("the ledger drifts", "off by 3")
    assert "connection refused" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR


def test_a_subject_of_two_lines_is_one(afterwards):
    tell_staff("the ledger\ndrifts", "off by 3")
    assert mail.outbox[0].subject == "[Django] the ledger drifts"
