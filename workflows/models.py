"""A Workflow is one user's run from prompt to result; it has Steps, a step has Attempts, and what is kept are Assets.

Only `pipeline.py` changes the status of anything here, under the workflow's row lock; every change leaves a
Transition with its time.
"""

import datetime
import uuid

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from providers.base import Reason
from workflows.addresses import address
from workflows.states import TERMINAL, Status

REASONS = [(reason.value, reason.value.replace("_", " ")) for reason in Reason]


class Asset(models.Model):
    """A file we keep, with what we measured of it: uploaded by its owner, or made by a workflow."""

    class Kind(models.TextChoices):
        IMAGE = "image", _("image")
        VIDEO = "video", _("video")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="assets")
    kind = models.CharField(max_length=5, choices=Kind)
    uploaded = models.BooleanField(default=False)
    file = models.CharField(max_length=200, help_text=_("name in the storage"))
    thumbnail = models.CharField(max_length=200, blank=True, help_text=_("name in the storage; a small WebP"))
    content_type = models.CharField(max_length=40)
    size = models.BigIntegerField(help_text=_("bytes"))
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    duration = models.FloatField(null=True, blank=True, help_text=_("seconds, of a video"))
    created = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("asset")
        verbose_name_plural = _("assets")

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    def get_absolute_url(self) -> str:
        """Where the owner gets the file's content."""
        return address("api:asset-content", self.pk)

    @property
    def thumbnail_url(self) -> str:
        """Where the owner gets the small picture that stands for it."""
        return address("api:asset-thumbnail", self.pk)

    def delete_files(self) -> None:
        """Take the content out of the storage, now or as soon as it answers; the row goes separately."""
        from workflows import tasks

        for name in filter(None, (self.file, self.thumbnail)):
            tasks.delete_file(name)


class Workflow(models.Model):
    """One user's run from prompt to result."""

    class Type(models.TextChoices):
        COMPLETE = "complete", _("video")
        IMAGE_ONLY = "image-only", _("image")
        VIDEO_FROM_IMAGE = "video-from-image", _("video from my image")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="workflows")
    type = models.CharField(max_length=16, choices=Type)
    prompt = models.TextField()
    image = models.ForeignKey(
        Asset,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("the user's own"),
    )
    options = models.JSONField(default=dict, help_text=_("as checked, with every default filled in"))
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    reason = models.CharField(max_length=16, choices=REASONS, blank=True)
    quoted = models.PositiveIntegerField(help_text=_("credits; the most this run can cost"))
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)
    request_digest = models.CharField(max_length=64, blank=True)
    cancel_requested = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField()
    created = models.DateTimeField(db_default=Now(), editable=False)
    finished = models.DateTimeField(null=True, blank=True)
    deleted = models.DateTimeField(null=True, blank=True, help_text=_("its files are gone, its receipt stays"))
    doubted = models.DateTimeField(
        null=True, blank=True, help_text=_("restored from a backup while it ran: what it sent since is not known")
    )

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        ordering = ["-created", "-id"]
        indexes = [
            models.Index(fields=["user", "-created"], name="workflow_user_newest"),
            models.Index(fields=["user"], condition=Q(finished__isnull=True), name="workflow_in_flight"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="workflow_idempotency"),
            models.CheckConstraint(condition=Q(quoted__gt=0), name="workflow_quoted_positive"),
            models.CheckConstraint(
                condition=Q(finished__isnull=False, status__in=["succeeded", "failed", "canceled"])
                | Q(finished__isnull=True, status__in=["pending", "running"]),
                name="workflow_finished_when_terminal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    def get_absolute_url(self) -> str:
        """The workflow's page."""
        return address("workflows:detail", self.pk)

    # Whether the request at hand found this run under its idempotency key, instead of starting it.
    replayed: bool = False
    # The database's time when the row was locked; there is none without the lock.
    now: datetime.datetime

    @property
    def is_finished(self) -> bool:
        """Whether nothing will happen any more by itself."""
        return self.status in TERMINAL

    @cached_property
    def moves(self) -> "list[Transition]":
        """Changes of status that `history` has noted and not yet written."""
        return []

    @property
    def reference(self) -> str:
        """What the ledger knows it by."""
        return f"workflow:{self.pk}"


class Step(models.Model):
    """One stage of one workflow, its frozen price, and what came of it."""

    class Stage(models.TextChoices):
        ENHANCE = "enhance", _("words")
        IMAGE = "image", _("still")
        VIDEO = "video", _("motion")

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="steps")
    stage = models.CharField(max_length=7, choices=Stage)
    position = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    reason = models.CharField(max_length=16, choices=REASONS, blank=True)
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=60)
    price = models.PositiveIntegerField(help_text=_("credits, as quoted"))
    automatic = models.BooleanField(default=False, help_text=_("the model was left to us, so another may take over"))
    own_key = models.BooleanField(default=False, help_text=_("paid with the user's own key"))
    charged = models.PositiveIntegerField(default=0, help_text=_("credits taken for it"))
    text = models.TextField(blank=True, help_text=_("the improved prompt"))
    asset = models.ForeignKey(Asset, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["workflow", "position"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "stage"], name="step_stage_once_per_workflow"),
            models.UniqueConstraint(fields=["workflow", "position"], name="step_position_once_per_workflow"),
            models.CheckConstraint(condition=Q(charged__lte=F("price")), name="step_charged_within_price"),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of {self.workflow_id}"


