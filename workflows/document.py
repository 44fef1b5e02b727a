"""The status document: all that an owner is told of a run. API, command line and pages show this one thing.

Nothing of the provider's own text or addresses is in it.
"""

import datetime
import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.http import Http404

import sql
from credits.models import Hold
from providers import catalog
from providers.base import Reason
from workflows import line, reasons, watch
from workflows.addresses import address
from workflows.models import Asset, Step, Workflow
from workflows.states import Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def status_document(
    workflow: Workflow, steps: list[Step] | None = None, credits: dict[str, int] | None = None
) -> dict[str, Any]:
    """Where a run stands, what came of it and what it cost; times are ISO 8601, credits whole numbers.

    `steps` are those of `steps_of` and `credits` those of `money`, where somebody has read them already.
    """
    steps = steps_of(workflow) if steps is None else steps
    return {
        "id": str(workflow.pk),
        "type": workflow.type,
        "status": workflow.status,
        "cancel_requested": workflow.cancel_requested is not None,
        "prompt": workflow.prompt,
        "options": workflow.options,
        "progress": progress(workflow, steps),
        "created": workflow.created.isoformat(),
        "finished": _time(workflow.finished),
        "steps": [_step(step) for step in steps],
        "result": _result(steps),
        "credits": money(workflow) if credits is None else credits,
        "error": error(workflow),
        "may_come": _may_come(workflow, steps),
        "links": links(workflow),
    }


def owned(user: "User", pk: UUID) -> Workflow:
    """This user's run; raises Http404 for any other."""
    found = sql.found(Workflow, "id = %s AND user_id = %s", [pk, user.pk])
    if not found:
        raise Http404("No Workflow matches the given query.")
    found[0].user = user
    return found[0]


