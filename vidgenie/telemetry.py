"""Sentry and OpenTelemetry, each where a setting asks for it, and nothing of either where none does.

What leaves the site this way goes to somebody else: so it holds no bodies, headers, cookies, queries, local variables
or users, and what is left is searched for secrets like the log.
"""

from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from vidgenie import logs

_OF_A_REQUEST = ("method", "url")  # all else that Sentry knows of one stays here
_IDS = ("request_id", "workflow_id", "attempt_id")


def start() -> None:
    """Start what the settings ask for. Raises ImproperlyConfigured when it is not installed."""
    if settings.SENTRY_DSN:
        report_errors(settings.SENTRY_DSN)
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        send_traces(settings.OTEL_EXPORTER_OTLP_ENDPOINT)


def _missing(setting: str, extra: str, error: ImportError) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{setting} is set, and {error.name} is not installed: it comes with the extra `{extra}`. "
        f"Take the setting away, or: uv pip install --python .venv/bin/python -r pyproject.toml --extra {extra}"
    )


# --- Sentry ------------------------------------------------------------------------------------------------


def report_errors(dsn: str, **more: Any) -> None:
    """Send errors to Sentry; `more` are options of its SDK, for tests."""
    try:
        import sentry_sdk
        from sentry_sdk.integrations.logging import ignore_logger
    except ImportError as error:
        raise _missing("SENTRY_DSN", "sentry", error) from error
    # What tells of persons (send_default_pii) is off unless asked for; to say so is deprecated since 2.75.
    options: dict[str, Any] = {
        "environment": settings.ENVIRONMENT,
        "max_request_body_size": "never",
        "include_local_variables": False,
        "max_breadcrumbs": 0,
        "traces_sample_rate": 0,
        "before_send": without_secrets,
    }
    ignore_logger("django_structlog*")  # it logs what Django's signal has reported already
    sentry_sdk.init(dsn, **options | more)


def without_secrets(event: Any, hint: Any) -> Any:
    """What may leave of an error, with the ids under which the log has it."""
    request = event.pop("request", None) or {}
    if kept := {name: str(request[name]).partition("?")[0] for name in _OF_A_REQUEST if name in request}:
        event["request"] = kept
    for name in ("user", "breadcrumbs", "extra", "server_name"):
        event.pop(name, None)
    known = structlog.contextvars.get_contextvars()
    event["tags"] = {**(event.get("tags") or {}), **{name: known[name] for name in _IDS if name in known}}
    return logs.hidden(event)


# --- OpenTelemetry -----------------------------------------------------------------------------------------


def send_traces(endpoint: str, exporter: Any = None) -> Any:
    """Send a trace of each request by OTLP over HTTP; another `exporter` is for tests. What collects them."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.django import DjangoInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise _missing("OTEL_EXPORTER_OTLP_ENDPOINT", "otel", error) from error
    provider = TracerProvider(resource=Resource.create({"service.name": "vidgenie"}))
    sent_by = exporter or OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(sent_by))
    DjangoInstrumentor().instrument(tracer_provider=provider, request_hook=_without_query)
    return provider


def _without_query(span: Any, request: Any) -> None:
    """What the instrumentation has noted of an address ends where its query begins."""
    for name, value in dict(getattr(span, "attributes", None) or {}).items():
        if isinstance(value, str) and "?" in value:
            span.set_attribute(name, value.partition("?")[0])
    for name in ("url.query", "net.peer.ip", "client.address", "http.client_ip", "http.user_agent"):
        if name in (getattr(span, "attributes", None) or {}):
            span.set_attribute(name, "")
