"""A run through the whole product, in the sandbox, on a database that is shaped like the live one and is empty.

The live database is not used for it: the run would leave a user, lines in the books and a film behind, and a worker of
the site might take it. So the live one's shape is copied without its rows, and a person who exists only there makes a
video, which is paid for and settled; the film goes into a directory that is thrown away.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import override_settings

from credits import ledger
from providers import offer
from providers.adapters import sandbox
from vidgenie.management.migration import place, validation
from vidgenie.reports import Row, Verdict
from workflows import pipeline
from workflows.models import Attempt, Workflow
from workflows.states import Status

CREDITS = 100
PATIENCE = 300.0  # seconds
ID, TITLE, TARGET = "run", "A run in the sandbox", "it succeeds, and its books balance"
_FILES = {"default": {"BACKEND": "providers.storage.WholeFiles"}}
_OPTIONS = {"duration_seconds": 2, "resolution": "480p", "text_model": "sandbox/words", "image_model": "sandbox/still"}


def run_row(deployment: str) -> Row:
    """Make the run. Raises PlaceError where the copy cannot be made."""
    with _bare(deployment) as database, place.at(database):
        offer.sync()
        try:
            workflow, seconds = _run()
        except Exception as error:
            told = f"{type(error).__name__}: {place.first_line(error)}"
            return Row(ID, TITLE, Verdict.FAIL, TARGET, evidence=told, advice="The program does not fit the tables.")
        books = validation.ledger_row()
    right = workflow.status == Status.SUCCEEDED and books.verdict == Verdict.PASS
    told = f"{workflow.status}, {workflow.quoted} credits" + ("" if right else f"; {books.evidence}")
    return Row(ID, TITLE, Verdict.PASS if right else Verdict.FAIL, TARGET, round(seconds, 3), "s", evidence=told)


@contextmanager
def _bare(deployment: str) -> Iterator[str]:
    """A database with the shape of the live one and no rows but the list of its migrations."""
    database = place.name(place.BARE, deployment)
    with place.maintenance() as link, tempfile.TemporaryDirectory() as directory:
        dump, server = Path(directory) / "shape", link.info.server_version
        place.create(link, database)
        try:
            shape = ["-Fc", "--schema-only", "--file", str(dump)]
            place.run(place.program("pg_dump", server), place.live_name(), shape)
            place.run(place.program("pg_restore", server), database, ["--exit-on-error", str(dump)])
            yield database
        finally:
            place.drop(link, database)


def _run() -> tuple[Workflow, float]:
    with tempfile.TemporaryDirectory() as directory, override_settings(**_elsewhere(directory)):
        user = User.objects.create_user("vidgenie-trial")
        ledger.grant(user, CREDITS, key="trial", reason="trial")
        start = time.monotonic()
        quote = pipeline.quote(
            "complete", "a fox in the snow", {"video_model": "sandbox/motion", **_OPTIONS}, user=user
        )
        return _finished(pipeline.start(user, quote)), time.monotonic() - start


def _elsewhere(directory: str) -> dict[str, object]:
    files = {"default": _FILES["default"] | {"OPTIONS": {"location": directory}}}
    return {"MEDIA_ROOT": Path(directory), "STORAGES": files}


def _finished(workflow: Workflow) -> Workflow:
    """Do all that a worker and a renderer would, until it is over or patience is."""
    deadline = time.monotonic() + PATIENCE
    while not workflow.is_finished and time.monotonic() < deadline:
        while sandbox.render_next():
            pass
        Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())  # nobody else is here
        pipeline.advance(workflow.pk)
        workflow = Workflow.objects.get(pk=workflow.pk)
    return workflow
