"""Setting up an environment for tests: made once, looked at for nothing, and never where people live."""

import io
import json
import os
import shutil
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from credits import ledger
from credits.models import Entry
from providers import crypto, keys
from providers.models import ProviderKey
from tests.ops.test_reports import complaints
from vidgenie.embedded import Server
from vidgenie.management import production_signs, test_environment
from vidgenie.management.commands import setup_test_environment as command
from vidgenie.management.production_signs import DEMO_USERS, Sign
from vidgenie.reports import Row, Verdict

PROJECT = Path(__file__).resolve().parents[2]
SAID = command.SAID


@pytest.fixture(autouse=True)
def checkout(settings, tmp_path, monkeypatch):
    """A directory with what a checkout has, and a simulator that answers."""
    for name in (".env.test.example", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "media").mkdir()
    settings.BASE_DIR, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
    settings.ENCRYPTION_KEYS, settings.PROVIDER_MODE, settings.ALLOWED_HOSTS = "", "simulated", ["localhost"]
    settings.PROVIDER_KEYS = {"openai": "", "fal": ""}
    monkeypatch.setattr(test_environment, "simulator", answering)
    monkeypatch.setattr(keys, "check", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def answering():
    yield Row("simulator", "Simulator", Verdict.PASS, "it answers")


def run(*arguments):
    """What was printed, the exit code, and the report."""
    said, code = io.StringIO(), 0
    try:
        call_command("setup_test_environment", "--inside", *arguments, stdout=said, stderr=said)
    except SystemExit as left:
        code = left.code
    return said.getvalue(), code, json.loads(Path("test-environment-report.json").read_text())


def verdicts(report):
    return {row["id"]: row["verdict"] for row in report["rows"]}


def everything():
    """All rows and files that a set-up makes, to be compared."""
    files = {p: p.read_bytes() for p in Path().rglob("*") if p.is_file() and not p.name.endswith("-report.json")}
    tables = [User.objects, Entry.objects, ProviderKey.objects, MigrationRecorder.Migration.objects]
    return files, [list(table.order_by("pk").values()) for table in tables]


def test_it_makes_everything_and_shows_it(db):
    _, code, report = run()
    assert code == 0, report
    assert complaints(report, "test-environment") == []
    assert {name for name, verdict in verdicts(report).items() if verdict == "pass"} == {
        *("variables", "python", "django", "simulator", "database", "programs", "migrations"),
        *("people", "keys", "storage", "encoder"),
    }
    assert [ledger.balance(User.objects.get(username=name)).available for name in DEMO_USERS] == [1000] * 3
    assert not User.objects.get(username="demo-alice").has_usable_password()
    assert list(User.objects.filter(is_staff=True).values_list("username", flat=True)) == ["demo-sam"]


def test_the_variables_are_the_example_with_a_key_of_their_own(db):
    run()
    made = Path(".env.test")
    different = set(made.read_text().splitlines()) ^ set(Path(".env.test.example").read_text().splitlines())
    assert (made.stat().st_mode & 0o777, len(different)) == (0o600, 2)
    key = next(line for line in different if not line.startswith("#")).removeprefix("VIDGENIE_ENCRYPTION_KEYS=")
    assert crypto.Ring.parse(key).ids
    assert key not in Path("test-environment-report.json").read_text()


def test_twice_changes_nothing(db):
    run()
    before = everything()
    assert run()[1] == 0
    assert everything() == before
    assert len(before[1][0]) == 3
    assert len(before[1][2]) == len(keys.keyed_providers())


@pytest.mark.django_db(transaction=True)
def test_check_changes_nothing():
    before = everything()
    _, code, report = run("--check")
    assert code == 1
    assert everything() == before
    assert [row["id"] for row in report["rows"] if row["verdict"] == "fail"] == ["variables", "people", "keys"]
    run()
    before = everything()
    _, code, report = run("--check")
    assert (code, report["outcome"], report["details"]["checked_only"]) == (0, "pass", True)
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_while_it_looks_the_database_itself_refuses_to_write():
    with command.reading_only(), pytest.raises(DatabaseError, match="read-only"):
        User.objects.create(username="demo-alice")
    User.objects.create(username="demo-alice")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("during", [command.alone, command.reading_only])
def test_ctrl_c_in_the_middle_of_a_statement_leaves_nothing_behind(during):
    def interrupted():
        with during():
            connection.connection.pgconn.send_query(b"SELECT pg_sleep(1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert connection.connection is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [command.LOCK])  # waits for what ends, 5 s at most
        cursor.execute("SELECT pg_advisory_unlock(%s)", [command.LOCK])
    User.objects.create(username="demo-alice")


def test_existing_variables_stay_and_what_they_lack_is_told(db):
    Path(".env.test").write_text("SITE_NAME=mine\n")
    _, code, report = run()
    assert code == 1
    assert Path(".env.test").read_text() == "SITE_NAME=mine\n"
    row = next(row for row in report["rows"] if row["id"] == "keys")
    assert row["advice"].startswith("Add to .env.test: VIDGENIE_ENCRYPTION_KEYS=")
    assert ProviderKey.objects.count() == 0


def test_credits_that_were_spent_are_filled_up_once(db):
    run()
    alice = User.objects.get(username="demo-alice")
    ledger.settle(ledger.hold(alice, 300, reference="run"), 300, key="run")
    run()
    run()
    assert ledger.balance(alice).available == 1000


def test_a_key_that_no_longer_opens_is_sealed_anew(db, settings):
    run()
    settings.ENCRYPTION_KEYS = crypto.new_key()
    assert verdicts(run("--check")[2])["keys"] == "fail"
    assert verdicts(run()[2])["keys"] == "pass"
    assert ProviderKey.objects.filter(active=True).count() == len(keys.keyed_providers())


def test_no_dummy_key_is_made_where_the_providers_are_real(db, settings):
    settings.PROVIDER_MODE = "real"
    assert verdicts(run()[2])["keys"] == "noted"
    assert ProviderKey.objects.count() == 0


def test_it_tells_which_providers_have_a_key_and_never_the_key(db, settings):
    settings.PROVIDER_KEYS = {"openai": "sk-planted-0123456789", "fal": ""}
    text, _, report = run()
    assert report["details"]["providers_with_a_key"] == {"openai": "environment"}
    assert "planted" not in text + json.dumps(report)


def test_it_tells_the_limits_in_force(db, settings):
    settings.MAX_TEST_CREDITS_PER_RUN, settings.ENABLE_REAL_API_TESTS = 7, True
    _, _, report = run()
    assert report["details"]["limits"]["MAX_TEST_CREDITS_PER_RUN"] == 7
    assert report["details"]["limits"]["API_RATE_USER"] == "600/min"
    assert "on, up to 7 credits a run" in [row["evidence"] for row in report["rows"]]


def test_a_folder_that_cannot_be_written_fails(db, settings):
    Path("file").touch()
    settings.MEDIA_ROOT = Path("file").resolve()
    assert verdicts(run()[2])["storage"] == "fail"


def test_a_database_that_does_not_answer_fails_and_the_rest_is_still_told(db, monkeypatch):
    def away():
        raise OperationalError(f"no server at {Path.cwd()}/socket")

    with monkeypatch.context() as gone:
        gone.setattr(connection, "ensure_connection", away)
        row = command.no_answer()
    assert (row.verdict, row.evidence) == ("fail", "no server at ./socket")
    monkeypatch.setattr(command, "no_answer", lambda: row)
    _, code, report = run("--check")
    assert (code, verdicts(report)["database"], verdicts(report)["encoder"]) == (1, "fail", "pass")


def test_a_second_operator_is_turned_away(db):
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [command.LOCK])
        with pytest.raises(CommandError, match="Another set-up of this database is going on"):
            run()
    other.close()
    assert User.objects.count() == 0


# Refusals


def refused(*arguments):
    """What was said against it, and that nothing was changed: no row, no file, no report."""
    before = everything()
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert everything() == before
    assert not Path("test-environment-report.json").exists()
    return str(error.value)


def test_production_is_refused_whatever_is_said(db, settings):
    settings.PRODUCTION = True
    assert "VIDGENIE_ENVIRONMENT is production" in refused()
    assert "VIDGENIE_ENVIRONMENT is production" in refused(SAID)


def test_a_database_with_people_is_refused(alice):
    text = refused()
    assert "users other than the demo users are in the database: 1" in text
    assert "the ledger has lines of others than the demo users: 1" in text
    assert text.endswith(f"If it is a test database all the same, add {SAID}.")


def test_a_key_of_the_site_is_a_sign(db, settings):
    settings.ENCRYPTION_KEYS = crypto.new_key()
    keys.store("openai", "sk-planted-0123456789abcdef")
    assert "provider keys that no set-up has sealed are in the database: 1" in refused()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"PUBLIC_URL": "https://video.example.org"}, "the settings of a site"),
        ({"ALLOWED_HOSTS": ["localhost", "video.example.org"]}, "the settings of a site"),
    ],
)
def test_the_settings_of_a_site_are_a_sign(db, change, text):
    with override_settings(**change):
        assert text in refused()


