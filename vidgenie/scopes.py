"""What a token may do: each view says in `scopes` which one each of its methods needs.

Views name them in plain words (`scopes = {"GET": "read"}`), since those of `credits` and `providers` cannot import this
module. A method that a view answers without saying so is refused to everybody: a forgotten line opens nothing.
"""

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from vidgenie.api import Problem
from vidgenie.models import ApiToken, Scope

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module while it loads


class MissingScope(Problem):
    """The token is good, and not for this. Says which scope is needed, in the body and as RFC 6750 has it."""

    def __init__(self, needed: str) -> None:
        detail = _("This token was made without the scope “%(scope)s”, which this needs.") % {"scope": needed}
        super().__init__(403, "insufficient_scope", detail, more={"scope": needed})
        self.auth_header = f'Bearer error="insufficient_scope", scope="{needed}"'


class HasScope(IsAuthenticated):
    """Somebody who has signed in, or a token with the scope that this needs."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether they may; raises MissingScope."""
        if not super().has_permission(request, view):
            return False
        scope = needed(view, str(request.method))
        if scope and isinstance(request.auth, ApiToken) and scope not in request.auth.scopes:
            raise MissingScope(scope)
        return True


def needed(view: Any, method: str) -> Scope | None:
    """The scope for a method of a view; None for what it does not answer. Raises KeyError where it forgot to say."""
    method = "GET" if method in ("HEAD", "OPTIONS") else method
    if method not in view.scopes and not hasattr(view, method.lower()):
        return None  # REST framework says 405
    return Scope(view.scopes[method])
