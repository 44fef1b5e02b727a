"""The numbers that Prometheus reads: right, never falling, and for nobody who has no business with them."""

import datetime
import ipaddress
import os
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now
from django.test import Client, override_settings
from prometheus_client.parser import text_string_to_metric_families

from credits.models import Verdict
from providers.models import ProviderCall
from tests import pipeline as runs
from vidgenie import memory, tallies
from vidgenie.models import ProcessMemory, Tally
from workflows.models import Attempt, Transition, Worker

TOKEN = "a-token-for-the-monitor"
SOURCES = ("WORKFLOWS", "STEPS", "ATTEMPTS", "CHARGED", "CALLS", "CREDITS")

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def token(settings: Any) -> str:
    settings.METRICS_TOKEN = TOKEN
    return TOKEN


def scrape(client: Client) -> Numbers:
    """Every sample of /metrics, by its name and labels."""
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(numbers: Numbers, name: str, **labels: str) -> float | None:
    return numbers.get((f"vidgenie_{name}", frozenset(labels.items())))


# --- What they say -----------------------------------------------------------------------------------------


def test_a_run_that_succeeded_is_counted_with_what_it_took(client, alice, token):
    runs.run(alice, "image-only", "a fox in snow")

    numbers = scrape(client)

    ended = {"type": "image-only", "status": "succeeded", "reason": ""}
    assert value(numbers, "workflows_finished_total", **ended) == 1
    assert value(numbers, "workflow_duration_seconds_count", type="image-only") == 1
    assert value(numbers, "workflow_duration_seconds_bucket", type="image-only", le="+Inf") == 1
    assert value(numbers, "steps_finished_total", stage="image", provider="sandbox", status="succeeded", reason="") == 1
    assert value(numbers, "step_duration_seconds_count", stage="image", provider="sandbox") == 1
    assert value(numbers, "workflows_unfinished", type="image-only", status="running") is None
    assert value(numbers, "holds_open") == value(numbers, "held_credits") == 0


def test_a_run_that_waits_is_in_flight_and_its_credits_are_held(client, alice, token):
    workflow = runs.start(alice, "complete", "a fox in snow")
    Attempt.objects.update(next_check_at=Now() - datetime.timedelta(seconds=90))

    numbers = scrape(client)

    assert value(numbers, "workflows_unfinished", type="complete", status="pending") == 1
    assert value(numbers, "attempts_in_flight", provider="sandbox", phase="submit") == 1
    assert value(numbers, "attempts_due") == 1
    assert value(numbers, "due_lag_seconds") == pytest.approx(90, abs=30)
    assert value(numbers, "holds_open") == 1
    assert value(numbers, "held_credits") == workflow.quoted


def test_what_was_charged_and_what_it_cost_is_told_by_model(client, alice, token):
    workflow = runs.run(alice, "image-only", "a fox in snow")
    Attempt.objects.update(cost=0.25)
    step = workflow.steps.get(stage="image")

    numbers = scrape(client)

    model = {"provider": step.provider, "model": step.model}
    assert value(numbers, "charged_credits_total", **model) == step.charged > 0
    assert value(numbers, "provider_cost_cents_total", **model) == 0.25
    assert value(numbers, "provider_cost_unknown_total", **model) == 0
    assert value(numbers, "ledger_credits_total", kind="settle") == sum(step.charged for step in workflow.steps.all())


def test_calls_to_providers_are_counted_by_how_they_ended(client, db, token):
    for milliseconds, reason in ((40, ""), (700, ""), (9000, "timed_out")):
        ProviderCall.objects.create(provider="fal", operation="submit", milliseconds=milliseconds, reason=reason)

    numbers = scrape(client)

    submits = {"provider": "fal", "operation": "submit"}
    assert value(numbers, "provider_calls_total", **submits, reason="") == 2
    assert value(numbers, "provider_calls_total", **submits, reason="timed_out") == 1
    buckets = {
        le: value(numbers, "provider_call_duration_seconds_bucket", **submits, le=le) for le in ("0.05", "1.0", "10.0")
    }
    assert buckets == {"0.05": 1, "1.0": 2, "10.0": 3}
    assert value(numbers, "provider_call_duration_seconds_sum", **submits) == pytest.approx(9.74)


def test_workers_are_told_by_part_and_the_silent_ones_too(client, db, token):
    for age in (1, 50, 7000):
        worker = Worker.objects.create(part="clock", host="one", pid=age)
        Worker.objects.filter(pk=worker.pk).update(seen=Now() - datetime.timedelta(seconds=age))

    numbers = scrape(client)

    assert (value(numbers, "workers", part="clock"), value(numbers, "workers", part="queue")) == (1, 0)
    assert (value(numbers, "workers_silent", part="clock"), value(numbers, "workers_silent", part="queue")) == (1, 0)
    assert value(numbers, "worker_seen_age_seconds", part="clock") == pytest.approx(1, abs=30)


def test_broken_books_are_told(client, db, token):
    assert value(scrape(client), "books_broken_rules") is None

    Verdict.objects.create(seconds=1, findings=[{"check": "balance", "rule": "…", "count": 1, "ids": ["1"]}])

    assert value(scrape(client), "books_broken_rules") == 1


