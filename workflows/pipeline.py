"""The heart: quote, start, advance, cancel, retry, due.

Claim, call, record: a claim takes a lease and a fence number, and writes down what is about to be done; the call to the
outside happens in no transaction; a short transaction applies the answer, if the claim is still good, and claims what
comes next. So nobody waits for a render, and whoever dies in between has left a row that says when to look again.
Locks are taken in one order: workflow, attempt, key (see `line`), account.
"""

import datetime
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, models, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

import sql
from crashpoint import crashpoint
from credits import ledger
from providers import catalog
from providers.base import Job, ProviderError, Reason
from providers.base import Status as JobStatus
from workflows import (
    alarms,
    answers,
    calls,
    claims,
    history,
    limits,
    line,
    settlement,
    succession,
    tasks,
)
from workflows.models import Asset, Attempt, Step, Workflow
from workflows.prompts import InvalidInput
from workflows.quote import Quote, quote
from workflows.states import UNFINISHED, Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "advance", "advance_next", "call_for", "cancel", "carry_on", "deliver_late", "due", "fail",
    "hand_back", "heard", "nudge", "quote", "retry", "start",
]  # fmt: skip

log = logging.getLogger(__name__)

Phase = Attempt.Phase
PAUSE = 1.0  # seconds to wait for a database that is away


class KeyReused(Exception):
    """The idempotency key was used before, for another request."""


class PictureGone(InvalidInput):
    """The picture that the run was to start from has just been deleted."""


class NotRetryable(Exception):
    """Only a run that failed or was canceled, and was not deleted, can be tried again. Its text is for its owner."""


class ModelGone(NotRetryable):
    """A model that the run still needs is not in the catalog any more."""


# --- Start -------------------------------------------------------------------------------------------------


def start(user: "User", quote: Quote, *, key: str | None = None, digest: str = "") -> Workflow:
    """Hold the quoted credits and put the run in line; the same key and digest give the run they gave before.

    Raises InsufficientCredits, TooMany, PictureGone, or KeyReused for the same key with another digest. Nothing is
    written then.
    """
    crashpoint("quoted")
    try:
        with transaction.atomic():
            workflow = _start(user, quote, key, digest)
            crashpoint("start.written")
    except IntegrityError as error:  # the key was used before, perhaps by a request that came at the same moment
        if before := started_before(user, key, digest):
            return before
        if "_image_id_" in sql.broken(error):
            raise PictureGone({"image": _("There is no such image.")}) from error
        raise
    crashpoint("started")
    return workflow


def started_before(user: "User", key: str | None, digest: str) -> Workflow | None:
    """The run that was started with this key, if any; raises KeyReused if that was for another request.

    For doors that want to know before they check and price a request, which may have become impossible since.
    """
    if key is None:
        return None
    found = sql.found(Workflow, "user_id = %s AND idempotency_key = %s", [user.pk, key])
    if not found:
        return None
    before = found[0]
    if before.request_digest != digest:
        raise KeyReused("This Idempotency-Key was used before, for another request.")
    before.replayed = True
    return before


def _start(user: "User", quote: Quote, key: str | None, digest: str) -> Workflow:
    workflow = Workflow(
        user=user,
        type=quote.type,
        prompt=quote.prompt,
        image=quote.image,
        options=quote.options,
        quoted=quote.credits,
        idempotency_key=key,
        request_digest=digest,
    )
    sql.insert([workflow], deadline=("STATEMENT_TIMESTAMP() + %s", [_patience()]))
    workflow.now = workflow.created
    steps = [
        Step(
            workflow=workflow,
            stage=part.stage,
            position=position,
            provider=part.provider,
            model=part.model,
            price=part.credits,
            automatic=part.automatic,
            own_key=part.own_key,
        )
        for position, part in enumerate(quote.lines, start=1)
    ]
    sql.insert(steps)
    ledger.hold(user, quote.credits, reference=workflow.reference)
    _stand_in_line(answers.new_attempt(workflow, steps[0], quote.prompt, number=1))
    tasks.nudge()
    return workflow


def _stand_in_line(attempt: Attempt) -> None:
    """The run begins, or begins again, with this attempt, unless its user has too many; the account is locked."""
    limits.require(attempt.step.workflow)
    attempt.next_check_at = attempt.step.workflow.now
    sql.insert([attempt], turn=line.turn_of(attempt.user_id))


def _patience() -> datetime.timedelta:
    return datetime.timedelta(minutes=settings.WORKFLOW_DEADLINE_MINUTES)


# --- Advance -----------------------------------------------------------------------------------------------


