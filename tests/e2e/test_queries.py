"""What a run costs in queries. The sandbox's own books and the beginnings and ends of transactions are not counted."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from providers.adapters import sandbox
from tests.pipeline import start
from workflows import looks, pipeline
from workflows.models import Workflow

CONTROL = re.compile("BEGIN|COMMIT|SAVEPOINT|RELEASE")
FAST = {"resolution": "480p", "duration_seconds": 2, "seed": 7}


@pytest.mark.django_db(transaction=True)
def test_one_complete_run_from_start_to_settle_takes_at_most_80_queries(alice):
    workflow, statements = None, []
    looks.forget()
    with CaptureQueriesContext(connection) as captured:
        workflow = start(alice, "complete", "a fox", **FAST)
        pipeline.advance(workflow.pk)
    statements += captured.captured_queries
    for _ in ("still", "motion"):
        job_id = sandbox.render_next()
        with CaptureQueriesContext(connection) as captured:
            pipeline.nudge("sandbox", job_id)
            pipeline.advance(workflow.pk)
        statements += captured.captured_queries
    queries = [sql for statement in statements if not CONTROL.match(sql := statement["sql"])]
    ours = [sql for sql in queries if "providers_sandboxjob" not in sql]
    assert Workflow.objects.get().status == "succeeded"
    assert len(ours) == 62, "\n".join(sql[:120] for sql in ours)
