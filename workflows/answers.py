"""What an answer does to a run: its attempt goes on, succeeds or fails, and the run with it.

Everything here happens under the workflow's row lock, in the transaction that `pipeline.py` has opened, and is written
only as long as nobody else has claimed the attempt. What is due right away is given back as an attempt; `pipeline.py`
claims it for its next call.
"""

import datetime
import logging
from functools import partial

from django.db import connection, transaction
from django.db.models.functions import Now

import sql
from crashpoint import crashpoint
from providers import catalog, keys
from providers.base import Job, Output, ProviderError, Reason
from providers.base import Status as JobStatus
from workflows import (
    calls,
    claims,
    history,
    line,
    looks,
    reasons,
    restored,
    retries,
    settlement,
    succession,
    watch,
)
from workflows.models import Asset, Attempt, Step, Workflow
from workflows.services import SERVICES
from workflows.states import Status

log = logging.getLogger(__name__)
Phase = Attempt.Phase


def apply(workflow: Workflow, attempt: Attempt, call: calls.Call, result: calls.Result) -> Attempt | None:
    """Write an answer down; the attempt that is due right away, if any, which is not saved yet."""
    match result:
        case ProviderError():
            return _apply_error(workflow, attempt, call, result)
        case Job():
            return _apply_job(workflow, attempt, call, result)
        case Asset():
            return _succeed(workflow, attempt, asset=result)
        case None:  # it was surely never accepted, so submitting it is safe
            return _next_phase(attempt, Phase.SUBMIT)


def status_of(job: Job) -> Status:
    """Where an unfinished job stands, in the words of an attempt."""
    return Status.QUEUED if job.status == JobStatus.QUEUED else Status.RUNNING


def _apply_error(workflow: Workflow, attempt: Attempt, call: calls.Call, error: ProviderError) -> Attempt | None:
    tries = retries.count(attempt, error)
    attempt.detail = error.detail
    match retries.decide(error, phase=call.phase, tries=tries):
        case retries.Again(after):
            after = min(after, _left(attempt, workflow.now))
            _look_again(attempt, call.phase, after=after, tries=tries, reason=error.reason)
        case retries.LookUp(after):
            _look_again(attempt, Phase.SUBMITTING, after=after, reason=error.reason)
        case retries.GiveUp(reason):
            proven = call.phase == Phase.SUBMIT and not error.sent
            return give_up(workflow, attempt, reason, error.detail, proven=proven)
    return None


def _apply_job(workflow: Workflow, attempt: Attempt, call: calls.Call, job: Job) -> Attempt | None:
    attempt.job_id, attempt.handle = job.id, dict(job.handle) or attempt.handle
    attempt.queue_position, attempt.cost = job.position, attempt.cost if job.cost is None else job.cost
    attempt.submitted = attempt.submitted or workflow.now
    begin(workflow, attempt.step)  # it has begun, unless it is found where we don't remember to have begun it
    if call.phase == Phase.FETCH:
        attempt.looks += 1
    if job.status == JobStatus.SUCCEEDED:
        return _apply_output(workflow, attempt, job)
    if job.status == JobStatus.FAILED:
        return give_up(workflow, attempt, job.reason or Reason.OTHER, job.detail, proven=True)
    if job.status == JobStatus.CANCELED:
        stop(workflow, attempt)
        return None
    _apply_progress(workflow, attempt, job)
    return attempt if workflow.cancel_requested and not isinstance(call, calls.Cancel) else None


def _apply_output(workflow: Workflow, attempt: Attempt, job: Job) -> Attempt | None:
    try:
        output = SERVICES[attempt.step.stage].keep(job)
    except ProviderError as error:
        return give_up(workflow, attempt, error.reason, error.detail)
    if output.text:
        return _succeed(workflow, attempt, text=output.text)
    crashpoint("completed.seen")
    attempt.outputs = _noted(output)
    attempt.progress, attempt.made = None, workflow.now
    return _next_phase(attempt, Phase.STORE)


