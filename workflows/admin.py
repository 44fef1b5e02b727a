"""What staff see of a run, on one page: steps, attempts with the provider's own words, timeline and money.

Nothing is edited. A run can be ended, canceled or tried again, by the same operations as everywhere.
"""

import datetime
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from credits.admin import ReadOnlyAdmin, ReasonForm, ask_first
from credits.ledger import LedgerError
from credits.models import Entry, Hold
from workflows import pipeline
from workflows.models import Attempt, Workflow
from workflows.states import UNFINISHED

Choices = list[tuple[str, Any]]


class Price(admin.SimpleListFilter):
    title, parameter_name = _("price"), "price"
    bounds = {"small": (1, 10), "medium": (11, 100), "large": (101, 2**31)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """The three classes of price."""
        return [("small", _("up to 10")), ("medium", _("11 to 100")), ("large", _("more than 100"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> QuerySet[Workflow]:
        """The runs whose quote is within the class that was chosen."""
        return queryset.filter(quoted__range=self.bounds[value]) if (value := self.value()) in self.bounds else queryset


class Stuck(admin.SimpleListFilter):
    title, parameter_name = _("waiting"), "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """What a run can be overdue in."""
        return [("deadline", _("past its deadline")), ("check", _("not looked at for 5 minutes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> QuerySet[Workflow]:
        """The unfinished runs that somebody should have dealt with."""
        long_ago = Now() - datetime.timedelta(minutes=5)
        overdue = {
            "deadline": Q(deadline__lt=Now()),
            "check": Q(pk__in=Attempt.objects.filter(next_check_at__lt=long_ago).values("step__workflow")),
        }
        chosen = overdue.get(self.value() or "")
        return queryset.filter(chosen, status__in=UNFINISHED) if chosen else queryset


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    change_form_template = "admin/workflows/workflow.html"
    list_display = ["created", "user", "type", "status", "reason", "quoted", "taken", "start"]
    list_filter = ["status", "type", "reason", Price, Stuck, "created"]
    list_select_related = ["user"]
    search_fields = ["prompt", "user__username", "user__email"]
    search_help_text = _("the id of a run, words of its prompt, a username or an e-mail address")
    fields = [
        "id", "user", "type", "prompt", "options", "image", "status", "reason", "quoted",
        "created", "finished", "deadline", "cancel_requested", "doubted", "deleted",
    ]  # fmt: skip
    actions = ["end", "cancel", "retry"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workflow]:
        """With the credits that were taken for each."""
        workflows: QuerySet[Workflow] = super().get_queryset(request)
        return workflows.annotate(taken=Sum("steps__charged"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Workflow], search_term: str
    ) -> tuple[QuerySet[Workflow], bool]:
        """The run with this id, else what the words are found in."""
        try:
            return queryset.filter(pk=uuid.UUID(search_term.strip().removeprefix("workflow:"))), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("prompt"))
    def start(self, workflow: Workflow) -> str:
        return workflow.prompt[:60] + ("…" if len(workflow.prompt) > 60 else "")

    @admin.display(description=_("taken"), ordering="taken")
    def taken(self, workflow: Any) -> int:
        return int(workflow.taken or 0)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One run with everything that belongs to it."""
        workflow = self.get_object(request, object_id)
        shown = {"run": workflow, **_belongings(workflow)} if workflow else {}
        return super().change_view(request, object_id, form_url, shown | (extra_context or {}))

    @admin.action(description=_("End and give back…"), permissions=["act"])
    def end(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> HttpResponse | None:
        """End each of these runs by hand; what was not delivered is given back."""

        def act(workflow: Workflow, asked: dict[str, Any]) -> str:
            if workflow.is_finished:
                raise ValueError(_t("It has ended already; nothing was changed."))
            pipeline.fail(workflow.pk, detail=f"ended by {request.user}: {asked['reason']}")
            return _t("Ended: %(reason)s") % {"reason": asked["reason"]}

        return ask_first(self, request, queryset, title=_("End and give back"), form_class=ReasonForm, act=act)

    @admin.action(description=_("Cancel"), permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        """Cancel each of these runs, as its owner could."""
        self._each(request, queryset, pipeline.cancel, _t("Asked to cancel."))

    @admin.action(description=_("Try again"), permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        """Try each of these runs again, as its owner could, on its owner's credits."""
        self._each(request, queryset, pipeline.retry, _t("In line again."))

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Workflow], act: Callable[[uuid.UUID], Workflow], done: str
    ) -> None:
        for workflow in queryset:
            try:
                act(workflow.pk)
            except (LedgerError, pipeline.NotRetryable) as error:
                messages.error(request, f"{workflow}: {error}")
            else:
                self.log_change(request, workflow, done)
                messages.success(request, f"{workflow}: {done}")


def _belongings(workflow: Workflow) -> dict[str, Any]:
    return {
        "steps": workflow.steps.select_related("asset").prefetch_related("attempts"),
        "transitions": workflow.transitions.all(),
        "holds": Hold.objects.filter(reference=workflow.reference).order_by("created"),
        "entries": Entry.objects.filter(reference=workflow.reference).select_related("actor").order_by("created"),
    }
