"""The report as one page that needs nothing else: no script, no font, no file beside it."""

from pathlib import Path
from typing import Any

from django.template import Context, Engine

from vidgenie.management.benchmarks import charts
from vidgenie.management.benchmarks.figures import written

TEMPLATE = Path(__file__).with_name("page.html")


def drawn(report: dict[str, Any]) -> str:
    """The page of a report, as it is in its file."""
    details = report["details"]
    compared = details.get("compared")
    context = {
        "report": report,
        "memory": f"{report['machine']['memory_bytes'] / 1e9:.1f} GB",
        "suites": [_suite(name, suite, report) for name, suite in details["suites"].items()],
        "beside": [_told(row) for row in report["rows"] if row["id"].partition(".")[0] not in details["suites"]],
        "counts": {
            verdict: sum(row["verdict"] == verdict for row in report["rows"]) for verdict in ("pass", "fail", "unknown")
        },
        "settings": details["settings"],
        "compared": compared,
        "changes": charts.of_changes(compared["figures"]) if compared else None,
        "moves": [{"id": name, **_move(one)} for name, one in compared["figures"].items()] if compared else [],
    }
    return Engine().from_string(TEMPLATE.read_text()).render(Context(context))


def _suite(name: str, suite: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    rows = [_told(row) for row in report["rows"] if row["id"].partition(".")[0] == name]
    size = suite["database_bytes"]
    return {
        "name": name,
        "charts": charts.of_figures(rows, report["details"]["figures"]),
        "seconds": written(suite["seconds"]),
        "database": "" if size is None else f"{size / 1e6:,.0f} MB",
        "shares": {part: f"{share:.0%}" for part, share in suite["cpu"].items()},
        **{part: suite[part] for part in ("method", "sentences")},
    }


def _told(row: dict[str, Any]) -> dict[str, Any]:
    measured = row["measured"]
    told = measured if isinstance(measured, str) else "unknown" if measured is None else written(measured)
    return {**row, "told": f"{told} {row['unit']}".strip(), "name": row["title"].partition(": ")[2] or row["title"]}


def _move(one: dict[str, Any]) -> dict[str, str]:
    changes = {part: "" if one[part] is None else f"{one[part]:+.1%}" for part in ("change", "low", "high", "noise")}
    values = {part: "unknown" if one[part] is None else written(one[part]) for part in ("before", "now")}
    return {**changes, **values, "movement": one["movement"], "why": one["why"]}
