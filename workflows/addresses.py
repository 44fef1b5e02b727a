"""Addresses of runs and files. A page of the gallery has dozens, which differ in an id alone: so Django works each out
once, for one id, and the others are put together from what stands around it.
"""

import functools
from uuid import UUID

from django.urls import get_script_prefix, reverse

_ANY = UUID(int=0)


def address(name: str, pk: object) -> str:
    """What `reverse` says for a name and an id."""
    before, after = _around(name, get_script_prefix())
    return f"{before}{pk}{after}"


@functools.cache
def _around(name: str, prefix: str) -> tuple[str, str]:
    """What stands before and after the id, where the site lives under this prefix."""
    before, _, after = reverse(name, args=[_ANY]).partition(str(_ANY))
    return before, after
