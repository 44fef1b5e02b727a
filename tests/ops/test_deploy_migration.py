"""Migrating a populated database: forth, back, and whatever goes wrong in between."""

import json
import os
import re
import resource
import signal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings

from credits import ledger
from credits.models import Entry
from providers import crypto
from tests.ops import migrating
from tests.ops.migrating import Site, evidence, in_this_process, killed, verdicts
from tests.ops.test_reports import complaints
from vidgenie.management.migration import backup, deployment, moving, place, preflight, rehearsal, trial, validation
from vidgenie.management.migration.journal import Journal, Phase
from vidgenie.reports import Row, Verdict
from workflows.models import Attempt, Workflow

CALM = Row("run", "A run in the sandbox", Verdict.PASS, "it succeeds")


@pytest.fixture(scope="module")
def populated(django_db_setup, django_db_blocker, database_name, worker_id):
    """A database with something in it, made once; from the tests' own, where another test has asked for that."""
    name = f"{database_name}_{worker_id}_full"
    with django_db_blocker.unblock(), override_settings(ENCRYPTION_KEYS=migrating.RING):
        has_tables = "auth_user" in connection.introspection.table_names()
        with migrating.database(name, place.live_name() if has_tables else "template0"):
            migrating.populate()
            connection.close()
            yield name


@pytest.fixture
def site(populated, django_db_blocker, settings, tmp_path, monkeypatch):
    """A copy of that database as the live one; the planted migrations are the good ones, unless `plant` says so."""
    settings.ENCRYPTION_KEYS = migrating.RING
    monkeypatch.setattr(rehearsal, "rehearse", in_this_process)
    monkeypatch.setattr(trial, "run_row", lambda deployment: CALM)
    monkeypatch.setattr(validation, "STATISTICS", 3.0)
    name = f"{populated.removesuffix('_full')}_site"
    with django_db_blocker.unblock(), migrating.database(name, populated):
        yield Site(tmp_path, name)


@pytest.fixture
def plant(settings, monkeypatch):
    """Have these migrations to be applied, in this process and in those that it starts."""

    def planting(which):
        settings.INSTALLED_APPS = [
            *(app for app in settings.INSTALLED_APPS if "planted" not in app),
            "tests.ops.planted",
        ]
        settings.MIGRATION_MODULES = {**settings.MIGRATION_MODULES, "planted": f"tests.ops.planted.{which}"}
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.ops.planted.settings")
        monkeypatch.setenv("PLANTED", which)
        monkeypatch.setenv("VIDGENIE_ENCRYPTION_KEYS", migrating.RING)

    return planting


def has_column():
    return "planted" in place_columns()["workflows_workflow"]


def place_columns():
    from vidgenie.management.migration import sums

    with place.connect(place.live_name()) as link:
        return sums.columns(link)


# Forth and back


def test_forth_and_back_and_every_column_is_what_it_was(site, plant):
    plant("good")
    before = site.sums()
    code, report = site.run()
    assert (code, report["outcome"], complaints(report, "migration")) == (0, "pass", []), report["rows"]
    assert set(verdicts(report).values()) == {"pass", "noted"}
    assert has_column()
    assert Workflow.objects.raw("SELECT id FROM workflows_workflow WHERE planted = 'A FOX'")
    code, report = site.run("--rollback")
    assert (code, report["details"]["rolled_back"]) == (0, "reverse")
    assert site.sums() == before
    assert not has_column()
    assert site.beside() == []


def test_the_backup_is_for_nobody_else_and_says_what_is_in_it(site):
    code, report = site.run("--backup-only")
    assert (code, verdicts(report)["verify"], verdicts(report)["verify-keys"]) == (0, "pass", "pass")
    assert [oct(path.stat().st_mode & 0o777) for path in sorted(site.backups.iterdir())] == ["0o600", "0o600"]
    text = (site.backups / site.manifests[0]).read_text()
    manifest = json.loads(text)
    assert manifest["sums"]["tables"]["workflows_workflow"]["rows"] == 15
    assert (manifest["keys"], manifest["sealed"]) == (backup.fingerprints(), {migrating.RING.partition(":")[0]: 1})
    assert migrating.RING.partition(":")[2] not in text


def test_the_plan_touches_nothing(site, plant):
    plant("good")
    code, report = site.run("--plan")
    assert (code, site.backups.exists(), has_column()) == (0, False, False)
    assert [one["migration"] for one in report["details"]["plan"]] == ["planted.0001_column", "planted.0002_filled"]
    statements = [(s["table"], s["lock"]) for s in report["details"]["plan"][0]["statements"]]
    assert statements == [("workflows_workflow", "ACCESS EXCLUSIVE"), ("workflows_workflow", "SHARE")]
    assert "nothing can be written to the table until the index is made" in evidence(report, "dangers")


