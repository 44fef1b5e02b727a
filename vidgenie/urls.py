"""Every address of the site. The first segment is the app."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from providers import views as provider_views
from vidgenie import monitoring, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("workflows/", include("workflows.urls")),
    path("hooks/", include("workflows.webhook_urls")),
    path("credits/", include("credits.urls")),
    path("accounts/language/", set_language, name="set_language"),
    path("accounts/theme/", views.theme, name="theme"),
    path("accounts/tokens/", views.api_tokens, name="tokens"),
    path("accounts/tokens/<str:pk>/revoke/", views.revoke_token, name="revoke-token"),
    path("accounts/keys/", provider_views.own_keys, name="own-keys"),
    path("accounts/keys/<uuid:pk>/erase/", provider_views.take_own_key_away, name="take-own-key-away"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("vidgenie.api_urls")),
    path("healthz", monitoring.healthz, name="healthz"),
    path("readyz", monitoring.readyz, name="readyz"),
    path("metrics", monitoring.numbers, name="metrics"),
]
handler400 = "vidgenie.api.bad_request"
handler403 = "vidgenie.api.permission_denied"
handler404 = "vidgenie.api.not_found"
handler500 = "vidgenie.api.server_error"
