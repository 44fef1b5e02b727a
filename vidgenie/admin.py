"""The staff's site as a whole: one sign-in for everybody, second factor included, and nothing that shows secrets."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from vidgenie.models import ApiToken

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = _("VidGenie staff")
admin.site.enable_nav_sidebar = False  # tables need the room; the breadcrumbs lead everywhere
admin.site.index_title = _("What would you like to look at?")


def unregister(app_label: str) -> None:
    """Take an app's pages out of the site, once the app has put them in."""
    app = apps.get_app_config(app_label)
    import_module(f"{app.name}.admin")
    for model in app.get_models():
        if admin.site.is_registered(model):
            admin.site.unregister(model)


unregister("django_q")  # its pages show pickles; the workflows' own pages say where a run stands
unregister("mfa")  # its page shows the seed of everybody's second factor; the one below doesn't


class RevocableAdmin(ModelAdmin):
    """Rows that staff may look at and take away, and neither make nor change."""

    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(Authenticator)
class AuthenticatorAdmin(RevocableAdmin):
    list_display = ["user", "type", "created_at", "last_used_at"]
    fields = ["user", "type", "created_at", "last_used_at"]


@admin.register(ApiToken)
class ApiTokenAdmin(RevocableAdmin):
    list_display = ["name", "user", "scopes", "created", "expiry", "last_used"]
    fields = ["name", "user", "scopes", "created", "expiry", "last_used"]