def test_a_rehearsal_leaves_the_live_database_alone(site, plant, monkeypatch):
    monkeypatch.undo()
    plant("good")
    monkeypatch.setattr(trial, "run_row", lambda deployment: CALM)
    before = site.sums()
    code, report = site.run("--rehearse")
    assert (code, report["details"]["rehearsal"]["way_back"]) == (0, True), report
    held = {(one["table"], one["lock"]) for one in report["details"]["rehearsal"]["held"]}
    assert ("workflows_workflow", "ACCESS EXCLUSIVE") in held
    assert (site.sums(), site.beside(), has_column()) == (before, [], False)


def test_where_nothing_is_pending_it_still_shows_what_is(site, plant):
    plant("none")
    code, report = site.run()
    assert (code, evidence(report, "plan"), site.journal) == (0, "there is nothing to migrate", None)
    assert {"backup", "verify", "columns", "indexes", "constraints", "triggers", "ledger", "keys"} <= set(
        verdicts(report)
    )


def test_an_index_may_be_made_beside_the_work(site, plant):
    plant("beside")
    code, report = site.run()
    assert code == 0, report
    assert "it is no transaction" in evidence(report, "dangers")


# Bad migrations


@pytest.mark.parametrize(("which", "told"), [("sixty", "division by zero"), ("changing", "workflows_workflow.prompt")])
def test_what_is_bad_on_the_copy_never_gets_to_the_live_database(site, plant, which, told):
    plant(which)
    before = site.sums()
    code, report = site.run()
    assert (code, verdicts(report)["rehearsal"], "migrate" in verdicts(report)) == (1, "fail", False)
    assert told in evidence(report, "rehearsal")
    assert (site.sums(), site.beside(), site.journal.phase) == (before, [], Phase.DROPPED)


def test_what_a_migration_says_that_it_changes_may_change(site, plant):
    plant("telling")
    assert site.run()[0] == 0
    assert Workflow.objects.filter(prompt="A FOX").count() == 3


def test_a_migration_that_ends_its_process_ends_that_of_the_rehearsal(site, plant, monkeypatch):
    monkeypatch.undo()
    plant("deadly")
    code, report = site.run()
    assert (code, verdicts(report)["rehearsal"]) == (1, "fail")
    assert "signal 9" in evidence(report, "rehearsal")


def test_what_fails_on_the_live_database_is_taken_back_by_itself(site, plant):
    plant("livefails")
    before = site.sums()
    code, report = site.run()
    assert (code, report["outcome"], complaints(report, "migration")) == (1, "fail", [])
    assert (verdicts(report)["migrate"], verdicts(report)["rollback"]) == ("fail", "pass")
    assert "planted.0002_fails: DataError: division by zero" in evidence(report, "migrate")
    assert (report["details"]["rolled_back"], site.sums(), has_column()) == ("reverse", before, False)
    assert (site.journal.phase, site.beside()) == (Phase.BACK, [])
    assert Client().get("/").status_code == 200


def test_without_a_way_back_the_backup_takes_its_place(site, plant):
    plant("oneway")
    before = site.sums()
    code, report = site.run()
    assert (code, report["details"]["rolled_back"], verdicts(report)["rollback"]) == (1, "restore", "pass"), report
    after = site.sums()
    before.pop("workflows_origin"), after.pop("workflows_origin")  # where it is has changed
    assert (after, has_column(), site.beside()) == (before, False, ["replaced"])
    assert not Attempt.objects.filter(phase="submitting").exists()
    with pytest.raises(place.PlaceError):
        place.connect(f"{site.name}_replaced_{site.journal.id}")


# Others write meanwhile


@pytest.fixture
def grant_meanwhile(monkeypatch):
    """Somebody is given credits right after the backup was taken."""
    take = backup.take

    def taken(*arguments):
        made = take(*arguments)
        ledger.grant(User.objects.get(username="alice"), 77, key="meanwhile", reason="meanwhile")
        return made

    monkeypatch.setattr(backup, "take", taken)


def test_what_was_written_meanwhile_stays_where_the_way_back_keeps_it(site, plant, grant_meanwhile):
    plant("livefails")
    code, report = site.run()
    assert (code, report["details"]["rolled_back"]) == (1, "reverse"), report
    assert Entry.objects.filter(key="meanwhile").exists()


