"""What an adapter's own code costs per call, as figures; `providers/overhead.py` measures it."""

from collections.abc import Iterator

from providers import overhead
from vidgenie.management.benchmarks.figures import Figure


def report(runs: int = overhead.ROUNDS) -> Iterator[Figure | str]:
    """A figure for every adapter and verb, and what a megabyte of picture adds."""
    for found in overhead.measured(runs):
        case = found.case
        name, requests = f"{case.provider} {case.what} {case.kind}", found.requests
        of = f"{name} ({requests} request{'s'[: requests - 1]})"
        yield Figure.of(of, found.small, "min", unit="ms", at_most=overhead.BAR, id=name.replace(" ", "-"))
        yield f"  {name}: a megabyte more of picture takes {found.megabyte:.2f} ms"