class Worker(models.Model):
    """A process that moves attempts. What it has claimed is free again as soon as it gives no sign of life any more."""

    class Part(models.TextChoices):
        CLOCK = "clock", _("clock")
        QUEUE = "queue", _("queue")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    part = models.CharField(max_length=5, choices=Part)
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    family = models.UUIDField(null=True, blank=True, help_text=_("the `manage.py worker` it belongs to"))
    started = models.DateTimeField(db_default=Now(), editable=False)
    seen = models.DateTimeField(db_default=Now(), help_text=_("last sign of life"))
    worked = models.DateTimeField(db_default=Now(), help_text=_("last time it got something done"))

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["started"]

    def __str__(self) -> str:
        return f"{self.part} {self.host}:{self.pid}"


class Attempt(models.Model):
    """One submission of a step to a provider; provider, model, options and price are frozen on it.

    `next_check_at` is when to look again, and the lease of whoever looks now: set for every unfinished attempt.
    `fence` rises with each claim, so that an answer that comes back too late is known by its number and changes
    nothing. `unanswered` counts the claims since the last answer: each is a worker that died of it, or with it.
    """

    class Phase(models.TextChoices):
        """What the pipeline does next."""

        SUBMIT = "submit", _("submit")
        SUBMITTING = "submitting", _("submitted, answer unknown")
        FETCH = "fetch", _("fetch")
        STORE = "store", _("store")
        DONE = "done", _("done")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    turn = models.PositiveBigIntegerField(default=0, db_default=0, help_text=_("lower goes first; users take turns"))
    key_turn = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("turn in the line of its key; empty while it stands in none")
    )
    status = models.CharField(max_length=9, choices=Status, default=Status.PENDING)
    phase = models.CharField(max_length=10, choices=Phase, default=Phase.SUBMIT)
    reason = models.CharField(max_length=16, choices=REASONS, blank=True)
    detail = models.TextField(blank=True, help_text=_("the provider's own text, for staff only"))
    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=60)
    endpoint = models.CharField(max_length=120, blank=True, help_text=_("the provider's own id of the model"))
    prompt = models.TextField()
    options = models.JSONField(default=dict)
    price = models.PositiveIntegerField()
    key = models.ForeignKey("providers.ProviderKey", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    job_id = models.CharField(max_length=200, blank=True)
    handle = models.JSONField(default=dict, help_text=_("what the adapter needs to find the job again"))
    queue_position = models.PositiveIntegerField(null=True, blank=True)
    cost = models.FloatField(null=True, blank=True, help_text=_("US cents, as the provider says"))
    progress = models.FloatField(null=True, blank=True)
    outputs = models.JSONField(default=list)
    tries = models.PositiveSmallIntegerField(default=0, help_text=_("failed tries in this phase"))
    fence = models.PositiveIntegerField(default=0)
    unanswered = models.PositiveSmallIntegerField(default=0, db_default=0, help_text=_("claims since the last answer"))
    worker = models.ForeignKey(
        Worker, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    next_check_at = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(db_default=Now(), editable=False)
    submitted = models.DateTimeField(null=True, blank=True)
    looks = models.PositiveIntegerField(
        default=0, db_default=0, help_text=_("how often the provider was asked how it stands")
    )
    looked = models.DateTimeField(null=True, blank=True, help_text=_("when it was last seen unfinished"))
    made = models.DateTimeField(null=True, blank=True, help_text=_("when it was first seen made"))
    finished = models.DateTimeField(null=True, blank=True)
    watch_until = models.DateTimeField(
        null=True, blank=True, help_text=_("given up while its job may still deliver: until then somebody looks")
    )

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["step", "number"]
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="attempt_due"),
            models.Index(fields=["turn"], condition=Q(phase="submit"), name="attempt_waiting"),
            models.Index(fields=["turn"], condition=Q(phase="submit", fence=0), name="attempt_unseen"),
            models.Index(fields=["user", "turn"], condition=Q(phase="submit", fence=0), name="attempt_unseen_of_user"),
            models.Index(
                fields=["key_turn"], condition=Q(phase="submit", key_turn__isnull=False), name="attempt_in_line"
            ),
            models.Index(fields=["worker"], condition=Q(worker__isnull=False), name="attempt_claimed"),
            models.Index(fields=["watch_until"], condition=Q(watch_until__isnull=False), name="attempt_watched"),
            models.Index(fields=["model", "-made"], condition=Q(made__isnull=False), name="attempt_made_newest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["step", "number"], name="attempt_number_once_per_step"),
            models.UniqueConstraint(
                fields=["step"],
                condition=Q(status__in=["pending", "queued", "running"]),
                name="attempt_one_unfinished_per_step",
            ),
            models.UniqueConstraint(
                fields=["provider", "job_id"], condition=~Q(job_id=""), name="attempt_job_belongs_to_one"
            ),
            models.CheckConstraint(
                condition=Q(next_check_at__isnull=False, status__in=["pending", "queued", "running"])
                | Q(next_check_at__isnull=True, status__in=["succeeded", "failed", "canceled"]),
                name="attempt_due_while_unfinished",
            ),
        ]

    # The database's time when the attempt was claimed.
    now: datetime.datetime

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.step_id}"


class Transition(models.Model):
    """One change of status, with its time: the timeline."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="transitions")
    stage = models.CharField(max_length=7, choices=Step.Stage, blank=True, help_text=_("empty: the whole run"))
    attempt = models.PositiveSmallIntegerField(null=True, blank=True)
    old = models.CharField(max_length=9, choices=Status, blank=True)
    new = models.CharField(max_length=9, choices=Status)
    reason = models.CharField(max_length=16, blank=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("transition")
        verbose_name_plural = _("transitions")
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["at"], condition=Q(stage="", new="pending"), name="transition_tried_again"),
            BrinIndex(fields=["at"], pages_per_range=32, autosummarize=True, name="transition_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.stage or 'workflow'}: {self.old} → {self.new}"


class Origin(models.Model):
    """Where this database came to be, in one row. A copy of it elsewhere is told by that: see `restored.py`."""

    place = models.CharField(max_length=200)
    noted = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("origin")
        verbose_name_plural = _("origins")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="origin_is_one_row")]

    def __str__(self) -> str:
        return self.place
