"""Every verb of the ledger: what it does to the balance, which line it writes, and what it refuses untouched."""

import pytest
from django.db import transaction

from credits import ledger
from credits.ledger import AlreadyHeld, Balance, InsufficientCredits, KeyReused, NotOwed
from credits.models import Account, Entry, Hold

NO_AMOUNT = [0, -1, True, 1.0, "5", None, 10**12 + 1, 2**63, 10**30]


def lines(user):
    return list(user.account.entries.order_by("created").values_list("kind", "amount", "balance_after"))


@pytest.fixture
def unchanged(alice):
    """Alice has what a newcomer has before the test and after it, and nothing was written."""
    yield
    assert ledger.balance(alice) == Balance(300, 0)
    assert lines(alice) == [("grant", 300, 300)]
    assert not Hold.objects.exists()


# --- grant -------------------------------------------------------------------------------------------------


def test_a_grant_adds_to_the_balance_and_leaves_a_line(alice, sam):
    entry = ledger.grant(alice, 50, key="g1", reason="for the demo", actor=sam)
    assert ledger.balance(alice) == Balance(350, 0)
    assert (entry.kind, entry.amount, entry.balance_after) == ("grant", 50, 350)
    assert (entry.reason, entry.actor, entry.key, entry.hold) == ("for the demo", sam, "g1", None)


def test_the_same_grant_twice_is_one_line(alice):
    first = ledger.grant(alice, 50, key="g1", reason="a gift")
    again = ledger.grant(alice, 50, key="g1", reason="a gift")
    assert again == first
    assert lines(alice) == [("grant", 300, 300), ("grant", 50, 350)]
    assert ledger.balance(alice) == Balance(350, 0)


@pytest.mark.parametrize("amount", NO_AMOUNT, ids=repr)
def test_it_refuses_to_grant_what_is_no_amount(alice, unchanged, amount):
    with pytest.raises(ValueError, match="whole number of credits above 0"):
        ledger.grant(alice, amount, key="g1", reason="a gift")


def test_the_largest_amount_can_be_granted(alice):
    ledger.grant(alice, 10**12, key="g1", reason="a gift")
    assert ledger.balance(alice) == Balance(300 + 10**12, 0)


@pytest.mark.parametrize("amount", [51, 49])
def test_it_refuses_a_key_that_granted_another_amount(alice, amount):
    ledger.grant(alice, 50, key="g1", reason="a gift")
    with pytest.raises(KeyReused):
        ledger.grant(alice, amount, key="g1", reason="a gift")
    assert ledger.balance(alice) == Balance(350, 0)


def test_it_refuses_a_key_that_granted_to_somebody_else(alice, bob):
    ledger.grant(alice, 50, key="g1", reason="a gift")
    with pytest.raises(KeyReused):
        ledger.grant(bob, 50, key="g1", reason="a gift")
    assert ledger.balance(bob) == Balance(300, 0)


def test_it_refuses_a_key_that_was_used_by_another_verb(alice, sam):
    ledger.adjust(alice, 50, key="k", reason="a correction", actor=sam)
    with pytest.raises(KeyReused):
        ledger.grant(alice, 50, key="k", reason="a gift")
    assert ledger.balance(alice) == Balance(350, 0)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201], ids=["empty", "blank", "long"])
def test_it_refuses_a_reason_that_says_nothing_or_too_much(alice, unchanged, reason):
    with pytest.raises(ValueError, match="The reason must have 1 to 200 characters"):
        ledger.grant(alice, 50, key="g1", reason=reason)


@pytest.mark.parametrize("key", ["", "  ", "k" * 121], ids=["empty", "blank", "long"])
def test_it_refuses_a_key_that_is_none(alice, unchanged, key):
    with pytest.raises(ValueError, match="The key must have 1 to 120 characters"):
        ledger.grant(alice, 50, key=key, reason="a gift")


def test_the_limits_of_texts_are_those_of_the_columns():
    columns = {"key": Entry, "reason": Entry, "reference": Hold}
    assert {name: model._meta.get_field(name).max_length for name, model in columns.items()} == ledger.LONGEST


# --- adjust ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "after"), [(25, 325), (-25, 275), (-300, 0)])
def test_an_adjustment_goes_up_or_down(alice, sam, amount, after):
    entry = ledger.adjust(alice, amount, key="a1", reason="a correction", actor=sam)
    assert (entry.kind, entry.amount, entry.balance_after) == ("adjust", amount, after)
    assert ledger.balance(alice) == Balance(after, 0)


def test_it_refuses_to_adjust_below_zero(alice, unchanged):
    with pytest.raises(InsufficientCredits) as refusal:
        ledger.adjust(alice, -301, key="a1", reason="a correction")
    assert (refusal.value.needed, refusal.value.available, refusal.value.held) == (301, 300, 0)


