"""What a person may write into the box: any language, no control characters, a sensible length."""

import unicodedata

from django.utils.translation import gettext as _

LIMIT = 2000  # characters
_INVISIBLE = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # Unicode's categories of what is fine between words and no word itself
# Embeddings and overrides of the writing direction: invisible, and able to make a page show other words.
_DIRECTION = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class InvalidInput(Exception):
    """What was asked for cannot be done; `errors` has a sentence for each field by name. Nothing was changed."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {text}" for field, text in errors.items()))
        self.errors = errors


def clean(prompt: object, *, field: str = "prompt", limit: int = LIMIT) -> str:
    """The prompt without outer blanks and with plain line ends; raises InvalidInput naming the field."""
    if not isinstance(prompt, str):
        raise InvalidInput({field: _("This must be text.")})
    text = prompt.replace("\r\n", "\n").strip()
    if not any(unicodedata.category(character) not in _INVISIBLE for character in text):
        raise InvalidInput({field: _("Write what you want to see.")})
    if len(text) > limit:
        raise InvalidInput(
            {field: _("This is %(length)d characters long; at most %(limit)d are possible.")
             % {"length": len(text), "limit": limit}}
        )  # fmt: skip
    _require_visible(text, field)
    return text


def _require_visible(text: str, field: str) -> None:
    for position, character in enumerate(text, start=1):
        hidden = unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"
        if hidden or character in _DIRECTION:
            raise InvalidInput(
                {field: _("Character %(position)d is an invisible control character; take it out.")
                 % {"position": position}}
            )  # fmt: skip
