"""Measures how web and API stand up to many people at once, on this machine, with processes of its own."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from credits.models import Entry
from vidgenie.embedded import EmbeddedDatabaseError
from vidgenie.management.load import leaks, phases, rows
from vidgenie.management.load.installation import PROVIDERS_SPEED, Installation, installed
from vidgenie.management.load.mix import ROUTES
from vidgenie.management.load.phases import Lengths, Phase
from vidgenie.management.load.sending import Outcome
from vidgenie.management.report_command import ReportCommand
from vidgenie.reports import Report, Row, Verdict
from workflows.models import Attempt, Workflow

WHOLE = Lengths(rate=50, proof=30, load=60, overload=60, after=40)
QUICK = Lengths(rate=50, proof=8, load=10, overload=6, after=7)
PEOPLE, RUNS = 200, 25  # five thousand runs
PHASES = ("load", "overload", "leak")
QUICKLY = ("load", "overload")  # a leak does not show in seconds


class Command(ReportCommand):
    help = """Drives pages and API as many people and programs do, at a rate that does not wait for answers: the usual
    load, then ten times that, then a long look at memory. It first proves that it sees a server that stands still.
    Everything runs on this machine with a database, web server, worker and simulated providers of its own; nothing
    of the site is touched and nothing is billed. Takes about ten minutes; --quick under one."""
    kind = "performance"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--quick", action="store_true", help="short phases, and none for leaks")
        parser.add_argument("--rate", type=above_zero, help=f"requests a second (default: {WHOLE.rate:.0f})")
        parser.add_argument("--seconds", type=above_zero, help=f"of the usual load (default: {WHOLE.load:.0f})")
        parser.add_argument("--phase", action="append", choices=PHASES, help="only this one; may be given again")

    def fill(self, report: Report, **options: Any) -> None:
        lengths, chosen = lengths_of(**options), chosen_of(**options)
        report.partial = options["quick"] or chosen != PHASES or lengths != WHOLE
        people, runs = (40, 20) if options["quick"] else (PEOPLE, RUNS)
        report.details = {"settings": settings_of(lengths, chosen, people, runs), "database": {}}
        report.details |= {"phases": {}, "leak": {}}
        self.say(f"Load test: {', '.join(('proof', *chosen))}; {lengths.rate:.0f} requests a second.")
        self.say("A database, web server, worker and simulated providers of its own are started; this takes a while.")
        try:
            with installed(people, runs, self.progress) as site:
                report.details["database"] = size()
                Test(report, site, lengths, self.progress).run(chosen)
        except EmbeddedDatabaseError as error:
            raise CommandError(str(error)) from error


class Test:
    """One test: the phases in their order, and the rows that each adds."""

    def __init__(self, report: Report, site: Installation, lengths: Lengths, say: Callable[[str], object]) -> None:
        self.report, self.site, self.lengths, self.say = report, site, lengths, say
        self.done: list[Phase] = []
        self.known = {str(pk) for pk in Workflow.objects.values_list("pk", flat=True)}

    def run(self, chosen: tuple[str, ...]) -> None:
        """The proof, and what was chosen."""
        proof = self.phase(phases.proof)
        seen = self.report.add(rows.proof(proof)).verdict == Verdict.PASS
        if "load" in chosen:
            self.add(rows.load, self.phase(phases.load), seen)
        if "overload" in chosen:
            self.add(rows.overload, self.phase(phases.overload), seen)
        sent = [phase.outcome for phase in self.done]
        if "leak" in chosen:
            sent += self.leak()
        self.report.add(rows.ledger(sent, self.known))
        self.report.add(rows.schedule(self.done))

    def leak(self) -> list[Outcome]:
        """Look at the site's memory, and at one that leaks on purpose; what was sent to either."""
        site = leaks.look(self.site, leaks.BLOCKS, leaks.WARM_BLOCKS, self.say)
        control = leaks.look(self.site, leaks.CONTROL_BLOCKS, leaks.CONTROL_WARM_BLOCKS, self.say, leaks.LEAKED)
        self.report.details["leak"] = {"site": site.document(), "control": control.document()}
        for row in rows.leak(site, control):
            self.report.add(row)
        return [*site.sent, *control.sent]

    def phase(self, run: Callable[[Installation, Lengths], Phase]) -> Phase:
        """Run one phase and keep what came of it."""
        self.say(f"{run.__name__} ...")
        phase = run(self.site, self.lengths)
        self.done.append(phase)
        self.report.details["phases"][phase.name] = phase.document()
        return phase

    def add(self, judge: Callable[[Phase], Any], phase: Phase, seen: bool) -> None:
        """Add the rows of a phase, as far as they are to be believed."""
        for row in rows.believed(list[Row](judge(phase)), phase, seen):
            self.report.add(row)


def lengths_of(*, quick: bool, rate: float | None, seconds: float | None, **options: Any) -> Lengths:
    """How long and how much, as asked."""
    usual = QUICK if quick else WHOLE
    return replace(usual, rate=rate or usual.rate, load=seconds or usual.load)


def chosen_of(*, quick: bool, phase: list[str] | None, **options: Any) -> tuple[str, ...]:
    """Which phases, in their order."""
    wanted = phase or (QUICKLY if quick else PHASES)
    return tuple(name for name in PHASES if name in wanted)


def settings_of(lengths: Lengths, chosen: tuple[str, ...], people: int, runs: int) -> dict[str, Any]:
    """What was driven how, for whoever compares two reports."""
    total = sum(route.weight for route in ROUTES)
    return {
        "phases": list(chosen),
        "rate": lengths.rate,
        "people": people,
        "runs_each": runs,
        "providers": f"simulated, {PROVIDERS_SPEED:.0f} times as fast",
        "mix_percent": {route.name: round(route.weight / total * 100, 1) for route in ROUTES},
        "writes_percent": round(sum(route.weight for route in ROUTES if route.writes) / total * 100, 1),
    }


def size() -> dict[str, int]:
    """What the database holds now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        found = cursor.fetchone()[0]
    counts = {"workflows": Workflow.objects.count(), "attempts": Attempt.objects.count()}
    return {"bytes": found, **counts, "entries": Entry.objects.count()}


def above_zero(text: str) -> float:
    """A number above zero; argparse tells whoever gives another."""
    try:
        number = float(text)
    except ValueError as error:
        raise ArgumentTypeError("must be a number above 0") from error
    if not 0 < number < 100_000:
        raise ArgumentTypeError("must be a number above 0")
    return number
