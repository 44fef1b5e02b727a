"""Measures what was promised, and says of each promise whether it is kept on this machine."""

import json
import sys
import textwrap
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from vidgenie.embedded import EmbeddedDatabaseError
from vidgenie.management.benchmarks import comparison, page, real, results
from vidgenie.management.benchmarks.figures import LEAST_RUNS, Figure
from vidgenie.management.benchmarks.results import Result
from vidgenie.management.benchmarks.suites import QUICK, SUITES, USUAL, each
from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Report, Row, Unreadable, Unwritable, Verdict, machine, require_writable, write


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
        parser.add_argument("--html", type=Path, metavar="FILE", help="the same as one page with charts")
        self.add_comparing(parser.add_argument_group("comparing"))
        self.add_spending(parser.add_argument_group("real providers, which cost money"))

    def add_comparing(self, group: Any) -> None:
        group.add_argument(
            "--twice", action="store_true", help="measure all of it twice: how far that is apart is noise"
        )
        group.add_argument("--compare", type=Path, metavar="OLD.json", help="say what has moved since; implies --twice")
        group.add_argument("--fail-on-slower", action="store_true", help="with --compare: fail if a figure is worse")

    def add_spending(self, group: Any) -> None:
        group.add_argument("--providers", choices=["simulated", "real"], default="simulated", help="default: simulated")
        group.add_argument("--yes", action="store_true", help="spend what is told, without being asked")
        most = "of list price at most; default: $MAX_TEST_CREDITS_PER_RUN"
        group.add_argument("--max-credits", type=at_least_one, metavar="CREDITS", help=f"US cents {most}")

    def fill(self, report: Report, *, quick: bool, compare: Path | None, html: Path | None, **options: Any) -> None:
        if options["fail_on_slower"] and not compare:
            raise CommandError("--fail-on-slower: it needs --compare OLD.json.")
        if html:
            require_writable_page(html)
        old = known(compare, quick) if compare else None
        options["twice"] |= bool(compare)
        usual = set(USUAL) <= set(chosen(options["suite"], quick)) and options["providers"] == "simulated"
        report.partial = quick or not usual or options["hurry"] != 1
        report.details = {
            "quick": quick,
            "providers": options["providers"],
            "settings": {},
            "suites": {},
            "figures": {},
        }
        try:
            self.measure(report, quick=quick, **options)
        except EmbeddedDatabaseError as error:
            raise CommandError(str(error)) from error
        if old and compare:
            self.compare(report, old, compare.name, options["fail_on_slower"])
        if html:
            self.draw(report, html)

    def measure(self, report: Report, *, suite: list[str] | None, quick: bool, twice: bool, **options: Any) -> None:
        if options["providers"] == "real":
            self.measure_real(report, suite, quick or twice, **options)
            return
        names = chosen(suite, quick)
        often = " All of it twice." if twice else ""
        self.say(f"Measuring {', '.join(names)}; about {minutes(names, quick, twice)}.{often}")
        for again in range(2 if twice else 1):
            with closing(each(names, quick)) as suites:
                for one, at in suites:
                    lines = partial(one.lines, at, runs=options["runs"], quick=quick, hurry=options["hurry"])
                    self.keep_result(report, self.result(one.name, one.method, lines), bool(again))

    def measure_real(self, report: Report, suite: list[str] | None, more: bool, **options: Any) -> None:
        """The one suite that spends; nothing is asked of a provider before everybody has agreed."""
        if suite or more:
            raise CommandError("--providers real measures complete runs, and takes no --suite, --quick or --twice.")
        limit = options["max_credits"] or settings.MAX_TEST_CREDITS_PER_RUN
        with real.prepared(options["runs"] or LEAST_RUNS, limit) as spending:
            self.say(spending.told)
            require_consent(options["yes"])
            self.keep_result(report, self.result("real", real.METHOD, spending.report), False)

    def result(self, name: str, method: str, lines: Callable[[], Iterable[Figure | str]]) -> Result:
        """What a suite has found, told as it comes; a suite that fails leaves the others to be measured."""
        self.say(self.style.MIGRATE_HEADING(name) if self.people.isatty() else name)
        result = Result(name, method)
        with results.observed(result):
            try:
                for line in lines():
                    result.take(line)
                    self.say(textwrap.fill(str(line), 118, replace_whitespace=False))
            except CommandError as error:
                result.broken = str(error)
        self.say(results.circumstances(result))
        return result

    def keep_result(self, report: Report, result: Result, again: bool) -> None:
        """Into the report; what was measured `again` is kept beside the first, which is judged."""
        report.details["settings"] = results.matters()
        figures = report.details["figures"]
        if again:
            suite = report.details["suites"][result.suite]
            suite["again"] = {name: value for name, value in result.details().items() if name in ("seconds", "cpu")}
            for figure in result.figures:
                if known := figures.get(result.id(figure)):
                    known |= results.again(figure)
        else:
            report.details["suites"][result.suite] = result.details()
            for figure in result.figures:
                figures[report.add(results.row(result, figure)).id] = results.raw(figure)
        if result.broken:
            report.add(unfinished(result, again))

    def compare(self, report: Report, old: dict[str, Any], name: str, decides: bool) -> None:
        """Say what has moved, and keep it."""
        found = comparison.compared(old["details"], report.details)
        unlike = comparison.differences(old, machine(), report.details["settings"])
        report.details["compared"] = comparison.details(old, found, unlike)
        report.add(comparison.row(found, name, decides))
        self.say(f"Compared with {name}, of {old['finished'][:16]}, commit {str(old['commit'])[:12]}:")
        for line in [*(f"  Not as it was: {one}" for one in unlike), *comparison.table(found)]:
            self.say(line)

    def draw(self, report: Report, path: Path) -> None:
        """Write the page. What cannot be written is told; the report is written all the same."""
        try:
            write(path, page.drawn(json.loads(report.as_json())))
        except OSError as error:
            row = Row("page", "the page", Verdict.FAIL, "it is written", evidence=f"{path.name}: {error.strerror}")
            report.add(row)
            return
        self.say(f"Page: {path}")

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


