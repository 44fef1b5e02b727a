"""API tokens: made and revoked by their owner, told apart by a digest, shown once and never again.

A token opens the API and nothing else: there is no way from it to another token.
"""

import datetime
import re
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.crypto import hash_token

import sql
from vidgenie.models import ApiToken, Scope
from workflows.prompts import InvalidInput

LONGEST_DAYS = 365
NAME_LIMIT = 60  # characters
_SHAPE = re.compile(r"vg_[0-9a-f]{64}")
_FIND = f"""
SELECT {sql.columns(ApiToken, "token")}, {sql.columns(User, "owner")}
FROM vidgenie_apitoken token JOIN auth_user owner ON owner.id = token.user_id
WHERE token.digest = %s AND token.expiry > %s AND owner.is_active"""  # noqa: S608
_USE_NOTED_EVERY = datetime.timedelta(minutes=1)


def create(
    user: User, name: str, days: int | None = None, scopes: Iterable[str] = Scope.values
) -> tuple[ApiToken, str]:
    """A new token and its text, which is kept nowhere; it lives for `days`, or as long as the settings say.

    Raises InvalidInput naming `name`, `days` or `scopes`.
    """
    days = settings.API_TOKEN_DAYS if days is None else days
    name = name.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidInput({"name": _("Give it a name of 1 to %(limit)d characters.") % {"limit": NAME_LIMIT}})
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput({"days": _("This must be a whole number from 1 to %(most)d.") % {"most": LONGEST_DAYS}})
    expiry = datetime.timedelta(days=days)
    token, text = ApiToken.objects.create(user, expiry=expiry, name=name, scopes=_known(scopes))
    return token, text


def _known(scopes: Iterable[str]) -> list[str]:
    """The scopes in the order of their table, each once."""
    chosen = set(scopes)
    if not chosen or chosen - set(Scope.values):
        raise InvalidInput({"scopes": _("Choose at least one of: %(names)s.") % {"names": ", ".join(Scope.values)}})
    return [scope for scope in Scope.values if scope in chosen]


def revoke(token: ApiToken) -> None:
    """Take a token away; programs that use it are refused from now on. Twice is safe."""
    ApiToken.objects.filter(pk=token.pk).delete()


def find(text: str) -> ApiToken | None:
    """The token with this text and its user, if it is good today and its user is active. One query."""
    if not _SHAPE.fullmatch(text):
        return None
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [hash_token(text), timezone.now()])
        found = cursor.fetchone()
    if found is None:
        return None
    token: ApiToken
    token, token.user = sql.joined(found, ApiToken, User)
    return token


def note_use(token: ApiToken) -> None:
    """Remember when it was last used, to the minute: most requests write nothing."""
    now = timezone.now()
    if token.last_used is None or now - token.last_used >= _USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used=now)
