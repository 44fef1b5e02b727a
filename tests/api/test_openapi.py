"""The OpenAPI document is complete, clean, and true: real answers are held against it."""

import json
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.test import Client

from tests.pictures import picture, sent
from tests.pipeline import finish
from workflows.models import Workflow

BODY = {"type": "complete", "prompt": "a fox #sim:moderation", "options": {"seed": 7}}


@pytest.fixture
def schema(db: None) -> Any:
    return Client().get("/api/schema").json()


def assert_described(schema: Any, path: str, method: str, response: Any) -> None:
    """The answer fits what the document says of this operation and status, and has nothing besides."""
    answers = schema["paths"][path][method]["responses"]
    described = answers.get(str(response.status_code)) or answers["default"]
    media_type = response.headers["Content-Type"]
    shape = described["content"][media_type]["schema"] | {"components": closed(schema["components"])}
    jsonschema.Draft202012Validator(shape, format_checker=jsonschema.FormatChecker()).validate(response.json())


def closed(components: Any) -> Any:
    """The same shapes, with nothing allowed that they don't name."""
    shapes = {
        name: {"additionalProperties": False} | shape if "properties" in shape else shape
        for name, shape in components["schemas"].items()
    }
    return {"schemas": shapes}


def test_it_is_valid_and_gives_no_warning(db, tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_it_is_openapi_3_1_and_names_every_operation(schema):
    operations = [operation["operationId"] for path in schema["paths"].values() for operation in path.values()]
    assert schema["openapi"] == "3.1.1"
    assert sorted(operations) == [
        "asset", "asset_content", "asset_delete", "asset_list", "asset_thumbnail", "asset_upload", "credits", "models",
        "workflow_cancel", "workflow_cancel_by_body", "workflow_delete", "workflow_execute", "workflow_list",
        "workflow_retry", "workflow_status", "workflow_status_by_query",
    ]  # fmt: skip


def test_every_operation_may_answer_with_a_problem(schema):
    for path in schema["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_it_says_how_to_sign_in(schema):
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_answers_of_a_run_are_as_described(schema, api):
    execute = api.post("/api/workflow/execute", BODY, content_type="application/json")
    assert_described(schema, "/api/workflow/execute", "post", execute)
    found = execute.json()["id"]
    path = "/api/workflow/status/{workflow_id}"
    assert_described(schema, path, "get", api.get(f"/api/workflow/status/{found}"))
    finish(Workflow.objects.get())
    failed = api.get(f"/api/workflow/status/{found}")
    assert failed.json()["error"]
    assert_described(schema, path, "get", failed)
    retry = api.post(f"/api/workflow/retry/{found}")
    assert_described(schema, "/api/workflow/retry/{workflow_id}", "post", retry)
    cancel = api.post(f"/api/workflow/cancel/{found}")
    assert_described(schema, "/api/workflow/cancel/{workflow_id}", "post", cancel)
    assert_described(schema, "/api/workflow", "get", api.get("/api/workflow"))
    assert_described(schema, "/api/credits", "get", api.get("/api/credits"))


def test_answers_with_files_are_as_described(schema, api):
    upload = api.post("/api/assets", {"image": sent(picture())})
    assert_described(schema, "/api/assets", "post", upload)
    assert_described(schema, "/api/assets", "get", api.get("/api/assets"))
    assert_described(schema, "/api/assets/{asset_id}", "get", api.get(f"/api/assets/{upload.json()['id']}"))
    step = Workflow.objects.get(
        pk=api.post("/api/workflow/execute", BODY, content_type="application/json").json()["id"]
    ).steps.get(stage="image")
    step.asset_id = upload.json()["id"]
    step.save()
    status = api.get(f"/api/workflow/status/{step.workflow_id}")
    assert status.json()["result"]["image"]["sha256"] == upload.json()["sha256"]
    assert_described(schema, "/api/workflow/status/{workflow_id}", "get", status)


def test_the_models_are_as_described(schema, api):
    assert_described(schema, "/api/models", "get", api.get("/api/models"))


def test_problems_are_as_described(schema, api):
    wrong = api.post("/api/workflow/execute", {"type": "x"}, content_type="application/json")
    assert_described(schema, "/api/workflow/execute", "post", wrong)
    assert_described(schema, "/api/credits", "get", Client().get("/api/credits"))


def test_an_answer_that_is_not_as_described_is_found(schema, api):
    response = api.get("/api/credits")
    response.json = lambda: json.loads(response.content) | {"more": 1}
    with pytest.raises(jsonschema.ValidationError):
        assert_described(schema, "/api/credits", "get", response)


def test_the_page_asks_no_other_host_and_allows_styles_on_itself_alone(client, db):
    page = client.get("/api/docs")
    assert "'unsafe-inline'" in page.headers["Content-Security-Policy"].split("style-src")[1].split(";")[0]
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"].split("script-src")[1].split(";")[0]
    assert b"https://" not in page.content
    script = client.get("/api/docs?script")
    assert b'"validatorUrl": null' in script.content
    assert "unsafe-inline" not in client.get("/api/schema").headers["Content-Security-Policy"]
