"""What the last check of the books said, for pages of staff."""

import datetime

from django import template
from django.utils import timezone

from credits.models import Verdict

register = template.Library()

STALE = datetime.timedelta(days=2)  # they are checked every day


@register.simple_tag
def last_verdict() -> Verdict | None:
    """The last verdict, None before the first."""
    return Verdict.objects.first()


@register.filter
def is_stale(verdict: Verdict) -> bool:
    """Whether the books should have been checked again since."""
    return verdict.at < timezone.now() - STALE
