"""Every address of the site. The first segment is the app."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from vidgenie import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("workflows/", include("workflows.urls")),
    path("credits/", include("credits.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("vidgenie.api_urls")),
]
handler400 = "vidgenie.api.bad_request"
handler403 = "vidgenie.api.permission_denied"
handler404 = "vidgenie.api.not_found"
handler500 = "vidgenie.api.server_error"
