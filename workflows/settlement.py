"""How a run ends: its terminal status and what is owed for it, in one transaction.

What is owed follows `credits/policy.py`; here each step is only told how it ended. Called by `pipeline.py`
alone, under the workflow's row lock.
"""

from collections.abc import Sequence

from django.db import connection

import sql
from crashpoint import crashpoint
from credits import ledger
from credits.models import Hold
from credits.policy import Line, Outcome
from providers.base import Reason
from workflows import history
from workflows.models import Step, Workflow
from workflows.states import Status

_FAILURES = {Reason.CONTENT_POLICY: Outcome.REFUSED, Reason.LOST: Outcome.LOST}


def finish(workflow: Workflow, status: Status, reason: str = "") -> None:
    """Take what is due of the open hold, free the rest and close the run."""
    steps = sql.found(Step, "workflow_id = %s ORDER BY position", [workflow.pk])
    _close_unstarted(workflow, steps)
    _settle(workflow, steps)
    history.move_workflow(workflow, status, reason)
    workflow.finished = workflow.now
    sql.save(workflow, "status", "reason", "finished")
    crashpoint("finish.written")


def missing(steps: Sequence[Step]) -> list[Step]:
    """The steps of an ended run that a retry would do: all after the last that was made."""
    made = max((step.position for step in steps if step.status == Status.SUCCEEDED), default=0)
    return [step for step in steps if step.position > made]


def unpaid(steps: Sequence[Step]) -> int:
    """Credits that a retry would cost at most: what is missing, and what was made and not paid for."""
    wanted = [*missing(steps), *(step for step in steps if step.status == Status.SUCCEEDED)]
    return sum(step.price - step.charged for step in wanted)


def outcome(step: Step, steps: list[Step]) -> Outcome:
    """How a step of a finished run ended, in the words of the policy."""
    if step.status == Status.SUCCEEDED and step.reason:
        return Outcome.LATE
    if step.status == Status.SUCCEEDED:
        used = step.stage != Step.Stage.ENHANCE or any(
            other.status == Status.SUCCEEDED for other in steps if other.pk != step.pk
        )
        return Outcome.DELIVERED if used else Outcome.UNUSED
    if step.status == Status.FAILED:
        return _FAILURES.get(Reason(step.reason), Outcome.FAILED)
    return Outcome.CANCELED if step.started else Outcome.UNSTARTED


def _close_unstarted(workflow: Workflow, steps: list[Step]) -> None:
    for step in steps:
        if step.status == Status.PENDING:
            history.move_step(workflow, step, Status.CANCELED)
            step.save(update_fields=["status", "reason"])


_CHARGE = "UPDATE workflows_step SET charged = price WHERE id = ANY(%s)"


def _settle(workflow: Workflow, steps: list[Step]) -> None:
    due = {step: Line(step.price, outcome(step, steps)).due for step in steps if not step.charged}
    (hold,) = sql.found(Hold, "reference = %s AND status = 'open'", [workflow.reference])
    ledger.settle(hold, sum(due.values()), key=f"settle:{hold.pk}")
    for step, amount in due.items():
        step.charged = amount
    with connection.cursor() as cursor:  # of a step all is owed or nothing: see the policy
        cursor.execute(_CHARGE, [[step.pk for step in due if step.charged]])
