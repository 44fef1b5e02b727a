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
from django.db.models import Case, Count, F, When
from django.db.models.functions import Now

from crashpoint import crashpoint
from credits import ledger
from providers import catalog, keys
from providers.base import Job, ProviderError, Reason
from providers.base import Status as JobStatus
from workflows import (
    alarms,
    calls,
    claims,
    history,
    limits,
    line,
    looks,
    reasons,
    restored,
    retries,
    settlement,
    succession,
    tasks,
    watch,
)
from workflows.models import Asset, Attempt, Step, Workflow
from workflows.quote import Quote, quote
from workflows.services import SERVICES
from workflows.states import UNFINISHED, Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "advance", "advance_due", "advance_next", "call_for", "cancel", "carry_on", "deliver_late", "due", "fail",
    "hand_back", "heard", "nudge", "quote", "retry", "start",
]  # fmt: skip

log = logging.getLogger(__name__)

Phase = Attempt.Phase
PAUSE = 1.0  # seconds to wait for a database that is away


class KeyReused(Exception):
    """The idempotency key was used before, for another request."""


class NotRetryable(Exception):
    """Only a run that failed or was canceled, and was not deleted, can be tried again."""


# --- Start -------------------------------------------------------------------------------------------------


def start(user: "User", quote: Quote, *, key: str | None = None, digest: str = "") -> Workflow:
    """Hold the quoted credits and put the run in line; the same key and digest give the run they gave before.

    Raises InsufficientCredits, TooMany, or KeyReused for the same key with another digest. Nothing is written then.
    """
    crashpoint("quoted")
    try:
        with transaction.atomic():
            workflow = _start(user, quote, key, digest)
            crashpoint("start.written")
    except IntegrityError:  # the key was used before, perhaps by a request that came at the same moment
        if before := started_before(user, key, digest):
            return before
        raise
    crashpoint("started")
    return workflow


def started_before(user: "User", key: str | None, digest: str) -> Workflow | None:
    """The run that was started with this key, if any; raises KeyReused if that was for another request.

    For doors that want to know before they check and price a request, which may have become impossible since.
    """
    if key is None:
        return None
    before = Workflow.objects.filter(user=user, idempotency_key=key).first()
    if before is not None and before.request_digest != digest:
        raise KeyReused("This Idempotency-Key was used before, for another request.")
    if before is not None:
        before.replayed = True
    return before


def _start(user: "User", quote: Quote, key: str | None, digest: str) -> Workflow:
    workflow = Workflow.objects.create(
        user=user,
        type=quote.type,
        prompt=quote.prompt,
        image=quote.image,
        options=quote.options,
        quoted=quote.credits,
        idempotency_key=key,
        request_digest=digest,
        deadline=Now() + _patience(),
    )
    steps = Step.objects.bulk_create(
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
    )
    ledger.hold(user, quote.credits, reference=workflow.reference)
    _stand_in_line(_attempt(workflow, steps[0], quote.prompt, number=1))
    tasks.nudge()
    return workflow


def _attempt(workflow: Workflow, step: Step, prompt: str, *, number: int) -> Attempt:
    """A new attempt, due at once, not saved yet; all that decides what is asked and paid is frozen on it."""
    return Attempt(
        step=step,
        number=number,
        user_id=workflow.user_id,
        provider=step.provider,
        model=step.model,
        endpoint=catalog.get(step.model).endpoint,
        key_id=keys.chosen(step.provider, workflow.user if step.own_key else None),
        prompt=prompt,
        options=workflow.options,
        price=step.price,
        phase=restored.first_phase(workflow, step.provider),
        next_check_at=Now(),
    )


def _stand_in_line(attempt: Attempt) -> None:
    """The run begins, or begins again, with this attempt, unless its user has too many; the account is locked."""
    limits.require(attempt.step.workflow)
    attempt.turn = line.turn_of(attempt.user_id)
    attempt.save(force_insert=True)


def _patience() -> datetime.timedelta:
    return datetime.timedelta(minutes=settings.WORKFLOW_DEADLINE_MINUTES)


# --- Advance -----------------------------------------------------------------------------------------------


