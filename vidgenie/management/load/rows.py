"""What the phases come to: a row for each promise, and one for each figure that people want to see.

Nothing counts when the generator cannot see a server that stands still, and no phase counts in which it did not keep
its own schedule: those rows are unknown.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from credits.models import Verdict as Books
from vidgenie.management.benchmarks.figures import percentile
from vidgenie.management.load.generator import Sent
from vidgenie.management.load.leaks import FEW, REQUESTS, Look
from vidgenie.management.load.phases import SHARES, STOP, TIMES, Phase, by_route, milliseconds, recovered_after
from vidgenie.management.load.sending import MOST_CPU, Outcome, failed, refused, wrong
from vidgenie.management.load.slope import CLEAN, LEAK, Growth
from vidgenie.reports import Row, Verdict
from workflows import books
from workflows.models import Workflow

BEARABLE = 0.120  # seconds, for 95 of 100
FAST = 0.050  # seconds within which 95 of 100 refusals come
RECOVERED = 30.0  # seconds after the overload
SLICES = 5  # parts of the measured time, by whose spread the noise is seen
BLIND = "The generator did not see the server stop, so its figures say nothing. Run it on a machine with less to do."
TRACE = "Look at it with tracemalloc: python -X tracemalloc=25, and compare two snapshots."
IDLE = "Too many requests were refused or answered wrongly to say so: run it with less beside it."
HURRIED = "The generator did not keep its schedule, so it may have measured itself. Run it with less beside it."


def judged(good: bool) -> Verdict:
    """What a figure comes to."""
    return Verdict.PASS if good else Verdict.FAIL


# --- Whether it may be believed ----------------------------------------------------------------------------


def proof(phase: Phase) -> Row:
    """Whether a server that stood still shows in the percentiles."""
    high, longest = milliseconds(phase.judged, 0.99) / 1000, milliseconds(phase.judged, 1) / 1000
    seen = high >= STOP / 2 and STOP * 0.9 <= longest <= STOP * 2.5
    return Row(
        "proof",
        "A server that stands still shows",
        judged(seen and not phase.outcome.dropped),
        target=f"p99 at least {STOP / 2:.0f} s, the longest about {STOP:.0f} s",
        measured=round(high, 3),
        unit="s",
        method=f"{phase.rate:.0f} requests a second; all processes of the web server stopped for {STOP:.0f} s",
        evidence=f"{len(phase.judged)} sent, p99 {high:.2f} s, the longest {longest:.2f} s",
        advice=BLIND,
    )


def schedule(phases: Sequence[Phase]) -> Row:
    """Whether the generator was fast enough, in all phases."""
    told = [
        f"{phase.name}: {phase.outcome.load:.0%} of a core, {phase.outcome.late} of {len(phase.outcome.sent)} late, "
        f"{phase.outcome.dropped} dropped"
        for phase in phases
    ]
    return Row(
        "generator",
        "The generator kept its schedule",
        judged(all(phase.outcome.is_sound for phase in phases)),
        target=f"all sent, at most 5 % late, under {MOST_CPU:.0%} of a core",
        measured=round(max(phase.outcome.load for phase in phases), 3),
        unit="cores",
        method="its own CPU time; lateness is part of the latencies",
        evidence="; ".join(told),
        advice=HURRIED,
    )


def believed(rows: Sequence[Row], phase: Phase, seen: bool) -> Iterator[Row]:
    """The rows of a phase, unknown where nothing can be said."""
    if seen and phase.outcome.is_sound:
        yield from rows
        return
    for row in rows:
        known = row.verdict == Verdict.NOTED
        yield row if known else replace(row, verdict=Verdict.UNKNOWN, advice=f"See {'generator' if seen else 'proof'}.")


# --- The usual load ----------------------------------------------------------------------------------------


def load(phase: Phase) -> Iterator[Row]:
    """What was promised of the usual load."""
    sent, seconds = phase.judged, phase.end - phase.begin
    asked = f"{phase.outcome.plan.stages[0][0]:.0f} requests a second for {seconds:.0f} s"
    high = milliseconds(sent, 0.95)
    yield Row(
        "load-p95",
        "95 of 100 answers",
        judged(high < BEARABLE * 1000),
        target=f"under {BEARABLE * 1000:.0f} ms at {asked}",
        measured=round(high, 1),
        unit="ms",
        method="open model: from when a request was to be sent until its answer was whole; pages and API, 80 % read",
        evidence=f"{len(sent)} requests; in {SLICES} parts of the time: {_spread(sent, phase)}",
        advice="See which routes are slow below, and what else this machine does.",
    )
    bad, lost = failed(sent) + refused(sent), wrong(sent)
    yield _none("load-errors", "No error of the server, nothing refused", len(bad), len(sent), _statuses(bad))
    yield _none("load-wrong", "Every answer is one to what was asked", len(lost), len(sent), _statuses(lost))
    yield _throughput(phase, asked)
    yield from _noted(phase)


def _throughput(phase: Phase, asked: str) -> Row:
    right = sum(one.right for one in phase.judged) / (phase.end - phase.begin)
    return Row(
        "load-throughput",
        "Answers a second",
        judged(right >= 0.98 * phase.rate),
        target=f"as many as were asked, {asked}",
        measured=round(right, 2),
        unit="/s",
    )


def _none(id: str, title: str, count: int, of: int, evidence: str) -> Row:
    told = f"of {of}" + (f": {evidence}" if evidence else "")
    return Row(id, title, judged(not count), target="none", measured=count, evidence=told)


def _statuses(sent: Sequence[Sent]) -> str:
    found = by_route(sent)
    statuses = sorted({one.status for one in sent})
    return f"{statuses} on {', '.join(found)}" if sent else ""


def _spread(sent: Sequence[Sent], phase: Phase) -> str:
    """The 95th percentile of each part: median and range."""
    width = (phase.end - phase.begin) / SLICES
    parts = [
        milliseconds([one for one in sent if int((one.at - phase.begin) / width) == part], 0.95)
        for part in range(SLICES)
    ]
    return f"median {median(parts):.0f}, {min(parts):.0f} to {max(parts):.0f} ms"


def _noted(phase: Phase) -> Iterator[Row]:
    """What has no target: routes, CPU, memory, connections."""
    for name, told in by_route(phase.judged).items():
        latency = told["latency_ms"]
        shown = ", ".join(f"{share} {latency[share]:.0f}" for share in (*SHARES, "max"))
        yield _note(f"route {name}", name, latency["p95"], "ms", f"{told['sent']} sent: {shown} ms")
    answered = max(1, len(phase.outcome.sent))
    for part, seconds in sorted(phase.watch.cpu.items()):
        yield _note(f"cpu-{part}", f"CPU of {part}, by request", round(seconds / answered * 1000, 2), "ms")
        yield _note(f"memory-{part}", f"Most memory of a process, {part}", phase.watch.most(part), "MB")
    yield _note("connections", "Most connections to the database", phase.watch.most_connections(), "")


def _note(id: str, title: str, measured: float, unit: str, evidence: str = "") -> Row:
    return Row(id, title, Verdict.NOTED, measured=measured, unit=unit, evidence=evidence)


# --- Ten times that ----------------------------------------------------------------------------------------


def overload(phase: Phase) -> Iterator[Row]:
    """What was promised of the overload, and of the time after it."""
    sent = phase.judged
    no, bad = refused(sent), failed(phase.outcome.sent)
    asked = f"{TIMES} times the load for {phase.end - phase.begin:.0f} s"
    yield _refused_fast(sent, no, asked)
    yield _none("overload-errors", "No other error of the server", len(bad), len(phase.outcome.sent), _statuses(bad))
    rest = recovered_after(phase.outcome.sent, phase.end, BEARABLE)
    yield Row(
        "overload-recovery",
        "All is as before",
        judged(rest <= RECOVERED),
        target=f"within {RECOVERED:.0f} s of {asked}",
        measured=rest,
        unit="s",
        method="from when on, for 5 s, nothing is refused and the 95th percentile is what it is to be",
        evidence="" if math.isfinite(rest) else "not while it was looked at",
    )
    right = [one for one in sent if one.right]
    yield _note("overload-answered", "Answered all the same", round(len(right) / (phase.end - phase.begin), 1), "/s")
    yield _note("overload-p95", "95 of 100 of those answers", round(milliseconds(right, 0.95), 1), "ms")


def _refused_fast(sent: Sequence[Sent], no: Sequence[Sent], asked: str) -> Row:
    some, limit = (no, FAST) if no else (sent, BEARABLE)
    high = milliseconds(some, 0.95)
    return Row(
        "overload-refusals",
        "95 of 100 refusals",
        judged(high <= limit * 1000),
        target=f"within {FAST * 1000:.0f} ms at {asked}",
        measured=round(high, 1),
        unit="ms",
        method="503 or 429 with Retry-After; where nothing was refused, all answers are to be in time",
        evidence=f"{len(no)} of {len(sent)} refused, the slowest after "
        f"{percentile((one.latency for one in some), 1) * 1000:.0f} ms",
    )


def ledger(sent: Sequence[Outcome], known: set[str]) -> Row:
    """Whether the books are right, and every run that was answered for is there once. `known` were there before."""
    verdict: Books = books.check()
    accepted = [place for outcome in sent for place in outcome.accepted.values()]
    uncertain = sum(len(outcome.uncertain) for outcome in sent)
    said = {place.rstrip("/").rpartition("/")[2] for place in accepted}
    there = {str(pk) for pk in Workflow.objects.values_list("pk", flat=True)} - known
    exact = verdict.is_clean and len(said) == len(accepted) and said <= there
    few = 0 <= len(there) - len(said) <= uncertain
    return Row(
        "ledger",
        "The ledger is exact",
        judged(exact and few),
        target="no rule of the books broken, each accepted run there once and no other",
        measured=len(verdict.findings),
        unit="broken rules",
        method="check_ledger, and the ids that were answered",
        evidence=f"{len(accepted)} starts were answered, {uncertain} were not, {len(there)} runs are there"
        + "".join(f"; {line}" for line in verdict.lines[:3]),
    )


# --- Memory ------------------------------------------------------------------------------------------------


def leak(site: Look, control: Look) -> Iterator[Row]:
    """Whether memory grows, and whether that would have been seen."""
    caught = control.slope.growth == Growth.LEAK
    yield Row(
        "leak-control",
        "A leak of 1 KB a request is caught",
        judged(caught),
        target=f"a slope surely above {LEAK:.0f} bytes a request",
        measured=round(control.slope.value, 1),
        unit="B/request",
        evidence=_interval(control),
        advice="The look at memory is too short or too noisy here; its verdict on the site does not count.",
    )
    verdict = {Growth.CLEAN: Verdict.PASS, Growth.LEAK: Verdict.FAIL, Growth.UNSURE: Verdict.UNKNOWN}[site.slope.growth]
    yield Row(
        "leak",
        "Memory of the web server does not grow",
        verdict if caught and site.is_sound else Verdict.UNKNOWN,
        target=f"surely under {CLEAN:.0f} bytes a request",
        measured=round(site.slope.value, 1),
        unit="B/request",
        method=f"one process, warm; heap in use after each block of {REQUESTS} requests and a collection of garbage; "
        "bytes for each that was answered, Theil-Sen, bootstrap of blocks",
        evidence=_interval(site),
        advice=TRACE if site.is_sound else IDLE,
    )
    files, connections = site.grown
    yield Row(
        "leak-files",
        "Open files and connections do not grow",
        judged(max(files, connections) <= FEW) if site.is_sound else Verdict.UNKNOWN,
        target=f"in the last third at most {FEW} more than in the first",
        measured=max(files, connections),
        unit="more",
        evidence=f"{site.files[-1]} files, {files:+.0f}; {site.connections[-1]} connections, {connections:+.0f}",
        advice="" if site.is_sound else IDLE,
    )


def _interval(look: Look) -> str:
    found, sent = look.slope, sum(len(outcome.sent) for outcome in look.sent)
    told = f"{found.value:.0f}, with 95 % between {found.low:.0f} and {found.high:.0f}"
    return f"{told}; {len(look.bytes)} blocks, {look.warm} of them to warm up; {look.answered[-1]} of {sent} answered"
