"""Addresses of the API, without a slash at the end."""

from csp.decorators import csp_update
from django.urls import URLPattern, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from credits.api import Credits
from providers.api import Models
from vidgenie import api, openapi  # noqa: F401 (openapi describes our authentication)
from workflows import api as workflows

app_name = "api"
urlpatterns: list[URLPattern] = [
    path("workflow", workflows.Workflows.as_view(), name="workflow-list"),
    path("workflow/execute", workflows.Execute.as_view(), name="workflow-execute"),
    path("workflow/status", workflows.StatusByQuery.as_view(), name="workflow-status"),
    path("workflow/status/<uuid:workflow_id>", workflows.StatusOf.as_view(), name="workflow-status"),
    path("workflow/cancel", workflows.CancelByBody.as_view(), name="workflow-cancel"),
    path("workflow/cancel/<uuid:workflow_id>", workflows.Cancel.as_view(), name="workflow-cancel"),
    path("workflow/retry/<uuid:workflow_id>", workflows.Retry.as_view(), name="workflow-retry"),
    path("workflow/<uuid:workflow_id>", workflows.Delete.as_view(), name="workflow-delete"),
    path("assets", workflows.Uploads.as_view(), name="asset-list"),
    path("assets/<uuid:asset_id>", workflows.AssetDetail.as_view(), name="asset-detail"),
    path("assets/<uuid:asset_id>/content", workflows.Content.as_view(), name="asset-content"),
    path("assets/<uuid:asset_id>/thumbnail", workflows.Thumbnail.as_view(), name="asset-thumbnail"),
    path("credits", Credits.as_view(), name="credits"),
    path("models", Models.as_view(), name="models"),
    path("schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path(
        "docs",
        # Swagger UI brings a style sheet inside its page and sets styles on elements as it draws.
        csp_update({"style-src": ["'unsafe-inline'"]})(SpectacularSwaggerSplitView.as_view(url_name="api:schema")),
        name="docs",
    ),
    path("<path:rest>", api.elsewhere, name="elsewhere"),
]