def advance(workflow_id: UUID | str, may_go_on: Callable[[calls.Call], bool] = lambda call: True) -> None:
    """Do all that is due for a workflow now, one call to the outside after the other.

    Any number of workers may do so at once; each call is made by one of them.
    """
    for attempt in claims.take(1, workflow_id=workflow_id):
        _advance(attempt, may_go_on)


def advance_next(may_go_on: Callable[[calls.Call], bool] = lambda call: True) -> None:
    """Do all that is due for the workflow whose turn it is to be submitted, if there is one."""
    for attempt in claims.take(1, [Phase.SUBMIT]):
        _advance(attempt, may_go_on)


def advance_due(limit: int = 100, seconds: float = 30) -> int:
    """Advance what is due, but take on nothing new after so many seconds; how many workflows there were."""
    end = time.monotonic() + seconds
    for done in range(limit):
        claimed = claims.take(1) if time.monotonic() < end else []
        if not claimed:
            return done
        _advance(claimed[0])
    return limit


def _advance(attempt: Attempt, may_go_on: Callable[[calls.Call], bool] = lambda call: True) -> None:
    if (call := call_for(attempt)) and (left := carry_on(call, may_go_on)):
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
    attempt.next_check_at = Now()
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
    try:
        _name_job(attempt, job_id)
    except IntegrityError:
        log.warning("%s names job %s for attempt %s; it is another's.", provider, job_id, attempt.pk)


def _name_job(attempt: Attempt, job_id: str) -> None:
    with _locked(attempt.step.workflow_id) as workflow:
        lost = Attempt.objects.filter(pk=attempt.pk).filter(
            models.Q(phase=Phase.SUBMITTING) | models.Q(status=Status.FAILED, watch_until__isnull=False)
        )
        found = lost.select_for_update(of=("self",)).first()
        if found is None:
            return
        found.job_id, found.submitted = job_id, found.submitted or workflow.now
        crashpoint("heard.written")
        if found.phase == Phase.DONE:
            found.save(update_fields=["job_id", "submitted"])
            tasks.deliver_late(found.pk)
            return
        found.phase, found.tries, found.next_check_at = Phase.FETCH, 0, workflow.now
        claims.seize(found)  # whatever the submit still answers, its job is known


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


def _guarded(attempt: Attempt, change: Callable[[Workflow, Attempt], calls.Call | None]) -> calls.Call | None:
    """Change a workflow under its lock, as long as nobody has claimed the attempt since.

    What is read of the attempt may be older than the lock; then it was claimed since, and writing it is refused.
    """
    held = claims.held(attempt).filter(status__in=UNFINISHED).select_related("step__workflow").order_by()
    try:
        with transaction.atomic(durable=True):
            locked = held.select_for_update(of=("step__workflow",))
            mine = locked.annotate(now=Now()).first()  # type: ignore[no-redef]
            if mine is not None:
                workflow, mine.step.workflow.now = mine.step.workflow, mine.now
                following = change(workflow, mine)
                history.write(workflow)
                return following
    except claims.Stale:
        pass  # between the look and the write
    log.info("What came late for attempt %s was set aside.", attempt.pk)
    return None


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
        _keep_looking(call.attempt, result)
        return None
    try:
        return _guarded(call.attempt, partial(_answered, call, result))
    except IntegrityError:
        if not isinstance(result, Job):
            raise
        # Only a job's id can collide, and then the job that it names is somebody else's.
        lost = ProviderError(Reason.LOST, "the provider gave a job id that belongs to another attempt")
        return _guarded(call.attempt, partial(_answered, call, lost))


def _answered(call: calls.Call, result: calls.Result, workflow: Workflow, attempt: Attempt) -> calls.Call | None:
    following = _apply(workflow, attempt, call, result)
    return _next_call(workflow, following) if following else None


def _is_no_news(call: calls.Call, job: Job) -> bool:
    """Whether a look found what the one before it found: nothing to tell anybody, and no lock to take."""
    same = job.id == call.attempt.job_id and _status(job) == call.attempt.status
    return type(call) is calls.Fetch and same and not job.status.is_final and job.status != JobStatus.UNKNOWN


