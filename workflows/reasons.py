"""One table of reasons: what a user reads, what they can do, and whether another model may do better."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from providers.base import Reason
from workflows.models import Attempt

Text = str | Promise


@dataclass(frozen=True)
class Row:
    """What one reason means to people.

    `users`: it lies with what they asked for. `another`: a different model may do it.
    """

    sentence: Text
    advice: Text
    users: bool = False
    another: bool = False


_TEMPORARY = _("This part of VidGenie is temporarily unavailable. We know about it.")

MAY_COME = _("It may still arrive: what comes within a day is yours, for nothing.")
HELD_UP: dict[str, Text] = {
    Attempt.Phase.SUBMIT: _("The provider cannot take it at the moment. We go on asking."),
    Attempt.Phase.SUBMITTING: _("We are finding out whether the provider has taken it."),
    Attempt.Phase.FETCH: _("The provider does not answer at the moment. We go on asking."),
    Attempt.Phase.STORE: _("It is made, and cannot be brought home at the moment. We go on trying."),
}  # what stands in the way of a run that goes on, by what was tried last

TABLE: dict[Reason, Row] = {
    Reason.INVALID_INPUT: Row(
        _("The provider could not work with this request."), _("Change the prompt or the options."), users=True
    ),
    Reason.CONTENT_POLICY: Row(
        _("The provider declined this prompt under its content rules."),
        _("Try other words for what you want to see."),
        users=True,
    ),
    Reason.RATE_LIMITED: Row(
        _("The provider stayed too busy for too long."), _("Try again in a few minutes."), another=True
    ),
    Reason.UNAVAILABLE: Row(
        _("The provider could not finish it."), _("Try again; usually the second time works."), another=True
    ),
    Reason.TIMED_OUT: Row(_("It took too long."), _("Try again.")),
    Reason.UNAUTHORIZED: Row(_TEMPORARY, _("Try again later."), another=True),
    Reason.OUT_OF_QUOTA: Row(_TEMPORARY, _("Try again later."), another=True),
    Reason.RETIRED: Row(_("This model is no longer offered."), _("Choose another model."), another=True),
    Reason.BAD_OUTPUT: Row(_("What the provider made could not be opened."), _("Try again.")),
    Reason.LOST: Row(_("The provider does not know what became of it."), _("Try again.")),
    Reason.QUARANTINED: Row(
        _("We stopped it, since it made our own machines fail three times. We have been told."), _("Try again later.")
    ),
    Reason.OTHER: Row(_("Something went wrong that we did not foresee."), _("Try again.")),
}
