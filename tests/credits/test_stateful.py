"""A model of the ledger in ten lines, and a machine that tries to make the two disagree."""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from credits import ledger
from credits.ledger import Balance, InsufficientCredits, NotOwed
from credits.models import Hold
from tests.factories import UserFactory

AMOUNT = st.integers(1, 400)
_numbers = count()


@dataclass
class Kept:
    """What the model knows of a hold."""

    hold: Hold
    key: str
    open: bool = True
    settled: int = 0
    refunded: int = 0
    refunds: dict[str, int] = field(default_factory=dict)


class Books(RuleBasedStateMachine):
    """Random verbs, some of them repeated and some refused, against a balance kept in two whole numbers."""

    holds = Bundle("holds")

    def __init__(self):
        super().__init__()
        self.user = UserFactory(username=f"machine{next(_numbers)}")
        self.balance, self.held, self.lines = 300, 0, 1

    def key(self):
        return f"machine-key-{next(_numbers)}"

    @rule(amount=AMOUNT, times=st.integers(1, 2))
    def grant(self, amount, times):
        key = self.key()
        for _ in range(times):
            ledger.grant(self.user, amount, key=key, reason="a gift")
        self.balance, self.lines = self.balance + amount, self.lines + 1

    @rule(amount=AMOUNT, sign=st.sampled_from([1, -1]))
    def adjust(self, amount, sign):
        if sign < 0 and amount > self.balance - self.held:
            with pytest.raises(InsufficientCredits):
                ledger.adjust(self.user, -amount, key=self.key(), reason="a correction")
            return
        ledger.adjust(self.user, sign * amount, key=self.key(), reason="a correction")
        self.balance, self.lines = self.balance + sign * amount, self.lines + 1

    @rule(target=holds, amount=AMOUNT)
    def hold(self, amount):
        reference = self.key()
        if amount > self.balance - self.held:
            with pytest.raises(InsufficientCredits):
                ledger.hold(self.user, amount, reference=reference)
            return multiple()
        self.held += amount
        return Kept(ledger.hold(self.user, amount, reference=reference), key=f"settle:{reference}")

    @rule(kept=holds, due=st.integers(0, 450))
    def settle(self, kept, due):
        if kept.open and due > kept.hold.amount:
            with pytest.raises(NotOwed):
                ledger.settle(kept.hold, due, key=kept.key)
            return
        ledger.settle(Hold.objects.get(pk=kept.hold.pk), due, key=kept.key)
        if kept.open:
            kept.open, kept.settled = False, due
            self.held, self.balance = self.held - kept.hold.amount, self.balance - due
            self.lines += due > 0

    @rule(kept=holds, amount=AMOUNT, times=st.integers(1, 2))
    def refund(self, kept, amount, times):
        key = self.key()
        if amount > kept.settled - kept.refunded:
            with pytest.raises(NotOwed):
                ledger.refund(kept.hold, amount, key=key, reason="it flickers")
            return
        for _ in range(times):
            ledger.refund(kept.hold, amount, key=key, reason="it flickers")
        kept.refunded += amount
        self.balance, self.lines = self.balance + amount, self.lines + 1

    @invariant()
    def the_books_agree_with_the_model(self):
        entries = list(self.user.account.entries.order_by("created").values_list("amount", "balance_after"))
        assert ledger.balance(self.user) == Balance(self.balance, self.held)
        assert (len(entries), sum(amount for amount, _ in entries)) == (self.lines, self.balance)
        assert entries[-1][1] == self.balance
        assert sum(hold.amount for hold in self.user.account.holds.filter(status="open")) == self.held


def test_no_sequence_of_verbs_makes_the_books_disagree(db):
    moderate = settings(
        max_examples=25,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Books, settings=moderate)
