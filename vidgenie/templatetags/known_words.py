"""Django's i18n, which remembers what a constant sentence of a template is in each language; a page has dozens."""

from django import template
from django.template.base import Parser, Token
from django.template.context import Context
from django.templatetags import i18n
from django.templatetags.i18n import TranslateNode, do_translate
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

register = template.Library()
register.tags.update(i18n.register.tags)
register.filters.update(i18n.register.filters)


class Words(TranslateNode):
    """A constant sentence."""

    def __init__(self, node: TranslateNode) -> None:
        super().__init__(node.filter_expression, node.noop)
        self.said: dict[str | None, SafeString] = {}

    def render(self, context: Context) -> SafeString:
        """What Django has said of it before, in this language."""
        language = get_language()
        known = self.said.get(language)
        if known is None:
            known = self.said[language] = mark_safe(super().render(context))  # noqa: S308 (it is the template's own)
        return known


@register.tag("translate")
@register.tag("trans")
def translate(parser: Parser, token: Token) -> TranslateNode:
    """`{% translate %}`."""
    node = do_translate(parser, token)
    constant = node.filter_expression.var.literal is not None and not node.filter_expression.filters
    plain = not (node.noop or node.asvar or node.message_context)
    return Words(node) if constant and plain else node