def advance(workflow_id: UUID | str, may_go_on: Callable[[calls.Call], bool] = lambda call: True) -> None:
    """Do all that is due for a workflow now, one call to the outside after the other.

    Any number of workers may do so at once; each call is made by one of them. What the caller `may_go_on` with is
    asked before each call; the first that it may not is handed back.
    """
    for attempt in claims.take(1, workflow_id=workflow_id):
        _advance(attempt, may_go_on)


def advance_next(may_go_on: Callable[[calls.Call], bool] = lambda call: True) -> bool:
    """Do all that is due for the workflow whose turn it is to be submitted; whether there was one."""
    taken = claims.take(1, [Phase.SUBMIT])
    for attempt in taken:
        _advance(attempt, may_go_on)
    return bool(taken)


def _advance(attempt: Attempt, may_go_on: Callable[[calls.Call], bool] = lambda call: True) -> None:
    if (call := call_for(attempt)) and (left := carry_on(call, may_go_on) if may_go_on(call) else call):
        hand_back(left)


def carry_on(call: calls.Call, may_go_on: Callable[[calls.Call], bool]) -> calls.Call | None:
    """Make a call, record it, and so on; the claimed call that the caller may not go on with, if it came to that."""
    following = _record(call, call())
    while following and may_go_on(following):
        following = _record(following, following())
    return following


def hand_back(call: calls.Call) -> None:
    """Let go of a call that was claimed and is not going to be made; it is due again."""
    attempt = call.attempt
    if isinstance(call, calls.Submit):
        attempt.phase = Phase.SUBMIT  # surely not sent
    attempt.next_check_at = attempt.now
    try:
        claims.write(attempt)
        line.freed(attempt)
    except claims.Stale:
        log.info("Attempt %s has been claimed by somebody else.", attempt.pk)


def due(limit: int = 100) -> list[UUID]:
    """The workflows that somebody should look at now, longest overdue first."""
    overdue = Attempt.objects.filter(next_check_at__lte=Now()).order_by("next_check_at")
    return list(overdue.values_list("step__workflow_id", flat=True)[:limit])


def nudge(provider: str, job_id: str) -> None:
    """A provider says there is news of a job. It is not believed: the job is fetched sooner, that is all."""
    _bring_forward(Attempt.objects.filter(provider=provider, job_id=job_id))


def _bring_forward(attempts: "models.QuerySet[Attempt]") -> None:
    """Look now. Who may be looking just then has not died of it, when the next one looks as well."""
    attempts.filter(phase=Phase.FETCH).update(next_check_at=Now(), unanswered=0)


def heard(attempt_id: UUID, provider: str, job_id: str) -> None:
    """A provider says there is news of the job of an attempt. As with `nudge`, it is fetched sooner, that is all.

    Where the answer to the submit was lost, this is how its job becomes known, even after the run was given up.
    """
    attempt = Attempt.objects.filter(pk=attempt_id, provider=provider).select_related("step").first()
    if attempt is None:
        return
    if attempt.phase == Phase.FETCH:
        _bring_forward(Attempt.objects.filter(pk=attempt.pk))
        return
    _name_job(attempt, Job(job_id, JobStatus.UNKNOWN))


def _name_job(attempt: Attempt, job: Job) -> None:
    try:
        _write_job(attempt, job)
    except IntegrityError:
        log.warning("%s names job %s for attempt %s; it is another's.", attempt.provider, job.id, attempt.pk)


def _write_job(attempt: Attempt, job: Job) -> None:
    with _locked(attempt.step.workflow_id) as workflow:
        lost = Attempt.objects.filter(pk=attempt.pk).filter(
            models.Q(phase=Phase.SUBMITTING) | models.Q(status=Status.FAILED, watch_until__isnull=False)
        )
        found = lost.select_for_update(of=("self",)).select_related("step").first()
        if found is None:
            return
        found.job_id, found.submitted = job.id, found.submitted or workflow.now
        found.handle = dict(job.handle or found.handle)
        crashpoint("heard.written")
        if found.phase == Phase.DONE:
            if answers.note_late(found, job):
                tasks.deliver_late(found.pk)
            return
        found.phase, found.tries, found.next_check_at = Phase.FETCH, 0, workflow.now
        claims.seize(found)  # whatever the submit still answers, its job is known
        if job.status.is_final:
            _end_job(workflow, found, job)


def _end_job(workflow: Workflow, attempt: Attempt, job: Job) -> None:
    """Apply the answer of a job that ended in its submit, and have what comes of it looked at."""
    attempt.step.workflow, attempt.now = workflow, workflow.now
    if following := answers.apply(workflow, attempt, calls.Submit(attempt), job):
        following.next_check_at = workflow.now
        answers.save(following)


