"""What we keep about providers: sealed keys, models on offer, calls made, health; and the sandbox's own books."""

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _


class ProviderKey(models.Model):
    """A key to a provider, sealed. Without an owner it is the platform's; an owner's is for their runs only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=20)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="provider_keys"
    )
    sealed = models.TextField(editable=False)
    fingerprint = models.CharField(max_length=16, editable=False, help_text=_("the same for the same key"))
    last_four = models.CharField(max_length=4, editable=False)
    active = models.BooleanField(default=True)
    created = models.DateTimeField(auto_now_add=True)
    checked = models.DateTimeField(null=True, blank=True, editable=False)
    verdict = models.CharField(max_length=200, blank=True, editable=False, help_text=_("what the last check said"))

    class Meta:
        verbose_name = _("provider key")
        verbose_name_plural = _("provider keys")
        constraints = [
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(owner__isnull=True, active=True),
                name="providerkey_one_active_of_platform",
            ),
            models.UniqueConstraint(
                fields=["provider", "owner"],
                condition=models.Q(owner__isnull=False, active=True),
                name="providerkey_one_active_per_owner",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} …{self.last_four}"


class Model(models.Model):
    """Something a provider offers. What is shipped is written over at every migrate; staff's own columns are not.

    Prices are in credits; `price` is {"job": n, "second": n, "factors": {"1080p": n}}, `capabilities` is
    {"ratios": [], "resolutions": [], "seconds": [], "prompt_limit": n, "image": "required|optional|none"}.
    """

    slug = models.CharField(max_length=60, unique=True)
    provider = models.CharField(max_length=20)
    kind = models.CharField(max_length=5)
    name = models.CharField(max_length=80)
    endpoint = models.CharField(max_length=120, help_text=_("the provider's own id"))
    capabilities = models.JSONField(default=dict)
    price = models.JSONField(default=dict)
    price_source = models.CharField(max_length=200, blank=True)
    price_date = models.DateField(null=True, blank=True)
    expected_seconds = models.FloatField(default=60)
    retires = models.DateField(null=True, blank=True)
    announced = models.DateField(null=True, blank=True, help_text=_("the day it goes, as the provider itself says"))
    successor = models.CharField(max_length=60, blank=True)
    shipped = models.BooleanField(
        default=True, help_text=_("comes with VidGenie; no longer shipped ones are not offered")
    )
    enabled = models.BooleanField(default=True, help_text=_("staff's switch"))
    price_override = models.JSONField(null=True, blank=True, help_text=_("staff's own price, in the same form"))

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["kind", "slug"]

    def __str__(self) -> str:
        return self.slug


class ProviderCall(models.Model):
    """One call to the outside: health, latency and spend are computed from these."""

    provider = models.CharField(max_length=20)
    model = models.CharField(max_length=120, blank=True)
    operation = models.CharField(max_length=12)
    reference = models.CharField(max_length=80, blank=True, help_text=_("of what was submitted, as we call it"))
    status = models.PositiveSmallIntegerField(default=0, help_text=_("of HTTP; 0 when no answer came"))
    reason = models.CharField(max_length=16, blank=True, help_text=_("empty when it went well"))
    milliseconds = models.PositiveIntegerField()
    size = models.BigIntegerField(default=0, help_text=_("bytes of the answer"))
    cost = models.FloatField(null=True, blank=True, help_text=_("US cents, where the provider says so"))
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("provider call")
        verbose_name_plural = _("provider calls")
        indexes = [
            models.Index(fields=["provider", "-at"], name="providercall_newest"),
            BrinIndex(fields=["at"], pages_per_range=32, autosummarize=True, name="providercall_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.operation} {self.status}"


class ProviderHealth(models.Model):
    """The breaker of one provider: shared by all processes, so that they stop and start together."""

    provider = models.CharField(max_length=20, primary_key=True)
    failures = models.PositiveIntegerField(default=0, help_text=_("in a row"))
    open_until = models.DateTimeField(null=True, blank=True, help_text=_("not called for new jobs before"))
    reason = models.CharField(max_length=16, blank=True)

    class Meta:
        verbose_name = _("provider health")
        verbose_name_plural = _("provider health")

    def __str__(self) -> str:
        return self.provider


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