def _keep_looking(attempt: Attempt, job: Job) -> None:
    """Note how far a running job is, and when to look again, unless somebody has claimed or called it since."""
    attempt.looks += 1
    after = Now() + datetime.timedelta(seconds=looks.after(attempt, _elapsed(attempt, attempt.now)))
    claims.held(attempt).update(
        looks=attempt.looks,
        looked=Now(),
        progress=job.progress,
        queue_position=job.position,
        tries=0,
        reason="",
        unanswered=0,
        worker=None,
        next_check_at=Case(When(next_check_at__lte=Now(), then=F("next_check_at")), default=after),
    )


def _elapsed(attempt: Attempt, now: datetime.datetime) -> float:
    """Seconds since the submit."""
    return (now - (attempt.submitted or now)).total_seconds()


def _next_call(workflow: Workflow, attempt: Attempt) -> calls.Call | None:
    """Claim the attempt for the call that comes next, or end it when its time or its owner's patience is over.

    Either way the attempt is saved here.
    """
    if claims.is_deadly(attempt):
        _quarantine(workflow, attempt)
        return None
    if workflow.cancel_requested and attempt.phase == Phase.SUBMIT:
        _stop(workflow, attempt)
        return None
    if workflow.deadline < workflow.now:
        _fail(workflow, attempt, Reason.TIMED_OUT, attempt.detail)
        return None
    if attempt.phase == Phase.SUBMIT and not catalog.get(attempt.model).is_live:
        following = _give_up(workflow, attempt, Reason.RETIRED, "its day has passed", proven=True)
        return _next_call(workflow, following) if following else None
    if attempt.phase == Phase.SUBMIT and (place := line.enter(attempt)):
        attempt.next_check_at = Now() + line.patience(place)
        _save(attempt)
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
    _fail(workflow, attempt, Reason.QUARANTINED, f"{claims.DEATHS} workers died of it in phase {attempt.phase}")


_CALLS: dict[Phase, type[calls.Call]] = {
    Phase.SUBMIT: calls.Submit,
    Phase.SUBMITTING: calls.Find,
    Phase.FETCH: calls.Fetch,
    Phase.STORE: calls.Store,
}


def _enter(workflow: Workflow, step: Step) -> Asset | None:
    """A step is about to be submitted: say so, and give the image it starts from, if any."""
    _begin(workflow, step)
    if step.stage != Step.Stage.VIDEO:
        return None
    drawn = workflow.steps.filter(stage=Step.Stage.IMAGE).select_related("asset").first()
    return drawn.asset if drawn else workflow.image


def _begin(workflow: Workflow, step: Step) -> None:
    """Say on the rows of a step and its workflow that they are under way."""
    if workflow.status == Status.PENDING:
        history.move_workflow(workflow, Status.RUNNING)
        workflow.save(update_fields=["status", "reason"])
    if step.status == Status.PENDING:
        history.move_step(workflow, step, Status.RUNNING)
        step.started = workflow.now
        step.save(update_fields=["status", "reason", "started"])


# --- Answers -----------------------------------------------------------------------------------------------


def _apply(workflow: Workflow, attempt: Attempt, call: calls.Call, result: calls.Result) -> Attempt | None:
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


def _status(job: Job) -> Status:
    """Where an unfinished job stands, in the words of an attempt."""
    return Status.QUEUED if job.status == JobStatus.QUEUED else Status.RUNNING


def _apply_error(workflow: Workflow, attempt: Attempt, call: calls.Call, error: ProviderError) -> Attempt | None:
    tries = retries.count(attempt, error)
    attempt.detail = error.detail
    match retries.decide(error, phase=call.phase, tries=tries):
        case retries.Again(after):
            left = (workflow.deadline - workflow.now).total_seconds()
            _look_again(attempt, call.phase, after=min(after, max(left, 1)), tries=tries, reason=error.reason)
        case retries.LookUp(after):
            _look_again(attempt, Phase.SUBMITTING, after=after, reason=error.reason)
        case retries.GiveUp(reason):
            proven = call.phase == Phase.SUBMIT and not error.sent
            return _give_up(workflow, attempt, reason, error.detail, proven=proven)
    return None


