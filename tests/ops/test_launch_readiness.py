"""Whether to go live: only five whole, young, passed reports of the running commit are a yes."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.ops.test_reports import complaints
from vidgenie import reports
from vidgenie.management.commands import launch_readiness
from vidgenie.reports import Report, Row, Verdict

COMMIT = "a" * 40
RUNNING = {"version": "0.1.0", "commit": COMMIT, "uncommitted": False}


@pytest.fixture(autouse=True)
def five(db, tmp_path, monkeypatch):
    """Five reports as they have to be, in the current directory."""
    monkeypatch.chdir(tmp_path)
    running(monkeypatch)
    for kind in launch_readiness.WRITTEN_BY:
        report = Report(kind, rows=[Row("a", "A thing", Verdict.PASS, "it works")])
        Path(f"{kind}-report.json").write_text(report.as_json())


def running(monkeypatch, **change):
    """Have this program be that one."""
    monkeypatch.setattr(reports, "program", lambda: RUNNING | change)
    monkeypatch.setattr(launch_readiness, "program", lambda: RUNNING | change)


def changed(of="benchmark", **change):
    path = Path(f"{of}-report.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def ago(**age):
    return (datetime.now(UTC) - timedelta(**age)).isoformat()


def failing(verdict):
    return {"outcome": verdict, "rows": [{"id": "slow", "verdict": verdict, "severity": ""}]}


def readiness(*arguments):
    """What was printed, the exit code, and the reasons in the report."""
    said, code = io.StringIO(), 0
    try:
        call_command("launch_readiness", *arguments, stdout=said, stderr=said)
    except SystemExit as left:
        code = left.code
    return said.getvalue(), code, json.loads(Path("launch-readiness-report.json").read_text())["details"]["reasons"]


def test_five_good_reports_are_ready():
    text, code, reasons = readiness()
    assert (code, reasons) == (0, [])
    assert text.splitlines()[-2:] == ["READY", "Report: launch-readiness-report.json"]
    assert "pass    benchmark         0 min old" in text


def test_its_own_report_is_as_its_schema_says():
    readiness()
    whole = json.loads(Path("launch-readiness-report.json").read_text())
    assert complaints(whole, "launch-readiness") == []
    assert whole["details"]["ready"] is True
    assert whole["details"]["reports"].keys() == launch_readiness.WRITTEN_BY.keys()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"finished": ago(days=7, minutes=1)}, "7 days old; it is too old"),
        ({"finished": ago(hours=-1)}, "0 min old; it is from the future: a clock is wrong"),
        ({"commit": "b" * 40}, "0 min old; it is of another commit, bbbbbbbbbbbb"),
        ({"commit": None}, "0 min old; it does not say of which commit it is"),
        ({"uncommitted": True}, "0 min old; files differed from the commit when it was written"),
        (failing("fail"), "0 min old; fail: slow"),
        ({"partial": True}, "0 min old; it is of a part, by an option that shortens it"),
        ({"kind": "performance"}, "benchmark-report.json: it is no report of the kind benchmark"),
    ],
)
def test_one_bad_report_is_not_ready_and_named(change, reason):
    changed(**change)
    text, code, reasons = readiness()
    assert (code, reasons) == (1, [f"benchmark: {reason}"])
    assert "NOT READY" in text
    assert "Run: ./manage.py benchmark" in text


def test_an_unknown_report_is_not_ready_and_leaves_with_3():
    changed(**failing("unknown"))
    assert readiness()[1:] == (3, ["benchmark: 0 min old; unknown: slow"])


def test_reports_within_the_days_of_the_setting_are_young_enough(settings):
    changed(finished=ago(days=6, hours=23))
    assert readiness()[1] == 0
    settings.REPORT_MAX_AGE_DAYS = 2
    assert readiness()[1:] == (1, ["benchmark: 6 days old; it is too old"])


def test_a_missing_report_says_who_writes_it():
    Path("performance-report.json").unlink()
    text, code, reasons = readiness()
    assert (code, reasons) == (1, ["performance: performance-report.json is missing"])
    assert "Run: ./manage.py load_test" in text


def test_a_truncated_report_is_named_with_what_is_wrong():
    path = Path("migration-report.json")
    path.write_text(path.read_text()[:100])
    _, code, reasons = readiness()
    assert code == 1
    assert len(reasons) == 1
    assert reasons[0].startswith("migration: migration-report.json: it is no whole JSON: ")


def test_a_folder_in_the_place_of_a_report_is_told():
    Path("migration-report.json").unlink()
    Path("migration-report.json").mkdir()
    assert readiness()[2] == ["migration: migration-report.json: it cannot be read: Is a directory"]


def test_all_reasons_are_told_at_once():
    changed("benchmark", commit="b" * 40, finished=ago(days=9), **failing("fail"))
    Path("migration-report.json").unlink()
    assert readiness()[2] == [
        "benchmark: 9 days old; it is too old; fail: slow; it is of another commit, bbbbbbbbbbbb",
        "migration: migration-report.json is missing",
    ]


def test_a_program_with_changes_is_not_ready(monkeypatch):
    running(monkeypatch, uncommitted=True)
    assert readiness()[1:] == (1, ["This program: 0.1.0, commit aaaaaaaaaaaa, with changes"])


def test_what_is_no_git_checkout_stays_unknown(monkeypatch):
    running(monkeypatch, commit=None, uncommitted=None)
    for kind in launch_readiness.WRITTEN_BY:
        changed(kind, commit=None)
    assert readiness()[1] == 1
    assert readiness()[2][0] == "This program: not a git checkout"


def test_reports_are_read_where_they_are_said_to_be(tmp_path):
    (tmp_path / "there").mkdir()
    assert readiness("--from", "there")[1] == 1
    for path in list(tmp_path.glob("*-report.json")):
        path.rename(tmp_path / "there" / path.name)
    assert readiness("--from", "there")[1] == 0
