"""Rows go in and come back as Django's own would, in statements that are put together once."""

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

import sql
from providers.models import ProviderCall
from tests.pipeline import start
from workflows.models import Asset, Attempt, Step, Transition, Workflow


@pytest.fixture
def workflow(alice):
    return start(alice, "complete", "a fox")


def every(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize("model", [Workflow, Step, Attempt])
def test_what_is_read_is_what_django_reads(workflow, model):
    assert [every(row) for row in sql.found(model, "TRUE ORDER BY id", [])] == [
        every(row) for row in model.objects.order_by("pk")
    ]


def test_rows_that_were_joined_come_apart_again(workflow):
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {sql.columns(Workflow, 'run')}, {sql.columns(Asset, 'image')}, {sql.columns(Step, 'step')}"  # noqa: S608
            " FROM workflows_workflow run JOIN workflows_step step ON step.workflow_id = run.id"
            " LEFT JOIN workflows_asset image ON image.id = run.image_id ORDER BY step.id"
        )
        run, image, step = sql.joined(cursor.fetchone(), Workflow, Asset, Step)
    assert (every(run), image, every(step)) == (
        every(Workflow.objects.get()),
        None,
        every(Step.objects.earliest("pk")),
    )


def test_what_is_written_comes_back_with_what_the_database_filled_in(workflow):
    moves = [Transition(workflow=workflow, old="pending", new=new) for new in ("running", "failed")]
    with CaptureQueriesContext(connection) as captured:
        sql.insert(moves)
    assert len(captured) == 1
    assert [every(move) for move in moves] == [every(row) for row in Transition.objects.order_by("pk")]


def test_a_row_knows_that_it_is_written(db):
    call = ProviderCall(provider="acme", operation="submit", milliseconds=1)
    sql.insert([call])
    call.cost = 2.5
    call.save()
    assert every(ProviderCall.objects.get()) == every(call)


def test_only_what_is_named_is_written(workflow):
    workflow.reason, workflow.prompt = "lost", "another"
    sql.save(workflow, "reason")
    workflow.refresh_from_db()
    assert (workflow.reason, workflow.prompt) == ("lost", "a fox")


def test_a_row_that_is_gone_is_not_written(workflow):
    workflow.pk = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(DatabaseError):
        sql.save(workflow, "reason")


def test_a_copy_changes_by_itself(workflow):
    attempt = Attempt.objects.select_related("step").get()
    twin = sql.copied(attempt)
    twin.detail, twin.step = "changed", Step.objects.last()
    assert (attempt.detail, attempt.step.position, twin._state.adding) == ("", 1, False)
    assert sql.copied(attempt).step is attempt.step


@pytest.mark.parametrize("model", [Workflow, Step, Attempt, Asset, Transition, ProviderCall])
def test_a_value_that_is_not_shown_to_django_is_what_django_would_make_of_it(workflow, model):
    for row in (*model.objects.all(), model()):
        for field in model._meta.concrete_fields:
            given = getattr(row, field.attname)
            if not hasattr(given, "resolve_expression"):
                assert str(sql.value(field, given)) == str(field.get_db_prep_save(given, connection))


def test_a_text_in_a_json_column_is_json(workflow):
    attempt = Attempt.objects.get()
    attempt.options = "a text"
    sql.save(attempt, "options")
    assert Attempt.objects.get().options == "a text"