def _apply_job(workflow: Workflow, attempt: Attempt, call: calls.Call, job: Job) -> Attempt | None:
    attempt.job_id, attempt.handle = job.id, dict(job.handle) or attempt.handle
    attempt.queue_position, attempt.cost = job.position, attempt.cost if job.cost is None else job.cost
    attempt.submitted = attempt.submitted or workflow.now
    _begin(workflow, attempt.step)  # it has begun, unless it is found where we don't remember to have begun it
    if call.phase == Phase.FETCH:
        attempt.looks += 1
    if job.status == JobStatus.SUCCEEDED:
        return _apply_output(workflow, attempt, job)
    if job.status == JobStatus.FAILED:
        return _give_up(workflow, attempt, job.reason or Reason.OTHER, job.detail, proven=True)
    if job.status == JobStatus.CANCELED:
        _stop(workflow, attempt)
        return None
    _apply_progress(workflow, attempt, job)
    return attempt if workflow.cancel_requested and not isinstance(call, calls.Cancel) else None


def _apply_output(workflow: Workflow, attempt: Attempt, job: Job) -> Attempt | None:
    try:
        output = SERVICES[attempt.step.stage].keep(job)
    except ProviderError as error:
        return _give_up(workflow, attempt, error.reason, error.detail)
    if output.text:
        return _succeed(workflow, attempt, text=output.text)
    crashpoint("completed.seen")
    attempt.outputs = [{"location": output.location, "content_type": output.content_type}]
    attempt.progress, attempt.made = None, workflow.now
    return _next_phase(attempt, Phase.STORE)


def _apply_progress(workflow: Workflow, attempt: Attempt, job: Job) -> None:
    if job.status == JobStatus.UNKNOWN:
        log.warning("%s reports a status we have no word for: %s", attempt.provider, job.detail)
    if (status := _status(job)) != attempt.status:
        history.move_attempt(workflow, attempt, status)
    attempt.progress, attempt.looked = job.progress, workflow.now
    _look_again(attempt, Phase.FETCH, after=looks.after(attempt, _elapsed(attempt, workflow.now)))


def _next_phase(attempt: Attempt, phase: Phase) -> Attempt:
    attempt.phase, attempt.tries, attempt.reason = phase, 0, ""
    line.freed(attempt)
    return attempt


def _look_again(attempt: Attempt, phase: Phase, *, after: float, tries: int = 0, reason: str = "") -> None:
    """Have it looked at again; `reason`: what stood in the way this time, for staff and for `retries.count`."""
    attempt.phase, attempt.tries, attempt.reason = phase, tries, reason
    attempt.next_check_at = Now() + datetime.timedelta(seconds=after)
    line.freed(attempt)
    _save(attempt)


def _save(attempt: Attempt) -> None:
    """Keep a new attempt, or write down what came of a claim."""
    if attempt._state.adding:
        attempt.save(force_insert=True)
    else:
        claims.write(attempt)


# --- Ends --------------------------------------------------------------------------------------------------


def _succeed(workflow: Workflow, attempt: Attempt, *, text: str = "", asset: Asset | None = None) -> Attempt | None:
    step = attempt.step
    if asset is not None:
        asset.user_id = workflow.user_id
        asset.save(force_insert=True)
    step.text, step.asset = text, asset
    _end(workflow, attempt, Status.SUCCEEDED)
    return _go_on(workflow, step, text or attempt.prompt)


def _go_on(workflow: Workflow, step: Step, prompt: str) -> Attempt | None:
    """The attempt of the step after this one; when there is none or nobody wants it any more, the end of the run."""
    later = workflow.steps.filter(position__gt=step.position).order_by("position")
    following = later.annotate(made=Count("attempts")).first()
    if following is None or workflow.cancel_requested:
        settlement.finish(workflow, Status.CANCELED if following else Status.SUCCEEDED)
        return None
    return _attempt(workflow, following, prompt, number=following.made + 1)


