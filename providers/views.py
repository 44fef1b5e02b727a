"""A user's own keys to providers: theirs are used for their runs only, at the price of the service."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from providers import crypto, keys
from providers.forms import KeyForm
from providers.models import ProviderKey


@login_required
@never_cache
@sensitive_post_parameters("key")
@require_http_methods(["GET", "POST"])
def own_keys(request: HttpRequest) -> HttpResponse:
    """One's keys to providers; a new one is sealed, tried, and never shown again."""
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            kept = keys.store(form.cleaned_data["provider"], form.cleaned_data["key"], owner=request.user)  # type: ignore[arg-type]
        kept.refresh_from_db(fields=["verdict"])
        said = {"provider": kept.provider, "verdict": kept.verdict}
        messages.info(request, _("Your runs with %(provider)s use this key from now on. %(verdict)s") % said)
        return redirect("own-keys")
    own = ProviderKey.objects.filter(owner=request.user, active=True).defer("sealed").order_by("provider")  # type: ignore[misc]
    shown = {"keys": own, "form": form, "can_keep": bool(crypto.ring().ids)}
    return render(request, "providers/keys.html", shown, status=422 if form.errors else 200)


@login_required
@require_POST
def take_own_key_away(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Erase one of one's keys."""
    keys.take_away(get_object_or_404(ProviderKey, pk=pk, owner=request.user, active=True))
    messages.success(request, _("The key is erased. Runs that still need it will fail."))
    return redirect("own-keys")