def test_it_refuses_to_adjust_away_what_is_held(alice):
    ledger.hold(alice, 100, reference="run")
    with pytest.raises(InsufficientCredits):
        ledger.adjust(alice, -201, key="a1", reason="a correction")
    assert ledger.balance(alice) == Balance(300, 100)


@pytest.mark.parametrize("amount", [0, True, False, 1.0, -5.0, "5", None, -(10**12) - 1, 10**12 + 1], ids=repr)
def test_it_refuses_to_adjust_by_what_is_no_amount(alice, unchanged, amount):
    with pytest.raises(ValueError, match="whole number of credits other than 0"):
        ledger.adjust(alice, amount, key="a1", reason="a correction")


def test_the_same_adjustment_twice_is_one_line_even_when_there_is_nothing_left(alice):
    first = ledger.adjust(alice, -300, key="a1", reason="a correction")
    assert ledger.adjust(alice, -300, key="a1", reason="a correction") == first
    assert ledger.balance(alice) == Balance(0, 0)


# --- hold --------------------------------------------------------------------------------------------------


def test_a_hold_sets_credits_aside_and_writes_no_line(alice):
    hold = ledger.hold(alice, 120, reference="run")
    assert (hold.amount, hold.settled, hold.refunded, hold.returned, hold.status) == (120, 0, 0, 0, "open")
    assert ledger.balance(alice) == Balance(300, 120)
    assert ledger.balance(alice).available == 180
    assert lines(alice) == [("grant", 300, 300)]


def test_everything_can_be_held(alice):
    ledger.hold(alice, 300, reference="run")
    assert ledger.balance(alice).available == 0


def test_it_refuses_to_hold_more_than_there_is(alice, unchanged):
    with pytest.raises(InsufficientCredits) as refusal:
        ledger.hold(alice, 301, reference="run")
    assert str(refusal.value) == "301 credits are needed; 300 are available and 0 are held."


def test_it_refuses_to_hold_what_is_held_already(alice):
    ledger.hold(alice, 200, reference="run")
    with pytest.raises(InsufficientCredits) as refusal:
        ledger.hold(alice, 101, reference="other")
    assert (refusal.value.needed, refusal.value.available, refusal.value.held) == (101, 100, 200)
    assert ledger.balance(alice) == Balance(300, 200)


@pytest.mark.parametrize("amount", NO_AMOUNT, ids=repr)
def test_it_refuses_to_hold_what_is_no_amount(alice, unchanged, amount):
    with pytest.raises(ValueError, match="whole number of credits above 0"):
        ledger.hold(alice, amount, reference="run")


def test_it_refuses_a_second_open_hold_for_the_same_reference(alice):
    ledger.hold(alice, 10, reference="run")
    with pytest.raises(AlreadyHeld), transaction.atomic():
        ledger.hold(alice, 20, reference="run")
    assert ledger.balance(alice) == Balance(300, 10)
    assert Hold.objects.get().amount == 10


def test_a_reference_can_be_held_for_again_after_its_hold_is_closed(alice):
    ledger.settle(ledger.hold(alice, 10, reference="run"), 0, key="s1")
    ledger.hold(alice, 20, reference="run")
    assert ledger.balance(alice) == Balance(300, 20)


def test_it_refuses_a_reference_longer_than_its_column(alice, unchanged):
    with pytest.raises(ValueError, match="The reference must have 1 to 80 characters"):
        ledger.hold(alice, 10, reference="r" * 81)


# --- settle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("due", "after", "freed"), [(100, 200, 0), (30, 270, 70)])
def test_settling_takes_what_is_due_and_frees_the_rest(alice, due, after, freed):
    hold = ledger.hold(alice, 100, reference="run")
    entry = ledger.settle(hold, due, key="s1")
    assert (entry.kind, entry.amount, entry.balance_after, entry.reference) == ("settle", -due, after, "run")
    assert ledger.balance(alice) == Balance(after, 0)
    hold.refresh_from_db()
    assert (hold.status, hold.settled, hold.returned) == ("closed", due, freed)


def test_settling_nothing_frees_everything_and_writes_no_line(alice):
    hold = ledger.hold(alice, 100, reference="run")
    assert ledger.settle(hold, 0, key="s1") is None
    assert ledger.balance(alice) == Balance(300, 0)
    assert lines(alice) == [("grant", 300, 300)]
    assert (hold.status, hold.returned) == ("closed", 100)


@pytest.mark.parametrize("due_later", [30, 0, 100])
def test_settling_twice_takes_once_and_the_first_answer_stays(alice, due_later):
    hold = ledger.hold(alice, 100, reference="run")
    first = ledger.settle(hold, 30, key="s1")
    assert ledger.settle(hold, due_later, key="s2") == first
    assert ledger.balance(alice) == Balance(270, 0)


def test_a_stale_copy_of_a_hold_settles_nothing_more(alice):
    hold = ledger.hold(alice, 100, reference="run")
    stale = Hold.objects.get(pk=hold.pk)
    ledger.settle(hold, 30, key="s1")
    ledger.settle(stale, 100, key="s2")
    assert (stale.status, stale.settled) == ("closed", 30)
    assert ledger.balance(alice) == Balance(270, 0)


