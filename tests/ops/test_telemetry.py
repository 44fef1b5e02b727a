"""What leaves the site for Sentry or a collector of traces holds nothing that opens something, and no person."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from sentry_sdk.transport import Transport

from vidgenie import telemetry

PROJECT = Path(__file__).resolve().parents[2]
SECRET = "sk-planted-8f0c2d7be1aa"
DSN = "https://public@sentry.example.org/1"


class Kept(Transport):
    """Instead of the network."""

    events: list[dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.events = []

    def capture_envelope(self, envelope: Any) -> None:
        self.events += [item.payload.json for item in envelope.items if item.type == "event"]


@pytest.fixture
def sentry(monkeypatch) -> Iterator[Kept]:
    monkeypatch.setattr("sentry_sdk.integrations.django.install_sql_hook", lambda: None)  # it would stay for ever
    kept = Kept()
    telemetry.report_errors(DSN, transport=kept, auto_enabling_integrations=True)
    yield kept
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def test_an_error_of_a_request_is_reported_without_what_the_request_brought(sentry, db, monkeypatch):
    def breaks() -> None:
        password = SECRET
        raise RuntimeError(f"Bearer {password}")

    monkeypatch.setattr("vidgenie.monitoring.health.report", breaks)
    monkeypatch.setattr("vidgenie.monitoring.FRESH", 0.0)
    secrets = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "Cookie": f"other={SECRET}"}
    environ = RequestFactory().get(f"/readyz?key={SECRET}", headers=secrets).environ
    b"".join(WSGIHandler()(environ, lambda *given: None))  # what Sentry watches, and the test client passes by

    (event,) = sentry.events
    assert event["exception"]["values"][-1]["type"] == "RuntimeError"
    assert event["request"] == {"method": "GET", "url": "http://testserver/readyz"}
    assert len(event["tags"]["request_id"]) == 36
    assert SECRET not in json.dumps(sentry.events)
    assert not {"user", "breadcrumbs", "extra"} & set(event)


def test_an_error_of_a_call_is_reported_under_the_ids_of_the_log(sentry):
    with structlog.contextvars.bound_contextvars(workflow_id="w", attempt_id="a"):
        logging.getLogger("workflows.calls").error("Submit failed for %s", SECRET)

    (event,) = sentry.events
    assert (event["tags"]["workflow_id"], event["tags"]["attempt_id"]) == ("w", "a")
    assert SECRET not in json.dumps(event)


class Spans(SpanExporter):
    """Instead of the network."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


def test_a_request_leaves_a_trace_without_its_query(settings, client):
    spans = Spans()
    settings.MIDDLEWARE = list(settings.MIDDLEWARE)
    traces = telemetry.send_traces("http://127.0.0.1:9", spans)
    try:
        Client().get("/healthz?key=" + SECRET)
    finally:
        DjangoInstrumentor().uninstrument()
        traces.shutdown()

    (span,) = spans.spans
    assert span.resource.attributes["service.name"] == "vidgenie"
    assert SECRET not in repr(dict(span.attributes))


@pytest.mark.parametrize(
    ("setting", "module", "extra"),
    [("SENTRY_DSN", "sentry_sdk", "sentry"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry", "otel")],
)
def test_what_is_asked_for_and_not_installed_is_named(setting, module, extra, settings, monkeypatch):
    setattr(settings, setting, DSN)
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ImproperlyConfigured, match=f"{setting} is set, and .* comes with the extra `{extra}`"):
        telemetry.start()


def test_where_nothing_is_asked_for_nothing_is_imported():
    code = "import django, sys; django.setup(); print([m for m in ('sentry_sdk', 'opentelemetry') if m in sys.modules])"
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "vidgenie.settings"}
    environment |= {"VIDGENIE_ENVIRONMENT": "test", "DATABASE_URL": os.environ["DATABASE_URL"]}
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True)

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
