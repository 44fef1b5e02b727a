"""People and their API tokens, as they are in the tables."""

import datetime
import re
from collections import Counter
from collections.abc import Iterator

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password, identify_hasher, is_password_usable
from django.db.models import Q, QuerySet
from django.utils import timezone

from vidgenie import tokens
from vidgenie.management.audit.check import Seen, check
from vidgenie.management.audit.configuration import weakness
from vidgenie.management.production_signs import DEMO_USERS
from vidgenie.models import ApiToken, Scope

UNUSED = datetime.timedelta(days=90)
SPARE = datetime.timedelta(minutes=5)  # between the making of a token and its own note of it
NAMED = 5  # staff whose passwords are guessed at: each guess takes as long as a sign-in
FORBIDDEN = {"django_q.ormq", "django_q.success", "django_q.failure", "sessions.session"}  # pickles and sessions
HIDDEN = {"sealed", "digest", "session_data", "payload"}
DIGEST = re.compile(r"[0-9a-f]{128}")


@check("accounts.second-factor", "Staff have a second factor", "high", "Let each of them set one up at /accounts/2fa/.")
def second_factor() -> Iterator[str]:
    """Active staff are looked up among those who have set up an authenticator app."""
    having = Authenticator.objects.filter(type=Authenticator.Type.TOTP).values("user")
    staff = get_user_model().objects.filter(Q(is_staff=True) | Q(is_superuser=True), is_active=True)
    for name in staff.exclude(pk__in=having).order_by("pk").values_list("username", flat=True):
        yield f"{name} has none"
    yield Seen(f"{staff.count()} active staff")


@check(
    "accounts.hashes",
    "Every password is hashed slowly",
    "high",
    "They are hashed anew when their owners sign in; have the others choose a new one.",
)
def hashes() -> Iterator[str]:
    """The first part of every hash says how it was made."""
    counts: Counter[str] = Counter()
    for encoded in get_user_model().objects.values_list("password", flat=True).iterator():
        if is_password_usable(encoded):
            counts[_kind_of(encoded)] += 1
    yield from (f"{number}: {kind}" for kind, number in counts.items() if kind)
    yield Seen(f"{counts.total()} passwords")


def _kind_of(encoded: str) -> str:
    """What is wrong with a hash; "" for a good one."""
    try:
        hasher = identify_hasher(encoded)
    except ValueError:
        return "no hash that is known"
    if rounds := hasher.decode(encoded).get("iterations"):
        hasher.iterations = rounds  # type: ignore[attr-defined]
    return weakness(hasher)


@check(
    "accounts.guessable", "No staff password is a first guess", "critical", "Set another: `manage.py changepassword`."
)
def guessable() -> Iterator[str]:
    """The name, the site's name and "password" are tried on up to five of the staff."""
    staff = get_user_model().objects.filter(is_staff=True, is_active=True).order_by("pk")[:NAMED]
    for user in staff:
        for guess in {user.username, settings.SITE_NAME, "password"}:
            if is_password_usable(user.password) and check_password(guess, user.password):
                yield f"{user.username}'s"
    yield Seen(f"{len(staff)} staff")


@check("accounts.demo", "The people of demonstrations are not here", "high", "Delete them, or close their accounts.")
def demonstration() -> Iterator[str]:
    """Active users with the names that `setup_test_environment` gives."""
    found = get_user_model().objects.filter(username__in=DEMO_USERS, is_active=True)
    yield from found.order_by("username").values_list("username", flat=True)


@check(
    "accounts.admin",
    "The admin shows no secret",
    "high",
    "Take the page out with `unregister` in vidgenie/admin.py, or name the fields that it may show.",
)
def admin_pages() -> Iterator[str]:
    """The models and the fields of every page of the admin."""
    for model, page in admin.site._registry.items():
        label = model._meta.label_lower
        if label in FORBIDDEN:
            yield f"{label} has a page"
        shown = {str(name) for name in (*page.list_display, *(page.fields or ()), *page.readonly_fields)}
        if bare := sorted(shown & HIDDEN):
            yield f"{label} shows {', '.join(bare)}"
        if label == "mfa.authenticator" and "data" in (page.fields or ("data",)):
            yield "mfa.authenticator shows the seeds of second factors"
    yield Seen(f"{len(admin.site._registry)} pages")


@check("tokens.digests", "Only digests of tokens are kept", "critical", "Revoke these tokens, and look who wrote them.")
def digests() -> Iterator[str]:
    """Every token's key is a digest, and none is the text of a token."""
    seen = 0
    for name, digest, user in ApiToken.objects.values_list("name", "digest", "user__username").iterator():
        seen += 1
        if not DIGEST.fullmatch(digest) or "vg_" in name:
            yield f"a token of {user}"
    yield Seen(f"{seen} tokens")


@check("tokens.expiry", "Every token ends", "high", "Revoke them; new ones live for API_TOKEN_DAYS, 365 at most.")
def expiry() -> Iterator[str]:
    """When each token was made and when it ends."""
    longest = datetime.timedelta(days=tokens.LONGEST_DAYS) + SPARE
    for token in ApiToken.objects.select_related("user").iterator():
        if token.expiry is None:
            yield f"“{token.name}” of {token.user} never ends"
        elif token.expiry - token.created > longest:
            yield f"“{token.name}” of {token.user} lives for {(token.expiry - token.created).days} days"


@check("tokens.unused", "No token lies about", "low", "Ask their owners whether they still need them, and revoke them.")
def unused() -> Iterator[str]:
    """Tokens that are good today and have not been used for 90 days."""
    then = timezone.now() - UNUSED
    for token in _alive().filter(Q(last_used=None) | Q(last_used__lt=then), created__lt=then):
        yield f"“{token.name}” of {token.user}"


@check("tokens.scopes", "No token may do more than it must", "low", "Make one with the scopes that its program needs.")
def scopes() -> Iterator[str]:
    """Tokens that are good today and have every scope there is."""
    for token in _alive().filter(scopes__contains=Scope.values):
        yield f"“{token.name}” of {token.user} may do everything"
    yield Seen(f"{_alive().count()} tokens")


def _alive() -> QuerySet[ApiToken]:
    return ApiToken.objects.select_related("user").filter(Q(expiry__gt=timezone.now()) | Q(expiry=None))