def _noted(output: Output) -> list[dict[str, str]]:
    return [{"location": output.location, "content_type": output.content_type}]


def note_late(attempt: Attempt, job: Job) -> bool:
    """Note on an attempt that was given up what its submit has brought, if anything; False when nothing will come.

    What names the job is set by the caller, and saved here.
    """
    changed = ["job_id", "submitted", "handle"]
    try:
        if job.status.is_final:
            attempt.outputs = _noted(SERVICES[attempt.step.stage].keep(job))
            changed.append("outputs")
    except ProviderError:
        return False
    attempt.save(update_fields=changed)
    return True


def _apply_progress(workflow: Workflow, attempt: Attempt, job: Job) -> None:
    if job.status == JobStatus.UNKNOWN:
        log.warning("%s reports a status we have no word for: %s", attempt.provider, job.detail)
    if (status := status_of(job)) != attempt.status:
        history.move_attempt(workflow, attempt, status)
    attempt.progress, attempt.looked = job.progress, workflow.now
    _look_again(attempt, Phase.FETCH, after=until_next_look(attempt, workflow.now))


def _next_phase(attempt: Attempt, phase: Phase) -> Attempt:
    attempt.phase, attempt.tries, attempt.reason = phase, 0, ""
    line.freed(attempt)
    return attempt


def _look_again(attempt: Attempt, phase: Phase, *, after: float, tries: int = 0, reason: str = "") -> None:
    """Have it looked at again; `reason`: what stood in the way this time, for staff and for `retries.count`."""
    attempt.phase, attempt.tries, attempt.reason = phase, tries, reason
    attempt.next_check_at = attempt.now + datetime.timedelta(seconds=after)
    line.freed(attempt)
    claims.write(attempt, unless_called=True)


def save(attempt: Attempt) -> None:
    """Keep a new attempt, or write down what came of a claim."""
    if attempt._state.adding:
        sql.insert([attempt])
    else:
        claims.write(attempt)


def _succeed(workflow: Workflow, attempt: Attempt, *, text: str = "", asset: Asset | None = None) -> Attempt | None:
    step = attempt.step
    if asset is not None:
        asset.user_id = workflow.user_id
        sql.insert([asset])
    step.text, step.asset = text, asset
    end(workflow, attempt, Status.SUCCEEDED)
    return _go_on(workflow, step, text or attempt.prompt)


_NEXT = f"""
SELECT (SELECT COUNT(*) FROM workflows_attempt WHERE step_id = step.id), {sql.columns(Step, "step")}
FROM workflows_step step WHERE workflow_id = %s AND position > %s ORDER BY position LIMIT 1
"""  # noqa: S608 (the names are those of our own columns)


