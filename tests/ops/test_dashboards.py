"""The dashboard and the alert rules name only what a scrape really has, down to the labels."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db.models.functions import Now
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from credits.models import Verdict
from providers.models import ProviderCall, ProviderHealth
from tests import pipeline as runs
from vidgenie import memory, metrics
from workflows.models import Worker

DOCS = Path(__file__).resolve().parents[2] / "docs"
ALERTS = yaml.safe_load((DOCS / "alerts.yml").read_text())
DASHBOARD = json.loads((DOCS / "grafana" / "vidgenie.json").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [t["expr"] for panel in PANELS for t in panel["targets"]]
FROM_PROMETHEUS = {"instance", "job"}

METRIC = re.compile(r"\bvidgenie_\w+")
LABELS = re.compile(r"\bby \(([^)]*)\)|\{([^}]*)\}")


@pytest.fixture
def scraped(alice: Any) -> dict[str, set[str]]:
    """The labels of every metric, of a site on which everything has happened."""
    runs.run(alice, "complete", "a fox in snow")
    runs.start(alice, "complete", "a hare in snow")
    Verdict.objects.create(seconds=1)
    Worker.objects.create(part="clock", host="one", pid=1)
    ProviderHealth.objects.create(provider="fal", open_until=Now() + datetime.timedelta(hours=1))
    ProviderCall.objects.create(provider="fal", operation="submit", milliseconds=40)
    memory.tell("web")
    text = generate_latest(metrics.Tables()).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def unknown(expression: str, scraped: dict[str, set[str]]) -> list[str]:
    """What the expression names and no scrape has."""
    named = set(METRIC.findall(expression))
    known = FROM_PROMETHEUS.union(*(scraped.get(name, set()) for name in named))
    return sorted(named - scraped.keys()) + sorted(labels_of(expression) - known)


def labels_of(expression: str) -> set[str]:
    """Those that it selects and groups by."""
    found = LABELS.findall(expression)
    grouped = {label.strip() for by, _ in found for label in by.split(",") if label.strip()}
    return grouped | {match for _, inside in found for match in re.findall(r"(\w+)\s*(?:!=|=~|!~|=)", inside)}


def is_balanced(expression: str) -> bool:
    plain = re.sub(r'"[^"]*"', "", expression)
    return all(plain.count(left) == plain.count(right) > -1 for left, right in ("()", "[]", "{}"))


def test_every_metric_and_label_that_is_named_exists(scraped):
    assert {expression: unknown(expression, scraped) for expression in EXPRESSIONS} == {
        expression: [] for expression in EXPRESSIONS
    }


def test_what_does_not_exist_is_found(scraped):
    assert unknown("max(vidgenie_nope) > 0", scraped) == ["vidgenie_nope"]
    assert unknown('sum by (user) (vidgenie_workers{pat="clock"})', scraped) == ["pat", "user"]


def test_every_metric_is_used_or_explained(scraped):
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in scraped if not name.endswith("_created")}
    explained = (DOCS / "monitoring.md").read_text()
    assert [name for name in sorted(families) if f"`{name}`" not in explained] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_whole(rule):
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"VidGenie[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert re.fullmatch(r"\d+[mhd]", rule.get("for", "1m"))
    assert rule["annotations"]["summary"]
    assert is_balanced(rule["expr"])
    assert f"`{rule['alert']}`" in (DOCS / "monitoring.md").read_text(), "what to do is not said"


def test_no_rule_is_there_twice():
    assert sorted({rule["alert"] for rule in RULES}) == sorted(rule["alert"] for rule in RULES)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_something(panel):
    assert panel["targets"]
    assert all(is_balanced(target["expr"]) for target in panel["targets"])
    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_panels_have_ids_and_places_of_their_own():
    every = DASHBOARD["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in every}) == len(every)
