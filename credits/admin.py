"""What staff see of money, and the three things they may do about it, each with a reason: grant, adjust, give back.

Nothing here is edited or deleted. An action asks first, on a page of its own; that page carries a key, so that
sending it twice writes one line.
"""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from credits import ledger
from credits.models import Account, Entry, Hold, Verdict

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Rows are shown and never edited here, not even by superusers; their actions are offered on their page too."""

    change_form_template = "admin/shown.html"
    show_full_result_count = False
    view_on_site = False

    class Media:
        css = {"all": ["css/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether this person may use the actions: Django's "can change", which means nothing else here."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one row, with what can be done about it."""
        actions = [(name, description) for _, name, description in filter(None, self.get_actions(request).values())]
        context = {"actions_here": actions, "title": capfirst(self.opts.verbose_name)} | (extra_context or {})
        return super().changeform_view(request, object_id, form_url, context)


class ReasonForm(forms.Form):
    """Every action says why."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=ledger.LONGEST["reason"],
        help_text=_("Who reads the books later reads this."),
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class AmountForm(ReasonForm):
    """Credits to give, whole and above zero."""

    amount = forms.IntegerField(label=_("Credits"), min_value=1, max_value=ledger.LARGEST)
    field_order = ["amount", "reason"]


class SignedAmountForm(AmountForm):
    """Credits to add, or with a minus to take away."""

    amount = forms.IntegerField(
        label=_("Credits"),
        min_value=-ledger.LARGEST,
        max_value=ledger.LARGEST,
        help_text=_("With a minus they are taken away."),
    )


def ask_first(
    model_admin: ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Any],
    *,
    title: str | Promise,
    form_class: type[ReasonForm],
    act: Callable[[Any, dict[str, Any]], str],
) -> HttpResponse | None:
    """An action's page: asks what the form asks, then acts on every chosen row and says what came of each."""
    form = form_class(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        context = {"title": title, "form": form, "rows": queryset, "opts": model_admin.opts, "media": model_admin.media}
        context |= model_admin.admin_site.each_context(request) | {"action": request.POST["action"]}
        return TemplateResponse(request, "admin/ask_first.html", context)
    for row in queryset:
        try:
            done = act(row, form.cleaned_data)
        except (ledger.LedgerError, ValueError) as error:
            messages.error(request, f"{row}: {error}")
        else:
            model_admin.log_change(request, row, done)
            messages.success(request, f"{row}: {done}")
    return None


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["user", "balance", "held", "available"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]
    fields = ["user", "balance", "held", "available", "lines"]
    readonly_fields = ["available", "lines"]
    actions = ["grant", "adjust"]

    @admin.display(description=_("to spend"))
    def available(self, account: Account) -> int:
        return account.available

    @admin.display(description=_("history"))
    def lines(self, account: Account) -> str:
        return format_html(
            '<a href="{}?account__id__exact={}">{}</a> · <a href="{}?account__id__exact={}">{}</a>',
            reverse("admin:credits_entry_changelist"),
            account.pk,
            _("Entries"),
            reverse("admin:credits_hold_changelist"),
            account.pk,
            _("Holds"),
        )

    @admin.action(description=_("Grant credits…"), permissions=["act"])
    def grant(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        """Give each of these accounts the same number of credits."""

        def act(account: Account, asked: dict[str, Any]) -> str:
            return _posted(ledger.grant(account.user, asked["amount"], **_why(request, account, asked)))

        return ask_first(self, request, queryset, title=_("Grant credits"), form_class=AmountForm, act=act)

    @admin.action(description=_("Adjust the balance…"), permissions=["act"])
    def adjust(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        """Correct the balance of each of these accounts by the same number, up or down."""

        def act(account: Account, asked: dict[str, Any]) -> str:
            return _posted(ledger.adjust(account.user, asked["amount"], **_why(request, account, asked)))

        return ask_first(self, request, queryset, title=_("Adjust the balance"), form_class=SignedAmountForm, act=act)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ["created", "owner", "reference", "amount", "settled", "refunded", "status"]
    list_filter = ["status", "created"]
    list_select_related = ["account__user"]
    search_fields = ["reference", "account__user__username", "account__user__email"]
    ordering = ["-created"]
    fields = ["owner", "reference", "amount", "settled", "refunded", "status", "created", "closed"]
    readonly_fields = ["owner"]
    actions = ["refund"]

    @admin.display(description=_("account"))
    def owner(self, hold: Hold) -> str:
        return str(hold.account)

    @admin.action(description=_("Give back what was taken…"), permissions=["act"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Hold]) -> HttpResponse | None:
        """Give back credits that each of these holds took."""

        def act(hold: Hold, asked: dict[str, Any]) -> str:
            return _posted(ledger.refund(hold, asked["amount"], **_why(request, hold, asked)))

        return ask_first(self, request, queryset, title=_("Give back what was taken"), form_class=AmountForm, act=act)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ["created", "owner", "kind", "signed", "balance_after", "reason", "actor", "reference"]
    list_filter = ["kind", "created"]
    list_select_related = ["account__user", "actor"]
    search_fields = ["reference", "reason", "key", "account__user__username", "account__user__email"]
    fields = ["owner", "kind", "signed", "balance_after", "hold", "reference", "reason", "actor", "key", "created"]
    readonly_fields = ["owner", "signed"]

    @admin.display(description=_("account"))
    def owner(self, entry: Entry) -> str:
        return str(entry.account)

    @admin.display(description=_("amount"), ordering="amount")
    def signed(self, entry: Entry) -> str:
        return f"{entry.amount:+}"


@admin.register(Verdict)
class VerdictAdmin(ReadOnlyAdmin):
    list_display = ["at", "__str__", "seconds"]
    fields = ["at", "__str__", "seconds", "told"]
    readonly_fields = ["__str__", "told"]

    @admin.display(description=_("broken rules"))
    def told(self, verdict: Verdict) -> str:
        return format_html_join("", "<p>{}</p>", ((line,) for line in verdict.lines)) or "-"


def _why(request: HttpRequest, row: Account | Hold, asked: dict[str, Any]) -> dict[str, Any]:
    """Who, why, and the key by which the same page sent twice is known for each row."""
    return {"key": f"admin:{asked['key']}:{row.pk}", "reason": asked["reason"], "actor": request.user}


def _posted(entry: Entry) -> str:
    return _t("%(amount)+d credits, %(balance)d now. %(reason)s") % {
        "amount": entry.amount,
        "balance": entry.balance_after,
        "reason": entry.reason,
    }
