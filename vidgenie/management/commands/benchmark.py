"""Measures what was promised, and says of each promise whether it is kept on this machine."""

import textwrap
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from django.core.management.base import CommandError

from vidgenie.embedded import EmbeddedDatabaseError
from vidgenie.management.benchmarks import results
from vidgenie.management.benchmarks.figures import Figure
from vidgenie.management.benchmarks.ground import Ground
from vidgenie.management.benchmarks.results import Result
from vidgenie.management.benchmarks.suites import QUICK, SUITES, USUAL, Suite, each
from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Report, Row, Verdict


class Command(ReportCommand):
    help = f"""Measures on a database, with a worker, a web server and simulated providers of its own, beside whatever
    runs here; nothing is billed. Without arguments: {", ".join(USUAL)}, some minutes. --quick: {", ".join(QUICK)}, all
    of them short, under a minute on a quiet machine. What else the machine does is in the figures: it is told."""
    kind = "benchmark"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        told = "; ".join(f"{suite.name}: {suite.what}, {suite.minutes:g} min" for suite in SUITES.values())
        parser.add_argument("--suite", action="append", choices=[*SUITES, "all"], help=f"may be repeated. {told}")
        parser.add_argument("--quick", action="store_true", help="the short form of suites that have one")
        parser.add_argument("--runs", type=at_least_one, help="how many are measured; every suite has its own number")
        parser.add_argument("--hurry", type=float, default=1, help="inflight: renders so much shorter, to try it out")

    def fill(self, report: Report, *, suite: list[str] | None, quick: bool, **options: Any) -> None:
        names = chosen(suite, quick)
        self.say(f"Measuring {', '.join(names)}; about {minutes(names, quick)}. Figures are of this machine, as it is.")
        report.details = {"quick": quick, "providers": "simulated", "settings": {}, "suites": {}, "figures": {}}
        try:
            self.measure(report, names, quick=quick, **options)
        except EmbeddedDatabaseError as error:
            raise CommandError(str(error)) from error

    def measure(self, report: Report, names: list[str], *, quick: bool, **options: Any) -> None:
        with closing(each(names, quick)) as suites:
            for suite, at in suites:
                report.details["settings"] = results.matters()
                result = self.result(suite, at, quick=quick, **options)
                report.details["suites"][suite.name] = result.details()
                for figure, row in zip(result.figures, result.rows(), strict=True):
                    report.add(row)
                    report.details["figures"][row.id] = results.raw(figure)
                if result.broken:
                    report.add(unfinished(suite, result.broken))

    def result(self, suite: Suite, at: Ground, *, quick: bool, runs: int | None, hurry: float, **_: Any) -> Result:
        """What the suite has found, told as it comes; a suite that fails leaves the others to be measured."""
        self.say(self.style.MIGRATE_HEADING(suite.name) if self.people.isatty() else suite.name)
        result = Result(suite.name, suite.method)
        with results.observed(result):
            try:
                for line in suite.lines(at, runs=runs, quick=quick, hurry=hurry):
                    result.take(line)
                    self.line(line)
            except CommandError as error:
                result.broken = str(error)
        self.say(results.circumstances(result))
        return result

    def line(self, line: Figure | str) -> None:
        self.say(textwrap.fill(str(line), 118, replace_whitespace=False))

    def summary(self, report: Report) -> Iterator[str]:
        """What was judged; the rest was told as it came, and is in the report."""
        judged = [row for row in report.rows if row.verdict != Verdict.NOTED]
        yield from super().summary(Report(report.kind, rows=judged))


def chosen(suite: list[str] | None, quick: bool) -> list[str]:
    """The names of the suites to measure, in their order. Raises CommandError for one that has no short form."""
    if suite and "all" in suite:
        return list(QUICK if quick else SUITES)
    if long := [name for name in suite or () if quick and name not in QUICK]:
        raise CommandError(f"--quick: there is no short form of {', '.join(long)}. There is one of {', '.join(QUICK)}.")
    return [name for name in SUITES if name in (suite or (QUICK if quick else USUAL))]


def minutes(names: list[str], quick: bool) -> str:
    """How long it takes, in words."""
    if quick:
        return "a minute"
    total = sum(SUITES[name].minutes for name in names)
    return f"{max(1, round(total))} min"


def unfinished(suite: Suite, why: str) -> Row:
    """The row of a suite that could not be measured to its end."""
    return Row(
        f"{suite.name}.came-to-its-end",
        f"{suite.name}: it could be measured to its end",
        Verdict.UNKNOWN,
        target="yes",
        measured="no",
        evidence=why[:500],
        advice="What is missing after this is unknown. Run the suite alone, on a machine that does nothing else.",
    )


def at_least_one(text: str) -> int:
    """A number of runs."""
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError("it must be a whole number of 1 or more")
    return int(text)