def test_a_database_elsewhere_is_a_sign(db, monkeypatch):
    monkeypatch.setattr(production_signs, "database_host", lambda: "db.example.org")
    assert "the database is on another machine" in refused()


def test_who_says_that_it_is_a_test_database_is_believed(alice):
    assert run(SAID)[1] == 0
    assert ledger.balance(alice).available == 300


def test_a_newer_database_is_refused_whatever_is_said(db):
    MigrationRecorder(connection).record_applied("credits", "9999_future")
    assert "a newer VidGenie has migrated the database (credits.9999_future)" in refused(SAID)


def test_the_database_of_another_program_is_refused_whatever_is_said(db, monkeypatch):
    monkeypatch.setattr(connection.introspection, "table_names", lambda *_: ["invoices"])
    assert production_signs.signs() == [
        Sign("the database has 1 tables, none of them ours: it is another program's", final=True)
    ]
    assert "another program's" in refused(SAID)


def test_a_fresh_database_has_no_signs(db, monkeypatch):
    monkeypatch.setattr(connection.introspection, "table_names", lambda *_: [])
    assert production_signs.signs() == []


@pytest.mark.parametrize(
    ("host", "local"),
    [("", True), ("/run/postgresql", True), ("localhost", True), ("::1", True), ("10.0.0.1", False), ("db", False)],
)
def test_what_is_this_machine(host, local):
    assert production_signs.is_local(host) is local


