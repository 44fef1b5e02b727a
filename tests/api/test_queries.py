"""How many statements a request costs, rate limit and every BEGIN and SAVEPOINT included."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from vidgenie import tokens
from workflows import pipeline

BODY = {"type": "complete", "prompt": "a fox"}


@pytest.fixture(params=["token", "session"])
def caller(request, client, alice):
    """A caller with a fresh token, whose first use is written down, or with a session."""
    if request.param == "session":
        client.force_login(alice)
    else:
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {tokens.create(alice, 'a program')[1]}"
    return client


def statements(call):
    with CaptureQueriesContext(connection) as made:
        response = call()
        b"".join(response)
    assert response.status_code in (200, 202)
    return len(made)


def execute(caller, body, **headers):
    return caller.post("/api/workflow/execute", body, content_type="application/json", headers=headers)


def test_execute_costs_at_most_15(caller):
    assert statements(lambda: execute(caller, BODY, **{"Idempotency-Key": "one"})) <= 15


def test_execute_from_an_image_costs_at_most_15(caller, image):
    body = BODY | {"type": "video-from-image", "image": str(image.pk)}
    assert statements(lambda: execute(caller, body, **{"Idempotency-Key": "one"})) <= 15


def test_status_costs_at_most_6_and_one_more_while_a_run_waits_in_line(caller, client):
    path = execute(caller, BODY).headers["Location"]
    by_query = {"workflow_id": path.rpartition("/")[2]}
    assert statements(lambda: caller.get(path)) <= 7
    pipeline.advance(by_query["workflow_id"])
    assert statements(lambda: caller.get(path)) <= 6
    assert statements(lambda: caller.get("/api/workflow/status", by_query)) <= 6


@pytest.mark.parametrize(("path", "most"), [("/api/models", 4), ("/api/credits", 5), ("/api/workflow", 4)])
def test_lists_cost_the_same_however_long(caller, path, most):
    for _ in range(3):
        execute(caller, BODY)
    assert statements(lambda: caller.get(path)) <= most


def test_a_file_costs_at_most_3(caller, image):
    caller.get("/api/models")
    assert statements(lambda: caller.get(image.get_absolute_url())) <= 3
