"""Forms of pages that belong to no app."""

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class TokenForm(forms.Form):
    """A new API token: what it is for, and how long it lives."""

    name = forms.CharField(label=_("What is it for?"), max_length=60)
    days = forms.IntegerField(
        label=_("Valid for how many days?"), min_value=1, max_value=3650, initial=lambda: settings.API_TOKEN_DAYS
    )
