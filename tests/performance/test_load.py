"""The command: what it asks for, what its report holds, and that it says pass only of what it has shown."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tests.ops.test_reports import complaints
from tests.performance.test_generator import ALICE, sent
from vidgenie.management.benchmarks.rig import Rig
from vidgenie.management.commands import load_test
from vidgenie.management.load import phases
from vidgenie.management.load.furnish import person
from vidgenie.management.load.generator import Plan, Sent
from vidgenie.management.load.installation import named
from vidgenie.management.load.phases import Phase
from vidgenie.management.load.sending import Outcome
from vidgenie.management.load.watching import Watch


def outcome(some: list[Sent], seconds: float) -> Outcome:
    """What a generator says that sent just these."""
    plan = Plan(1, [(50.0, seconds)], [ALICE])
    usual = [sent(0.02, at=at) for at in plan.times[len(some) :]]
    return Outcome(plan, [*some, *usual], 0, 0.1, seconds, {}, [])


def phase(name: str, some: list[Sent], seconds: float = 20.0, end: float = 20.0) -> Phase:
    return Phase(name, outcome(some, seconds), Watch({}), 0.0, end)


STILL = [sent(2.0 - n / 50, at=10 + n / 50) for n in range(100)]
NO = [sent(0.01, at=n / 50, status=503, retry_after=True) for n in range(200)]


@pytest.fixture
def found(monkeypatch):
    """What the phases come to, which a test may change; nothing is started."""
    says = {"proof": phase("proof", STILL), "load": phase("load", []), "overload": phase("overload", NO, 20.0, 10.0)}

    @contextmanager
    def installed(people, runs, say):
        yield None

    monkeypatch.setattr(load_test, "installed", installed)
    for name in tuple(says):
        run = lambda site, lengths, name=name: says[name]  # noqa: E731
        run.__name__ = name
        monkeypatch.setattr(phases, name, run)
    return says


@pytest.fixture(autouse=True)
def here(db, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    """The report, by row, and the exit code."""
    try:
        call_command("load_test", *arguments)
        code = 0
    except SystemExit as left:
        code = left.code
    whole = json.loads(Path("performance-report.json").read_text())
    assert complaints(whole, "performance") == []
    return {row["id"]: row for row in whole["rows"]}, code, whole


def verdicts(rows):
    return {name: row["verdict"] for name, row in rows.items() if row["verdict"] not in ("noted", "pass")}


def test_all_that_was_shown_is_a_pass_and_tells_route_by_route(found):
    rows, code, whole = run("--quick")
    assert (verdicts(rows), code, whole["outcome"]) == ({}, 0, "pass")
    assert rows["load-p95"]["measured"] == 20
    assert whole["details"]["settings"]["writes_percent"] == 19.5
    assert rows["route GET /workflows/create/"]["verdict"] == "noted"
    assert set(whole["details"]["phases"]) == {"proof", "load", "overload"}


def test_a_generator_that_does_not_see_a_stop_makes_all_the_rest_unknown(found):
    found["proof"] = phase("proof", [])
    rows, code, _ = run("--quick")
    assert (rows["proof"]["verdict"], rows["load-p95"]["verdict"], code) == ("fail", "unknown", 1)
    assert {rows[name]["verdict"] for name in ("load-errors", "overload-refusals", "overload-recovery")} == {"unknown"}


@pytest.mark.parametrize(
    ("name", "some", "row"),
    [
        ("load", [sent(0.5, at=n / 50) for n in range(100)], "load-p95"),
        ("load", [sent(status=500)], "load-errors"),
        ("load", [sent(status=503, retry_after=True)], "load-errors"),
        ("load", [sent(status=403)], "load-wrong"),
        ("load", [sent(status=403, at=n / 50) for n in range(100)], "load-throughput"),
        ("overload", [sent(0.2, status=503, retry_after=True) for _ in range(20)], "overload-refusals"),
        ("overload", [*NO, sent(status=500)], "overload-errors"),
    ],
)
def test_what_was_promised_and_is_not_kept_fails(found, name, some, row):
    found[name] = phase(name, some, 20.0, found[name].end)
    rows, code, _ = run("--quick")
    assert (rows[row]["verdict"], code) == ("fail", 1)


def test_no_recovery_while_it_was_looked_at_is_a_failure(found):
    after = [sent(at=10 + n / 10, status=503, retry_after=True) for n in range(100)]
    found["overload"] = phase("overload", [*NO, *after], 20.0, 10.0)
    rows, code, _ = run("--quick", "--phase", "overload")
    assert (rows["overload-recovery"]["verdict"], rows["overload-recovery"]["measured"], code) == ("fail", None, 1)
    assert "load-p95" not in rows


def test_a_run_that_was_answered_for_and_is_not_there_breaks_the_ledger(found):
    found["load"].outcome.accepted["load-1-1"] = "/api/workflow/status/6a8f6d24-0000-4000-8000-000000000009"
    rows, code, _ = run("--quick")
    assert (verdicts(rows), code) == ({"ledger": "fail"}, 1)


def test_what_is_asked_for_is_what_is_done(found):
    _, _, whole = run("--quick", "--rate", "20", "--seconds", "3", "--phase", "load")
    asked = whole["details"]["settings"]
    assert (asked["rate"], asked["phases"], whole["partial"]) == (20, ["load"], True)
    assert load_test.chosen_of(quick=False, phase=None) == ("load", "overload", "leak")
    assert load_test.lengths_of(quick=False, rate=None, seconds=7) == load_test.replace(load_test.WHOLE, load=7)


@pytest.mark.parametrize("wrong", [["--rate", "0"], ["--seconds", "nan"], ["--rate", "x"], ["--phase", "all"]])
def test_nonsense_is_refused_before_anything_is_started(found, wrong):
    with pytest.raises(CommandError):
        call_command("load_test", *wrong)
    assert list(Path().iterdir()) == []


# --- What it falls on --------------------------------------------------------------------------------------


def test_a_person_comes_in_with_a_session_and_a_token_that_are_good(client, alice):
    them = person(alice, 300)
    assert them.address == "127.1.1.51"
    client.cookies[settings.SESSION_COOKIE_NAME] = them.session
    assert client.get("/workflows/").status_code == 200
    client.cookies.clear()
    assert client.get("/api/credits", headers={"Authorization": f"Bearer {them.token}"}).status_code == 200


def test_processes_are_watched_over_time(db):
    with Watch({"web": psutil.Process()}, every=0.05).watched() as watch:
        while not watch.connections:
            time.sleep(0.01)
    told = watch.document()
    assert told["processes"][0]["pid"] == os.getpid()
    assert watch.most("web") > 10
    assert set(watch.cpu) == {"web"}


def test_connections_bear_the_name_of_who_holds_them():
    on = Rig("", None, {"A": "1"}, Path())
    assert named(on, "web", B="2").environment == {"A": "1", "PGAPPNAME": "web", "B": "2"}
    assert on.environment == {"A": "1"}


def test_a_process_is_stopped_for_so_long_and_goes_on():
    script = "import time\nwhile True: print(time.monotonic(), flush=True); time.sleep(0.02)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        first = float(process.stdout.readline())
        phases.stop(psutil.Process(process.pid), 0.7)
        gaps, before = [], first
        while before < first + 0.9:
            now = float(process.stdout.readline())
            gaps.append(now - before)
            before = now
        process.kill()
    assert max(gaps) > 0.6


def test_all_of_it_runs_small(request, tmp_path):
    if not request.config.getoption("--soak"):
        pytest.skip("starts a database, a web server and a worker, for a minute or more. Run it with --soak")
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "load_test", "--quick", "--rate", "10"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    whole = json.loads((tmp_path / "performance-report.json").read_text())
    assert complaints(whole, "performance") == [], told.stderr
    rows = {row["id"]: row for row in whole["rows"]}
    assert (rows["proof"]["verdict"], rows["ledger"]["verdict"]) == ("pass", "pass"), told.stdout
    assert rows["load-wrong"]["measured"] == 0
