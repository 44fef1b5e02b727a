"""Which key opens a provider for whom: an owner's own, else the platform's from the admin, else the environment's.

Keys are sealed from the moment they are typed and opened for the length of one call. A key that is replaced or taken
away is erased; its row stays, because attempts in flight remember it. A clock may use it for a second more, as it may
be in the middle of a call.
"""

import json
import logging
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from django.conf import settings
from django.db import Error as DatabaseFailed
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

import sql
from providers import crypto, health, pool
from providers.adapters import ADAPTERS, key_owner
from providers.base import Adapter, ProviderError, Reason
from providers.models import ProviderKey

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)

LONGEST = 8192  # characters; a service account has some 2,400
ROUNDS = 50  # more than anybody has tabs open on one form
_TELLING = 12  # characters from which on a part of a key is worth hiding
_HIDDEN = "•••"
MOMENT = 1.0  # seconds in which a clock, which needs the same key for call after call, goes by the row that it has
MOST = 500  # such rows

_rows: dict[tuple[str, str, object], tuple[ProviderKey | None, float]] = {}


class KeyRefused(ValueError):
    """A key that cannot be one. The text is a sentence for whoever typed it, and holds nothing of the key."""


@dataclass(frozen=True)
class Verdict:
    """What a check said: one word for programs, and a sentence for staff."""

    state: str
    text: str

    @property
    def fine(self) -> bool:
        """Whether calls may succeed with this key."""
        return self.state == "fine"


# Which key


def token(adapter: Adapter, key: UUID | None = None) -> str:
    """The opened key for a call; "" where none is needed. Raises ProviderError(UNAUTHORIZED) when there is none.

    `key` is the one that `chosen` gave. When it was replaced since, its owner's new one is taken, never another's.
    """
    if not adapter.needs_key:
        return ""
    row = _row(adapter, key)
    if row is not None:
        return _opened(row)
    return _without_row(adapter)


def chosen(provider: str, user: "User | None" = None) -> UUID | None:
    """The key of this user (None: of the platform) for a provider; None where the environment's is used.

    A user's key is named even after it was taken away: a call with it fails then, and is not made at our expense.
    """
    if not _adapter(provider).needs_key:
        return None
    owned = (_ACTIVE, None) if user is None else (_NEWEST, user.pk)
    found = _one(owned[0], key_owner(provider), owned[1])
    return found.pk if found else None


def is_own(key: UUID | None) -> bool:
    """Whether this is a user's key, and not the platform's."""
    return key is not None and ProviderKey.objects.filter(pk=key, owner__isnull=False).exists()


def available(provider: str, user: "User | None" = None) -> bool:
    """Whether there is a key to call this provider with: this user's, the platform's or the environment's."""
    name = key_owner(provider)
    if not _adapter(provider).needs_key or settings.PROVIDER_MODE == "simulated" or settings.PROVIDER_KEYS.get(name):
        return True
    active = ProviderKey.objects.filter(provider=name, active=True)
    return active.filter(owner=None).exists() or (user is not None and active.filter(owner=user).exists())


def keyed_providers() -> list[str]:
    """The providers that have keys of their own, by name."""
    return sorted(a.slug for a in ADAPTERS.values() if a.needs_key and not a.key_of)


@contextmanager
def opened(adapter: Adapter, key: UUID | None = None) -> Iterator[str]:
    """The opened key for one call; whatever the call raises comes out as a ProviderError without the key in it."""
    try:
        secret = token(adapter, key)
    except DatabaseFailed as error:  # while it is away nothing can be sent, and nothing was
        raise ProviderError(Reason.UNAVAILABLE, f"database: {type(error).__name__}", sent=False) from error
    if not secret:
        yield secret
        return
    try:
        yield secret
    except ProviderError as error:
        raise _without(secret, error) from None
    except Exception as error:
        # Libraries put headers into their messages; where it happened is told, what it said is not.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("The adapter of %s stumbled: %s\n%s", adapter.slug, type(error).__name__, where)
        raise ProviderError(Reason.UNAVAILABLE, f"{type(error).__name__} in our own code") from None


