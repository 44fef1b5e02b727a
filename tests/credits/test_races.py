"""Many at once on one account, on the real database: threads, each with a connection of its own.

A control shows, by a barrier and not by luck, that the race is there; and each guard is taken away by itself, to show
that there is another behind it.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from credits import ledger
from credits.ledger import Balance, InsufficientCredits, KeyReused, NotOwed
from credits.models import Account, Entry, Hold
from tests.factories import UserFactory
from tests.pipeline import start
from workflows import pipeline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rich():
    """A user with exactly 1,000 credits."""
    user = UserFactory(username="rich")
    ledger.grant(user, 700, key="rich", reason="for the race")
    return user


def at_once(*actions):
    """Run all actions in threads that begin together; their results in order, an exception being one too."""
    ready = threading.Barrier(len(actions))

    def run(action):
        ready.wait(30)
        try:
            return action()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def total(user):
    return sum(Entry.objects.filter(account__user=user).values_list("amount", flat=True))


def hold_and_settle(user, amount, reference):
    hold = ledger.hold(user, amount, reference=reference)
    ledger.settle(hold, amount, key=f"settle:{hold.pk}")
    return amount


def test_fifty_spenders_never_spend_more_than_there_is(rich):
    results = at_once(*[lambda n=n: hold_and_settle(rich, 30, f"run:{n}") for n in range(50)])
    assert results.count(30) == 33
    assert sum(isinstance(result, InsufficientCredits) for result in results) == 17
    assert ledger.balance(rich) == Balance(10, 0)
    assert total(rich) == 10
    assert min(Entry.objects.filter(account__user=rich).values_list("balance_after", flat=True)) == 10


def test_holds_alone_never_promise_more_than_there_is(rich):
    at_once(*[lambda n=n: ledger.hold(rich, 300, reference=f"run:{n}") for n in range(8)])
    assert ledger.balance(rich) == Balance(1000, 900)
    assert Hold.objects.filter(status="open").count() == 3


def test_spenders_that_read_before_they_write_overspend(rich):
    """The control: everybody reads before anybody writes, so each believes that the credits are theirs."""
    everybody_has_read = threading.Barrier(4)

    def hold(reference):
        account = Account.objects.get(user=rich)
        everybody_has_read.wait(30)
        account.held += 300
        account.save(update_fields=["held"])
        Hold.objects.create(account=account, amount=300, reference=reference)

    at_once(*[lambda n=n: hold(f"run:{n}") for n in range(4)])
    assert sum(Hold.objects.values_list("amount", flat=True)) == 1200  # promised, of 1,000
    assert ledger.balance(rich) == Balance(1000, 300)  # and the row remembers one of four


def test_without_our_guard_the_constraint_still_refuses(rich, monkeypatch):
    guard = "AND balance - held >= %(amount)s"
    assert guard in ledger._SET_ASIDE
    monkeypatch.setattr(ledger, "_SET_ASIDE", ledger._SET_ASIDE.replace(guard, ""))
    results = at_once(*[lambda n=n: ledger.hold(rich, 300, reference=f"run:{n}") for n in range(8)])
    assert sum("account_held_within_balance" in str(result) for result in results) == 5
    assert ledger.balance(rich) == Balance(1000, 900)


def test_without_our_look_a_key_is_still_used_once(rich, monkeypatch):
    monkeypatch.setattr(ledger, "_find", lambda key: None)
    results = at_once(*[lambda: ledger.grant(rich, 50, key="same", reason="a gift")] * 2)
    assert sum(isinstance(result, KeyReused) for result in results) == 1
    assert (ledger.balance(rich).balance, total(rich)) == (1050, 1050)


def test_grants_at_once_all_arrive(rich):
    at_once(*[lambda n=n: ledger.grant(rich, 7, key=f"g{n}", reason="a gift") for n in range(20)])
    assert ledger.balance(rich) == Balance(1140, 0)
    assert total(rich) == 1140


def test_settling_at_once_takes_once(rich):
    hold = ledger.hold(rich, 100, reference="run")
    copies = [Hold.objects.get(pk=hold.pk) for _ in range(8)]
    entries = at_once(*[lambda copy=copy: ledger.settle(copy, 60, key=f"s:{id(copy)}") for copy in copies])
    assert len(set(entries)) == 1
    assert Entry.objects.filter(kind="settle").count() == 1
    assert ledger.balance(rich) == Balance(940, 0)


def test_refunding_at_once_gives_back_no_more_than_was_taken(rich):
    hold = ledger.hold(rich, 100, reference="run")
    ledger.settle(hold, 60, key="s1")
    copies = [Hold.objects.get(pk=hold.pk) for _ in range(4)]
    results = at_once(*[lambda n=n: ledger.refund(copies[n], 60, key=f"r{n}", reason="it flickers") for n in range(4)])
    assert sum(isinstance(result, NotOwed) for result in results) == 3
    assert ledger.balance(rich) == Balance(1000, 0)


@pytest.mark.parametrize("verb", ["grant", "refund", "adjust"])
def test_one_key_from_ten_threads_is_one_line(rich, verb):
    hold = ledger.hold(rich, 100, reference="run")
    ledger.settle(hold, 60, key="s1")
    calls = {
        "grant": lambda: ledger.grant(rich, 20, key="same", reason="a gift"),
        "refund": lambda: ledger.refund(Hold.objects.get(pk=hold.pk), 20, key="same", reason="it flickers"),
        "adjust": lambda: ledger.adjust(rich, 20, key="same", reason="a correction"),
    }
    entries = at_once(*[calls[verb]] * 10)
    assert len({entry.pk for entry in entries}) == 1
    assert ledger.balance(rich) == Balance(960, 0)


def test_one_key_for_two_accounts_at_once_is_refused_to_one(rich):
    other = UserFactory(username="other")
    results = at_once(
        *[lambda user=user: ledger.grant(user, 20, key="same", reason="a gift") for user in (rich, other)]
    )
    assert sorted(type(result) for result in results if isinstance(result, Exception)) == [KeyReused]
    assert ledger.balance(rich).balance + ledger.balance(other).balance == 1000 + 300 + 20


def test_a_hold_that_is_settled_and_its_successor_never_wait_for_each_other_in_a_circle(rich):
    """The new one has the account and waits for the old one's row to close; so who closes it has the account first."""
    for n in range(8):
        hold = ledger.hold(rich, 10, reference="run")
        results = at_once(
            lambda hold=hold, n=n: ledger.settle(hold, 1, key=f"s{n}").amount,
            lambda: ledger.hold(rich, 10, reference="run").amount,
        )
        assert results[0] == -1
        if not isinstance(results[1], ledger.AlreadyHeld):
            assert results[1] == 10
            ledger.settle(Hold.objects.get(status="open"), 0, key="free")
    assert ledger.balance(rich) == Balance(992, 0)


