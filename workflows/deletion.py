"""Taking a run out of sight: its files go, its words go, its receipt stays. And a picture that its owner uploaded."""

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from workflows import watch
from workflows.models import Asset, Attempt, Workflow
from workflows.states import UNFINISHED, Status


class StillRunning(Exception):
    """A run must be finished or canceled before it can be deleted."""


class StillNeeded(Exception):
    """A file that a run may still ask for, or that a run made, is not deleted by itself. Its text is for users."""


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


def with_need(assets: QuerySet[Asset]) -> QuerySet[Asset]:
    """The files, each saying as `needed` whether a run goes on with it or can be tried again with it."""
    return assets.annotate(needed=Exists(_in_need().filter(image=OuterRef("pk"))))


def delete_upload(asset: Asset) -> None:
    """Delete a picture that its owner uploaded, for good. Runs that were made from it stay. Raises StillNeeded."""
    if not asset.uploaded:
        raise StillNeeded(_("A run made this file. Delete the run, and the file goes with it."))
    try:
        with transaction.atomic():
            if _in_need().filter(image=asset).exists():
                raise _still_needed()
            _forget(asset)
    except IntegrityError as error:  # a run began with it meanwhile
        raise _still_needed() from error
    asset.delete_files()


def _in_need() -> QuerySet[Workflow]:
    going_on, again = Q(status__in=UNFINISHED), Q(status__in=[Status.FAILED, Status.CANCELED])
    return Workflow.objects.filter(going_on | again, image__isnull=False, deleted=None)


def _still_needed() -> StillNeeded:
    return StillNeeded(_("A run still needs this picture. Let it end, or delete it if it failed or was canceled."))


def _forget(asset: Asset) -> None:
    """Django would take it from whatever run there is by now; the database refuses while one needs it."""
    done = Q(status=Status.SUCCEEDED) | Q(deleted__isnull=False)
    Workflow.objects.filter(done, image=asset).update(image=None)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DELETE FROM workflows_asset WHERE id = %s", [asset.pk])
