"""The check of the books: clean after all that the product does, and each rule speaks when it is broken."""

import io
import logging
import uuid

import pytest
from django.core import mail
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, connections, transaction
from django_q.models import Schedule

from credits import audit, ledger
from credits.models import Account, Entry, Hold, Verdict
from providers.models import ProviderCall, SandboxJob
from tests.pipeline import finish, run, start
from workflows import books, pipeline, tasks
from workflows.models import Attempt, Step, Workflow


def broken():
    """Each rule that is broken, with those that break it."""
    return {finding["check"]: finding["ids"] for finding in books.check().findings}


@pytest.fixture
def loose(db):
    """The database's own guards are taken away for the length of a test, so that something can be wrong at all."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("credits_account", "credits_hold", "credits_entry", "workflows_workflow", "workflows_attempt"):
            cursor.execute("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        cursor.execute("ALTER TABLE credits_entry DISABLE TRIGGER USER")
        cursor.execute("DROP INDEX entry_one_settle_per_hold, hold_one_open_per_reference")


def others(findings):
    """What is broken, but for the guards that `loose` has taken away."""
    return {name: ids for name, ids in findings.items() if not name.startswith("guards")}


@pytest.fixture
def done(alice):
    """A run that was made and paid for."""
    return run(alice, "image-only", "a fox")


@pytest.fixture
def hold(done):
    return Hold.objects.get(reference=done.reference)


def test_all_that_the_product_does_leaves_the_books_right(alice, bob, sam):
    made, failed = run(alice, "complete", "a fox"), run(alice, "image-only", "a fox #sim:fail")
    retried = finish(pipeline.retry(failed.pk))
    canceled = pipeline.cancel(start(bob, "image-only", "a fox").pk)
    start(bob, "image-only", "a fox")
    ledger.refund(Hold.objects.get(reference=made.reference), 1, key="r", reason="it flickers", actor=sam)
    ledger.adjust(bob, -7, key="a", reason="a correction", actor=sam)
    assert [made.status, retried.status, canceled.status] == ["succeeded", "failed", "canceled"]
    assert broken() == {}


def test_a_verdict_is_kept_and_only_the_last_hundred(alice):
    Verdict.objects.bulk_create(Verdict(seconds=1) for _ in range(120))
    verdict = books.check()
    assert (Verdict.objects.count(), Verdict.objects.latest()) == (100, verdict)
    assert verdict.is_clean
    assert str(verdict) == "The books are right."


# --- The ledger --------------------------------------------------------------------------------------------


def test_a_balance_that_is_not_the_sum_is_found(alice, bob):
    Account.objects.filter(user=alice).update(balance=301)
    account = str(alice.account.pk)
    assert broken() == {"balance": [account], "chain": [account], "whole": [account]}


def test_a_hold_that_the_account_forgot_is_found(alice):
    ledger.hold(alice, 10, reference="run")
    Account.objects.filter(user=alice).update(held=9)
    assert broken() == {"held": [str(alice.account.pk)]}


def test_an_overdrawn_account_is_found(loose, alice):
    Account.objects.filter(user=alice).update(held=301)
    assert others(broken()) == {"overdrawn": [str(alice.account.pk)], "held": [str(alice.account.pk)]}


def test_a_lost_update_is_found_in_the_chain(loose, alice):
    """Two grants that both began at 300: the sum is right, and so is the balance, but not the way there."""
    for key in ("one", "two"):
        Entry.objects.create(account=alice.account, kind="grant", amount=50, balance_after=350, key=key)
    Account.objects.filter(user=alice).update(balance=400)
    assert others(broken()) == {"chain": [str(alice.account.pk)]}


def test_lines_of_the_same_moment_are_a_chain_in_any_order(loose, alice):
    for number in range(5):
        ledger.grant(alice, 7, key=f"g{number}", reason="a gift")
        ledger.adjust(alice, -7, key=f"a{number}", reason="a correction")
    Entry.objects.update(created="2026-11-22T10:00:00Z")
    assert others(broken()) == {}


def test_a_hold_settled_twice_is_found(loose, done, hold):
    line = hold.entries.get()
    Entry.objects.create(
        account=hold.account, kind="settle", amount=-1, balance_after=line.balance_after - 1, hold=hold, key="twice",
        reference=hold.reference,
    )  # fmt: skip
    Account.objects.filter(pk=hold.account_id).update(balance=line.balance_after - 1)
    found = others(broken())
    assert found == {"settled-once": [str(hold.pk)], "settled": [str(hold.pk)], "whole": [str(hold.account_id)]}


def test_a_hold_that_says_it_took_something_else_is_found(loose, done, hold):
    Hold.objects.filter(pk=hold.pk).update(settled=hold.settled - 1)
    found = others(broken())
    assert found == {"settled": [str(hold.pk)], "whole": [str(hold.account_id)], "charged": [str(done.pk)]}


def test_a_refund_that_the_hold_forgot_is_found(done, hold):
    ledger.refund(hold, 1, key="r", reason="it flickers")
    Hold.objects.filter(pk=hold.pk).update(refunded=0)
    assert broken() == {"refunded": [str(hold.pk)], "whole": [str(hold.account_id)]}


def test_more_given_back_than_taken_is_found(loose, done, hold):
    ledger.refund(hold, hold.settled, key="r", reason="it flickers")
    Hold.objects.filter(pk=hold.pk).update(refunded=hold.settled + 1)
    assert "within-hold" in broken()


def test_two_open_holds_for_one_thing_are_found(loose, alice):
    ledger.hold(alice, 10, reference="run")
    ledger.hold(alice, 10, reference="run")
    assert others(broken()) == {"held-once": ["run"]}


def test_an_entry_in_the_account_of_another_is_found(loose, bob, done, hold):
    line = hold.entries.get()
    Entry.objects.filter(pk=line.pk).update(account=bob.account)
    assert broken()["own-hold"] == [str(line.pk)]


@pytest.mark.parametrize(
    ("name", "drop"),
    [
        ("account_held_within_balance", "ALTER TABLE credits_account DROP CONSTRAINT account_held_within_balance"),
        ("credits_entry_key_key", "ALTER TABLE credits_entry DROP CONSTRAINT credits_entry_key_key"),
        ("entry_one_settle_per_hold", "DROP INDEX entry_one_settle_per_hold"),
        ("credits_entry_immutable", "ALTER TABLE credits_entry DISABLE TRIGGER credits_entry_immutable"),
        ("credits_entry_not_emptied", "DROP TRIGGER credits_entry_not_emptied ON credits_entry"),
    ],
)
def test_a_guard_that_is_gone_is_found(db, name, drop):
    connection.cursor().execute(drop)
    assert broken() == {"guards": [name]}


@pytest.mark.parametrize("name", ["attempt_job_belongs_to_one", "attempt_one_unfinished_per_step"])
def test_a_guard_of_the_runs_that_is_gone_is_found(db, name):
    connection.cursor().execute(f"DROP INDEX {name}")
    assert broken() == {"guards-of-runs": [name]}


# --- The runs ----------------------------------------------------------------------------------------------


def test_a_hold_for_a_run_that_does_not_exist_is_found(alice):
    hold = ledger.hold(alice, 10, reference=f"workflow:{uuid.uuid4()}")
    assert broken() == {"orphan-hold": [str(hold.pk)]}


def test_a_hold_on_the_credits_of_somebody_else_is_found(alice, bob):
    workflow = start(alice, "image-only", "a fox")
    Workflow.objects.filter(pk=workflow.pk).update(user=bob)
    assert broken() == {"orphan-hold": [str(Hold.objects.get().pk)]}


def test_a_run_that_ended_and_still_holds_is_found(alice, done):
    ledger.hold(alice, 1, reference=done.reference)
    assert broken() == {"ended-holding": [str(done.pk)]}


def test_a_run_that_goes_on_without_a_hold_is_found(alice):
    workflow = start(alice, "image-only", "a fox")
    ledger.settle(Hold.objects.get(), 0, key="s")
    assert broken() == {"running-unpaid": [str(workflow.pk)]}


def test_steps_that_say_another_price_than_was_taken_are_found(done):
    step = done.steps.filter(charged__gt=0).first()
    Step.objects.filter(pk=step.pk).update(charged=step.charged - 1)
    assert broken() == {"charged": [str(done.pk)]}


def test_a_run_that_took_more_than_was_quoted_is_found(done):
    Workflow.objects.filter(pk=done.pk).update(quoted=done.quoted - 1)
    assert broken() == {"above-quote": [str(done.pk)]}


def test_a_charge_for_what_was_not_made_is_found(done):
    step = done.steps.filter(charged__gt=0).first()
    Step.objects.filter(pk=step.pk).update(status="failed")
    assert broken() == {"paid-for-nothing": [str(step.pk)]}


def test_a_run_that_nobody_will_look_at_again_is_found(alice):
    workflow = start(alice, "image-only", "a fox")
    Attempt.objects.update(status="failed", phase="done", next_check_at=None)
    assert broken() == {"stranded": [str(workflow.pk)]}


def test_an_attempt_that_outlives_its_run_is_found(done):
    Attempt.objects.filter(step=done.steps.last()).update(status="running", next_check_at="2026-11-22T10:00:00Z")
    assert broken() == {"restless": [str(done.pk)]}


def test_an_attempt_that_was_made_by_no_job_is_found(done):
    attempt = Attempt.objects.filter(step=done.steps.last()).get()
    Attempt.objects.filter(pk=attempt.pk).update(job_id="")
    assert broken() == {"without-job": [str(attempt.pk)]}


def test_a_job_of_nobody_is_found(db):
    SandboxJob.objects.create(reference="nobody", kind="image", prompt="a fox")
    assert broken() == {"job-of-nobody": ["nobody"]}


def accepted(reference, **columns):
    row = {"provider": "fal", "operation": "submit", "status": 200, "milliseconds": 1, "reference": reference} | columns
    return ProviderCall.objects.create(**row)


def test_a_submit_that_was_accepted_for_nobody_is_found(db):
    accepted("nobody")
    assert broken() == {"job-of-nobody": ["nobody"]}


def test_a_submit_that_was_accepted_twice_is_found(done):
    attempt = str(Attempt.objects.filter(step=done.steps.last()).get().pk)
    accepted(attempt)
    accepted(attempt, operation="upload")
    accepted(attempt, status=429)
    assert broken() == {}
    accepted(attempt)
    assert broken() == {"submitted-twice": [attempt]}


# --- Told --------------------------------------------------------------------------------------------------


def test_of_many_offenders_the_first_are_named_and_all_are_counted(db):
    SandboxJob.objects.bulk_create(SandboxJob(reference=f"job {n:02}", kind="image", prompt="") for n in range(25))
    (finding,) = books.check().findings
    assert (finding["count"], finding["ids"]) == (25, [f"job {n:02}" for n in range(20)])


def test_staff_are_told_of_drift_and_of_nothing_else(alice, settings, caplog, django_capture_on_commit_callbacks):
    settings.ADMINS = [("ops@example.org", "ops@example.org")]
    with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
        books.check()
    assert (caplog.messages, mail.outbox) == ([], [])
    Account.objects.filter(user=alice).update(balance=301)
    with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
        books.check()
    assert f"balance: A balance is the sum of the account's entries. 1: {alice.account.pk}" in caplog.text
    assert "The books are wrong" in mail.outbox[0].subject


# --- One moment --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_moves_during_a_check_is_not_accused(alice, monkeypatch):
    """After its first query somebody writes; each of the others alone would see that."""
    workflow, others_work = start(alice, "image-only", "a fox"), connections.create_connection("default")
    ask = audit._broken

    def while_somebody_works(check):
        finding = ask(check)
        with others_work.cursor() as cursor:
            cursor.execute("UPDATE workflows_workflow SET quoted = 1 WHERE id = %s", [workflow.pk])
        return finding

    monkeypatch.setattr(audit, "_broken", while_somebody_works)
    try:
        assert books.check().is_clean
    finally:
        others_work.close()
    monkeypatch.undo()
    assert broken() == {"above-quote": [str(workflow.pk)]}


@pytest.mark.django_db(transaction=True)
def test_a_check_can_write_nothing(alice):
    with pytest.raises(Exception, match="read-only transaction"), audit.snapshot():
        Account.objects.update(balance=0)
    assert ledger.balance(alice).balance == 300


@pytest.mark.django_db(transaction=True)
def test_a_check_within_a_transaction_is_refused(alice):
    with pytest.raises(RuntimeError), transaction.atomic():
        books.check()
    assert not Verdict.objects.exists()


# --- After a migration -------------------------------------------------------------------------------------


def test_a_migration_is_followed_by_a_check_that_speaks_up(alice):
    Account.objects.filter(user=alice).update(balance=301)
    said = io.StringIO()
    books.check_migrated(plan=["a migration"], stdout=said)
    assert said.getvalue().startswith("THE BOOKS ARE WRONG after this migration:\nbalance: ")
    assert not Verdict.objects.get().is_clean


@pytest.mark.parametrize(("plan", "half"), [([], False), (["a migration"], True)], ids=["nothing to do", "half done"])
def test_nothing_is_checked_when_nothing_or_not_everything_was_migrated(alice, monkeypatch, plan, half):
    monkeypatch.setattr(books, "_is_half_migrated", lambda: half)
    books.check_migrated(plan=plan)
    assert not Verdict.objects.exists()


def test_a_database_without_accounts_has_no_books(db):
    books.check_migrated(plan=["a migration"])
    assert not Verdict.objects.exists()


def test_a_check_that_fails_does_not_stop_the_migration(alice, monkeypatch, caplog):
    def fail():
        raise RuntimeError("no")

    monkeypatch.setattr(books, "check", fail)
    books.check_migrated(plan=["a migration"])
    assert "could not be checked" in caplog.text


@pytest.mark.parametrize(("plan", "checks"), [(["a migration"], ["checked"]), ([], [])])
def test_the_end_of_a_migration_asks_for_it_once_and_a_flush_does_not(alice, monkeypatch, plan, checks):
    asked = []
    monkeypatch.setattr(books, "check", lambda: asked.append("checked") or Verdict())
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default", plan=plan)
    assert asked == checks


def test_it_is_on_the_schedule_of_every_day(db):
    tasks.schedule()
    assert Schedule.objects.get(func="workflows.books.check").minutes == 24 * 60