def test_it_refuses_to_take_more_than_was_held(alice):
    hold = ledger.hold(alice, 100, reference="run")
    with pytest.raises(NotOwed, match="101 credits are due, 100 were held"):
        ledger.settle(hold, 101, key="s1")
    assert ledger.balance(alice) == Balance(300, 100)
    assert (hold.status, hold.settled) == ("open", 0)


@pytest.mark.parametrize("due", [-1, True, False, 0.0, 1.5, "1", None, 2**63], ids=repr)
def test_it_refuses_to_take_what_is_no_amount(alice, due):
    hold = ledger.hold(alice, 100, reference="run")
    with pytest.raises(ValueError, match="whole number"):
        ledger.settle(hold, due, key="s1")
    assert ledger.balance(alice) == Balance(300, 100)


def test_it_refuses_to_settle_two_holds_with_one_key(alice):
    first, second = (ledger.hold(alice, 30, reference=reference) for reference in ("run", "other"))
    ledger.settle(first, 30, key="s1")
    with pytest.raises(KeyReused):
        ledger.settle(second, 30, key="s1")
    assert ledger.balance(alice) == Balance(270, 30)
    assert (second.status, second.settled, second.closed) == ("open", 0, None)


# --- refund ------------------------------------------------------------------------------------------------


@pytest.fixture
def taken(alice):
    """A hold of alice's for 100 credits, of which 60 were taken."""
    hold = ledger.hold(alice, 100, reference="run")
    ledger.settle(hold, 60, key="s1")
    return hold


def test_a_refund_gives_back_what_was_taken(alice, sam, taken):
    entry = ledger.refund(taken, 20, key="r1", reason="it flickers", actor=sam)
    assert (entry.kind, entry.amount, entry.balance_after, entry.actor) == ("refund", 20, 260, sam)
    assert (entry.reference, entry.hold, entry.reason) == ("run", taken, "it flickers")
    assert (taken.refunded, taken.returned) == (20, 60)


def test_refunds_add_up_to_no_more_than_was_taken(alice, taken):
    ledger.refund(taken, 20, key="r1", reason="it flickers")
    ledger.refund(taken, 40, key="r2", reason="it flickers")
    with pytest.raises(NotOwed, match="60 credits were taken and 60 of them given back already"):
        ledger.refund(taken, 1, key="r3", reason="it flickers")
    assert ledger.balance(alice) == Balance(300, 0)
    assert taken.refunded == 60


def test_the_same_refund_twice_is_one_line(alice, taken):
    first = ledger.refund(taken, 60, key="r1", reason="it flickers")
    assert ledger.refund(taken, 60, key="r1", reason="it flickers") == first
    assert ledger.balance(alice) == Balance(300, 0)


def test_it_refuses_to_refund_an_open_hold(alice):
    hold = ledger.hold(alice, 100, reference="run")
    with pytest.raises(NotOwed):
        ledger.refund(hold, 1, key="r1", reason="it flickers")
    assert ledger.balance(alice) == Balance(300, 100)


def test_it_refuses_a_key_that_refunded_another_hold(alice, taken):
    other = ledger.hold(alice, 60, reference="other")
    ledger.settle(other, 60, key="s2")
    ledger.refund(taken, 10, key="r1", reason="it flickers")
    with pytest.raises(KeyReused):
        ledger.refund(other, 10, key="r1", reason="it flickers")
    assert ledger.balance(alice) == Balance(190, 0)
    assert other.refunded == 0


@pytest.mark.parametrize("amount", NO_AMOUNT, ids=repr)
def test_it_refuses_to_refund_what_is_no_amount(alice, taken, amount):
    with pytest.raises(ValueError, match="whole number of credits above 0"):
        ledger.refund(taken, amount, key="r1", reason="it flickers")
    assert ledger.balance(alice) == Balance(240, 0)


# --- the whole ---------------------------------------------------------------------------------------------


def test_the_sum_of_the_entries_is_the_balance(alice, taken):
    ledger.refund(taken, 5, key="r1", reason="it flickers")
    ledger.adjust(alice, -7, key="a1", reason="a correction")
    assert [amount for _, amount, _ in lines(alice)] == [300, -60, 5, -7]
    assert ledger.balance(alice).balance == 238 == sum(amount for _, amount, _ in lines(alice))


def test_nobody_touches_the_account_of_another(alice, bob):
    ledger.settle(ledger.hold(alice, 100, reference="run"), 60, key="s1")
    assert ledger.balance(bob) == Balance(300, 0)


def test_a_balance_knows_what_the_row_knows(alice):
    ledger.hold(alice, 100, reference="run")
    account = Account.objects.get(user=alice)
    assert (account.balance, account.held, account.available) == (300, 100, 200)
