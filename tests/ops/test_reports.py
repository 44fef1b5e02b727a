"""Reports: what they come to, what is in the file, and that nothing is lost or told that should not be."""

import io
import json
import math
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from vidgenie import reports
from vidgenie.management import report_command
from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Report, Row, Unreadable, Unwritable, Verdict

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "reports"


def complaints(whole, schema="report"):
    """What the published schema has against a report."""
    documents = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")}
    registry = Registry().with_resources((name, Resource.from_contents(text)) for name, text in documents.items())
    validator = Draft202012Validator(
        documents[f"{schema}.schema.json"], registry=registry, format_checker=FormatChecker()
    )
    return [error.message for error in validator.iter_errors(whole)]


def row(id="a", verdict=Verdict.PASS, **more):
    return Row(id, "A thing", verdict, **({"target": "it works"} | more))


def report(*rows, **more):
    return Report("test-environment", rows=list(rows), **more)


class Measuring(ReportCommand):
    """A command that finds what a test wants it to find."""

    kind = "performance"
    requires_system_checks = ()

    def __init__(self, work, **more):
        super().__init__(**more)
        self.work = work

    def fill(self, report, **options):
        self.work(report)


def run(work, *arguments, stdout=None):
    """What was printed, and the exit code."""
    said = io.StringIO()
    try:
        call_command(Measuring(work), *arguments, stdout=stdout or said, stderr=said)
    except SystemExit as left:
        return said.getvalue(), left.code
    return said.getvalue(), 0


@pytest.fixture(autouse=True)
def here(db, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("verdicts", "outcome", "code"),
    [
        ([], "unknown", 3),
        (["noted"], "unknown", 3),
        (["pass", "noted"], "pass", 0),
        (["pass", "unknown"], "unknown", 3),
        (["unknown", "fail", "pass"], "fail", 1),
    ],
)
def test_unknown_is_not_a_pass(verdicts, outcome, code):
    rows = [row(str(n), Verdict(v), target="" if v == "noted" else "x") for n, v in enumerate(verdicts)]
    assert (report(*rows).outcome, report(*rows).exit_code) == (outcome, code)


def test_what_is_less_severe_than_asked_for_does_not_decide():
    rows = [row("a"), row("b", Verdict.FAIL, severity="medium")]
    assert [report(*rows, fail_on=least).outcome for least in ("high", "medium", "")] == ["pass", "fail", "fail"]


def test_a_row_has_a_target_or_is_noted_and_its_name_is_its_own():
    for wrong in ({"target": ""}, {"verdict": Verdict.NOTED}, {"severity": "awful"}):
        with pytest.raises(ValueError, match="a: "):
            row(**wrong)
    with pytest.raises(ValueError, match="two rows"):
        report(row()).add(row())


def test_the_file_is_as_its_schema_says():
    rows = [row(measured=math.nan, unit="s"), row("b", Verdict.NOTED, target="", measured="18.4")]
    whole = json.loads(
        report(*rows, details={"limits": {}, "checked_only": True, "providers_with_a_key": {}}).as_json()
    )
    assert complaints(whole, "test-environment") == []
    assert whole["rows"][0]["measured"] is None
    assert re.fullmatch(r"\d+\.\d+", whole["machine"]["postgresql"])


@pytest.mark.parametrize(
    "change", [{"outcome": "fine"}, {"format": 2}, {"more": 1}, {"rows": [{}]}, {"commit": "main"}, {"finished": 3}]
)
def test_the_schema_refuses_what_is_no_report(change):
    assert complaints(json.loads(report(row()).as_json())) == []
    assert complaints(json.loads(report(row()).as_json()) | change) != []


def test_every_reporting_command_has_a_schema_of_its_kind():
    ours = [name for name, app in get_commands().items() if app == "vidgenie"]
    commands = [load_command_class("vidgenie", name) for name in ours]
    kinds = {command.kind for command in commands if isinstance(command, ReportCommand)}
    assert "launch-readiness" in kinds
    for kind in kinds:
        assert json.loads((SCHEMAS / f"{kind}.schema.json").read_text())["properties"]["kind"] == {"const": kind}


def test_no_secret_of_the_settings_gets_into_a_report(settings):
    settings.PROVIDER_KEYS = {"openai": "sk-planted-0123456789"}
    settings.METRICS_TOKEN = "planted-token-0123456789"
    settings.ENCRYPTION_KEYS = "k1:planted0123456789="
    found = report(row(evidence="got sk-planted-0123456789"), details={"a": [{"b": "planted-token-0123456789"}]})
    found.add(row("b", measured="planted0123456789="))
    assert "planted" not in found.as_json()
    assert found.as_json().count("•••") == 3


def test_a_site_whose_mail_needs_no_password_can_report(settings):
    settings.EMAIL_HOST_PASSWORD = None
    assert json.loads(report(row()).as_json())["outcome"] == "pass"


# The file