@contextmanager
def _locked(workflow_id: UUID | str) -> Iterator[Workflow]:
    """The workflow under its row lock, with the database's time as `now`; what was noted is written at the end."""
    with transaction.atomic(durable=True):
        locked = Workflow.objects.select_for_update(of=("self",)).annotate(now=Now())  # type: ignore[no-redef]
        workflow = locked.get(pk=workflow_id)
        yield workflow
        history.write(workflow)


def _attempts(workflow: Workflow) -> "models.QuerySet[Attempt]":
    return Attempt.objects.filter(step__workflow=workflow, status__in=UNFINISHED).select_related("step")


def call_for(attempt: Attempt) -> calls.Call | None:
    """The call that a claim was taken for; None when there is none to make, which is then written down."""
    workflow = attempt.step.workflow
    ends = workflow.cancel_requested or workflow.deadline < attempt.now or claims.is_deadly(attempt)
    if attempt.phase != Phase.SUBMIT and not ends:
        return _CALLS[Phase(attempt.phase)](attempt)
    return _guarded(attempt, _next_call)


def _guarded(
    attempt: Attempt,
    change: Callable[[Workflow, Attempt], calls.Call | None],
    otherwise: Callable[[], None] = lambda: None,
) -> calls.Call | None:
    """Change a workflow under its lock, as long as nobody has claimed the attempt since; `otherwise` do that."""
    try:
        with transaction.atomic(durable=True):
            if (mine := _mine(attempt)) is not None:
                following = change(mine.step.workflow, mine)
                history.write(mine.step.workflow)
                return following
    except claims.Stale:
        pass  # between the look and the write
    log.info("What came late for attempt %s was set aside.", attempt.pk)
    otherwise()
    return None


# Wide rows are dear to ask for, and this is asked seven times a run. With the statuses in its text PostgreSQL plans it
# once, and not anew for each list of them.
_UNFINISHED = ", ".join(f"'{status}'" for status in sorted(UNFINISHED))
_LOCK = f"""
SELECT workflow.status, workflow.cancel_requested, workflow.deadline, workflow.deleted, workflow.doubted,
    STATEMENT_TIMESTAMP()
FROM workflows_attempt attempt
JOIN workflows_step step ON step.id = attempt.step_id
JOIN workflows_workflow workflow ON workflow.id = step.workflow_id
WHERE attempt.id = %s AND attempt.fence = %s AND attempt.status IN ({_UNFINISHED})
FOR NO KEY UPDATE OF workflow
"""  # noqa: S608 (the words are our own)


