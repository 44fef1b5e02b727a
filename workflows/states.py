"""Which status may follow which. Terminal states are final, with two exceptions: a person tries again, or what was
given up as lost arrives after all.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    """Where a workflow, a step or an attempt stands."""

    PENDING = "pending", _("waiting for its turn")
    QUEUED = "queued", _("in line at the provider")
    RUNNING = "running", _("in the making")
    SUCCEEDED = "succeeded", _("made")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})
UNFINISHED = frozenset({Status.PENDING, Status.QUEUED, Status.RUNNING})

_ENDS = {Status.SUCCEEDED, Status.FAILED, Status.CANCELED}

ATTEMPT: dict[str, set[Status]] = {
    Status.PENDING: {Status.QUEUED, Status.RUNNING, *_ENDS},
    Status.QUEUED: {Status.RUNNING, *_ENDS},
    Status.RUNNING: {Status.QUEUED, *_ENDS},
    Status.FAILED: {Status.SUCCEEDED},
}
STEP: dict[str, set[Status]] = {
    **ATTEMPT,
    # A person retries, or the next attempt of a failed one begins.
    Status.FAILED: {Status.PENDING, Status.SUCCEEDED},
    Status.CANCELED: {Status.PENDING},
}
WORKFLOW: dict[str, set[Status]] = {
    Status.PENDING: {Status.RUNNING, Status.FAILED, Status.CANCELED},
    Status.RUNNING: {Status.SUCCEEDED, Status.FAILED, Status.CANCELED},
    Status.FAILED: {Status.PENDING, Status.SUCCEEDED},
    Status.CANCELED: {Status.PENDING},
}


class IllegalMove(Exception):
    """A status was to follow another that it may not follow. A mistake in our code, never the user's."""


def require(table: dict[str, set[Status]], old: str, new: Status) -> None:
    """Raise IllegalMove unless `new` may follow `old` in this table."""
    if new not in table.get(old, set()):
        raise IllegalMove(f"{old} may not become {new}")