def minutes(names: list[str], quick: bool, twice: bool) -> str:
    """How long it takes on a quiet machine, in words."""
    total = (1.0 if quick else sum(SUITES[name].minutes for name in names)) * (2 if twice else 1)
    return f"{max(1, round(total))} min where nothing else runs"


def known(path: Path, quick: bool) -> dict[str, Any]:
    """The report to compare with. Raises CommandError before anything is measured."""
    try:
        return comparison.read(path, quick)
    except Unreadable as error:
        raise CommandError(f"--compare: {path.name}: {error}.") from error


def require_writable_page(path: Path) -> None:
    try:
        require_writable(path)
    except Unwritable as error:
        raise CommandError(str(error).replace("--report:", "--html:").replace(", or - for the screen", "")) from error


def require_consent(yes: bool) -> None:
    """Raise CommandError unless somebody has said, here and now, that it may cost that."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("Nobody can be asked here: nothing was called. Add --yes to spend it.")
    if input('Type "yes" to spend it: ').strip() != "yes":
        raise CommandError("Nothing was called.")


def unfinished(result: Result, again: bool) -> Row:
    """The row of a suite that could not be measured to its end."""
    return Row(
        f"{result.suite}.came-to-its-end{'-again' if again else ''}",
        f"{result.suite}: it could be measured to its end",
        Verdict.UNKNOWN,
        target="yes",
        measured="no",
        evidence=result.broken[:500],
        advice="What is missing after this is unknown. Run the suite alone, on a machine that does nothing else.",
    )


def at_least_one(text: str) -> int:
    """A number of runs."""
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError("it must be a whole number of 1 or more")
    return int(text)