# The variables that the tests' settings are read from


def test_what_was_typed_wins_and_a_sites_own_database_gives_way(checkout):
    Path(".env").write_text("DATABASE_URL=postgresql://site/live\nVIDGENIE_ENVIRONMENT=production\nSIMULATOR_PORT=1\n")
    shell = {"DATABASE_URL": "postgresql://site/live", "VIDGENIE_ENVIRONMENT": "production", "SIMULATOR_PORT": "9000"}
    found = test_environment.variables(shell | {"PATH": "/bin"})
    assert found["DATABASE_URL"] == Server.of(checkout, fast=True).url
    assert (found["VIDGENIE_ENVIRONMENT"], found["SIMULATOR_PORT"], found["PATH"]) == ("test", "9000", "/bin")


def test_an_existing_file_is_read_in_place_of_the_example(checkout):
    Path(".env.test").write_text("DATABASE_URL=postgresql://localhost/mine\n")
    assert test_environment.variables({}) == {"DATABASE_URL": "postgresql://localhost/mine"}
    assert test_environment.variables({"DATABASE_URL": "typed"}) == {"DATABASE_URL": "typed"}


def test_a_database_in_a_file_of_its_own_is_not_hidden_by_the_embedded_one():
    assert "DATABASE_URL" not in test_environment.variables({"DATABASE_URL_FILE": "secret"})


def test_the_outer_command_hands_over_what_was_asked_and_how_it_ended(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "within", lambda variables, arguments: asked.append(arguments) or 3)
    with pytest.raises(SystemExit) as left:
        call_command("setup_test_environment", "--check", "--report", "x.json")
    assert (left.value.code, asked) == (3, [["--inside", "--report", "x.json", "--check"]])


def test_the_inner_command_runs_with_these_variables_and_its_exit_code_is_ours(settings, capfd):
    settings.BASE_DIR = PROJECT
    good = {**os.environ, "SECRET_KEY": "k" * 60}
    assert command.within(good, ["--inside", "--nonsense"]) == 2
    assert "unrecognized arguments: --nonsense" in capfd.readouterr().err
    assert command.within(good | {"VIDGENIE_ENVIRONMENT": "nonsense"}, ["--inside"]) == 1


def test_production_is_refused_before_anything_is_started(settings, monkeypatch):
    settings.PRODUCTION = True
    monkeypatch.setattr(command, "within", lambda *_: pytest.fail("it was started"))
    with pytest.raises(CommandError, match="VIDGENIE_ENVIRONMENT is production"):
        call_command("setup_test_environment")


# The simulator


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def real_simulator(monkeypatch, settings):
    monkeypatch.undo()
    settings.BASE_DIR, settings.SIMULATOR_PORT = PROJECT, free_port()
    return test_environment.simulator


def test_a_simulator_is_started_for_the_check_and_ended(real_simulator, settings):
    with real_simulator() as first:
        assert (first.verdict, first.evidence) == ("pass", "started for this check, and stopped")
        with real_simulator() as second:
            assert second.evidence == "it runs already"
    assert test_environment._asked(settings.SIMULATOR_PORT) is None


def test_something_else_on_the_port_is_no_simulator(real_simulator, settings):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"3")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", settings.SIMULATOR_PORT), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with real_simulator() as row:
            assert (row.verdict, row.evidence) == ("fail", "something else answers there")
        server.shutdown()
