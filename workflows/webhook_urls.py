"""Where providers reach us: /hooks/…, one address for each attempt."""

from django.urls import path

from workflows import webhooks

urlpatterns = [path("<slug:provider>/<uuid:attempt>", webhooks.receive, name="provider-webhook")]
