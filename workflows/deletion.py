"""Taking a run out of sight: its files go, its words go, its receipt stays."""

from django.db import transaction
from django.utils import timezone

from workflows import watch
from workflows.models import Asset, Attempt, Workflow


class StillRunning(Exception):
    """A run must be finished or canceled before it can be deleted."""


def delete(workflow: Workflow) -> None:
    """Delete what a finished run made. The ledger and the timeline keep their lines. Raises StillRunning."""
    if not workflow.is_finished:
        raise StillRunning("Cancel the run first.")
    made = list(Asset.objects.filter(pk__in=workflow.steps.exclude(asset=None).values("asset")))
    watch.forget(workflow)
    with transaction.atomic():
        workflow.steps.update(text="")
        Asset.objects.filter(pk__in=[asset.pk for asset in made]).delete()
        Attempt.objects.filter(step__workflow=workflow).update(prompt="", outputs=[])
        workflow.prompt, workflow.deleted = "", timezone.now()
        workflow.save(update_fields=["prompt", "deleted"])
    for asset in made:
        asset.delete_files()
