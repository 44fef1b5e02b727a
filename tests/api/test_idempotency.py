"""The same key and body give the same workflow, once; the same key for something else is refused."""

import threading

import pytest
from django.db import connection
from django.test import Client

from credits import ledger
from credits.ledger import Balance
from credits.models import Hold
from tests.factories import UserFactory
from tests.problems import assert_problem
from vidgenie import tokens
from workflows.models import Workflow

BODY = {"type": "image-only", "prompt": "a fox", "options": {"resolution": "480p", "enhance": False}}


def execute(api, body=BODY, key="one"):
    return api.post("/api/workflow/execute", body, content_type="application/json", headers={"Idempotency-Key": key})


def test_the_same_request_gives_the_same_workflow_and_is_paid_once(api, alice):
    first, second = execute(api), execute(api)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert ledger.balance(alice) == Balance(300, 2)


def test_the_order_of_fields_makes_no_difference(api):
    first = execute(api)
    second = execute(api, dict(reversed(BODY.items())))
    assert first.json()["id"] == second.json()["id"]


def test_the_same_key_for_something_else_is_refused(api, alice):
    execute(api)
    response = execute(api, BODY | {"prompt": "a bear"})
    assert_problem(response, 422, "idempotency_key_reused", "Idempotency-Key")
    assert Workflow.objects.count() == 1
    assert ledger.balance(alice) == Balance(300, 2)


def test_a_repeated_request_needs_no_more_credits(api, alice):
    execute(api)
    ledger.adjust(alice, -298, key="spent", reason="spent elsewhere")
    assert execute(api).status_code == 202


def test_a_repeated_request_is_answered_even_if_it_could_not_be_started_any_more(api, alice, image):
    body = BODY | {"type": "video-from-image", "image": str(image.pk)}
    first = execute(api, body)
    image.delete()
    again = execute(api, body)
    assert (again.status_code, again.json()) == (202, first.json())


def test_two_people_may_use_the_same_key(api, bobs_api):
    assert execute(api).json()["id"] != execute(bobs_api).json()["id"]


def test_without_a_key_each_request_is_another_workflow(api):
    for _ in range(2):
        api.post("/api/workflow/execute", BODY, content_type="application/json")
    assert Workflow.objects.count() == 2


def test_a_request_that_was_refused_does_not_use_its_key_up(api):
    assert execute(api, BODY | {"prompt": ""}).status_code == 400
    assert execute(api).status_code == 202


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "tab\there", "ü", "\x7f"], ids=ascii)
def test_a_key_that_is_none_is_refused(api, nothing_happens, key):
    assert_problem(execute(api, key=key), 400, "invalid_input", "Idempotency-Key")


def test_the_longest_key_is_taken(api):
    assert execute(api, key="~" * 255).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_start_one_workflow():
    alice = UserFactory(username="alice")
    headers = {"Authorization": f"Bearer {tokens.create(alice, 'a program')[1]}"}
    found = []

    def ask():
        found.append(execute(Client(headers=headers)).json()["id"])
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10
    assert len(set(found)) == 1
    assert (Workflow.objects.count(), Hold.objects.count()) == (1, 1)
