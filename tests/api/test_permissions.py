"""Every route of the API against every kind of caller, by the table in vidgenie/access.toml. A route that isn't in it
fails.

Whatever is somebody else's does not exist: 404, never 403. The table is for a GET or, where a route only takes one,
for its method; `staff` has no more rights here than anybody. The pages of the table are asked in
tests/security/test_audit.py, as the security audit asks them.
"""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from tests.api.conftest import bearer
from vidgenie import tokens
from vidgenie.management.audit.access import matrix
from vidgenie.models import ApiToken
from workflows import pipeline

CALLERS = ("anonymous", "owner", "session", "other", "staff", "expired", "revoked", "inactive")
MATRIX = {route.path.removeprefix("api/"): route for route in matrix().values() if route.path.startswith("api/")}
TABLE = {path: (route.method, tuple(route.gets[name] for name in CALLERS)) for path, route in MATRIX.items()}


def routes() -> list[str]:
    patterns = get_resolver("vidgenie.api_urls").url_patterns
    assert all(isinstance(pattern, URLPattern) for pattern in patterns), "a nested include hides routes from this test"
    return [str(pattern.pattern) for pattern in patterns]


@pytest.fixture
def callers(alice: Any, bob: Any, sam: Any, django_user_model: Any) -> dict[str, Client]:
    """Everybody who may come; who was alice once comes with a token of hers."""
    session = Client(raise_request_exception=False)
    session.force_login(alice)
    texts = {name: tokens.create(alice, name) for name in ("owner", "expired", "revoked")}
    ApiToken.objects.filter(pk=texts["expired"][0].pk).update(expiry=timezone.now() - datetime.timedelta(seconds=1))
    tokens.revoke(texts["revoked"][0])
    gone = django_user_model.objects.create_user("gone", is_active=False)
    others = {"other": bob, "staff": sam, "inactive": gone}
    texts |= {name: tokens.create(user, name) for name, user in others.items()}
    return {"anonymous": Client(), "session": session} | {name: bearer(text) for name, (_, text) in texts.items()}


def request(caller: Client, method: str, route: str, workflow: Any, image: Any) -> int:
    """Ask for alice's things; ids go into the path, the query and the body."""
    path = route.replace("<uuid:workflow_id>", str(workflow.pk)).replace("<uuid:asset_id>", str(image.pk))
    path = f"/api/{path.replace('<path:rest>', 'nope')}"
    ids = {"workflow_id": str(workflow.pk)}
    if method == "get":
        response = caller.get(path, ids if route == "workflow/status" else {})
    elif route == "workflow/execute":
        body = {"type": "video-from-image", "prompt": "a fox", "image": str(image.pk)}
        response = caller.post(path, body, content_type="application/json")
    else:
        body = ids if route == "workflow/cancel" else {}
        response = getattr(caller, method)(path, body, content_type="application/json")
    b"".join(response)
    return int(response.status_code)


def test_every_route_is_in_the_table() -> None:
    assert sorted(routes()) == sorted(TABLE)


@pytest.mark.parametrize("route", TABLE)
def test_each_caller_gets_what_the_table_says(route: str, callers: dict[str, Client], alice: Any, image: Any) -> None:
    workflow = pipeline.start(alice, pipeline.quote("image-only", "a fox"))
    method, expected = TABLE[route]
    # Strangers come first and last: what the owner does to the workflow must not be what keeps them out.
    order = [name for name in CALLERS if name not in ("owner", "session")] + ["owner", "session"]
    found = {name: request(callers[name], method, route, workflow, image) for name in order}
    assert found == dict(zip(CALLERS, expected, strict=True))
