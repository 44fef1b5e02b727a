"""Each route of a workflow, what it answers and what it leaves behind."""

import uuid

import pytest
from django.urls import get_resolver

from credits import ledger
from credits.ledger import Balance
from tests.pipeline import finish
from tests.problems import assert_problem
from workflows import pipeline
from workflows.document import steps_of
from workflows.models import Attempt, Step, Workflow

EXECUTE, STATUS, CANCEL = "/api/workflow/execute", "/api/workflow/status", "/api/workflow/cancel"
BODY = {"type": "complete", "prompt": "a fox", "options": {"resolution": "480p", "duration_seconds": 2}}
COVERED = {
    "workflow",
    "workflow/execute",
    "workflow/status",
    "workflow/status/<uuid:workflow_id>",
    "workflow/cancel",
    "workflow/cancel/<uuid:workflow_id>",
    "workflow/retry/<uuid:workflow_id>",
    "workflow/<uuid:workflow_id>",
}


def execute(api, **changes):
    return api.post(EXECUTE, BODY | changes, content_type="application/json")


def post(api, path, body=None):
    return api.post(path, body or {}, content_type="application/json")


def failed(api):
    """The id of a run that the provider refused before anything was drawn."""
    found = execute(api, prompt="a fox #sim:moderation").json()["id"]
    finish(Workflow.objects.get(pk=found))
    return found


def test_every_workflow_route_is_tested_here():
    routes = get_resolver("vidgenie.api_urls").url_patterns
    assert {str(route.pattern) for route in routes if str(route.pattern).startswith("workflow")} == COVERED


# --- execute -----------------------------------------------------------------------------------------------


def test_execute_answers_with_the_price_and_where_to_look(api):
    response = execute(api)
    answer, workflow = response.json(), Workflow.objects.get()
    assert response.status_code == 202
    assert response.headers["Location"] == f"{STATUS}/{workflow.pk}"
    assert answer == {
        "id": str(workflow.pk),
        "type": "complete",
        "status": "pending",
        "quote": {
            "credits": 5,
            "lines": [
                {"stage": "enhance", "provider": "sandbox", "model": "sandbox/words", "credits": 1},
                {"stage": "image", "provider": "sandbox", "model": "sandbox/still", "credits": 2},
                {"stage": "video", "provider": "sandbox", "model": "sandbox/motion", "credits": 2},
            ],
        },
        "links": {
            "status": f"{STATUS}/{workflow.pk}",
            "cancel": f"{CANCEL}/{workflow.pk}",
            "page": f"/workflows/{workflow.pk}/",
        },
    }


def test_execute_holds_the_price_and_belongs_to_who_asked(api, alice):
    execute(api)
    assert ledger.balance(alice) == Balance(300, 5)
    assert Workflow.objects.get().user == alice


def test_execute_makes_a_video_from_an_image_of_mine(api, image):
    answer = execute(api, type="video-from-image", image=str(image.pk)).json()
    assert [line["stage"] for line in answer["quote"]["lines"]] == ["video"]
    assert Workflow.objects.get().image == image


@pytest.mark.parametrize("prompt", ["ثعلب في الثلج", "שועל בשלג", "雪の中の狐", "a fox 🦊\nin the snow\tat night"])
def test_execute_takes_any_language(api, prompt):
    assert execute(api, prompt=prompt).status_code == 202
    assert Workflow.objects.get().prompt == prompt


def test_execute_takes_a_whole_number_written_as_a_float(api):
    assert execute(api, options={"duration_seconds": 5.0}).status_code == 202
    assert Workflow.objects.get().options["duration_seconds"] == 5


def test_a_browser_may_execute_too(client, alice):
    client.force_login(alice)
    assert execute(client).status_code == 202


# --- status ------------------------------------------------------------------------------------------------


def test_the_steps_come_in_their_order_however_the_database_counts_them(api):
    execute(api)
    Step.objects.filter(stage="enhance").update(position=9)
    workflow = Workflow.objects.get()
    assert [step.stage for step in steps_of(workflow)] == ["image", "video", "enhance"]
    assert {step.workflow for step in steps_of(workflow)} == {workflow}


def test_status_tells_where_a_run_stands(api):
    response = api.get(execute(api).headers["Location"])
    answer = response.json()
    assert (answer["status"], answer["progress"], answer["error"]) == ("pending", 0.0, None)
    assert [step["stage"] for step in answer["steps"]] == ["enhance", "image", "video"]
    assert answer["credits"] == {"quoted": 5, "held": 5, "settled": 0, "refunded": 0}
    assert response.headers["Retry-After"] == "1"


def test_status_has_the_same_answer_for_an_id_in_the_query(api):
    found = execute(api).json()["id"]
    assert api.get(STATUS, {"workflow_id": found}).json() == api.get(f"{STATUS}/{found}").json()


@pytest.mark.parametrize("query", [{}, {"workflow_id": ""}, {"workflow_id": "7"}, {"workflow_id": "\x00"}])
def test_status_refuses_a_query_without_an_id(api, query):
    assert_problem(api.get(STATUS, query), 400, "invalid_input", "workflow_id")


def test_status_of_a_run_that_is_not_there_is_not_found(api):
    assert_problem(api.get(f"{STATUS}/{uuid.uuid4()}"), 404, "not_found")
    assert_problem(api.get(STATUS, {"workflow_id": str(uuid.uuid4())}), 404, "not_found")


