"""The strip of frames, words → still → motion, as pages show a run: what each frame holds and what it says.

Read only. What was charged and what would come back is asked of the policy, never worked out here.
"""

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import sql
from credits import policy
from credits.references import Meaning
from providers import catalog
from providers.base import Reason
from workflows import document, reasons, settlement
from workflows.models import Asset, Step, Transition, Workflow
from workflows.states import Status

OPTIONS = (
    ("aspect_ratio", gettext_lazy("Shape")),
    ("duration_seconds", gettext_lazy("Length in seconds")),
    ("resolution", gettext_lazy("Size")),
    ("style", gettext_lazy("Style")),
    ("enhance", gettext_lazy("Improve my words")),
    ("seed", gettext_lazy("Seed")),
)
PATIENCE = 2  # times the usual, and it takes longer than usual
PACES = ((30, 1), (180, 2), (900, 5))  # seconds a run is old, seconds between two looks


@dataclass(frozen=True)
class Frame:
    """One frame of the strip: a step of the run, or what the user brought along (then `step` is None)."""

    stage: str
    title: str
    status: str
    step: Step | None = None
    asset: Asset | None = None
    text: str = ""
    progress: float | None = None
    place: int | None = None
    settled: bool = False
    trouble: str = ""

    @property
    def state(self) -> str:
        """The status of its step, in words."""
        return str(Status(self.status).label)

    @property
    def percent(self) -> int | None:
        """Progress as the provider tells it, None where it doesn't."""
        return None if self.progress is None else math.floor(self.progress * 100)

    @property
    def credits(self) -> int:
        """What it cost, or what it will cost when it comes to that."""
        if self.step is None:
            return 0
        return self.step.charged if self.settled else self.step.price

    @property
    def seconds(self) -> int | None:
        """How long it took, in whole seconds, at least 1."""
        if self.step is None or not (self.step.started and self.step.finished):
            return None
        return max(1, round((self.step.finished - self.step.started).total_seconds()))

    @property
    def failure(self) -> reasons.Row | None:
        """What to tell about a failure."""
        if self.status != Status.FAILED or self.step is None:
            return None
        return reasons.TABLE[Reason(self.step.reason or Reason.OTHER)]

    @property
    def time_left(self) -> str:
        """How much longer it will take, in words."""
        if self.step is None or self.status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED):
            return ""
        expected = catalog.expected_seconds(self.step.model)
        if not self.step.started:
            return in_words(expected)
        passed = (timezone.now() - self.step.started).total_seconds()
        return in_words(expected - passed) if passed < PATIENCE * expected + 5 else _("longer than usual")


