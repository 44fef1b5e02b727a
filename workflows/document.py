"""The status document: all that an owner is told of a run. API, command line and pages show this one thing.

Nothing of the provider's own text or addresses is in it.
"""

import datetime
import functools
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q, prefetch_related_objects
from django.urls import reverse

from credits.models import Hold
from providers import catalog
from providers.base import Reason
from workflows import line, reasons, watch
from workflows.models import Asset, Attempt, Step, Workflow
from workflows.states import UNFINISHED, Status


def status_document(workflow: Workflow, steps: list[Step] | None = None) -> dict[str, Any]:
    """Where a run stands, what came of it and what it cost; times are ISO 8601, credits whole numbers.

    `steps` are those of `steps_of`, where somebody has read them already.
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
        "credits": money(workflow),
        "error": error(workflow),
        "may_come": _may_come(workflow, steps),
        "links": links(workflow),
    }


def steps_of(workflow: Workflow) -> list[Step]:
    """The steps in their order, with assets and what is told of their attempts.

    `attempts_made`; of an unfinished attempt `told` is its progress, `place` its place in line here, and
    `place_there` that in the line of its provider, as the provider counts; `held_up` is the phase that does not work
    at the moment. `may_come` is until when the result of one that was given up may still arrive.
    """
    statement, values = _steps_statement()
    mine = [workflow.pk if value == _ANY else value for value in values]
    steps = list(Step.objects.raw(statement, mine))
    for step in steps:
        step.workflow = workflow
    prefetch_related_objects(steps, "asset")
    return steps


_ANY = UUID(int=2**128 - 1)  # in the place of a run's id; it stands nowhere else in the query


@functools.cache
def _steps_statement() -> tuple[str, tuple[Any, ...]]:
    """The one query of `steps_of`. Pages ask it every second, and Django takes five times as long to write it as
    PostgreSQL to answer it: so it is written once.
    """
    there = Q(attempts__status__in=UNFINISHED, attempts__phase=Attempt.Phase.FETCH)
    asked = (
        Step.objects.filter(workflow=_ANY)
        .order_by("position")  # Django drops a model's own ordering from a query that counts
        .annotate(
            attempts_made=Count("attempts"),
            told=Max("attempts__progress", filter=Q(attempts__status__in=UNFINISHED)),
            place=line.place(),
            place_there=Max("attempts__queue_position", filter=there),
            held_up=Max("attempts__phase", filter=Q(attempts__status__in=UNFINISHED) & ~Q(attempts__reason="")),
            may_come=Max("attempts__watch_until", filter=watch.hope("attempts__")),
        )
    )
    statement, values = asked.query.sql_with_params()
    return statement, tuple(values)


def money(workflow: Workflow) -> dict[str, int]:
    """Credits quoted, held now, taken for good, and given back so far."""
    holds = list(Hold.objects.filter(reference=workflow.reference))
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
        "status": reverse("api:workflow-status", args=[workflow.pk]),
        "cancel": reverse("api:workflow-cancel", args=[workflow.pk]),
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
