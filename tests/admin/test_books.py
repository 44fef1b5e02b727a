"""What staff see of the last check of the books."""

import datetime

import pytest
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.urls import reverse

from credits import ledger
from credits.models import Account, Verdict
from tests.factories import UserFactory
from workflows import books


@pytest.fixture
def front(client, sam):
    """The staff's front page, as sam sees it."""
    client.force_login(sam)

    def look():
        return client.get(reverse("admin:index")).content.decode()

    return look


def test_before_the_first_check_they_are_told_so(front):
    assert "The books have not been checked yet." in front()


def test_books_that_are_right_are_said_to_be(front):
    books.check()
    assert "The books are right." in front()
    assert "errornote" not in front()


def test_books_that_are_wrong_are_an_alarm_that_leads_to_the_broken_rules(front, client, alice):
    ledger.hold(alice, 10, reference="run")
    Account.objects.filter(user=alice).update(held=9)
    address = reverse("admin:credits_verdict_change", args=[books.check().pk])
    assert 'class="errornote"' in front()
    assert f'<a href="{address}">The books are wrong.</a>' in front()
    page = client.get(address).content.decode()
    assert f"What an account holds is the sum of its open holds. 1: {alice.account.pk}" in page


def test_a_verdict_of_last_week_is_an_alarm_too(front):
    Verdict.objects.create(seconds=1, at=Now() - datetime.timedelta(days=7))
    assert 'class="errornote"' in front()


def test_staff_who_may_not_see_verdicts_see_none(client, db):
    books.check()
    kim = UserFactory(username="kim", is_staff=True)
    client.force_login(kim)
    assert "The books" not in client.get(reverse("admin:index")).content.decode()
    kim.user_permissions.add(Permission.objects.get(codename="view_verdict"))
    assert "The books are right." in client.get(reverse("admin:index")).content.decode()


def test_verdicts_are_to_look_at_and_nothing_else(client, sam):
    client.force_login(sam)
    verdict = books.check()
    assert "The books are right." in client.get(reverse("admin:credits_verdict_changelist")).content.decode()
    assert client.get(reverse("admin:credits_verdict_add")).status_code == 403
    assert client.post(reverse("admin:credits_verdict_delete", args=[verdict.pk])).status_code == 403
    assert Verdict.objects.count() == 1
