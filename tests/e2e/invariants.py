"""What must be true whatever has died: I-1 to I-10 over our rows, and against the books of the providers."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import Sum

from credits.models import Account, Entry, Hold
from workflows.models import Asset, Attempt, Step, Workflow
from workflows.states import TERMINAL

KEEPS_JOBS = {"fal", "google", "runway", "vertex"}  # the others answer a submit with what it made


def broken(books: dict[str, Any]) -> list[str]:
    """Every promise that is broken, in words; call it when nothing is left to do."""
    return [*_of_accounts(), *_of_runs(), *_of_files(), *_of_jobs(books)]


def _of_accounts() -> Iterator[str]:
    for account in Account.objects.all():
        entries = Entry.objects.filter(account=account).aggregate(sum=Sum("amount", default=0))["sum"]
        held = Hold.objects.filter(account=account, status="open").aggregate(sum=Sum("amount", default=0))["sum"]
        if (account.balance, account.held) != (entries, held):
            yield f"I-2: {account} has {account.balance}/{account.held}, its lines say {entries}/{held}"
        if account.available < 0:
            yield f"I-3: {account} is overdrawn"
    for hold in Hold.objects.all():
        taken = [-entry.amount for entry in hold.entries.filter(kind="settle")]
        returned = sum(entry.amount for entry in hold.entries.filter(kind="refund"))
        if len(taken) > 1 or sum(taken) != hold.settled:
            yield f"I-4: {hold} was settled by {taken}, it says {hold.settled}"
        if returned != hold.refunded or returned > hold.settled:
            yield f"I-5: of {hold} {returned} went back, it says {hold.refunded}"


def _of_runs() -> Iterator[str]:
    for run in Workflow.objects.all():
        holds = Hold.objects.filter(reference=run.reference)
        if run.status not in TERMINAL or Attempt.objects.filter(step__workflow=run, finished=None).exists():
            yield f"{run} is not at its end: {run.status}"
        if holds.filter(status="open").exists():
            yield f"I-6: {run} has ended and holds credits"
        charged = [step.charged for step in run.steps.all()]
        settled = sum(hold.settled for hold in holds)
        if sum(charged) != settled or settled > run.quoted:
            yield f"I-7: {run} charges {charged}, {settled} were taken of {run.quoted} quoted"


def _of_files() -> Iterator[str]:
    """Each step that succeeded has made one thing, which is there, and nothing else is."""
    made = Step.objects.filter(status="succeeded").exclude(stage="enhance")
    if lacking := made.filter(asset=None).count():
        yield f"{lacking} steps succeeded and have nothing to show"
    if Asset.objects.filter(uploaded=False).count() != made.count():
        yield "there are assets that no step has made"
    for asset in Asset.objects.all():
        with default_storage.open(asset.file) as file:
            if hashlib.sha256(file.read()).hexdigest() != asset.sha256:
                yield f"{asset} is not what it was"
    files = set(_files("made"))
    if (
        unknown := files
        - set(Asset.objects.values_list("file", flat=True))
        - set(Asset.objects.values_list("thumbnail", flat=True))
    ):
        yield f"files that nobody knows of: {sorted(unknown)}"


def _files(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]] if default_storage.exists(folder) else []


def _of_jobs(books: dict[str, Any]) -> Iterator[str]:
    """I-10: what providers have accepted, each attempt has once; what no attempt knows was given up as lost."""
    if books["doubles"]:
        yield f"I-10: submitted twice: {books['doubles']}"
    known = set(Attempt.objects.exclude(job_id="").values_list("job_id", flat=True))
    unknown = Counter(e["provider"] for e in books["entries"] if e["job"] and e["job"] not in known)
    attempts = Counter(Attempt.objects.exclude(phase="submit").values_list("provider", flat=True))
    lost = Counter(Attempt.objects.filter(reason="lost", job_id="").values_list("provider", flat=True))
    accepted = Counter(e["provider"] for e in books["entries"])
    for provider in accepted:
        if unknown[provider] > lost[provider]:
            yield f"I-10: {unknown[provider]} jobs at {provider} are nobody's; {lost[provider]} are given up as lost"
        if accepted[provider] > attempts[provider]:
            yield f"I-10: {provider} has accepted {accepted[provider]} submits of {attempts[provider]} attempts"
