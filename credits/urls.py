"""Pages about money."""

from django.urls import path

from credits import views

app_name = "credits"
urlpatterns = [
    path("", views.account, name="account"),
    path("rules/", views.rules, name="rules"),
]
