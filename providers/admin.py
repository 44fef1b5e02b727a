"""What staff see of providers: keys, which go in and never come out again, and the sandbox provider's own books."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from providers import keys
from providers.forms import KeyForm
from providers.models import Model, ProviderCall, ProviderHealth, ProviderKey, SandboxJob

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(ProviderKey)
class ProviderKeyAdmin(ModelAdmin):
    """Keys are added, tried and taken away. Users' own are listed too, so that staff see why a run fails."""

    list_display = ["provider", "whose", "recognized", "active", "verdict", "checked"]
    list_filter = ["provider", "active"]
    list_select_related = ["owner"]
    search_fields = ["owner__username", "owner__email", "fingerprint", "last_four"]
    ordering = ["-active", "provider", "-created"]
    show_full_result_count = False
    fields = ["provider", "whose", "fingerprint", "last_four", "active", "created", "verdict", "checked"]
    readonly_fields = ["whose"]
    form = KeyForm
    actions = ["check_now", "take_away"]
    change_form_template = "admin/shown.html"

    class Media:
        css = {"all": ["css/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderKey]:
        """Without the sealed text: no page has a use for it."""
        return super().get_queryset(request).defer("sealed")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Two to fill in for a new key; an old one is only looked at."""
        return ["provider", "key"] if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Of a new key, nothing."""
        return [] if obj is None else self.readonly_fields

    @admin.display(description=_("of"), ordering="owner__username")
    def whose(self, key: ProviderKey) -> str:
        return str(key.owner) if key.owner else str(_("the platform"))

    @admin.display(description=_("key"))
    def recognized(self, key: ProviderKey) -> str:
        return f"{key.fingerprint} …{key.last_four}" if key.fingerprint else "…"

    def save_model(self, request: HttpRequest, obj: ProviderKey, form: Any, change: bool) -> None:
        """Seal and keep the key; what its check says is told once everything is committed."""
        keys.store(form.cleaned_data["provider"], form.cleaned_data["key"], row=obj.pk)
        obj.refresh_from_db()
        transaction.on_commit(lambda: self._tell(request, obj), robust=True)

    def _tell(self, request: HttpRequest, key: ProviderKey) -> None:
        """What the last check said of a key, as a message."""
        key.refresh_from_db(fields=["verdict"])
        messages.info(request, f"{key}: {key.verdict}")

    @admin.action(description=_("Check now"), permissions=["act"])
    def check_now(self, request: HttpRequest, queryset: QuerySet[ProviderKey]) -> None:
        """One unbilled call with each of these keys."""
        for key in queryset.filter(active=True):
            verdict = keys.check(key.provider, key.pk)
            messages.add_message(
                request, messages.SUCCESS if verdict.fine else messages.WARNING, f"{key}: {verdict.text}"
            )

    @admin.action(description=_("Take away"), permissions=["act"])
    def take_away(self, request: HttpRequest, queryset: QuerySet[ProviderKey]) -> None:
        """Erase these keys; their rows stay."""
        for key in queryset:
            keys.take_away(key)
            self.log_change(request, key, str(_("Taken away.")))
            messages.success(request, _("%(key)s is taken away.") % {"key": key})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one key, with what can be done about it."""
        actions = [(name, text) for _function, name, text in filter(None, self.get_actions(request).values())]
        here = actions if object_id else []
        return super().changeform_view(request, object_id, form_url, {"actions_here": here} | (extra_context or {}))

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether this person may use the actions: Django's "can change"."""
        return request.user.has_perm("providers.change_providerkey")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a key is replaced by a new one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: runs remember their key by its row."""
        return False


class LookOnly(ModelAdmin):
    """Rows that come by themselves: to look at, and nothing else."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(SandboxJob)
class SandboxJobAdmin(LookOnly):
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


@admin.register(Model)
class CatalogAdmin(ModelAdmin):
    """What is on offer. Staff switch models on and off and set prices; the rest is shipped."""

    list_display = ["slug", "kind", "enabled", "price", "price_override", "retires", "announced", "successor"]
    list_filter = ["enabled", "kind", "provider", "shipped"]
    search_fields = ["slug", "name"]
    fields = [
        "slug", "name", "endpoint", "capabilities", "enabled", "price", "price_override", "price_source", "price_date",
        "expected_seconds", "retires", "announced", "successor", "shipped",
    ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """All but the switch and the price."""
        return [str(name) for name in self.fields if name not in ("enabled", "price_override")]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They come with VidGenie."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Switch it off instead."""
        return False


@admin.register(ProviderCall)
class ProviderCallAdmin(LookOnly):
    """The calls that were made: to look at, and nothing else."""

    list_display = ["at", "provider", "model", "operation", "status", "reason", "milliseconds", "size", "cost"]
    search_fields = ["reference"]
    list_filter = ["provider", "operation", "reason"]
    show_full_result_count = False


@admin.register(ProviderHealth)
class ProviderHealthAdmin(ModelAdmin):
    """Breakers. To bring a provider back before its time, delete its row."""

    list_display = ["provider", "failures", "open_until", "reason"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They come by themselves."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are counted, not set."""
        return False