def test_a_process_tells_of_its_memory_until_it_falls_silent(client, db, token):
    memory.tell("web")
    memory.tell("web")
    row = ProcessMemory.objects.get()
    me = {"part": "web", "host": row.host, "pid": str(row.pid)}

    assert 10_000_000 < value(scrape(client), "process_resident_memory_bytes", **me) < 4_000_000_000

    ProcessMemory.objects.update(at=Now() - datetime.timedelta(seconds=61))
    assert value(scrape(client), "process_resident_memory_bytes", **me) is None


@pytest.mark.django_db(transaction=True)
def test_a_process_goes_on_telling_through_a_database_that_was_away(monkeypatch):
    failing = [OperationalError("away")]
    tell = memory.tell

    def first_away(part: str) -> None:
        if failing:
            raise failing.pop()
        tell(part)
        raise SystemExit  # nothing else ends it

    monkeypatch.setattr(memory, "BEAT", 0.01)
    monkeypatch.setattr(memory, "tell", first_away)

    with pytest.raises(SystemExit):
        memory._go_on("web")

    assert list(ProcessMemory.objects.values_list("part", "pid")) == [("web", os.getpid())]


# --- They never fall ---------------------------------------------------------------------------------------


def counters(numbers: Numbers) -> Numbers:
    grows = ("_total", "_count", "_sum", "_bucket")
    return {key: number for key, number in numbers.items() if key[0].endswith(grows)}


def test_adding_up_what_is_past_changes_no_counter(client, alice, token, monkeypatch):
    runs.run(alice, "complete", "a fox in snow")
    before = counters(scrape(client))
    assert not any(tally.numbers for tally in Tally.objects.all())

    later(monkeypatch)

    after = counters(scrape(client))
    assert all(tally.numbers for tally in Tally.objects.exclude(source="calls"))
    assert after == pytest.approx(before)
    assert counters(scrape(client)) == after


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written until now counts as past."""
    monkeypatch.setattr(tallies, "EVERY", datetime.timedelta(0))
    for name in SOURCES:
        source = replace(getattr(tallies, name), waits=datetime.timedelta(0))
        monkeypatch.setattr(tallies, name, source)


def test_what_comes_after_is_added_to_what_is_past(client, alice, token, monkeypatch):
    ended = {"type": "image-only", "status": "succeeded", "reason": ""}
    runs.run(alice, "image-only", "a fox in snow")
    scrape(client)
    later(monkeypatch)
    scrape(client)
    monkeypatch.undo()

    runs.run(alice, "image-only", "a hare in snow")
    Transition.objects.filter(at__lt=Tally.objects.get(pk="workflows").until).delete()  # what is past may be purged

    with override_settings(METRICS_TOKEN=TOKEN):
        assert value(scrape(client), "workflows_finished_total", **ended) == 2


def test_of_two_that_add_up_at_once_one_does_it(client, alice, token, monkeypatch):
    runs.run(alice, "image-only", "a fox in snow")
    scrape(client)
    later(monkeypatch)
    count = tallies.Source.count

    def overtaken(self, since, until=None):
        """Somebody else adds up the same while we count."""
        found = count(self, since, until)
        if until is not None:
            Tally.objects.filter(pk=self.name).update(until=until, numbers=tallies._written(found))
        return found

    monkeypatch.setattr(tallies.Source, "count", overtaken)
    assert [sums[0] for sums in tallies.total(tallies.WORKFLOWS).values()] == [1]


# --- For whom they are -------------------------------------------------------------------------------------


def test_by_default_there_is_nothing_here(client, db):
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"])
def test_without_the_token_a_token_is_asked_for(sent, client, db, token):
    response = client.get("/metrics", headers={"Authorization": sent})

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert response.content == b"A token is needed.\n"


@pytest.mark.parametrize(
    ("address", "status"), [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("11.0.0.1", 404), ("2001:db8::1", 404)]
)
def test_who_comes_from_an_address_on_the_list_needs_no_token(address, status, client, db, settings):
    settings.METRICS_ALLOW = [ipaddress.ip_network("10.0.0.0/8")]

    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


def test_a_proxy_that_nobody_told_of_makes_nobody_local(client, db, settings):
    settings.METRICS_ALLOW = [ipaddress.ip_network("127.0.0.1/32")]

    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404


@pytest.mark.parametrize(("seen", "status"), [("10.1.2.3, 203.0.113.9", 404), ("203.0.113.9, 10.1.2.3", 200)])
def test_behind_a_proxy_the_address_that_the_proxy_saw_counts(seen, status, client, db, settings):
    settings.METRICS_ALLOW = [ipaddress.ip_network("10.0.0.0/8")]
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}

    assert client.get("/metrics", headers={"X-Forwarded-For": seen}).status_code == status


@pytest.mark.parametrize(("environment", "status"), [("development", 200), ("production", 404)])
def test_this_machine_may_look_in_development_only(environment, status, client, db, settings):
    settings.ENVIRONMENT = environment

    assert client.get("/metrics").status_code == status


def test_they_are_not_kept_by_anybody_on_the_way(client, db, token):
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})

    assert "no-store" in response["Cache-Control"]
    assert response["Content-Type"].startswith("text/plain; version=")


def test_no_label_holds_what_there_is_ever_more_of(client, alice, token):
    workflow = runs.run(alice, "complete", "a fox in snow")
    scraped = repr(scrape(client))

    assert str(workflow.pk) not in scraped
    assert "alice" not in scraped