def test_what_was_there_stays_when_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("old")
    monkeypatch.setattr(reports.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        reports.write(path, "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("x.json", "old")]


def full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("path", ["missing/x.json", ".", "file/x.json"])
def test_a_path_that_cannot_be_written_is_refused_by_the_name_of_the_option(path):
    Path("file").touch()
    with pytest.raises(Unwritable, match=r"^--report: "):
        reports.require_writable(Path(path))
    assert [file.name for file in Path().iterdir()] == ["file"]


# The command


def test_a_pass_is_written_told_and_leaves_with_0():
    text, code = run(lambda found: found.add(row(measured=0.25, unit="s")))
    assert code == 0
    assert text.splitlines() == [
        "pass    A thing  0.25 s",
        "performance: pass",
        "Report: performance-report.json",
    ]
    assert reports.read(Path("performance-report.json"), "performance").outcome == "pass"


def test_a_failure_says_what_was_wanted_and_what_to_do():
    text, code = run(lambda found: found.add(row(verdict=Verdict.FAIL, measured=9, advice="Do it.")))
    assert code == 1
    assert text.splitlines()[:2] == ["fail    A thing  9 (it works)", "        Do it."]


def test_an_unwritable_path_is_told_before_the_work_starts():
    begun = []
    with pytest.raises(CommandError, match=r"^--report: missing/x.json cannot be written: No such file"):
        run(begun.append, "--report", "missing/x.json")
    assert begun == []


def test_a_result_that_cannot_be_written_any_more_is_printed(monkeypatch):
    monkeypatch.setattr(reports.os, "fsync", full)
    text, code = run(lambda found: found.add(row()))
    assert code == 1
    assert "cannot be written: No space left on device. It is printed instead." in text
    assert json.loads(text[text.index("{") :])["outcome"] == "pass"


def test_a_dash_prints_the_report_and_writes_nothing():
    printed = io.StringIO()
    text, code = run(lambda found: found.add(row()), "--report", "-", stdout=printed)
    assert (json.loads(printed.getvalue())["outcome"], code) == ("pass", 0)
    assert text.splitlines() == ["pass    A thing", "performance: pass"]
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_found_before_it_broke_off_is_kept_as_unknown(error):
    def work(found):
        found.add(row())
        raise error

    code = 130
    if error is RuntimeError:
        with pytest.raises(RuntimeError):
            run(work)
    else:
        assert run(work)[1] == code
    found = reports.read(Path("performance-report.json"), "performance")
    assert (found.outcome, found.of(Verdict.UNKNOWN), found.of(Verdict.PASS)) == ("unknown", ["broken-off"], ["a"])


def test_a_refusal_leaves_no_report():
    def work(found):
        raise CommandError("No.")

    with pytest.raises(CommandError, match=r"No\."):
        run(work)
    assert list(Path().iterdir()) == []


def test_colors_are_for_terminals(monkeypatch):
    command = Measuring(None, stdout=io.StringIO(), force_color=True)
    assert "\x1b" not in "".join(command.summary(report(row())))
    monkeypatch.setattr(command.stdout, "isatty", lambda: True)
    assert "\x1b" in "".join(command.summary(report(row())))


def test_the_help_tells_the_exit_codes():
    assert "3 something stayed unknown" in report_command.LEAVES
    assert report_command.LEAVES in " ".join(Measuring(None).create_parser("manage.py", "x").format_help().split())


# Reading


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "no whole JSON"),
        (b'{"kind": "performance", "rows": [', "no whole JSON"),
        (b"\xff\xfe\x00", "no whole JSON"),
        (b"[" * 100_000, "no whole JSON"),
        (b"[1]", "no report of the kind performance"),
        (b'{"kind": "benchmark", "format": 1}', "no report of the kind performance"),
        (b'{"kind": "performance", "format": 99}', "its format is 99, and this program reads 1"),
        (b'{"kind": "performance", "format": 1}', "missing or wrong: KeyError: 'finished'"),
    ],
)
def test_a_file_that_is_no_report_is_told_what_is_wrong(text, complaint):
    Path("x.json").write_bytes(text)
    with pytest.raises(Unreadable, match=re.escape(complaint)):
        reports.read(Path("x.json"), "performance")


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "pass"},
        {"rows": []},
        {"rows": 3},
        {"rows": [{"id": "a", "verdict": "fine", "severity": ""}]},
        {"finished": "yesterday"},
        {"finished": "2026-01-01T00:00:00"},
        {"fail_on": "awful"},
        {"commit": 3},
        {"uncommitted": "no"},
    ],
)
def test_a_report_that_was_tampered_with_is_not_believed(change):
    whole = json.loads(Report("performance", rows=[row(verdict=Verdict.FAIL)]).as_json())
    Path("x.json").write_text(json.dumps(whole | change))
    with pytest.raises(Unreadable, match="missing or wrong"):
        reports.read(Path("x.json"), "performance")
