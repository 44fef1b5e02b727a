"""Pages that belong to no app: the front page, API tokens, the theme."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from credits import ledger
from credits.views import Visit
from vidgenie import tokens
from vidgenie.forms import TokenForm
from vidgenie.models import ApiToken
from workflows import pipeline
from workflows.prompts import InvalidInput

THEMES = ("dark", "light")
YEAR = 365 * 24 * 60 * 60  # seconds


def site(request: HttpRequest) -> dict[str, object]:
    """What every template knows. The balance is asked for only where it is shown."""
    theme = request.COOKIES.get("theme", "")
    return {
        "SITE_NAME": settings.SITE_NAME,
        "theme": theme if theme in THEMES else "",
        "purse": SimpleLazyObject(lambda: ledger.balance(request.user)),  # type: ignore[arg-type]
    }


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What VidGenie is, for somebody who has not signed in; the box for somebody who has."""
    if request.user.is_authenticated:
        return redirect("workflows:create")
    context = {"quote": pipeline.quote("complete", "…"), "welcome": settings.SIGNUP_CREDITS}
    return render(request, "vidgenie/home.html", context)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember dark or light in a cookie, or forget it: then the system decides."""
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = redirect(back if safe else "home")
    if request.POST.get("theme") in THEMES:
        response.set_cookie("theme", request.POST["theme"], max_age=YEAR, samesite="Lax", httponly=True)
    else:
        response.delete_cookie("theme")
    return response


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def api_tokens(request: Visit) -> HttpResponse:
    """One's API tokens; a new one is shown once, in the answer to the request that made it."""
    form, made, new = TokenForm(request.POST or None), None, ""
    if request.method == "POST" and form.is_valid():
        try:
            made, new = tokens.create(request.user, **form.cleaned_data)
            form = TokenForm()
        except InvalidInput as invalid:
            form.add_error(None, ValidationError(dict(invalid.errors)))
    own = ApiToken.objects.filter(user=request.user)
    status = 201 if new else 422 if form.errors else 200
    context = {"tokens": own, "form": form, "made": made, "new": new}
    return render(request, "vidgenie/tokens.html", context, status=status)


@login_required
@require_POST
def revoke_token(request: Visit, pk: str) -> HttpResponse:
    """Make a token worthless at once."""
    tokens.revoke(get_object_or_404(ApiToken, user=request.user, pk=pk))
    messages.success(request, _("The token is revoked. Programs that use it are refused from now on."))
    return redirect("tokens")
