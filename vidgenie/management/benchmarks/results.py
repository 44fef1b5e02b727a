"""What a suite has found, with the circumstances that its figures depend on, as rows and details of the report."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil  # type: ignore[import-untyped]
from django.conf import settings
from django.db import Error as DatabaseFailed
from django.db import connection

from vidgenie.management.benchmarks import usage
from vidgenie.management.benchmarks.figures import LEAST_RUNS, Figure, percentile, written
from vidgenie.reports import Row, Verdict

KEPT = 1000  # values of a figure in the file; of more, as many in equal steps from the least to the most
MATTER = (
    "ENVIRONMENT",
    "PROVIDER_MODE",
    "SUBMIT_THREADS",
    "STORE_THREADS",
    "CLOCK_CONNECTIONS",
    "SANDBOX_RENDERERS",
    "PROVIDER_CONCURRENCY",
)
BUSY = 0.15  # of the machine; more than that for others makes figures doubtful


@dataclass
class Result:
    """The figures and sentences of one suite, and what the machine did meanwhile."""

    suite: str
    method: str
    figures: list[Figure] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    seconds: float = 0.0
    database_bytes: int | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    broken: str = ""  # why it did not come to its end

    def take(self, line: Figure | str) -> None:
        """Keep one line of the suite."""
        if isinstance(line, str):
            self.sentences.append(line)
        else:
            self.figures.append(line)

    def id(self, figure: Figure) -> str:
        """The id of the figure's row."""
        return f"{self.suite}.{figure.slug}"

    def details(self) -> dict[str, Any]:
        """What the file keeps beyond rows."""
        return {
            "seconds": round(self.seconds, 2),
            "method": self.method,
            "sentences": self.sentences,
            "database_bytes": self.database_bytes,
            "cpu": self.cpu,
        }


def row(result: Result, figure: Figure) -> Row:
    """The figure as a row of the report."""
    few = figure.verdict == Verdict.UNKNOWN and figure.runs
    return Row(
        id=result.id(figure),
        title=f"{result.suite}: {figure.name.strip()}",
        verdict=figure.verdict,
        target=figure.target,
        measured=float(f"{figure.value:.4g}") if math.isfinite(figure.value) else None,
        unit=figure.unit,
        method=figure.method or result.method,
        evidence=spread_of(figure),
        advice=f"It takes {LEAST_RUNS} runs to say so: --runs {LEAST_RUNS} or more." if few else "",
    )


def spread_of(figure: Figure) -> str:
    """From where to where its runs went."""
    if not figure.runs:
        return "measured once"
    low, high = written(min(figure.runs)), written(max(figure.runs))
    return f"{figure.statistic} of {len(figure.runs)} runs, {low} to {high} {figure.unit}".strip()


def raw(figure: Figure) -> dict[str, Any]:
    """All that a later comparison needs of a figure."""
    return {
        "unit": figure.unit,
        "higher_is_better": figure.higher_is_better,
        "value": figure.value,
        "statistic": figure.statistic or "once",
        "runs": thinned(figure.runs),
        "runs_measured": len(figure.runs),
        "lowest": min(figure.runs, default=None),
        "highest": max(figure.runs, default=None),
        **({"relative": thinned(figure.relative)} if figure.beside else {}),
    }


def again(figure: Figure) -> dict[str, list[float]]:
    """What is kept beside that of the same figure, measured a second time."""
    relative = {"relative_again": thinned(figure.relative)} if figure.beside else {}
    return {"again": thinned(figure.runs), **relative}


def thinned(runs: Sequence[float]) -> list[float]:
    """The values in the order of the runs; of very many, KEPT in equal steps from the least to the most."""
    if len(runs) <= KEPT:
        return list(runs)
    return [percentile(runs, step / (KEPT - 1)) for step in range(KEPT)]


def matters() -> dict[str, Any]:
    """The settings that figures depend on, and whether commits are durable."""
    found = {name: getattr(settings, name) for name in MATTER if hasattr(settings, name)}
    with connection.cursor() as cursor:
        for name in ("fsync", "synchronous_commit", "shared_buffers"):
            cursor.execute(f"SHOW {name}")
            found[name] = cursor.fetchone()[0]
    return found


def circumstances(result: Result) -> str:
    """What the machine did meanwhile, in words; and whether that makes the figures doubtful."""
    cpu = result.cpu
    told = f"  ({result.seconds:.0f} s; this command took {cpu['generator']:.0%} of the machine"
    if cpu["others"] > BUSY and result.seconds >= 1:
        return f"{told}. Others took {cpu['others']:.0%}: these figures are worse than a quiet machine's)"
    return f"{told}, others {cpu['others']:.0%})"


@contextmanager
def observed(result: Result) -> Iterator[None]:
    """Note what the block took of the machine, and how large the database was at its end."""
    before, start = _used(), time.monotonic()
    try:
        yield
    finally:
        result.seconds = time.monotonic() - start
        result.cpu = _shares(before, _used(), result.seconds)
        result.database_bytes = _database_bytes()


def _used() -> dict[str, float]:
    """CPU seconds so far: of the machine, of this process, and of all that a benchmark has started."""
    times = psutil.cpu_times()
    busy = sum(times[:3]) + sum(getattr(times, name, 0.0) for name in ("irq", "softirq"))
    ours, server = usage.cpu(psutil.Process()) + usage.buried(), usage.database()
    database = usage.cpu(server) if server else 0.0
    return {"machine": busy, "generator": time.process_time(), "ours": ours + database}


def _shares(before: dict[str, float], now: dict[str, float], seconds: float) -> dict[str, float]:
    """Shares of the whole machine, 0 to 1; `others` is what had nothing to do with us."""
    whole = max(seconds, 0.001) * (os.cpu_count() or 1)
    share = {name: max(0.0, now[name] - before[name]) / whole for name in now}
    others = max(0.0, share["machine"] - share["ours"])
    found = {"machine": share["machine"], "generator": share["generator"], "ours": share["ours"], "others": others}
    return {name: round(min(value, 1.0), 3) for name, value in found.items()}


def _database_bytes() -> int | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    except DatabaseFailed:
        return None
