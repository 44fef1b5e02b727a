"""Every change of status leaves a line with its time; the lines of a transaction are written together.

That a workflow came to be is on its own row, as `created`.
"""

import sql
from workflows import states
from workflows.models import Attempt, Step, Transition, Workflow
from workflows.states import Status


def move_workflow(workflow: Workflow, new: Status, reason: str = "") -> None:
    """Change the status and note it; raises IllegalMove. The row is for the caller to save."""
    states.require(states.WORKFLOW, workflow.status, new)
    workflow.moves.append(Transition(workflow=workflow, old=workflow.status, new=new, reason=reason))
    workflow.status, workflow.reason = new, reason


def move_step(workflow: Workflow, step: Step, new: Status, reason: str = "") -> None:
    """Change the status and note it; raises IllegalMove. The row is for the caller to save."""
    states.require(states.STEP, step.status, new)
    workflow.moves.append(Transition(workflow=workflow, stage=step.stage, old=step.status, new=new, reason=reason))
    step.status, step.reason = new, reason


def move_attempt(workflow: Workflow, attempt: Attempt, new: Status, reason: str = "") -> None:
    """Change the status and note it; raises IllegalMove. The row is for the caller to save."""
    states.require(states.ATTEMPT, attempt.status, new)
    workflow.moves.append(
        Transition(
            workflow=workflow,
            stage=attempt.step.stage,
            attempt=attempt.number,
            old=attempt.status,
            new=new,
            reason=reason,
        )
    )
    attempt.status, attempt.reason = new, reason


def write(workflow: Workflow) -> None:
    """Save what was noted."""
    if workflow.moves:
        sql.insert(workflow.moves)
        workflow.moves.clear()