def redacted(text: str, secret: str) -> str:
    """The text without the key, and without those parts of it that are secret by themselves."""
    for part in _telling_parts(secret):
        text = text.replace(part, _HIDDEN)
    return text


# Keeping keys


def store(provider: str, plain: str, *, owner: "User | None" = None, row: UUID | None = None) -> ProviderKey:
    """Seal a key and make it the active one of its owner; it is checked once this is committed.

    Raises KeyRefused for what cannot be a key of this provider, NoEncryptionKey where nothing can be sealed.
    """
    require_shape(provider, plain)
    pk = row or uuid4()
    new = ProviderKey(
        id=pk,
        provider=provider,
        owner=owner,
        sealed=crypto.seal(plain, provider=provider, owner=owner.pk if owner else None, row=pk),
        fingerprint=crypto.fingerprint(plain),
        last_four=crypto.last_four(plain),
    )
    _replace(new)
    transaction.on_commit(lambda: check(provider, new.pk), robust=True)
    return new


def take_away(key: ProviderKey) -> None:
    """Erase a key. What still runs with it will fail, unless its owner stores another."""
    ProviderKey.objects.filter(pk=key.pk).update(active=False, sealed="")


def require_shape(provider: str, plain: str) -> None:
    """Raise KeyRefused, with a sentence that names the field, unless this may be a key of the provider."""
    adapter = _adapter(provider)
    if not plain.strip():
        raise KeyRefused(_("Key: it is empty. Paste the key of %(provider)s.") % {"provider": provider})
    if len(plain) > LONGEST:
        raise KeyRefused(_("Key: it has more than %(most)d characters; no key is that long.") % {"most": LONGEST})
    other = _marked(plain)
    if other and other != provider:
        raise KeyRefused(
            _("Key: this looks like a key of %(other)s, not of %(provider)s.") % {"other": other, "provider": provider}
        )
    if adapter.accepts_key(plain):
        return
    if re.search(r"\s", plain) and adapter.accepts_key("".join(plain.split())):
        raise KeyRefused(_("Key: there is a blank or a line break in it. Paste it without."))
    raise KeyRefused(
        _("Key: this is no key of %(provider)s; they look like %(looks)s")
        % {"provider": provider, "looks": adapter.key_looks}
    )


def looks_right(provider: str, plain: str) -> bool:
    """Whether `store` would take this key."""
    try:
        require_shape(provider, plain)
    except KeyRefused:
        return False
    return True


# Trying keys


def check(provider: str, key: UUID | None = None) -> Verdict:
    """Make one unbilled call with a key (None: the one that would be used) and keep what came of it with its row."""
    verdict = _verdict(provider, key)
    if verdict.fine and not is_own(key):
        health.bring_back(provider)
    if key is not None:
        ProviderKey.objects.filter(pk=key).update(checked=Now(), verdict=verdict.text[:200])
    return verdict


def _verdict(provider: str, key: UUID | None) -> Verdict:
    from providers import gateway

    if key is None and not available(provider):
        return Verdict("no_key", _("There is no key."))
    try:
        said = gateway.check(provider, key=key)
    except ProviderError as error:
        return _failure(error)
    return Verdict("fine", _("Fine: %(said)s") % {"said": said})


def _failure(error: ProviderError) -> Verdict:
    state, words = {
        Reason.UNAUTHORIZED: ("refused", _("The key was refused.")),
        Reason.OUT_OF_QUOTA: ("out_of_credit", _("The key is right, but its account is out of credit.")),
        Reason.RATE_LIMITED: ("busy", _("The provider is busy and asks to wait.")),
        Reason.UNAVAILABLE: ("unreachable", _("The provider could not be reached.")),
        Reason.TIMED_OUT: ("unreachable", _("The provider did not answer in time.")),
    }.get(error.reason, ("unclear", _("The provider answered in a way that says nothing about the key.")))
    return Verdict(state, f"{words} {error.detail}".strip())


# The pieces