class Strip:
    """A run with everything its page needs, read in a handful of queries."""

    def __init__(self, workflow: Workflow, steps: Iterable[Step] | None = None) -> None:
        self.workflow = workflow
        self.steps = list(document.steps_of(workflow) if steps is None else steps)

    @cached_property
    def money(self) -> dict[str, int]:
        """Credits quoted, held, settled and refunded."""
        return document.money(self.workflow)

    @cached_property
    def frames(self) -> list[Frame]:
        """The frames in the order things are made."""
        made = {step.stage: self._frame(step) for step in self.steps}
        brought = {"enhance": self._words()}
        if self.workflow.type == Workflow.Type.VIDEO_FROM_IMAGE:
            brought["image"] = Frame("image", _("still"), Status.SUCCEEDED, asset=self.workflow.image)
        return [(brought | made)[stage] for stage in ("enhance", "image", "video") if stage in brought | made]

    def _frame(self, step: Step) -> Frame:
        title = str(Step.Stage(step.stage).label)
        text = step.text or self.workflow.prompt if step.stage == Step.Stage.ENHANCE else ""
        progress, place = getattr(step, "told", None), getattr(step, "place", None)
        trouble, over = document.held_up(step), self.workflow.is_finished
        return Frame(step.stage, title, step.status, step, step.asset, text, progress, place, over, trouble)

    def _words(self) -> Frame:
        return Frame("enhance", _("words"), Status.SUCCEEDED, text=self.workflow.prompt)

    @property
    def state(self) -> str:
        """The status of the run, in words."""
        return str(Status(self.workflow.status).label)

    @property
    def kind(self) -> str:
        """What it makes, in words."""
        return str(Workflow.Type(self.workflow.type).label)

    @property
    def receipt(self) -> list[tuple[str, Step]]:
        """The steps with their names."""
        return [(str(Step.Stage(step.stage).label), step) for step in self.steps]

    @property
    def timeline(self) -> list[tuple[datetime.datetime, str, str]]:
        """When something happened, to which frame (empty: to the run), and where that stood from then on."""
        moves = sql.found(Transition, "workflow_id = %s AND attempt IS NULL ORDER BY id", [self.workflow.pk])
        return [
            (move.at, str(Step.Stage(move.stage).label) if move.stage else "", str(Status(move.new).label))
            for move in moves
        ]

    @property
    def image(self) -> Asset | None:
        """The run's still, made or brought."""
        return next((frame.asset for frame in self.frames if frame.stage == "image"), None)

    @property
    def video(self) -> Asset | None:
        """The run's video, once it is there."""
        return next((frame.asset for frame in self.frames if frame.stage == "video"), None)

    @cached_property
    def cover(self) -> Asset | None:
        """The picture that stands for the run: the last that was made, or the user's own."""
        return next((step.asset for step in reversed(self.steps) if step.asset), self.workflow.image)

    @property
    def failure(self) -> reasons.Row | None:
        """Why the run failed, to be told once."""
        if self.workflow.status != Status.FAILED:
            return None
        return reasons.TABLE[Reason(self.workflow.reason or Reason.OTHER)]

    @property
    def hope(self) -> str:
        """That what a failed run lacks may still arrive."""
        return str(reasons.MAY_COME) if document.hoped_until(self.workflow, self.steps) else ""

    @property
    def shows_failure(self) -> bool:
        """Whether a frame of the strip tells it."""
        return any(frame.failure for frame in self.frames)

    @property
    def settings(self) -> list[tuple[str, str]]:
        """The options of the run with their names, as people read them."""
        used = self.workflow.options
        return [(str(label), _shown(used[name])) for name, label in OPTIONS if used.get(name) not in (None, "")]

    @property
    def is_sandbox(self) -> bool:
        """Whether any of it comes from the sandbox, which is no AI."""
        return any(step.provider == "sandbox" for step in self.steps)

    @property
    def still_to_pay(self) -> int:
        """What trying again would hold, in credits."""
        return settlement.unpaid(self.steps)

    @property
    def back_if_canceled(self) -> int:
        """Credits that come back when the run is canceled at this moment."""
        unpaid = [step for step in self.steps if not step.charged]
        lines = [policy.Line(step.price, settlement.outcome(step, self.steps)) for step in unpaid]
        return self.money["held"] - policy.amount_due(lines)

    @cached_property
    def pace(self) -> int | None:
        """Seconds until a page should look again; None when nothing will change any more."""
        if self.workflow.is_finished:
            return None
        age = (timezone.now() - self.workflow.created) / datetime.timedelta(seconds=1)
        return next((pace for old, pace in PACES if age < old), 10)

    @property
    def says(self) -> str:
        """Where the run stands, as one sentence to be read aloud: it changes only when something happens."""
        if self.workflow.status == Status.SUCCEEDED:
            return _("It is made.")
        if self.workflow.status == Status.FAILED:
            return _("It failed. %(back)s") % {"back": credits_are_back(self.money["refunded"])}
        if self.workflow.status == Status.CANCELED:
            return _("Canceled. %(back)s") % {"back": credits_are_back(self.money["refunded"])}
        frame = current(self.frames)
        return _("%(frame)s: %(status)s") % {
            "frame": frame.title.capitalize(),
            "status": Status(frame.status).label,
        }


def meanings(ids: Sequence[str]) -> dict[str, Meaning]:
    """What the ledger's references to these runs stand for: their words, shortened."""
    runs = Workflow.objects.filter(pk__in=ids).only("prompt")
    return {str(run.pk): Meaning(Truncator(run.prompt).chars(60), run.get_absolute_url()) for run in runs}


def current(frames: Sequence[Frame]) -> Frame:
    """The frame where work is going on, or the last."""
    return next((frame for frame in frames if frame.status != Status.SUCCEEDED), frames[-1])


def credits_are_back(amount: int) -> str:
    """The sentence that tells what was given back."""
    if not amount:
        return _("Nothing was to be given back.")
    return ngettext("%(count)d credit is back.", "%(count)d credits are back.", amount) % {"count": amount}


def in_words(seconds: float) -> str:
    """A stretch of time as people say it: never more exact than we know."""
    words = (
        (3, _("any moment now")),
        (15, _("a few seconds")),
        (45, _("about half a minute")),
        (90, _("about a minute")),
        (240, _("a few minutes")),
    )
    return next((text for limit, text in words if seconds < limit), _("several minutes"))


def _shown(value: Any) -> str:
    return (_("yes") if value else _("no")) if isinstance(value, bool) else str(value)