def test_status_is_not_sent_again_while_nothing_changes(api):
    first = api.get(execute(api).headers["Location"])
    again = api.get(first.request["PATH_INFO"], headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    Workflow.objects.update(prompt="another")
    changed = api.get(first.request["PATH_INFO"], headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_status_says_why_a_run_failed_and_nothing_of_the_provider(api):
    found = failed(api)
    Attempt.objects.update(detail="secret text of the provider")
    response = api.get(f"{STATUS}/{found}")
    assert (response.json()["status"], response.json()["error"]["code"]) == ("failed", "content_policy")
    assert b"secret" not in response.content
    assert "Retry-After" not in response.headers


# --- cancel ------------------------------------------------------------------------------------------------


def test_cancel_gives_everything_back(api, alice):
    answer = post(api, execute(api).json()["links"]["cancel"]).json()
    assert (answer["status"], answer["cancel_requested"], answer["given_back"]) == ("canceled", True, 5)
    assert answer["credits"] == {"quoted": 5, "held": 0, "settled": 0, "refunded": 5}
    assert ledger.balance(alice) == Balance(300, 0)


def test_cancel_takes_the_id_in_the_body_too(api, alice):
    answer = post(api, CANCEL, {"workflow_id": execute(api).json()["id"]}).json()
    assert (answer["status"], answer["given_back"]) == ("canceled", 5)


def test_cancel_twice_is_harmless(api, alice):
    path = execute(api).json()["links"]["cancel"]
    first, second = post(api, path), post(api, path)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert ledger.balance(alice) == Balance(300, 0)


def test_cancel_after_the_end_changes_nothing(api, alice):
    found = failed(api)
    answer = post(api, f"{CANCEL}/{found}").json()
    assert (answer["status"], answer["cancel_requested"], answer["given_back"]) == ("failed", False, 5)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "workflow_id"),
        ({"workflow_id": 7}, "workflow_id"),
        ({"workflow_id": "x"}, "workflow_id"),
        ({"id": "x"}, "id"),
    ],
)
def test_cancel_refuses_a_body_without_an_id(api, body, field):
    assert_problem(post(api, CANCEL, body), 400, "invalid_input", field)


def test_cancel_of_a_run_that_is_not_there_is_not_found(api):
    assert_problem(post(api, CANCEL, {"workflow_id": str(uuid.uuid4())}), 404, "not_found")


def test_cancel_is_asked_for_by_post_alone(api):
    path = execute(api).json()["links"]["cancel"]
    assert_problem(api.get(path), 405, "method_not_allowed")
    assert Workflow.objects.get().status == "pending"


# --- retry -------------------------------------------------------------------------------------------------


def test_retry_starts_again_and_holds_again(api, alice):
    found = failed(api)
    response = post(api, f"/api/workflow/retry/{found}")
    assert (response.status_code, response.json()["status"]) == (202, "pending")
    assert response.headers["Location"] == f"{STATUS}/{found}"
    assert ledger.balance(alice).held == 5


def test_retry_of_a_running_workflow_is_refused(api, alice):
    found = execute(api).json()["id"]
    assert_problem(post(api, f"/api/workflow/retry/{found}"), 409, "not_retryable")
    assert ledger.balance(alice).held == 5


def test_retry_without_credits_is_refused_and_changes_nothing(api, alice):
    found = failed(api)
    ledger.adjust(alice, -298, key="spent", reason="spent elsewhere")
    answer = assert_problem(post(api, f"/api/workflow/retry/{found}"), 402, "insufficient_credits")
    assert (answer["needed"], answer["available"], answer["held"]) == (5, 2, 0)
    assert Workflow.objects.get().status == "failed"


# --- list and delete ---------------------------------------------------------------------------------------


def test_the_list_is_mine_newest_first_in_pages(api, alice, bob):
    for number in range(5):
        execute(api, prompt=f"fox {number}")
    pipeline.start(bob, pipeline.quote("image-only", "a bear"))
    first = api.get("/api/workflow", {"limit": 3}).json()
    second = api.get(first["next"]).json()
    assert [run["prompt"] for run in first["results"]] == ["fox 4", "fox 3", "fox 2"]
    assert [run["prompt"] for run in second["results"]] == ["fox 1", "fox 0"]
    assert second["next"] is None


@pytest.mark.parametrize("cursor", ["nonsense", "cD1ub25zZW5zZQ==", "é", "bz0tMQ==", "cj14"])
def test_the_list_refuses_a_cursor_that_is_not_ours(api, cursor):
    execute(api)
    assert_problem(api.get("/api/workflow", {"cursor": cursor}), 400, "invalid_input", "cursor")


def test_a_deleted_run_is_gone_and_its_receipt_stays(api, alice):
    found = failed(api)
    assert api.delete(f"/api/workflow/{found}").status_code == 204
    assert_problem(api.get(f"{STATUS}/{found}"), 404, "not_found")
    assert api.get("/api/workflow").json()["results"] == []
    assert Workflow.objects.get().deleted


def test_a_run_that_is_not_over_cannot_be_deleted(api):
    found = execute(api).json()["id"]
    assert_problem(api.delete(f"/api/workflow/{found}"), 409, "still_running")
    assert Workflow.objects.get().deleted is None
