"""The sandbox provider's own books: its jobs, as a remote provider would keep them on its side."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class SandboxJob(models.Model):
    """One job at the sandbox provider. A renderer claims it by lease, so that a dead one is replaced."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        CANCELED = "canceled", _("canceled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=5)
    prompt = models.TextField()
    options = models.JSONField(default=dict)
    image = models.BinaryField(null=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.QUEUED)
    progress = models.FloatField(default=0)
    failure = models.CharField(max_length=20, blank=True)
    file = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("sandbox job")
        verbose_name_plural = _("sandbox jobs")
        indexes = [
            models.Index(
                fields=["created"],
                condition=models.Q(status__in=["queued", "running"]),
                name="sandboxjob_unfinished",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