def steps_of(workflow: Workflow) -> list[Step]:
    """The steps in their order, with assets and what is told of their attempts.

    `attempts_made`; of an unfinished attempt `told` is its progress, `place` its place in line here, and
    `place_there` that in the line of its provider, as the provider counts; `held_up` is the phase that does not work
    at the moment. `may_come` is until when the result of one that was given up may still arrive.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, [workflow.pk])
        steps = [_read(workflow, values) for values in cursor.fetchall()]
    if any(step.waits for step in steps):  # type: ignore[attr-defined]
        _add_places(steps)
    return steps


# Pages ask this every second, and Django takes several times as long to write it as PostgreSQL to answer it. What is
# unfinished is due at some time.
_STEPS = f"""
SELECT attempts.*, {sql.columns(Step, "step")}, {sql.columns(Asset, "asset")}
FROM workflows_step step
LEFT JOIN workflows_asset asset ON asset.id = step.asset_id
CROSS JOIN LATERAL (
    SELECT COUNT(*),
        MAX(progress) FILTER (WHERE next_check_at IS NOT NULL),
        MAX(queue_position) FILTER (WHERE next_check_at IS NOT NULL AND phase = 'fetch'),
        MAX(phase) FILTER (WHERE next_check_at IS NOT NULL AND reason != ''),
        MAX(watch_until) FILTER (WHERE {watch.HOPE}),
        COUNT(*) FILTER (WHERE next_check_at IS NOT NULL AND phase = 'submit')
    FROM workflows_attempt WHERE step_id = step.id
) attempts
WHERE step.workflow_id = %s ORDER BY step.position
"""  # noqa: S608 (the names are those of our own columns)
_TOLD = ("attempts_made", "told", "place_there", "held_up", "may_come", "waits")


def _read(workflow: Workflow, values: Sequence[Any]) -> Step:
    step: Step
    step, step.asset = sql.joined(values[len(_TOLD) :], Step, Asset)
    step.workflow, step.place = workflow, None  # type: ignore[attr-defined]
    step.__dict__.update(zip(_TOLD, values, strict=False))
    return step


def made_by(workflows: Sequence[Workflow]) -> dict[UUID, list[Step]]:
    """The steps of several runs in their order, with assets; nothing is told of their attempts."""
    with connection.cursor() as cursor:
        cursor.execute(_MADE, [[workflow.pk for workflow in workflows]])
        found = [sql.joined(values, Step, Asset) for values in cursor.fetchall()]
    steps: dict[UUID, list[Step]] = {workflow.pk: [] for workflow in workflows}
    for step, step.asset in found:
        steps[step.workflow_id].append(step)
    return steps


_MADE = f"""
SELECT {sql.columns(Step, "step")}, {sql.columns(Asset, "asset")}
FROM workflows_step step LEFT JOIN workflows_asset asset ON asset.id = step.asset_id
WHERE step.workflow_id = ANY(%s) ORDER BY step.workflow_id, step.position
"""  # noqa: S608 (the names are those of our own columns)


_ANY = UUID(int=2**128 - 1)  # in the place of a run's id; it stands nowhere else in the query


def _add_places(steps: list[Step]) -> None:
    """What has not been submitted has a place in line."""
    places = dict(sql.asked(_places(), {_ANY: steps[0].workflow_id}))
    for step in steps:
        step.place = places.get(step.pk)  # type: ignore[attr-defined]


@functools.cache
def _places() -> tuple[str, tuple[Any, ...]]:
    """The steps of a run and their places: long, and the same each time, so it is written once."""
    asked = Step.objects.filter(workflow=_ANY).annotate(place=line.place()).order_by().values_list("pk", "place")
    return asked.query.sql_with_params()


def money(workflow: Workflow) -> dict[str, int]:
    """Credits quoted, held now, taken for good, and given back so far."""
    holds = sql.found(Hold, "reference = %s", [workflow.reference])
    return {
        "quoted": workflow.quoted,
        "held": sum(hold.amount for hold in holds if hold.status == Hold.Status.OPEN),
        "settled": sum(hold.settled - hold.refunded for hold in holds),
        "refunded": sum(hold.returned for hold in holds),
    }


def progress(workflow: Workflow, steps: Iterable[Step]) -> float:
    """The share of the run that is done, 0 to 1: steps (of `steps_of`) weigh what their models usually take."""
    if workflow.status == Status.SUCCEEDED:
        return 1.0
    weights = {step: catalog.expected_seconds(step.model) for step in steps}
    done = sum(
        weight * (1 if step.status == Status.SUCCEEDED else getattr(step, "told", None) or 0)
        for step, weight in weights.items()
    )
    return round(min(done / sum(weights.values()), 0.99), 3)


def error(workflow: Workflow) -> dict[str, str] | None:
    """Why a run failed, as a stable code and a sentence with what to do; None while nothing did."""
    if workflow.status != Status.FAILED:
        return None
    row = reasons.TABLE[Reason(workflow.reason)]
    return {"code": workflow.reason, "message": str(row.sentence), "advice": str(row.advice)}


def held_up(step: Step) -> str:
    """What stands in the way of a step (of `steps_of`) that goes on, as a sentence; empty while nothing does."""
    return str(reasons.HELD_UP.get(getattr(step, "held_up", None) or "", ""))


def hoped_until(workflow: Workflow, steps: Iterable[Step]) -> datetime.datetime | None:
    """Until when what a failed run lacks may still arrive; None when nobody waits for it any more."""
    if workflow.status != Status.FAILED or workflow.deleted:
        return None
    missing = (getattr(step, "may_come", None) for step in steps if step.asset is None)
    return max((until for until in missing if until), default=None)


def links(workflow: Workflow) -> dict[str, str]:
    """Where to ask for its status and where to cancel it."""
    return {
        "status": address("api:workflow-status", workflow.pk),
        "cancel": address("api:workflow-cancel", workflow.pk),
        "page": workflow.get_absolute_url(),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "stage": step.stage,
        "status": step.status,
        "provider": step.provider,
        "model": step.model,
        "attempts": step.attempts_made,  # type: ignore[attr-defined]
        "started": _time(step.started),
        "finished": _time(step.finished),
        "position": step.place,  # type: ignore[attr-defined]
        "provider_position": step.place_there,  # type: ignore[attr-defined]
        "held_up": held_up(step) or None,
        "credits": step.charged,
    }


def _may_come(workflow: Workflow, steps: Iterable[Step]) -> dict[str, str] | None:
    until = hoped_until(workflow, steps)
    return {"until": until.isoformat(), "message": str(reasons.MAY_COME)} if until else None


def _result(steps: Iterable[Step]) -> dict[str, Any]:
    result: dict[str, Any] = {"prompt": None, "image": None, "video": None}
    for step in steps:
        if step.stage == Step.Stage.ENHANCE:
            result["prompt"] = step.text or None
        elif step.asset:
            result[step.stage] = asset_document(step.asset)
    return result


def asset_document(asset: Asset) -> dict[str, Any]:
    """What its owner is told of a file."""
    described: dict[str, Any] = {
        "id": str(asset.pk),
        "url": asset.get_absolute_url(),
        "thumbnail": asset.thumbnail_url,
        "content_type": asset.content_type,
        "width": asset.width,
        "height": asset.height,
        "bytes": asset.size,
        "sha256": asset.sha256,
    }
    if asset.duration is not None:
        described["duration_seconds"] = asset.duration
    return described


def _time(value: Any) -> str | None:
    return value.isoformat() if value else None
