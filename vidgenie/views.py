"""Pages that belong to no app."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def site(request: HttpRequest) -> dict[str, object]:
    """What every template knows."""
    return {"SITE_NAME": settings.SITE_NAME}


def home(request: HttpRequest) -> HttpResponse:
    """What VidGenie is, for somebody who has not signed in."""
    return render(request, "vidgenie/home.html")
