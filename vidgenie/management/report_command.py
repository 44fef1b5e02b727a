"""The manners that all reporting commands share: where the report goes, what people read, how the command leaves."""

import sys
import textwrap
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from vidgenie import reports
from vidgenie.reports import Report, Row, Verdict

LEAVES = "Exit codes: 0 it was shown, 1 something failed, 2 wrong arguments, 3 something stayed unknown, 130 Ctrl-C."
SCREEN = "-"
INTERRUPTED = 130


class ReportCommand(BaseCommand):
    """A command that fills a report. A subclass says its `kind` and has `fill`; the rest is here.

    `fill` adds rows and may raise CommandError to refuse: then there is no report. After anything else that breaks it,
    Ctrl-C included, what was found until then is written, as unknown.
    """

    kind: ClassVar[str]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.people = self.stdout

    def fill(self, report: Report, *args: Any, **options: Any) -> None:
        """Do the work and add a row for each thing that it shows."""
        raise NotImplementedError

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs.setdefault("epilog", LEAVES)
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--report",
            metavar="PATH",
            default=str(reports.default_path(self.kind)),
            help="where the JSON goes, - for the screen alone (default: %(default)s)",
        )

    def handle(self, *, report: str, **options: Any) -> None:
        path = None if report == SCREEN else Path(report)
        self.people = self.stdout if path else self.stderr
        if path:
            try:
                reports.require_writable(path)
            except reports.Unwritable as error:
                raise CommandError(str(error)) from error
        found = Report(self.kind)
        try:
            self.fill(found, **options)
        except CommandError:
            raise
        except BaseException as error:
            found.add(broken_off(error))
            self.keep(found, path)
            if isinstance(error, KeyboardInterrupt):
                raise SystemExit(INTERRUPTED) from None
            raise
        if code := self.keep(found, path):
            raise SystemExit(code)

    def keep(self, report: Report, path: Path | None) -> int:
        """Write the report and tell it; what cannot be written is printed. Returns the exit code."""
        text = report.as_json()
        self.say("\n".join(self.summary(report)))
        if path is None:
            self.stdout.write(text)
            return report.exit_code
        try:
            reports.write(path, text)
        except OSError as error:
            self.stderr.write(f"--report: {path} cannot be written: {error.strerror}. It is printed instead.")
            self.stdout.write(text)
            return report.exit_code or reports.EXIT_CODES[Verdict.FAIL]
        self.stdout.write(f"Report: {path}")
        return report.exit_code

    def summary(self, report: Report) -> Iterator[str]:
        """A line for each row, what to do where it is not a pass, and the outcome."""
        width = max((len(row.title) for row in report.rows), default=0)
        for row in report.rows:
            yield self.painted(f"{row.verdict:8}", row.verdict) + f"{row.title:{width}}  {told(row)}".rstrip()
            if row.advice and row.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
                yield textwrap.fill(row.advice, 110, initial_indent=" " * 8, subsequent_indent=" " * 8)
        yield self.painted(f"{report.kind}: {report.outcome}", report.outcome)

    def painted(self, text: str, verdict: Verdict) -> str:
        """In color where somebody looks at a terminal."""
        if not self.people.isatty():
            return text
        styles = {Verdict.PASS: self.style.SUCCESS, Verdict.FAIL: self.style.ERROR, Verdict.UNKNOWN: self.style.WARNING}
        return styles.get(verdict, str)(text)

    def say(self, text: str) -> None:
        """Write for people, which is not where the report goes."""
        self.people.write(text, style_func=str)
        self.people.flush()

    def progress(self, text: str) -> None:
        """Say what goes on now, to whoever waits for it at a terminal."""
        if sys.stderr.isatty():
            self.stderr.write(text, style_func=str)
            self.stderr.flush()


def told(row: Row) -> str:
    """What was found, and what was wanted: "0.3 s (under 2 s)"."""
    measured = "" if row.measured is None else f"{row.measured:,.6g}" if type(row.measured) is float else row.measured
    found = f"{measured} {row.unit}".strip() or row.evidence
    return f"{found} ({row.target})" if row.target and row.verdict != Verdict.PASS else found


def broken_off(error: BaseException) -> Row:
    """The row of a command that did not come to its end."""
    return Row(
        "broken-off",
        "The command came to its end",
        Verdict.UNKNOWN,
        target="yes",
        measured="no",
        evidence=f"{type(error).__name__} after the rows before this one",
        advice="Run it again; what it said when it broke off is above.",
    )
