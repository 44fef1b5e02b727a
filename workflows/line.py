"""Waiting for a key that runs as many jobs as it may: who is before whom, computed and never stored for long.

The limits are the providers' own (a new fal account runs 2); one job more would be refused or would sit in their line,
where it can no longer be stopped for nothing.
"""

import datetime

from django.conf import settings

from providers.adapters import ADAPTERS, key_owner
from workflows.models import Attempt
from workflows.states import UNFINISHED

PATIENCE = datetime.timedelta(seconds=2)
Phase = Attempt.Phase


def position(attempt: Attempt) -> int:
    """The place of an unsubmitted attempt in line, from 1; 0 when it may go now."""
    owner = key_owner(attempt.provider)
    limit = settings.PROVIDER_CONCURRENCY.get(owner, 0)
    if not limit:
        return 0
    sharing = [provider for provider in ADAPTERS if key_owner(provider) == owner]
    others = Attempt.objects.filter(provider__in=sharing, key=attempt.key_id, status__in=UNFINISHED)
    busy = others.filter(phase__in=[Phase.SUBMITTING, Phase.FETCH]).count()
    if busy < limit:
        return 0
    before = others.filter(phase=Phase.SUBMIT).exclude(pk=attempt.pk)
    if not attempt._state.adding:  # else it is just being made, and last
        before = before.filter(created__lt=attempt.created)
    return before.count() + 1
