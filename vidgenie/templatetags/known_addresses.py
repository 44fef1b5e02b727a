"""Django's `url`, which remembers addresses without arguments: a page has a dozen, in its frame alone."""

import functools
from typing import Any

from django import template
from django.template.base import Parser, Token
from django.template.context import Context
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as parse
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString

register = template.Library()


class Address(URLNode):
    """The address of a page that takes no arguments."""

    def render(self, context: Context) -> SafeString:
        """As Django's, unless there is no such page, which is for Django to say."""
        known = _known(self.view_name.resolve(context), get_script_prefix(), get_urlconf())
        if known is None:
            return SafeString(super().render(context))
        if self.asvar:
            context[self.asvar] = known
            return SafeString()
        return escape(known) if context.autoescape else SafeString(known)


@functools.lru_cache(maxsize=500)
def _known(view: Any, prefix: str, urlconf: Any) -> str | None:
    """Where it is, on a site that lives under this prefix."""
    try:
        return reverse(view, urlconf)
    except NoReverseMatch:
        return None


@register.tag
def url(parser: Parser, token: Token) -> URLNode:
    """`{% url %}`."""
    node = parse(parser, token)
    if node.args or node.kwargs:
        return node
    return Address(node.view_name, node.args, node.kwargs, node.asvar)
