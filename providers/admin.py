"""What staff see of the sandbox provider's own books. They are the provider's, so nothing in them is edited here."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from providers.models import SandboxJob

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(SandboxJob)
class SandboxJobAdmin(ModelAdmin):
    list_display = ["created", "kind", "status", "percent", "failure", "lease_until"]
    list_filter = ["status", "created"]
    search_fields = ["reference", "prompt"]
    ordering = ["-created"]
    show_full_result_count = False
    exclude = ["image"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SandboxJob]:
        """Without the pictures, which are large and not shown."""
        return super().get_queryset(request).defer("image")

    @admin.display(description=_("progress"), ordering="progress")
    def percent(self, job: SandboxJob) -> str:
        return f"{job.progress:.0%}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False
