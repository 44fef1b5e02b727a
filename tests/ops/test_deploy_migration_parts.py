"""The parts of a deployment: what a plan names, what checksums see, what a validation finds."""

import json
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import connection, migrations, models, transaction
from django.db.migrations.state import ProjectState

from providers import crypto, keys
from tests.ops import migrating
from vidgenie.management.migration import catalog, journal, place, plan, rehearsal, sums, trial, validation
from vidgenie.management.migration.journal import Journal, Phase
from vidgenie.management.migration.sums import Difference, Sums, Table
from vidgenie.reports import Verdict

# A plan


def planned(*operations, atomic=True):
    one = migrations.Migration("0009_planted", "planted")
    one.operations, one.atomic = operations, atomic
    return plan._planned(one, ProjectState())


def sql(forth, back=migrations.RunSQL.noop):
    return migrations.RunSQL(forth, back, state_operations=[migrations.RunSQL(migrations.RunSQL.noop)])


@pytest.mark.parametrize(
    ("statement", "lock", "danger"),
    [
        ("CREATE INDEX i ON t (a)", "SHARE", "nothing can be written to the table until the index is made"),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", "SHARE UPDATE EXCLUSIVE", None),
        ("ALTER TABLE t ADD COLUMN a text", "ACCESS EXCLUSIVE", None),
        ("ALTER TABLE t ADD COLUMN a int DEFAULT 7 NOT NULL", "ACCESS EXCLUSIVE", None),
        ("ALTER TABLE t ADD COLUMN a int NOT NULL", "ACCESS EXCLUSIVE", "what the old program inserts is refused"),
        ("ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()", "ACCESS EXCLUSIVE", "every row is written anew"),
        ("ALTER TABLE t DROP COLUMN a", "ACCESS EXCLUSIVE", "a column goes, with its values"),
        ("DROP TABLE t", "ACCESS EXCLUSIVE", "a table goes, with its rows"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "ACCESS EXCLUSIVE", "a name changes under the program"),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", "ACCESS EXCLUSIVE", "every row is written anew"),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "ACCESS EXCLUSIVE", "until every row is checked"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "ACCESS EXCLUSIVE", "until every row is checked"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", "ACCESS EXCLUSIVE", None),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", "SHARE UPDATE EXCLUSIVE", None),
        ("ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (b)", "SHARE ROW EXCLUSIVE", "written to both"),
        ("DROP TRIGGER g ON t", "SHARE ROW EXCLUSIVE", "a guard goes"),
        ("TRUNCATE t", "ACCESS EXCLUSIVE", "every row of the table goes"),
        ("UPDATE t SET a = 1", "ROW EXCLUSIVE", None),
    ],
)
def test_locks_and_dangers_are_read_off_the_statement(db, statement, lock, danger):
    found = planned(sql(statement))
    assert [(one.table, one.lock) for one in found.statements] == [("t", lock)]
    assert (bool(found.dangers), (danger or "") in "; ".join(found.dangers)) == (danger is not None, True)


def test_what_has_no_way_back_and_what_is_no_transaction_is_named(db):
    found = planned(migrations.RunPython(lambda apps, editor: None), atomic=False)
    assert (found.reversible, found.atomic) == (False, False)
    assert [one.split(":")[0].split(" from ")[0] for one in found.dangers] == [
        "it is no transaction",
        "there is no way back",
        "it runs code of its own",
    ]


def test_what_goes_is_told_from_the_states():
    before, after = ProjectState(), ProjectState()
    field = [("id", models.BigAutoField(primary_key=True)), ("a", models.TextField()), ("b", models.TextField())]
    before.add_model(plan_model("Note", field))
    before.add_model(plan_model("Other", field[:1]))
    after.add_model(plan_model("Note", field[:2]))
    assert plan._gone(before, after) == ["planted_note.b", "planted_other", "planted_other.id"]


def plan_model(name, fields):
    from django.db.migrations.state import ModelState

    return ModelState("planted", name, fields)


# Checksums


