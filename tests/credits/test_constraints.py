"""What the database itself refuses, whoever asks and past every check in our code."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from credits import ledger
from credits.models import Account, Entry, Hold


@pytest.fixture
def hold(alice):
    return ledger.hold(alice, 100, reference="run")


@pytest.fixture
def closed(hold):
    ledger.settle(hold, 60, key="s1")
    return hold


def refused(name, write, *arguments, **columns):
    """The write breaks the constraint of this name, and no other."""
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        write(*arguments, **columns)
    assert error.value.__cause__.diag.constraint_name == name


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"balance": -1, "held": -2}, "account_balance_not_negative"),
        ({"held": -1}, "account_held_not_negative"),
        ({"held": 301}, "account_held_within_balance"),
        ({"balance": 99, "held": 100}, "account_held_within_balance"),
    ],
)
def test_an_account_cannot_be_overdrawn(alice, columns, constraint):
    refused(constraint, Account.objects.filter(user=alice).update, **columns)
    assert ledger.balance(alice) == ledger.Balance(300, 0)


def test_a_user_has_one_account(alice):
    refused("credits_account_user_id_key", Account.objects.create, user=alice)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_hold_is_for_something(hold, amount):
    refused("hold_amount_positive", Hold.objects.filter(pk=hold.pk).update, amount=amount)


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"settled": 101}, "hold_settled_within_amount"),
        ({"refunded": 61}, "hold_refunded_within_settled"),
        ({"refunded": -1}, "hold_refunded_within_settled"),
        ({"closed": None}, "hold_closed_has_a_time"),
        ({"status": "open"}, "hold_closed_has_a_time"),
        ({"status": "other"}, "hold_closed_has_a_time"),
    ],
)
def test_a_closed_hold_cannot_say_what_is_not_so(closed, columns, constraint):
    refused(constraint, Hold.objects.filter(pk=closed.pk).update, **columns)


@pytest.mark.parametrize("columns", [{"settled": 1}, {"closed": timezone.now()}, {"status": "closed"}])
def test_an_open_hold_took_nothing_and_has_no_end(hold, columns):
    refused("hold_closed_has_a_time", Hold.objects.filter(pk=hold.pk).update, **columns)


def test_a_reference_has_one_open_hold(alice, bob, hold):
    refused("hold_one_open_per_reference", Hold.objects.create, account=bob.account, amount=1, reference="run")


def entry(alice, **columns):
    columns = {"account": alice.account, "kind": "grant", "amount": 1, "balance_after": 1, "key": "k"} | columns
    return Entry.objects.create(**columns)


@pytest.mark.parametrize(
    ("kind", "amount", "with_hold"),
    [
        ("grant", 0, False), ("grant", -1, False), ("grant", 1, True),
        ("settle", 0, True), ("settle", 1, True), ("settle", -1, False),
        ("refund", 0, True), ("refund", -1, True), ("refund", 1, False),
        ("adjust", 0, False), ("adjust", 1, True), ("gift", 1, False),
    ],
)  # fmt: skip
def test_the_amount_of_an_entry_fits_its_kind(alice, hold, kind, amount, with_hold):
    refused("entry_amount_fits_kind", entry, alice, kind=kind, amount=amount, hold=hold if with_hold else None)


def test_an_entry_leaves_no_negative_balance(alice):
    refused("entry_balance_not_negative", entry, alice, balance_after=-1)


def test_a_key_is_used_once(alice):
    refused("credits_entry_key_key", entry, alice, key=f"signup:{alice.pk}")


def test_a_hold_is_settled_once(alice, closed):
    refused("entry_one_settle_per_hold", entry, alice, kind="settle", amount=-1, hold=closed)


# --- The trigger -------------------------------------------------------------------------------------------

CANNOT = "ledger entries cannot be changed or deleted"


@pytest.mark.parametrize("column", ["amount", "balance_after", "reason", "key", "kind", "created", "account_id"])
def test_no_column_of_an_entry_can_be_changed(alice, column):
    with pytest.raises(DatabaseError, match=CANNOT), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE credits_entry SET {column} = {column}")  # noqa: S608 (names from the list above)


def test_an_entry_that_was_loaded_cannot_be_saved(alice):
    line = alice.account.entries.get()
    line.amount = 1_000_000
    with pytest.raises(DatabaseError, match=CANNOT), transaction.atomic():
        line.save()
    assert alice.account.entries.get().amount == 300


def test_no_entry_can_be_deleted(alice):
    with pytest.raises(DatabaseError, match=CANNOT), transaction.atomic():
        Entry.objects.all().delete()
    with pytest.raises(DatabaseError, match=CANNOT), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM credits_entry")
    assert Entry.objects.count() == 1


@pytest.mark.parametrize("gone", [lambda user: user, lambda user: user.account], ids=["user", "account"])
def test_nothing_that_the_books_name_can_be_deleted(alice, gone):
    with pytest.raises(ProtectedError):
        gone(alice).delete()
    assert ledger.balance(alice).balance == 300


def test_the_books_cannot_be_emptied(alice):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL vidgenie.allow_truncate = 'off'")
    for table in ("credits_entry", "credits_account", "auth_user"):
        with pytest.raises(DatabaseError, match="entries cannot be emptied"), transaction.atomic():
            connection.cursor().execute(f"TRUNCATE {table} CASCADE")
    assert Entry.objects.count() == 1


NONSENSE = ["-1", "0", "'NaN'", "10 ^ 30", "'infinity'", "NULL"]


@pytest.mark.parametrize("amount", NONSENSE)
def test_no_statement_holds_for_a_price_that_is_none(hold, amount):
    with pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute(f"UPDATE credits_hold SET amount = {amount}")  # noqa: S608 (from the list above)
    hold.refresh_from_db()
    assert hold.amount == 100


@pytest.mark.parametrize("column", ["settled", "refunded"])
@pytest.mark.parametrize("amount", ["-1", "'NaN'", "10 ^ 30", "NULL", "101"])
def test_no_statement_takes_or_gives_back_beyond_sense(closed, column, amount):
    with pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute(f"UPDATE credits_hold SET {column} = {amount}")  # noqa: S608 (from the lists above)
    closed.refresh_from_db()
    assert (closed.settled, closed.refunded) == (60, 0)
