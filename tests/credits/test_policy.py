"""What is owed for each way that a part of a run can end."""

import pytest

from credits.policy import RULES, Line, Outcome, amount_due

OWED = {
    Outcome.DELIVERED: 10,
    Outcome.UNUSED: 0,
    Outcome.FAILED: 0,
    Outcome.REFUSED: 0,
    Outcome.LOST: 0,
    Outcome.LATE: 0,
    Outcome.CANCELED: 0,
    Outcome.UNSTARTED: 0,
}


@pytest.mark.parametrize(("outcome", "owed"), OWED.items())
def test_you_pay_for_what_you_receive(outcome, owed):
    assert Line(10, outcome).due == owed


def test_there_is_a_rule_for_every_outcome_and_no_other():
    assert set(RULES) == set(Outcome) == set(OWED)


def test_nothing_is_owed_beyond_the_price_and_nothing_below_zero():
    assert {rule.owed for rule in RULES.values()} == {0, 1}


def test_every_rule_says_in_a_sentence_what_it_does():
    assert all(str(rule.sentence).endswith(".") for rule in RULES.values())
    assert len({str(rule.sentence) for rule in RULES.values()}) == len(RULES)


def test_a_run_owes_the_sum_of_its_parts():
    lines = [Line(1, Outcome.DELIVERED), Line(4, Outcome.DELIVERED), Line(10, Outcome.FAILED)]
    assert amount_due(lines) == 5


def test_a_run_of_nothing_owes_nothing():
    assert amount_due([]) == 0
