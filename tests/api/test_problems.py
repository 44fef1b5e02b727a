"""One shape for every error, whatever goes wrong wherever."""

import pytest
from django.test import Client

from tests.problems import assert_problem
from workflows import document
from workflows.models import Workflow

EXECUTE = "/api/workflow/execute"


@pytest.mark.parametrize("path", ["/api/", "/api/nope", "/api/nope/", "/api/workflow/status/not-an-id", "/api/a//b"])
def test_an_unknown_address_is_a_problem(api, path):
    assert_problem(api.get(path), 404, "not_found")


def test_an_unknown_address_is_a_problem_for_a_post_without_a_csrf_token(db):
    assert_problem(Client(enforce_csrf_checks=True).post("/api/nope"), 404, "not_found")


def test_a_slash_too_many_is_forgiven(api):
    assert api.get("/api/credits/").json()["balance"] == 300


def test_an_unknown_address_elsewhere_is_still_a_page(client, db):
    assert client.get("/nope").headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", EXECUTE), ("delete", EXECUTE), ("post", "/api/workflow/status"), ("get", "/api/workflow/cancel"),
     ("put", "/api/credits"), ("put", "/api/assets"), ("patch", "/api/models")],
)  # fmt: skip
def test_another_method_is_a_problem(api, method, path):
    response = getattr(api, method)(path)
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"]


def test_a_stranger_is_told_how_to_sign_in(client, db):
    response = client.get("/api/credits")
    assert_problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"type": NaN}', b"[" * 100_000, b'{"seed": ' + b"9" * 5000 + b"}"],
    ids=["cut off", "no text", "not a number", "nested deep", "a long number"],
)
def test_malformed_json_is_a_problem(api, nothing_happens, body):
    assert_problem(api.post(EXECUTE, body, content_type="application/json"), 400, "parse_error")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"null", b"true"], ids=repr)
def test_json_that_is_no_object_is_a_problem(api, nothing_happens, body):
    response = api.post(EXECUTE, body, content_type="application/json")
    assert_problem(response, 400, "invalid_input", "body")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_content_type_is_a_problem(api, nothing_happens, content_type):
    response = api.post(EXECUTE, b"type=complete", content_type=content_type)
    assert_problem(response, 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_a_problem(api, nothing_happens):
    body = b'{"prompt": "' + b"x" * (1024 * 1024) + b'"}'
    assert_problem(api.post(EXECUTE, body, content_type="application/json"), 413, "too_large")


def test_a_session_without_a_csrf_token_is_a_problem(alice, nothing_happens):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    response = browser.post(EXECUTE, {"type": "image-only", "prompt": "a fox"}, content_type="application/json")
    assert_problem(response, 403, "permission_denied")


def test_a_program_needs_no_csrf_token(api):
    api.handler.enforce_csrf_checks = True
    body = {"type": "image-only", "prompt": "a fox"}
    assert api.post(EXECUTE, body, content_type="application/json").status_code == 202


def test_a_mistake_of_ours_is_a_problem_without_details(api, monkeypatch):
    monkeypatch.setattr(document, "status_document", lambda workflow: 1 / 0)
    body = {"type": "image-only", "prompt": "a fox"}
    started = api.post(EXECUTE, body, content_type="application/json").json()
    answer = assert_problem(api.get(started["links"]["status"]), 500, "internal")
    assert "division" not in answer["detail"]


def test_a_host_that_is_not_ours_is_a_problem(api):
    assert_problem(api.get("/api/credits", headers={"Host": "elsewhere.example"}), 400, "invalid_input")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png", "nonsense"])
def test_what_a_caller_accepts_changes_nothing(api, accept):
    assert api.get("/api/credits", headers={"Accept": accept}).json()["balance"] == 300


def test_no_more_credits_than_needed_available_and_held_are_told(api, alice):
    body = {"type": "complete", "prompt": "a fox", "options": {"resolution": "1080p", "duration_seconds": 10}}
    for _ in range(6):
        api.post(EXECUTE, body, content_type="application/json")
    answer = assert_problem(api.post(EXECUTE, body, content_type="application/json"), 402, "insufficient_credits")
    assert (answer["needed"], answer["available"], answer["held"]) == (49, 6, 294)
    assert Workflow.objects.count() == 6