def _go_on(workflow: Workflow, step: Step, prompt: str) -> Attempt | None:
    """The attempt of the step after this one; when there is none or nobody wants it any more, the end of the run."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [workflow.pk, step.position])
        found = cursor.fetchone()
    if found is None or workflow.cancel_requested:
        settlement.finish(workflow, Status.CANCELED if found else Status.SUCCEEDED)
        return None
    attempts_made, *values = found
    following = sql.made(Step, values)
    following.workflow = workflow
    return new_attempt(workflow, following, prompt, number=attempts_made + 1)


def give_up(
    workflow: Workflow, attempt: Attempt, reason: Reason, detail: str, *, proven: bool = False
) -> Attempt | None:
    """End a failed attempt, and the run with it, unless something can be done: then the attempt that does it.

    Another model takes over only when it is `proven` that this one will deliver nothing, and for no higher price.
    """
    if proven:
        attempt.phase = Phase.DONE  # nothing more comes of it, and nobody has to watch
    if workflow.cancel_requested:
        return fail(workflow, attempt, reason, detail)
    attempt.detail = detail
    if proven and (model := succession.successor(workflow, attempt.step, reason)):
        return _hand_over(workflow, attempt, model, reason)
    if attempt.step.stage == Step.Stage.ENHANCE and not reasons.TABLE[reason].users:
        end(workflow, attempt, Status.FAILED, reason)
        return _go_on(workflow, attempt.step, workflow.prompt)  # the user's own words are words too
    return fail(workflow, attempt, reason, detail)


def _hand_over(workflow: Workflow, attempt: Attempt, model: catalog.Model, reason: Reason) -> Attempt:
    """End the attempt, and let the step be done by another model."""
    _end_attempt(workflow, attempt, Status.FAILED, reason)
    attempt.step.provider, attempt.step.model = model.provider, model.slug
    attempt.step.save(update_fields=["provider", "model"])
    return new_attempt(workflow, attempt.step, attempt.prompt, number=attempt.number + 1)


def fail(workflow: Workflow, attempt: Attempt, reason: Reason, detail: str) -> Attempt | None:
    """End the attempt and the run."""
    attempt.detail = detail
    end(workflow, attempt, Status.FAILED, reason)
    settlement.finish(workflow, Status.FAILED, reason)
    return None


def stop(workflow: Workflow, attempt: Attempt) -> None:
    """End the attempt and the run, as their owner wished."""
    end(workflow, attempt, Status.CANCELED)
    settlement.finish(workflow, Status.CANCELED)


def end(workflow: Workflow, attempt: Attempt, status: Status, reason: str = "") -> None:
    """End the attempt and its step; what becomes of the run is for the caller to say."""
    _end_attempt(workflow, attempt, status, reason)
    history.move_step(workflow, attempt.step, status, reason)
    attempt.step.finished = attempt.finished
    sql.save(attempt.step, "status", "reason", "finished", "text", "asset")


def _end_attempt(workflow: Workflow, attempt: Attempt, status: Status, reason: str) -> None:
    history.move_attempt(workflow, attempt, status, reason)
    attempt.watch_until = watch.until(attempt, workflow.now)
    attempt.phase, attempt.next_check_at, attempt.progress, attempt.queue_position = Phase.DONE, None, None, None
    attempt.finished = workflow.now
    line.freed(attempt)
    save(attempt)
    for output in attempt.outputs if attempt.watch_until is None else ():
        transaction.on_commit(partial(watch.discard, output["location"]))


def new_attempt(workflow: Workflow, step: Step, prompt: str, *, number: int) -> Attempt:
    """A new attempt, due at once, not saved yet; all that decides what is asked and paid is frozen on it.

    One of a model that a release has dropped has no endpoint, and is given up before it is sent.
    """
    model = catalog.find(step.model)
    return Attempt(
        step=step,
        number=number,
        user_id=workflow.user_id,
        provider=step.provider,
        model=step.model,
        endpoint=model.endpoint if model else "",
        key_id=keys.chosen(step.provider, workflow.user if step.own_key else None) if model else None,
        prompt=prompt,
        options=workflow.options,
        price=step.price,
        phase=restored.first_phase(workflow, step.provider),
        next_check_at=Now(),
    )


def begin(workflow: Workflow, step: Step) -> None:
    """Say on the rows of a step and its workflow that they are under way."""
    if workflow.status == Status.PENDING:
        history.move_workflow(workflow, Status.RUNNING)
        sql.save(workflow, "status", "reason")
    if step.status == Status.PENDING:
        history.move_step(workflow, step, Status.RUNNING)
        step.started = workflow.now
        sql.save(step, "status", "reason", "started")


def until_next_look(attempt: Attempt, now: datetime.datetime) -> float:
    """Seconds until a running job is looked at again: as planned, and when the time of its run is over."""
    elapsed = (now - (attempt.submitted or now)).total_seconds()
    return min(looks.after(attempt, elapsed), _left(attempt, now))


def _left(attempt: Attempt, now: datetime.datetime) -> float:
    """Seconds until the time of its run is over; never none, since somebody has to end it then."""
    return max((attempt.step.workflow.deadline - now).total_seconds(), 1)
