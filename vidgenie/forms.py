"""Forms of pages that belong to no app."""

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from vidgenie.models import Scope
from vidgenie.tokens import LONGEST_DAYS, NAME_LIMIT


class TokenForm(forms.Form):
    """A new API token: what it is for, how long it lives, and what it may do."""

    name = forms.CharField(label=_("What is it for?"), max_length=NAME_LIMIT)
    days = forms.IntegerField(
        label=_("Valid for how many days?"),
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=lambda: settings.API_TOKEN_DAYS,
    )
    scopes = forms.MultipleChoiceField(
        label=_("What may it do?"),
        choices=Scope.choices,
        initial=[Scope.READ, Scope.RUN],
        widget=forms.CheckboxSelectMultiple,
    )