def test_new_lines_in_the_books_are_not_gone_back_over_unless_the_loss_is_accepted(site, plant, grant_meanwhile):
    plant("oneway")
    code, report = site.run()
    assert (code, verdicts(report)["rollback"]) == (1, "fail")
    assert re.search(r"credits_entry: \d+ rows instead of \d+", evidence(report, "rollback"))
    assert Entry.objects.filter(key="meanwhile").exists()
    code, report = site.run("--rollback", "--accept-loss")
    assert (code, report["details"]["rolled_back"]) == (0, "restore"), report
    assert not Entry.objects.filter(key="meanwhile").exists()
    (lost,) = site.backups.glob("*-lost.jsonl")
    rows = [json.loads(line) for line in lost.read_text().splitlines()]
    assert [row["row"]["amount"] for row in rows if row["table"] == "credits_entry"] == [77]
    assert lost.stat().st_mode & 0o777 == 0o600
    assert Workflow.objects.exclude(doubted=None).exists()


def test_from_a_deployment_that_others_have_worked_with_there_is_no_silent_way_back(site, plant):
    plant("good")
    site.run()
    ledger.grant(User.objects.get(username="alice"), 5, key="since", reason="since")
    code, report = site.run("--rollback")
    assert (code, verdicts(report)["rollback"], has_column()) == (1, "fail", True)
    code, report = site.run("--rollback", "--accept-loss")
    assert (code, report["details"]["rolled_back"], has_column()) == (0, "reverse", False)
    assert "what is lost is in" in evidence(report, "rollback")
    assert Entry.objects.filter(key="since").exists()


# Killed

LONGER = (Phase.BACKUP, Phase.VALIDATING, Phase.RESTORING)


@pytest.mark.parametrize(
    ("which", "phase"),
    [
        ("good", Phase.BACKUP),
        ("good", Phase.REHEARSE),
        ("good", Phase.MIGRATING),
        ("good", Phase.VALIDATING),
        ("livefails", Phase.REVERSING),
        ("oneway", Phase.RESTORING),
        ("oneway", Phase.SWAPPING),
    ],
)
def test_killed_anywhere_the_next_run_goes_on_or_back(request, which, phase):
    if phase in LONGER and not request.config.getoption("--soak"):
        pytest.skip("two deployments more: --soak")
    site, plant, monkeypatch = map(request.getfixturevalue, ("site", "plant", "monkeypatch"))
    plant(which)
    before, enter = site.sums(), Journal.enter

    def deadly(self, entered, **more):
        enter(self, entered, **more)
        if entered == phase and more.get("doing", "0002").endswith(("0002", "0002_filled")):
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Journal, "enter", deadly)
    assert killed(site.run) == -signal.SIGKILL
    monkeypatch.setattr(Journal, "enter", enter)
    first, taken = site.journal, site.manifests
    code, report = site.run()
    assert (code, str(phase) in evidence(report, "resumed")) == (0, True), report["rows"]
    assert site.beside() == (["replaced"] if which == "oneway" else [])
    assert has_column() == (which == "good")
    if phase not in (Phase.BACKUP, Phase.REHEARSE):
        assert (site.journal.backup, site.manifests) == (first.backup, taken)
    after = site.sums()
    for tables in (before, after):
        tables.pop("workflows_origin")
        tables["workflows_workflow"].columns.pop("planted", None)
    assert after == before


