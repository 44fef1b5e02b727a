"""The operator's door to the check of the books."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from credits import ledger
from credits.models import Account, Verdict

RULE = "What an account holds is the sum of its open holds."


def check(*arguments):
    """What the command printed, and the code that it left with."""
    said = io.StringIO()
    try:
        call_command("check_ledger", *arguments, stdout=said)
    except CommandError as error:
        return said.getvalue(), error.returncode
    return said.getvalue(), 0


@pytest.fixture
def drift(alice):
    """Alice's account forgot some of what it holds."""
    ledger.hold(alice, 10, reference="run")
    Account.objects.filter(user=alice).update(held=9)


def test_books_that_are_right_leave_with_0(alice):
    text, code = check()
    assert text.startswith("The books are right. (")
    assert (text.count("\n"), code) == (1, 0)
    assert Verdict.objects.get().is_clean


def test_drift_is_named_and_leaves_with_1(alice, drift):
    text, code = check()
    assert text.splitlines()[0].startswith("The books are wrong. (")
    assert text.splitlines()[1:] == [f"held: {RULE} 1: {alice.account.pk}"]
    assert code == 1


def test_programs_are_told_the_same(alice, drift):
    text, code = check("--json")
    told = json.loads(text)
    assert told["findings"] == [{"check": "held", "rule": RULE, "count": 1, "ids": [str(alice.account.pk)]}]
    assert (told["clean"], told["at"], code) == (False, Verdict.objects.get().at.isoformat(), 1)
    assert told["seconds"] >= 0


def test_programs_are_told_that_nothing_is_wrong(alice):
    text, code = check("--json")
    assert (json.loads(text)["clean"], json.loads(text)["findings"], code) == (True, [], 0)
