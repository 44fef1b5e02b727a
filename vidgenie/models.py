"""API tokens (knox makes the digest, we add what their owner wants to see), how often each caller asked, and what
monitoring keeps: sums of what is past, and the memory of each process.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken


class Scope(models.TextChoices):
    """What a token may do. There is none for tokens: no token makes, sees or revokes one."""

    READ = "read", _("see runs, files and models")
    RUN = "run", _("start, cancel, retry and delete runs, upload and delete files: it costs credits")
    ACCOUNT = "account", _("see the balance and its history")


class ApiToken(AbstractAuthToken):
    """A token that a user made for a program. Only its digest is kept; it is shown once."""

    name = models.CharField(_("name"), max_length=60)
    scopes = ArrayField(
        models.CharField(max_length=20),
        verbose_name=_("scopes"),
        db_default=Scope.values,  # for tokens from before there were scopes, and from the release before while it runs
    )
    last_used = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=Scope.values, scopes__len__gt=0),
                name="apitoken_scopes_are_known",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expiry is not None and self.expiry <= timezone.now()


class RequestCount(models.Model):
    """How many requests a caller of the API made since the start of the window. Unlogged: see the migration."""

    caller = models.CharField(primary_key=True, max_length=80)
    since = models.BigIntegerField(help_text="seconds since 1970: when the window began")
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.caller}: {self.count}"


class Tally(models.Model):
    """Sums of lines that were written before a certain time; see `tallies.py`."""

    source = models.CharField(primary_key=True, max_length=20)
    until = models.DateTimeField(help_text="lines from here on are not in the sums")
    numbers = models.JSONField(default=dict, help_text="by labels, as a JSON list")

    def __str__(self) -> str:
        return f"{self.source} until {self.until}"


class ProcessMemory(models.Model):
    """What a process of ours last said of its memory. Unlogged: see the migration."""

    part = models.CharField(max_length=10, help_text="web, clock, queue or renderer")
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    resident = models.BigIntegerField(help_text="bytes")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "pid"], name="processmemory_one_per_process")]

    def __str__(self) -> str:
        return f"{self.part} {self.host}:{self.pid}"
