"""Reads what the other commands have reported and says whether that is enough to go live."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Found, Report, Row, Unreadable, Verdict, program, read

WRITTEN_BY = {
    "test-environment": "setup_test_environment",
    "benchmark": "benchmark",
    "performance": "load_test",
    "security-audit": "security_audit",
    "migration": "deploy_migration",
}
SKEW = timedelta(minutes=5)  # between the clocks of two machines
TARGET = "passed, of this commit, at most {days} days old"


class Command(ReportCommand):
    help = """Reads the five reports and says READY or NOT READY, with every reason and the age of each report. A report
    that is missing, unreadable, too old (REPORT_MAX_AGE_DAYS), of another commit, of a part, failed or unknown is a
    reason."""
    kind = "launch-readiness"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", default=".", metavar="DIRECTORY", help="where they are (default: here)")

    def fill(self, report: Report, **options: Any) -> None:
        running = program()
        report.add(program_row(running))
        ages = {}
        for kind in WRITTEN_BY:
            row, age = judged(Path(options["from"]) / f"{kind}-report.json", kind, running)
            report.add(row)
            if age is not None:
                ages[kind] = round(age.total_seconds())
        reasons = [f"{row.title}: {row.evidence}" for row in report.rows if row.verdict != Verdict.PASS]
        report.details = {"ready": report.outcome == Verdict.PASS, "reasons": reasons, "reports": ages}

    def summary(self, report: Report) -> Iterator[str]:
        *lines, _ = super().summary(report)
        yield from lines
        yield self.painted("READY" if report.outcome == Verdict.PASS else "NOT READY", report.outcome)


def program_row(running: dict[str, Any]) -> Row:
    """Whether it is known which program this is: reports are about one commit."""
    title, target = "This program", "a commit, with nothing changed since"
    if running["commit"] is None:
        advice = "Run this in the git checkout that is deployed."
        return Row("program", title, Verdict.UNKNOWN, target, evidence="not a git checkout", advice=advice)
    told = f"{running['version']}, commit {running['commit'][:12]}"
    if running["uncommitted"]:
        advice = "Commit the changes or take them back, and have the reports written anew."
        return Row("program", title, Verdict.FAIL, target, evidence=f"{told}, with changes", advice=advice)
    return Row("program", title, Verdict.PASS, target, evidence=told)


def judged(path: Path, kind: str, running: dict[str, Any]) -> tuple[Row, timedelta | None]:
    """The row of one report, and its age when it could be read."""
    try:
        found = read(path, kind)
    except FileNotFoundError:
        return verdict(kind, [f"{path.name} is missing"], []), None
    except Unreadable as error:
        return verdict(kind, [f"{path.name}: {error}"], []), None
    age = datetime.now(UTC) - found.finished
    against = [*bad_age(age), *bad_outcome(found, Verdict.FAIL), *other_program(found, running)]
    against += ["it is of a part, by an option that shortens it"] if found.partial else []
    return verdict(kind, against, bad_outcome(found, Verdict.UNKNOWN), age), age


def verdict(kind: str, against: list[str], unknown: list[str], age: timedelta | None = None) -> Row:
    """FAIL for what speaks against it, UNKNOWN for what does not speak for it."""
    reasons = against + unknown
    told = "" if age is None else f"{in_words(age)} old"
    return Row(
        kind,
        kind,
        Verdict.FAIL if against else Verdict.UNKNOWN if unknown else Verdict.PASS,
        target=TARGET.format(days=settings.REPORT_MAX_AGE_DAYS),
        evidence="; ".join([*([told] if told else []), *reasons]),
        method="its report was read",
        advice=f"Run: ./manage.py {WRITTEN_BY[kind]}" if reasons else "",
    )


def bad_age(age: timedelta) -> list[str]:
    if age < -SKEW:
        return ["it is from the future: a clock is wrong"]
    return ["it is too old"] if age > timedelta(days=settings.REPORT_MAX_AGE_DAYS) else []


def bad_outcome(found: Found, bad: Verdict) -> list[str]:
    if found.outcome != bad:
        return []
    ids = found.of(bad)
    more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
    return [f"{bad}: {', '.join(ids[:5]) or 'nothing was shown'}{more}"]


def other_program(found: Found, running: dict[str, Any]) -> list[str]:
    """Reasons why the report is about another program than the one that runs; no commit at all is one."""
    if found.commit is None:
        return ["it does not say of which commit it is"]
    if found.commit != running["commit"]:
        return [f"it is of another commit, {found.commit[:12]}"]
    return ["files differed from the commit when it was written"] if found.uncommitted else []


def in_words(age: timedelta) -> str:
    """ "3 days", "5 h", "12 min", as far as anybody wants to know it."""
    minutes = max(int(age.total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