def test_one_reference_is_held_for_once(rich):
    results = at_once(*[lambda: ledger.hold(rich, 10, reference="run")] * 6)
    assert sum(isinstance(result, ledger.AlreadyHeld) for result in results) == 5
    assert ledger.balance(rich) == Balance(1000, 10)


def test_an_account_is_opened_once_however_many_ask(db):
    user = UserFactory.build(username="zoe")
    type(user).objects.bulk_create([user])
    balances = at_once(*[lambda: ledger.balance(user)] * 6)
    assert ledger.balance(user) == Balance(300, 0)
    assert {balance.held for balance in balances} == {0}
    assert Entry.objects.filter(account__user=user).count() == 1


# --- The order of locks ------------------------------------------------------------------------------------


@contextmanager
def account_locked(user):
    """Somebody else has the account's row until the block ends."""
    locked, release = threading.Event(), threading.Event()

    def keep():
        with transaction.atomic():
            Account.objects.select_for_update().get(user=user)
            locked.set()
            release.wait(30)
        connection.close()

    thread = threading.Thread(target=keep)
    thread.start()
    locked.wait(30)
    try:
        yield release
    finally:
        release.set()
        thread.join(30)


def waits_for_a_lock(pid):
    with connection.cursor() as cursor:
        cursor.execute("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", [pid])
        return cursor.fetchone()[0]


def test_a_cancel_takes_the_workflow_first_and_then_waits_for_the_account(rich):
    """Were it the other way round, a cancel and a settlement could wait for each other for ever."""
    workflow = start(rich, "image-only", "a fox")
    pid: list[int] = []

    def cancel():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid.append(cursor.fetchone()[0])
        pipeline.cancel(workflow.pk)

    with account_locked(rich) as release, ThreadPoolExecutor(1) as threads:
        canceled = threads.submit(lambda: (cancel(), connection.close()))
        deadline = time.monotonic() + 20
        while not (pid and waits_for_a_lock(pid[0])) and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(Exception, match="could not obtain lock"), transaction.atomic():
            type(workflow).objects.select_for_update(nowait=True).get(pk=workflow.pk)
        release.set()
        canceled.result(30)
    workflow.refresh_from_db()
    assert workflow.status == "canceled"
    assert ledger.balance(rich) == Balance(1000, 0)


def test_cancels_and_grants_at_once_never_wait_for_each_other_in_a_circle(rich):
    workflows = [start(rich, "image-only", "a fox") for _ in range(6)]
    results = at_once(
        *[lambda workflow=workflow: pipeline.cancel(workflow.pk).status for workflow in workflows],
        *[lambda n=n: ledger.grant(rich, 1, key=f"g{n}", reason="a gift").amount for n in range(6)],
    )
    assert results == ["canceled"] * 6 + [1] * 6
    assert ledger.balance(rich) == Balance(1006, 0)
