"""The form by which keys come in, in the admin and on a user's own page."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from providers import crypto, keys
from providers.models import ProviderKey


class WriteOnly(forms.Textarea):
    """A field that takes a secret and never shows it, not even when the form comes back with a complaint."""

    def __init__(self) -> None:
        super().__init__({"rows": 3, "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"})

    def format_value(self, value: Any) -> str:
        """Nothing."""
        return ""


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new key; it takes the place of the one there was."""

    provider = forms.ChoiceField(label=_("Provider"))
    key = forms.CharField(
        label=_("Key"),
        strip=False,
        required=False,  # keys.store has the better sentence
        widget=WriteOnly,
        help_text=_("Sealed when saved, never shown again, and tried by one call that is not billed."),
    )

    class Meta:
        model = ProviderKey
        fields = ["provider"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = [(name, name) for name in keys.keyed_providers()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Refuse what cannot be a key of the provider, and any key where there is nothing to seal it with."""
        cleaned = super().clean() or {}
        if not crypto.ring().ids:
            raise forms.ValidationError(
                _(
                    "There is no encryption key to seal it with. Set VIDGENIE_ENCRYPTION_KEYS and restart: "
                    "`manage.py rotate_encryption_keys --new-key` prints a value for it."
                )
            )
        if "provider" in cleaned:
            try:
                keys.require_shape(cleaned["provider"], cleaned.get("key", ""))
            except keys.KeyRefused as error:
                self.add_error("key", str(error))
        return cleaned