def _adapter(provider: str) -> Adapter:
    return ADAPTERS[provider]


def _row(adapter: Adapter, key: UUID | None) -> ProviderKey | None:
    """The row to open: the one asked for, its owner's active one when it was replaced; None for no row at all."""
    provider = adapter.key_of or adapter.slug
    if key is None:
        return _one(_ACTIVE, provider, None)
    asked = _one(_BY_ID, provider, key)
    if asked is None:
        raise _no_key(adapter)
    if asked.active:
        return asked
    current = _one(_ACTIVE, provider, asked.owner_id)
    if current is None and asked.owner_id is not None:
        raise _no_key(adapter)
    return current


_BY_ID = "provider = %s AND id = %s"
_ACTIVE = "provider = %s AND owner_id IS NOT DISTINCT FROM %s AND active"
_NEWEST = "provider = %s AND owner_id = %s ORDER BY active DESC, created DESC LIMIT 1"


def _one(where: str, provider: str, value: object) -> ProviderKey | None:
    """The row, still sealed. Where calls are made by the dozen, it is not asked for again within a moment."""
    asked, now = (where, provider, value), time.monotonic()
    known = _rows.get(asked)
    if known and now < known[1]:
        return known[0]
    row = next(iter(sql.found(ProviderKey, where, [provider, value])), None)
    if pool.is_shared() and (row is not None or value is None):  # a user who adds a key shall not be told there is none
        if len(_rows) >= MOST:
            _rows.clear()
        _rows[asked] = row, now + MOMENT
    return row


def _opened(row: ProviderKey) -> str:
    try:
        return crypto.open_sealed(row.sealed, provider=row.provider, owner=row.owner_id, row=row.pk)
    except crypto.Unopenable:
        detail = f"the sealed key {row.pk} does not open with any key in VIDGENIE_ENCRYPTION_KEYS"
        raise ProviderError(Reason.UNAUTHORIZED, detail, sent=False) from None


def _without_row(adapter: Adapter) -> str:
    """The simulator gets a sample, never the environment's real key."""
    if settings.PROVIDER_MODE == "simulated":
        return adapter.sample_key()
    found: str = settings.PROVIDER_KEYS.get(adapter.key_of or adapter.slug, "")
    if not found:
        raise _no_key(adapter)
    return found


def _without(secret: str, error: ProviderError) -> ProviderError:
    detail = redacted(error.detail, secret)
    if detail == error.detail:
        return error
    return ProviderError(error.reason, detail, sent=error.sent, retry_after=error.retry_after)


def _no_key(adapter: Adapter) -> ProviderError:
    return ProviderError(Reason.UNAUTHORIZED, f"there is no key for {adapter.slug}", sent=False)


def _replace(new: ProviderKey) -> None:
    """Erase the active key of the same owner and put the new one in its place, whoever else does so now."""
    former = ProviderKey.objects.filter(provider=new.provider, owner=new.owner, active=True)
    for rounds_left in reversed(range(ROUNDS)):
        try:
            with transaction.atomic():
                former.update(active=False, sealed="")
                new.save(force_insert=True)
        except IntegrityError:  # somebody else's came in between; the next round finds it
            if not rounds_left:
                raise
        else:
            return


def _marked(plain: str) -> str:
    """The provider whose keys alone look like this one, "" for no one's."""
    for name in keyed_providers():
        mark = _adapter(name).key_mark
        if mark and re.fullmatch(mark, plain.strip(), re.ASCII | re.DOTALL):
            return name
    return ""


def _telling_parts(secret: str) -> list[str]:
    """The key and its words, the longest first: an id:secret or a service account may be told in pieces."""
    words = {secret, *re.split(r"[\s:,\"{}]+", secret)}
    try:
        inner = json.loads(secret) if secret.startswith("{") else {}
    except ValueError:
        inner = {}
    for value in inner.values():
        words |= {str(value), *str(value).split("\n")}
    return sorted((word for word in words if len(word) >= _TELLING or word == secret != ""), key=len, reverse=True)
