"""API tokens: knox keeps and checks the digest, we add what their owner wants to see."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken


class ApiToken(AbstractAuthToken):
    """A token that a user made for a program. Only its digest is kept; it is shown once."""

    name = models.CharField(_("name"), max_length=60)
    last_used = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.name
