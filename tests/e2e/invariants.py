"""What must be true whatever has died: I-1 to I-9 by our books, I-10 by those of the providers."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.files.storage import default_storage

from workflows import books
from workflows.models import Asset, Attempt, Step, Workflow
from workflows.states import TERMINAL


def broken(theirs: dict[str, Any]) -> list[str]:
    """Every promise that is broken, in words; call it when nothing is left to do."""
    return [*books.check().lines, *_of_runs(), *_of_files(), *_of_jobs(theirs)]


def _of_runs() -> Iterator[str]:
    for run in Workflow.objects.all():
        if run.status not in TERMINAL or Attempt.objects.filter(step__workflow=run, finished=None).exists():
            yield f"{run} is not at its end: {run.status}"


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
    known = {name for asset in Asset.objects.all() for name in (asset.file, asset.thumbnail)}
    if unknown := set(_files("made")) - known:
        yield f"files that nobody knows of: {sorted(unknown)}"


def _files(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in default_storage.listdir(folder)[1]] if default_storage.exists(folder) else []


def _of_jobs(theirs: dict[str, Any]) -> Iterator[str]:
    """I-10: what providers have accepted, each attempt has once; what no attempt knows was given up as lost."""
    if theirs["doubles"]:
        yield f"I-10: submitted twice: {theirs['doubles']}"
    known = set(Attempt.objects.exclude(job_id="").values_list("job_id", flat=True))
    unknown = Counter(e["provider"] for e in theirs["entries"] if e["job"] and e["job"] not in known)
    attempts = Counter(Attempt.objects.exclude(phase="submit").values_list("provider", flat=True))
    lost = Counter(Attempt.objects.filter(reason="lost", job_id="").values_list("provider", flat=True))
    accepted = Counter(e["provider"] for e in theirs["entries"])
    for provider in accepted:
        if unknown[provider] > lost[provider]:
            yield f"I-10: {unknown[provider]} jobs at {provider} are nobody's; {lost[provider]} are given up as lost"
        if accepted[provider] > attempts[provider]:
            yield f"I-10: {provider} has accepted {accepted[provider]} submits of {attempts[provider]} attempts"
