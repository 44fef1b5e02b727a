"""What the log says: JSON in production, whose work a line is about, and never a secret."""

import json
import logging
from typing import Any

import pytest
import structlog
from django.conf import settings

from providers import gateway
from tests import pipeline as runs
from vidgenie import logs
from workflows.models import Attempt

SECRET = "sk-planted-8f0c2d7be1aa"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lines that production writes of what is logged, as documents."""
    lines: list[str] = []
    before = settings.LOGGING["formatters"]["lines"]["foreign_pre_chain"]
    form = structlog.stdlib.ProcessorFormatter(processors=logs.write(as_json=True), foreign_pre_chain=before)

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(form.format(record))

    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in lines]
    logging.getLogger().removeHandler(handler)


def breaks(*given: object, **named: object) -> None:
    raise RuntimeError(f"Authorization: Bearer {SECRET} at https://user:{SECRET}@example.org/x?signature={SECRET}")


def test_the_line_of_a_call_that_fails_says_whose_it_is_and_holds_no_secret(written, alice, monkeypatch):
    monkeypatch.setattr(gateway, "submit", breaks)

    workflow = runs.run(alice, "image-only", "a fox in snow")

    attempt = Attempt.objects.filter(step__workflow=workflow).earliest("created")
    line = next(line for line in written() if "failed for attempt" in line["event"])
    assert (line["workflow_id"], line["attempt_id"]) == (str(workflow.pk), str(attempt.pk))
    assert (line["level"], line["logger"]) == ("error", "workflows.calls")
    assert "RuntimeError" in line["exception"]
    assert SECRET not in json.dumps(written())


def test_what_comes_after_the_call_is_not_said_to_be_part_of_it(written, alice):
    runs.run(alice, "image-only", "a fox in snow")
    logging.getLogger("x").warning("later")

    assert not {"workflow_id", "attempt_id"} & set(written()[-1])


def test_the_line_of_a_request_carries_its_id(written, client, caplog):
    caplog.set_level("INFO", logger="django_structlog")

    client.get("/healthz")

    finished = [line for line in written() if line["event"] == "request_finished"]
    assert [(line["request"], line["code"]) for line in finished] == [("GET /healthz", 200)]
    assert len(finished[0]["request_id"]) == 36


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {SECRET}",
        "vg_0123456789abcdef",
        "AIzaSyPlantedPlanted",
        "postgresql://vidgenie:planted-password@db/vidgenie",
        "https://cdn.example.org/film.mp4?X-Amz-Signature=planted",
        {"headers": {"Authorization": "planted", "Set-Cookie": "planted"}},
        [{"api_key": "planted"}],
    ],
    ids=str,
)
def test_what_opens_something_is_hidden(text):
    shown = json.dumps(logs.hidden(text))
    assert "lanted" not in shown
    assert "0123456789" not in shown
    assert "[hidden]" in shown


@pytest.mark.parametrize(
    "text", ["fal submit failed: 503", "monkey_business", "GET /workflows/", 7, None, ["a", {"b": 1}]]
)
def test_all_else_stays_as_it_is(text):
    assert logs.hidden(text) == text