def _mine(attempt: Attempt) -> Attempt | None:
    """The attempt as it was claimed, its workflow locked and as it is now; None when it was claimed since.

    Whoever changes an attempt raises its fence, so there is no need to read it again. It is a copy: a change that does
    not come to its end, because the database goes away, begins again with what was claimed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [attempt.pk, attempt.fence])
        locked = cursor.fetchone()
    if locked is None:
        return None
    mine, step, workflow = sql.copied(attempt), sql.copied(attempt.step), sql.copied(attempt.step.workflow)
    workflow.__dict__.pop("moves", None)
    (
        workflow.status, workflow.cancel_requested, workflow.deadline, workflow.deleted, workflow.doubted, workflow.now,
    ) = locked  # fmt: skip
    mine.step, step.workflow, mine.now = step, workflow, workflow.now
    return mine


def _record(call: calls.Call, result: calls.Result) -> calls.Call | None:
    """Write an answer down, whatever it says, and claim what comes next.

    An answer may have been paid for, so it outlasts a database that is away: until its lease has run out.
    """
    end = time.monotonic() + claims.lease(call.phase).total_seconds()
    while True:
        try:
            following = _write(call, result)
            crashpoint("recorded")
            return following
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > end:
                raise
            log.exception("An answer could not be written down; trying again in %s s.", PAUSE)
            connection.close()
            time.sleep(PAUSE)


def _write(call: calls.Call, result: calls.Result) -> calls.Call | None:
    if isinstance(result, Job) and _is_no_news(call, result):
        _keep_looking(call, result)
        return None
    try:
        return _guarded(call.attempt, partial(_answered, call, result), partial(_set_aside, call, result))
    except IntegrityError:
        if not isinstance(result, Job):
            raise
        # Only a job's id can collide, and then the job that it names is somebody else's.
        lost = ProviderError(Reason.LOST, "the provider gave a job id that belongs to another attempt")
        return _guarded(call.attempt, partial(_answered, call, lost))


def _answered(call: calls.Call, result: calls.Result, workflow: Workflow, attempt: Attempt) -> calls.Call | None:
    if result is not None:  # that nothing was accepted says nothing of who died while it was submitted
        attempt.unanswered = 0
    following = answers.apply(workflow, attempt, call, result)
    return _next_call(workflow, following) if following else None


def _set_aside(call: calls.Call, result: calls.Result) -> None:
    """What came too late changes nothing; but a job that nobody knows is known now, and what it made is not lost."""
    if isinstance(call, calls.Submit) and isinstance(result, Job):
        _name_job(call.attempt, result)


def _is_no_news(call: calls.Call, job: Job) -> bool:
    """Whether a look found what the one before it found: nothing to tell anybody, and no lock to take."""
    same = job.id == call.attempt.job_id and answers.status_of(job) == call.attempt.status
    return type(call) is calls.Fetch and same and not job.status.is_final and job.status != JobStatus.UNKNOWN


def _keep_looking(call: calls.Call, job: Job) -> None:
    """Note how far a running job is, and when to look again, unless somebody has claimed or called it since."""
    attempt = sql.copied(call.attempt)
    now = attempt.now + datetime.timedelta(seconds=time.monotonic() - call.claimed)
    attempt.looks, attempt.looked, attempt.tries, attempt.reason = attempt.looks + 1, now, 0, ""
    attempt.progress, attempt.queue_position = job.progress, job.position
    attempt.next_check_at = now + datetime.timedelta(seconds=answers.until_next_look(attempt, attempt.now))
    try:
        claims.write(attempt, unless_called=True)
    except claims.Stale:
        log.info("What came late for attempt %s was set aside.", attempt.pk)


def _next_call(workflow: Workflow, attempt: Attempt) -> calls.Call | None:
    """Claim the attempt for the call that comes next, or end it when its time or its owner's patience is over.

    Either way the attempt is saved here.
    """
    attempt.now = workflow.now
    if claims.is_deadly(attempt):
        _quarantine(workflow, attempt)
        return None
    if workflow.cancel_requested and attempt.phase == Phase.SUBMIT:
        answers.stop(workflow, attempt)
        return None
    if workflow.deadline < workflow.now:
        answers.fail(workflow, attempt, Reason.TIMED_OUT, attempt.detail)
        return None
    if attempt.phase == Phase.SUBMIT and (detail := _gone(attempt.model)):
        following = answers.give_up(workflow, attempt, Reason.RETIRED, detail, proven=True)
        return _next_call(workflow, following) if following else None
    if attempt.phase == Phase.SUBMIT and (place := line.enter(attempt)):
        attempt.next_check_at = workflow.now + line.patience(place)
        answers.save(attempt)
        return None
    make: type[calls.Call] = _CALLS[Phase(attempt.phase)]
    if workflow.cancel_requested and make is calls.Fetch:
        make = calls.Cancel
    image = None
    if make is calls.Submit:
        attempt.phase = Phase.SUBMITTING
        image = _enter(workflow, attempt.step)
    claims.renew(attempt, make.phase)
    return make(attempt, image)


def _quarantine(workflow: Workflow, attempt: Attempt) -> None:
    """Nobody goes near it any more; what was held for it goes back."""
    alarms.tell_staff(
        f"attempt {attempt.pk} is in quarantine",
        f"{claims.DEATHS} workers died while they had attempt {attempt.pk} of workflow {workflow.pk} in hand "
        f"({attempt.provider}, phase {attempt.phase}). It was ended, and its credits were given back.",
    )
    answers.fail(workflow, attempt, Reason.QUARANTINED, f"{claims.DEATHS} workers died of it in phase {attempt.phase}")


_CALLS: dict[Phase, type[calls.Call]] = {
    Phase.SUBMIT: calls.Submit,
    Phase.SUBMITTING: calls.Find,
    Phase.FETCH: calls.Fetch,
    Phase.STORE: calls.Store,
}


_DRAWN = "id = (SELECT asset_id FROM workflows_step WHERE workflow_id = %s AND stage = 'image')"


def _gone(slug: str) -> str:
    """Why nothing can be asked of this model any more; "" when something can."""
    model = catalog.find(slug)
    if model is None:
        return "it is not in the catalog any more"
    return "" if model.is_live else "its day has passed"


def _enter(workflow: Workflow, step: Step) -> Asset | None:
    """A step is about to be submitted: say so, and give the image it starts from, if any."""
    answers.begin(workflow, step)
    if step.stage != Step.Stage.VIDEO:
        return None
    drawn = sql.found(Asset, _DRAWN, [workflow.pk])
    return drawn[0] if drawn else workflow.image


def deliver_late(attempt_id: UUID, asset: Asset) -> bool:
    """Give a run what arrived after it was given up, for nothing. False, with nothing kept, when it is too late."""
    step = Step.objects.get(attempts=attempt_id)
    with _locked(step.workflow_id) as workflow:
        given_up = Attempt.objects.filter(pk=attempt_id, watch_until__isnull=False, step__asset=None)
        attempt = given_up.select_related("step").select_for_update(of=("self",)).first()
        if attempt is None or workflow.status != Status.FAILED or workflow.deleted:
            return False
        asset.user_id = workflow.user_id
        asset.save(force_insert=True)
        attempt.step.asset = asset
        # The reason stays beside the success: so it was made, but late, and `settlement` charges nothing.
        reason = attempt.reason or Reason.OTHER
        answers.end(workflow, attempt, Status.SUCCEEDED, reason)
        if not workflow.steps.filter(position__gt=step.position).exists():
            history.move_workflow(workflow, Status.SUCCEEDED, reason)
            workflow.save(update_fields=["status", "reason"])
        crashpoint("late.written")
    return True


# --- What people ask for -----------------------------------------------------------------------------------


def cancel(workflow_id: UUID | str) -> Workflow:
    """Stop a run. What isn't submitted stops at once, a job at the provider as soon as the provider confirms.

    Safe at every moment and as often as one likes; returns the workflow as it stands afterwards.
    """
    with _locked(workflow_id) as workflow:
        if workflow.is_finished:
            return workflow
        workflow.cancel_requested = workflow.cancel_requested or workflow.now
        workflow.save(update_fields=["cancel_requested"])
        # A submit under way is left alone: its answer carries the job id, and whoever gets it sees the wish. A look
        # under way is worth nothing any more.
        Attempt.objects.filter(step__workflow=workflow, phase__in=[Phase.SUBMIT, Phase.FETCH]).update(
            next_check_at=Now(), fence=F("fence") + 1, unanswered=0, worker=None
        )
    crashpoint("cancel.wished")
    advance(workflow_id, may_go_on=lambda call: not isinstance(call, calls.Store))  # whoever asks should not wait
    return Workflow.objects.get(pk=workflow_id)


def fail(workflow_id: UUID | str, *, detail: str) -> Workflow:
    """End a run that is stuck, by hand: what was not delivered is given back. Does nothing to a finished run."""
    with _locked(workflow_id) as workflow:
        attempt = _attempts(workflow).select_for_update(of=("self",)).first()
        if attempt:
            claims.seize(attempt)  # whoever has it in hand shall not write over this
            answers.fail(workflow, attempt, Reason.OTHER, detail)
    return workflow


def retry(workflow_id: UUID | str) -> Workflow:
    """Try a failed or canceled run again from the step that is missing; what was paid for is kept.

    Raises NotRetryable, ModelGone, TooMany, or InsufficientCredits for what is still to pay. Nothing is changed then.
    """
    with _locked(workflow_id) as workflow:
        if workflow.status not in (Status.FAILED, Status.CANCELED) or workflow.deleted:
            raise NotRetryable(_("Only a run that failed or was canceled can be tried again."))
        steps = list(workflow.steps.all())
        missing = settlement.missing(steps)
        _require_models(workflow, missing)
        ledger.hold(workflow.user, settlement.unpaid(steps), reference=workflow.reference)
        _reopen(workflow, missing)
        written = next((step.text for step in steps if step.text), workflow.prompt)
        history.write(workflow)  # so that this start is counted
        _stand_in_line(answers.new_attempt(workflow, missing[0], written, number=missing[0].attempts.count() + 1))
        tasks.nudge()
        crashpoint("retry.written")
    return workflow


def _require_models(workflow: Workflow, steps: list[Step]) -> None:
    """Raise ModelGone unless each step has its model, or one that will take over from it."""
    missing = [step for step in steps if catalog.find(step.model) is None]
    if gone := [step.model for step in missing if not succession.successor(workflow, step, Reason.RETIRED)]:
        text = _("The model %(model)s is no longer there. Start a new run with another one.")
        raise ModelGone(text % {"model": gone[0]})


def _reopen(workflow: Workflow, steps: list[Step]) -> None:
    history.move_workflow(workflow, Status.PENDING)
    workflow.finished = workflow.cancel_requested = workflow.doubted = None
    workflow.deadline = workflow.now + _patience()
    workflow.save()
    for step in steps:
        history.move_step(workflow, step, Status.PENDING)
        step.started = step.finished = None
    Step.objects.bulk_update(steps, ["status", "reason", "started", "finished"])