def test_killed_with_the_door_closed_the_next_run_opens_it(site, plant, monkeypatch):
    from vidgenie.management.migration import rollback

    plant("oneway")
    monkeypatch.setattr(rollback, "_end_others", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    assert killed(site.run) == -signal.SIGKILL
    with pytest.raises(place.PlaceError):
        place.connect(site.name)
    monkeypatch.undo()
    plant("oneway")
    code, report = site.run()
    assert (code, report["details"]["rolled_back"], has_column()) == (0, "restore", False), report


def test_ctrl_c_in_the_rehearsal_leaves_nothing(site, plant, monkeypatch):
    plant("good")
    monkeypatch.setattr(rehearsal, "rehearse", _interrupt)
    code, report = site.run()
    assert (code, report["outcome"]) == (130, "unknown")
    assert (site.beside(), site.journal.phase, has_column()) == ([], Phase.DROPPED, False)


def test_ctrl_c_between_two_migrations_is_gone_on_from(site, plant, monkeypatch):
    plant("good")
    moved = moving._moved

    def stopped(executor, plan, choose):
        return _interrupt() if plan[0][0].name == "0002_filled" else moved(executor, plan, choose)

    with monkeypatch.context() as patch:
        patch.setattr(rehearsal, "rehearse", lambda *_: rehearsal.Rehearsed(way_back=True))
        patch.setattr(moving, "_moved", stopped)
        assert site.run()[0] == 130
    assert (has_column(), site.journal.doing) == (True, "planted.0002_filled")
    code, report = site.run()
    assert (code, report["details"]["migrated"].keys()) == (0, {"planted.0002_filled"}), report["rows"]


def _interrupt(*_):
    raise KeyboardInterrupt


# What stands in the way


def test_two_operators_at_once_is_one_too_many(site):
    with preflight.alone():
        said, report = site.run()
    assert ("Another deployment" in said, report, site.backups.exists()) == (True, None, False)


def test_a_report_that_cannot_be_written_is_said_first(site):
    said, report = site.run("--report", "/nowhere/report.json")
    assert ("--report" in said, report, site.backups.exists()) == (True, None, False)


def test_a_newer_database_is_left_alone(site):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('credits', '9999_future', now())")
    code, report = site.run()
    assert (code, verdicts(report)["versions"], site.manifests) == (1, "fail", [])
    assert "credits.9999_future" in evidence(report, "versions")


def test_a_table_that_others_hold_is_waited_for_and_given_up(site, plant, monkeypatch):
    plant("good")
    monkeypatch.setattr(moving, "LOCK_TIMEOUT", 0.1)
    monkeypatch.setattr(moving, "PAUSES", (0.01,))
    before = site.sums()
    with place.connect(site.name) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM workflows_workflow")
        code, report = site.run()
    assert (code, verdicts(report)["migrate"], report["details"]["rolled_back"]) == (1, "fail", "nothing")
    assert "did not get its lock in 10 tries. In a transaction meanwhile: process" in evidence(report, "migrate")
    assert site.sums() == before


def test_a_table_that_is_let_go_in_time_is_migrated(site, plant, monkeypatch):
    plant("good")
    monkeypatch.setattr(moving, "LOCK_TIMEOUT", 0.1)
    holder, tried = place.connect(site.name), moving._tried
    holder.execute("BEGIN")
    holder.execute("SELECT 1 FROM workflows_workflow")

    def until_the_second(executor, plan, move):
        if "_site" in place.live_name() and "_copy_" not in place.live_name() and move.tries == 2:
            holder.close()
        return tried(executor, plan, move)

    monkeypatch.setattr(moving, "_tried", until_the_second)
    code, report = site.run()
    assert (code, report["details"]["migrated"]["planted.0001_column"]["tries"]) == (0, 2)


def test_a_table_may_not_be_closed_for_long_unless_that_is_accepted(site, plant, monkeypatch):
    plant("good")
    monkeypatch.setattr(deployment, "LONGEST_CLOSED", 0.0)
    code, report = site.run()
    assert (code, verdicts(report)["blocking"], has_column()) == (1, "fail", False)
    assert site.run("--accept-blocking")[0] == 0


def test_a_full_disk_in_the_middle_of_the_backup_leaves_no_half_of_it(site):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limit[1]))
    try:
        code, report = site.run("--backup-only")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (code, verdicts(report)["backup"], list(site.backups.iterdir())) == (1, "fail", [])
    assert "pg_dump failed" in evidence(report, "backup")
    assert site.beside() == []


# Backups that are not what they were


def test_a_backup_that_was_damaged_is_found_out(site):
    site.run("--backup-only")
    name = site.manifests[0].removesuffix(".json")
    assert site.run("--verify", name)[0] == 0
    dump = site.backups / f"{name}.dump"
    whole = dump.read_bytes()
    for damaged, told in [
        (whole[:-100], "bytes"),
        (whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:], "SHA-256"),
    ]:
        dump.write_bytes(damaged)
        code, report = site.run("--verify", str(dump))
        assert (code, told in evidence(report, "backup"), "verify" in verdicts(report)) == (1, True, False)
    manifest = site.backups / f"{name}.json"
    manifest.write_text(manifest.read_text()[:1000])
    code, report = site.run("--verify", name)
    assert (code, evidence(report, "backup")) == (1, f"{name}.json is no whole manifest (JSONDecodeError).")


def test_a_ring_that_does_not_open_the_keys_is_found_out(site, settings):
    site.run("--backup-only")
    name, key_id = site.manifests[0], migrating.RING.partition(":")[0]
    settings.ENCRYPTION_KEYS = crypto.new_key()
    code, report = site.run("--verify", name)
    assert (code, f"1 sealed by {key_id}, which is not in the ring" in evidence(report, "verify-keys")) == (1, True)
    settings.ENCRYPTION_KEYS = f"{key_id}:{crypto.new_key().partition(':')[2]}"
    code, report = site.run("--verify", name)
    assert (code, "is another key than when the backup was taken" in evidence(report, "verify-keys")) == (1, True)


def test_old_backups_go_and_the_one_that_is_needed_stays(tmp_path):
    names = [f"vg-2026010{day}T000000Z-{day}{day}" for day in range(1, 5)]
    for name in names:
        (tmp_path / f"{name}.json").write_text("{}")
        (tmp_path / f"{name}.dump").write_text("")
    (tmp_path / "vg-20260105T000000Z-55.dump.partial").write_text("")
    assert backup.prune(tmp_path, "vg", 2, spared=names[0]) == [names[1]]
    assert sorted({path.stem for path in tmp_path.iterdir()}) == [names[0], *names[2:]]
