"""How the fields of the box are written: what Django's own templates say of them, without its engine.

The box has a dozen fields with some forty choices, and Django takes a template for each, with another one inside. It is
the same to the letter, which a test compares. What is not here Django renders.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

Widget = Mapping[str, Any]  # what a widget tells its template


class Renderer(DjangoTemplates):
    """Django's, which does not take a template for what is written here."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> SafeString:
        """A widget."""
        if write := _WRITERS.get(template_name):
            return mark_safe(write(context["widget"]))  # noqa: S308 (all that is given is escaped)
        return SafeString(super().render(template_name, context, request))


def _attributes(widget: Widget) -> str:
    given = ((name, value) for name, value in widget["attrs"].items() if value is not False)
    return "".join(f" {_safe(name)}" if value is True else f' {_safe(name)}="{_safe(value)}"' for name, value in given)


def _input(widget: Widget) -> str:
    value = "" if widget["value"] is None else f' value="{_safe(widget["value"])}"'
    return f'<input type="{_safe(widget["type"])}" name="{_safe(widget["name"])}"{value}{_attributes(widget)}>'


def _choice(widget: Widget) -> str:
    if not widget.get("wrap_label"):
        return _input(widget)
    named = f' for="{_safe(widget["attrs"]["id"])}"' if widget["attrs"].get("id") else ""
    return f"<label{named}>{_input(widget)}\n {_safe(widget['label'])}</label>"


def _select(widget: Widget) -> str:
    options = (f"\n  {_option(option)}\n" for _, group, _ in widget["optgroups"] for option in group)
    return f'<select name="{_safe(widget["name"])}"{_attributes(widget)}>{"".join(options)}\n</select>'


def _option(widget: Widget) -> str:
    return f'<option value="{_safe(widget["value"])}"{_attributes(widget)}>{_safe(widget["label"])}</option>'


def _safe(value: object) -> str:
    return str(conditional_escape(value if isinstance(value, str) else str(value)))


_WRITERS: dict[str, Callable[[Widget], str]] = {
    **{f"django/forms/widgets/{name}.html": _input for name in ("checkbox", "file", "hidden", "number", "text")},
    "django/forms/widgets/radio_option.html": _choice,
    "django/forms/widgets/select.html": _select,
}
