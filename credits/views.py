"""Pages about money: what one has, where it went, and the rules by which it comes back."""

import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from credits import ledger, references
from credits.models import Entry, Hold
from credits.policy import RULES

PAGE = 50  # lines on one page


class Visit(HttpRequest):
    """A request by somebody who has signed in."""

    user: User


@login_required
@never_cache
@require_GET
def account(request: Visit) -> HttpResponse:
    """The balance and its history, newest first."""
    entries = Entry.objects.filter(account__user=request.user).select_related("hold").order_by("-created", "-pk")
    page = list(_after(entries, request.GET.get("before"))[: PAGE + 1])
    holds = Hold.objects.filter(account__user=request.user, status=Hold.Status.OPEN).order_by("-created")
    lines = [*(hold.reference for hold in holds), *(entry.reference for entry in page)]
    meanings = references.meanings(lines)
    account = ledger.balance(request.user)
    context: dict[str, Any] = {
        "account": account,
        "purse": account,
        "holds": [(hold, meanings.get(hold.reference)) for hold in holds],
        "entries": [(entry, meanings.get(entry.reference)) for entry in page[:PAGE]],
        "more": page[PAGE - 1].pk if len(page) > PAGE else None,
    }
    return render(request, "credits/account.html", context)


@require_GET
def rules(request: HttpRequest) -> HttpResponse:
    """What happens if it fails: the very table by which credits are given back."""
    return render(request, "credits/rules.html", {"rules": RULES.values()})


def _after(entries: QuerySet[Entry], before: str | None) -> QuerySet[Entry]:
    if not before:
        return entries
    try:
        last = get_object_or_404(entries, pk=uuid.UUID(before))
    except ValueError as error:
        raise Http404 from error
    return entries.filter(Q(created__lt=last.created) | Q(created=last.created, pk__lt=last.pk))