def _give_up(
    workflow: Workflow, attempt: Attempt, reason: Reason, detail: str, *, proven: bool = False
) -> Attempt | None:
    """End a failed attempt, and the run with it, unless something can be done: then the attempt that does it.

    Another model takes over only when it is `proven` that this one will deliver nothing, and for no higher price.
    """
    if proven:
        attempt.phase = Phase.DONE  # nothing more comes of it, and nobody has to watch
    if workflow.cancel_requested:
        return _fail(workflow, attempt, reason, detail)
    attempt.detail = detail
    if proven and (model := succession.successor(workflow, attempt.step, reason)):
        return _hand_over(workflow, attempt, model, reason)
    if attempt.step.stage == Step.Stage.ENHANCE and not reasons.TABLE[reason].users:
        _end(workflow, attempt, Status.FAILED, reason)
        return _go_on(workflow, attempt.step, workflow.prompt)  # the user's own words are words too
    return _fail(workflow, attempt, reason, detail)


def _hand_over(workflow: Workflow, attempt: Attempt, model: catalog.Model, reason: Reason) -> Attempt:
    """End the attempt, and let the step be done by another model."""
    _end_attempt(workflow, attempt, Status.FAILED, reason)
    attempt.step.provider, attempt.step.model = model.provider, model.slug
    attempt.step.save(update_fields=["provider", "model"])
    return _attempt(workflow, attempt.step, attempt.prompt, number=attempt.number + 1)


def _fail(workflow: Workflow, attempt: Attempt, reason: Reason, detail: str) -> Attempt | None:
    """End the attempt and the run."""
    attempt.detail = detail
    _end(workflow, attempt, Status.FAILED, reason)
    settlement.finish(workflow, Status.FAILED, reason)
    return None


def _stop(workflow: Workflow, attempt: Attempt) -> None:
    _end(workflow, attempt, Status.CANCELED)
    settlement.finish(workflow, Status.CANCELED)


def _end(workflow: Workflow, attempt: Attempt, status: Status, reason: str = "") -> None:
    _end_attempt(workflow, attempt, status, reason)
    history.move_step(workflow, attempt.step, status, reason)
    attempt.step.finished = attempt.finished
    attempt.step.save()


def _end_attempt(workflow: Workflow, attempt: Attempt, status: Status, reason: str) -> None:
    history.move_attempt(workflow, attempt, status, reason)
    attempt.watch_until = watch.until(attempt, workflow.now)
    attempt.phase, attempt.next_check_at, attempt.progress, attempt.queue_position = Phase.DONE, None, None, None
    attempt.finished = workflow.now
    line.freed(attempt)
    _save(attempt)
    for output in attempt.outputs if attempt.watch_until is None else ():
        transaction.on_commit(partial(watch.discard, output["location"]))


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
        _end(workflow, attempt, Status.SUCCEEDED, reason)
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
            _fail(workflow, attempt, Reason.OTHER, detail)
    return workflow


def retry(workflow_id: UUID | str) -> Workflow:
    """Try a failed or canceled run again from the step that is missing; what was paid for is kept.

    Raises NotRetryable, TooMany, or InsufficientCredits for what is still to pay. Nothing is changed then.
    """
    with _locked(workflow_id) as workflow:
        if workflow.status not in (Status.FAILED, Status.CANCELED) or workflow.deleted:
            raise NotRetryable("Only a run that failed or was canceled can be tried again.")
        steps = list(workflow.steps.all())
        missing = settlement.missing(steps)
        ledger.hold(workflow.user, settlement.unpaid(steps), reference=workflow.reference)
        _reopen(workflow, missing)
        written = next((step.text for step in steps if step.text), workflow.prompt)
        history.write(workflow)  # so that this start is counted
        _stand_in_line(_attempt(workflow, missing[0], written, number=missing[0].attempts.count() + 1))
        tasks.nudge()
        crashpoint("retry.written")
    return workflow


def _reopen(workflow: Workflow, steps: list[Step]) -> None:
    history.move_workflow(workflow, Status.PENDING)
    workflow.finished = workflow.cancel_requested = workflow.doubted = None
    workflow.deadline = workflow.now + _patience()
    workflow.save()
    for step in steps:
        history.move_step(workflow, step, Status.PENDING)
        step.started = step.finished = None
    Step.objects.bulk_update(steps, ["status", "reason", "started", "finished"])