@pytest.fixture
def table(db):
    """Rows that are easily taken for each other."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE planted (id int PRIMARY KEY, a text, b timestamptz)")
        values = "(1, 'fox', '2026-03-29 01:00Z'), (2, '🦊', NULL), (3, '', NULL), (4, NULL, NULL)"
        cursor.execute(f"INSERT INTO planted VALUES {values}")  # noqa: S608
    return lambda: sums.of(connection.connection, {"planted": ["id", "a", "b"]}).tables["planted"]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("UPDATE planted SET a = CASE id WHEN 1 THEN '🦊' ELSE 'fox' END WHERE id < 3", "a"),  # two values swapped
        ("UPDATE planted SET a = CASE id WHEN 3 THEN NULL ELSE '' END WHERE id > 2", "a"),  # nothing and emptiness
        ("UPDATE planted SET a = 'fox ' WHERE id = 1", "a"),
        ("UPDATE planted SET b = b + interval '1 microsecond'", "b"),
    ],
)
def test_a_checksum_sees_what_changed_and_where(table, change, column):
    before = table()
    with connection.cursor() as cursor:
        cursor.execute(change)
    after = table()
    assert (before.rows, after.rows) == (4, 4)
    assert [name for name in before.columns if before.columns[name] != after.columns[name]] == [column]


def test_a_checksum_does_not_see_where_rows_lie(table):
    before = table()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE planted SET a = a")
        cursor.execute("SET TimeZone = 'Asia/Tokyo'")
    assert (
        sums.of(connection.connection, {"planted": ["id", "a"]}).tables["planted"].columns["a"] == before.columns["a"]
    )


def test_differences_are_named_and_what_is_new_is_none():
    before = Sums({"t": Table(2, {"a": "1", "b": "2"}), "u": Table(1, {})}, {"s": 5, "r": 1})
    after = Sums({"t": Table(3, {"a": "1", "c": "2"}), "v": Table(1, {})}, {"s": 4, "r": 9})
    assert [str(one) for one in sums.differences(before, after)] == [
        "t: 3 rows instead of 2",
        "t.b: gone",
        "u: gone",
        "s: stands lower",
    ]


def test_a_condition_that_was_dumped_and_restored_is_the_same():
    one = "CHECK (((a)::text = ANY ((ARRAY['x'::character varying])::text[])))"
    other = "CHECK (((a)::text = ANY (ARRAY[('x'::character varying)::text])))"
    assert catalog.differences({"c": one}, {"c": other}) == []
    assert catalog.differences({"c": one}, {"c": other.replace("'x'", "'y'")}) != []
    assert catalog.differences({"c": one}, {"d": one}) == ["c is missing", "d is there and should not be"]


# Where it was


def test_a_journal_is_read_as_it_was_written(tmp_path):
    one = Journal(journal.place(tmp_path, "vg"), "vg", planned=["a.0001"])
    one.enter(Phase.MIGRATING, doing="a.0001", backup="b")
    assert journal.read(tmp_path, "vg") == one
    assert (one.path.stat().st_mode & 0o777, [path.name for path in tmp_path.iterdir()]) == (0o600, [one.path.name])
    one.path.write_text("{")
    with pytest.raises(journal.Unreadable):
        journal.read(tmp_path, "vg")


def test_only_a_deployments_own_databases_are_dropped():
    live = place.live_name()
    assert place.is_ours(place.name(place.COPY, "1a2b3c4d"))
    for other in (live, "postgres", f"{live}_copy", f"{live}_copy_", f"x{live}_copy_1a2b3c4d", f"{live}_mine_1a2b3c4d"):
        assert not place.is_ours(other)
        with pytest.raises(place.PlaceError):
            place.drop(None, other)


def test_a_rehearsal_refuses_what_is_no_copy(tmp_path):
    with pytest.raises(ValueError, match="is no copy"):
        rehearsal.perform(place.live_name(), tmp_path)


# What a validation finds


@contextmanager
def taken_back():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def failures():
    return {row.id: row.evidence for row in validation.shape() if row.verdict == Verdict.FAIL}


def test_a_sound_database_has_nothing_to_complain_of(db):
    assert {row.id: row.verdict for row in validation.shape()} == dict.fromkeys(
        ("migrations", "columns", "indexes", "constraints", "triggers"), Verdict.PASS
    )


@pytest.mark.parametrize(
    ("change", "row", "told"),
    [
        ("DROP INDEX entry_by_time", "indexes", "credits_entry: entry_by_time is missing"),
        ("DROP INDEX entry_account_newest", "indexes", "entry_account_newest is missing"),
        ("ALTER TABLE credits_hold DROP CONSTRAINT hold_amount_positive", "constraints", "hold_amount_positive"),
        ("ALTER TABLE credits_entry DROP CONSTRAINT credits_entry_key_key CASCADE", "constraints", "unique key"),
        ("DROP TRIGGER credits_entry_immutable ON credits_entry", "triggers", "credits_entry_immutable is missing"),
        ("ALTER TABLE credits_entry DISABLE TRIGGER credits_entry_immutable", "triggers", "is switched off"),
        ("ALTER TABLE workflows_step DROP COLUMN text", "columns", "workflows_step.text is missing"),
        ("ALTER TABLE workflows_step ALTER text TYPE varchar(9)", "columns", "text is character varying(9) NOT NULL"),
        ("ALTER TABLE workflows_step ALTER text DROP NOT NULL", "columns", "text is text instead of text NOT NULL"),
        ("ALTER TABLE workflows_step ADD new int NOT NULL", "columns", "workflows_step.new is not in the models"),
        ("DROP TABLE vidgenie_requestcount", "columns", "vidgenie_requestcount is missing"),
        ("DELETE FROM django_migrations WHERE name = '0005_by_time'", "migrations", "0005_by_time is not applied"),
    ],
)
def test_what_is_not_as_the_models_say_is_named(db, change, row, told):
    with taken_back(), connection.cursor() as cursor:
        cursor.execute(change)
        found = failures()
    assert told in found[row]


def test_the_books_are_looked_at_without_a_note_or_an_alarm(db, alice, mailoutbox):
    from credits.models import Account
    from credits.models import Verdict as Note

    assert validation.ledger_row().verdict == Verdict.PASS
    Account.objects.filter(user=alice).update(balance=1)
    found = validation.ledger_row()
    assert (found.verdict, "balance: A balance is the sum" in found.evidence) == (Verdict.FAIL, True)
    assert (Note.objects.count(), mailoutbox) == (0, [])


def test_a_sample_of_the_keys_is_opened(db, settings):
    settings.ENCRYPTION_KEYS = migrating.RING
    assert validation.keys_row().verdict == Verdict.NOTED
    keys.store("openai", "sk-proj-" + "aB3_" * 12)
    assert (validation.keys_row().verdict, validation.keys_row().evidence) == (Verdict.PASS, "1 sealed")
    settings.ENCRYPTION_KEYS = crypto.new_key()
    found = validation.keys_row()
    assert (found.verdict, "is not in the ring" in found.evidence) == (Verdict.FAIL, True)


def test_what_others_have_written_is_not_held_against_the_migrations():
    assert validation._beyond("t", sums.Moved(changed=2, missing=1, new=9), others=3) == []
    assert validation._beyond("t", sums.Moved(changed=2, missing=2, new=0), others=3) == [
        "t: 2 rows changed and 2 gone, and others have changed or deleted 3"
    ]


def test_what_is_meant_to_go_or_to_change_is_told_from_the_rest():
    made = plan.Plan([], goes=["t.a", "u"], changes=["t.b"])
    meant = [Difference("t", "a", "gone"), Difference("u", what="gone"), Difference("t", "b")]
    assert [made.is_meant(one) for one in meant] == [True] * 3
    assert [made.is_meant(one) for one in (Difference("t", "a"), Difference("t", "b", "gone"))] == [False, False]


@pytest.mark.django_db(transaction=True)
def test_a_run_in_the_sandbox_leaves_the_live_database_alone():
    before = json.dumps(users())
    row = trial.run_row("1a2b3c4d")
    assert (row.verdict, row.evidence) == (Verdict.PASS, "succeeded, 5 credits")
    assert (json.dumps(users()), place.name(place.BARE, "1a2b3c4d") in databases()) == (before, False)


def users():
    return list(User.objects.values_list("username", flat=True))


def databases():
    with place.maintenance() as link:
        return place.databases(link)
