"""Scopes: every view says what a token needs for it, and a token without that is told so and changes nothing."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import get_resolver
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from tests.api.conftest import bearer, everything
from tests.api.test_permissions import MATRIX, TABLE, request
from tests.problems import assert_problem
from vidgenie import tokens
from vidgenie.models import ApiToken, Scope
from vidgenie.scopes import HasScope
from workflows import pipeline
from workflows.prompts import InvalidInput

NEEDED = {path: route.scope for path, route in MATRIX.items() if route.scope}
OPEN = {"schema", "docs"}  # for everybody, signed in or not


def views() -> dict[str, Any]:
    """The view class of each route of the API."""
    found = {str(route.pattern): getattr(route.callback, "cls", None) for route in api_routes()}
    return {route: view for route, view in found.items() if view and issubclass(view, APIView)}


def api_routes() -> Any:
    return get_resolver("vidgenie.api_urls").url_patterns


def test_every_view_says_for_each_of_its_methods_what_a_token_needs():
    for route, view in views().items():
        if route in OPEN:
            assert view.permission_classes == [AllowAny]
            continue
        assert view.permission_classes == [HasScope], route
        answered = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        assert set(view.scopes) == answered, route
        assert set(view.scopes.values()) <= set(Scope.values), route
    assert set(views()) == set(NEEDED) | OPEN


@pytest.mark.parametrize("route", NEEDED)
def test_a_token_with_this_scope_alone_is_let_in_and_one_with_all_others_is_not(route, alice, image):
    workflow = pipeline.start(alice, pipeline.quote("image-only", "a fox"))
    others = [scope for scope in Scope.values if scope != NEEDED[route]]
    without, having = (bearer(tokens.create(alice, "a", scopes=scopes)[1]) for scopes in (others, [NEEDED[route]]))
    before = everything()
    assert request(without, TABLE[route][0], route, workflow, image) == 403
    assert everything() == before
    assert request(having, TABLE[route][0], route, workflow, image) == TABLE[route][1][1]


def test_the_refusal_names_the_scope(alice):
    reader = bearer(tokens.create(alice, "a reader", scopes=["read"])[1])
    answer = reader.post("/api/workflow/execute", {}, content_type="application/json")
    assert_problem(answer, 403, "insufficient_scope")
    assert answer.json()["scope"] == "run"
    assert "“run”" in answer.json()["detail"]
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="run"'


def test_a_session_needs_none(client, alice):
    client.force_login(alice)
    assert client.get("/api/credits").status_code == 200


@pytest.mark.parametrize(("method", "status"), [("head", 200), ("options", 200), ("delete", 405), ("put", 405)])
def test_other_methods_are_answered_as_ever(alice, method, status):
    reader = bearer(tokens.create(alice, "a reader", scopes=["read"])[1])
    assert getattr(reader, method)("/api/models").status_code == status


@pytest.mark.parametrize("method", ["head", "options"])
def test_what_reads_needs_what_reading_needs(alice, method):
    runner = bearer(tokens.create(alice, "a runner", scopes=["run"])[1])
    assert getattr(runner, method)("/api/models").status_code == 403


def test_a_view_that_forgot_to_say_is_refused_to_everybody(api, client, alice, monkeypatch):
    monkeypatch.setattr(views()["models"], "scopes", {})
    assert api.get("/api/models").status_code == 500
    client.force_login(alice)
    client.raise_request_exception = False
    assert client.get("/api/models").status_code == 500


@pytest.mark.parametrize("scopes", [[], ["all"], ["read", "tokens"], [""]])
def test_a_token_has_one_of_the_scopes_at_least_and_no_other(alice, scopes):
    with pytest.raises(InvalidInput, match="scopes"):
        tokens.create(alice, "a program", scopes=scopes)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiToken.objects.create(alice, name="a program", scopes=scopes)
    assert ApiToken.objects.count() == 0


def test_they_are_kept_in_one_order_and_once(alice):
    token, _ = tokens.create(alice, "a program", scopes=["account", "read", "account"])
    assert token.scopes == ["read", "account"]


def test_the_command_gives_the_scopes_that_were_asked_for(alice, capsys):
    call_command("create_token", "alice", "--scopes", "run, read")
    assert ApiToken.objects.get().scopes == ["read", "run"]
    assert "for read, run, and is shown only now" in capsys.readouterr().err


def test_the_command_refuses_a_scope_that_does_not_exist(alice, capsys):
    with pytest.raises(CommandError, match="read, run, account"):
        call_command("create_token", "alice", "--scopes", "read,admin")
    assert capsys.readouterr().out == ""
    assert ApiToken.objects.count() == 0


def test_staff_see_what_a_token_may_do(client, sam, alice):
    tokens.create(alice, "a reader", scopes=["read", "account"])
    client.force_login(sam)
    assert "read, account" in client.get("/admin/vidgenie/apitoken/").content.decode()


def test_the_openapi_document_names_the_scope_of_every_operation(client, db):
    schema = client.get("/api/schema").json()
    for path, operations in schema["paths"].items():
        scopes = views()[path.removeprefix("/api/").replace("{", "<uuid:").replace("}", ">")].scopes
        for method, operation in operations.items():
            scope = scopes[method.upper()]
            assert {"bearer": [scope]} in operation["security"]
            assert operation["description"].endswith(f"A token needs the scope `{scope}`.")
    assert "`account`: see the balance" in schema["components"]["securitySchemes"]["bearer"]["description"]
