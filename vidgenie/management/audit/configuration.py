"""The settings in force, where they can be told to be wrong without asking the site anything."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    BasePasswordHasher,
    PBKDF2PasswordHasher,
    ScryptPasswordHasher,
    get_hashers,
)
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core import checks
from django.core.exceptions import ValidationError

from vidgenie.management.audit.check import Seen, check

KEY_LENGTH = 50  # characters of SECRET_KEY
KEY_VARIETY = 16  # different ones among them
ITERATIONS = 600_000  # of PBKDF2 with SHA-256: OWASP's password storage cheat sheet, 2023
LONGEST_SESSION = 14 * 24 * 60 * 60  # seconds
KNOWN_KEYS = ("django-insecure-", "only-for-tests", "changeme", "secret")
GUESSABLE = ("", "short1!", "password123", "1234567890123", "audit-person")
TALKATIVE = (
    "google",
    "httpcore",
    "httpx",
    "openai",
    "requests",
    "urllib3",
)  # whole addresses and headers, keys included


@check("settings.environment", "VidGenie runs for production", "high", "Set VIDGENIE_ENVIRONMENT=production.")
def environment() -> Iterator[str]:
    """VIDGENIE_ENVIRONMENT is read: production refuses to start with what is only good enough for a laptop."""
    if not settings.PRODUCTION:
        yield f"VIDGENIE_ENVIRONMENT is {settings.ENVIRONMENT}"


@check("settings.debug", "DEBUG is off", "critical", "Take DEBUG away: it shows settings and source to strangers.")
def debug() -> Iterator[str]:
    """DEBUG is read."""
    if settings.DEBUG:
        yield "DEBUG is on"


@check(
    "settings.secret-key",
    "SECRET_KEY cannot be guessed",
    "critical",
    "Set SECRET_KEY to 50 random characters or more, used for nothing else. Everybody is signed out by that.",
)
def secret_key() -> Iterator[str]:
    """Its length, its variety, and whether it is a known one or used for something else too."""
    key = settings.SECRET_KEY
    if len(key) < KEY_LENGTH:
        yield f"it has {len(key)} characters"
    if len(set(key)) < KEY_VARIETY:
        yield f"it has {len(set(key))} different characters"
    if key.lower().startswith(KNOWN_KEYS):
        yield "it is one of those that are printed in examples"
    if len(key) >= KEY_VARIETY and any(key in other for other in (settings.ENCRYPTION_KEYS, settings.METRICS_TOKEN)):
        yield "another secret holds it"


@check("settings.hosts", "The site answers to its own names", "high", "Name the site's hosts in ALLOWED_HOSTS.")
def hosts() -> Iterator[str]:
    """ALLOWED_HOSTS and CSRF_TRUSTED_ORIGINS have no wildcard, and the origins are https."""
    if not settings.ALLOWED_HOSTS:
        yield "ALLOWED_HOSTS is empty"
    yield from (f"ALLOWED_HOSTS has {host}" for host in settings.ALLOWED_HOSTS if "*" in host)
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if "*" in origin or not origin.startswith("https://"):
            yield f"CSRF_TRUSTED_ORIGINS has {origin}"


@check("settings.deploy-check", "Django's own checks for deployment", "high", "Do what each of them says.")
def deploy_check() -> Iterator[str]:
    """What `manage.py check --deploy --fail-level WARNING` runs."""
    found = [one for one in checks.run_checks(include_deployment_checks=True) if one.level >= checks.WARNING]
    yield from (f"{one.id}: {str(one.msg).splitlines()[0][:120]}" for one in found if not one.is_silenced())
    if settings.SILENCED_SYSTEM_CHECKS:
        yield f"silenced: {', '.join(settings.SILENCED_SYSTEM_CHECKS)}"


@check(
    "settings.password-hashers",
    "Passwords are hashed slowly",
    "critical",
    "Put Argon2, scrypt or PBKDF2 first in PASSWORD_HASHERS; each hash is made anew when its owner signs in.",
)
def password_hashers() -> Iterator[str]:
    """The hasher that new passwords get, and its number of rounds."""
    first = get_hashers()[0]
    if complaint := weakness(first):
        yield complaint
    yield Seen(f"{first.algorithm}")


def weakness(hasher: BasePasswordHasher) -> str:
    """Why a hasher is too fast; "" for one that is not."""
    if isinstance(hasher, Argon2PasswordHasher | ScryptPasswordHasher):
        return ""
    if not isinstance(hasher, PBKDF2PasswordHasher):
        return f"{hasher.algorithm} is fast to try out"
    # With SHA-1 it takes more than twice as many rounds for the same work.
    least = ITERATIONS if hasher.algorithm == "pbkdf2_sha256" else 2 * ITERATIONS
    return "" if hasher.iterations >= least else f"{hasher.algorithm} has {hasher.iterations} rounds"


@check(
    "settings.password-rules",
    "Passwords that everybody tries are refused",
    "medium",
    "Restore AUTH_PASSWORD_VALIDATORS: length, similarity, common passwords, numbers.",
)
def password_rules() -> Iterator[str]:
    """Guessable passwords are tried on somebody who is never saved."""
    user = User(username="audit-person", email="audit-person@audit.invalid")
    for password in GUESSABLE:
        try:
            validate_password(password, user)
        except ValidationError:
            continue
        yield f"{password!r} would be taken"
    yield Seen(f"{len(GUESSABLE)} refused")


@check("settings.sessions", "Sessions end", "medium", "Set SESSION_COOKIE_AGE to 14 days or less.")
def sessions() -> Iterator[str]:
    """The age of sessions, and where they are kept."""
    if settings.SESSION_COOKIE_AGE > LONGEST_SESSION:
        yield f"SESSION_COOKIE_AGE is {settings.SESSION_COOKIE_AGE} s"
    if "signed_cookies" in settings.SESSION_ENGINE:
        yield "sessions are kept in cookies, where nobody can end them"


@check(
    "settings.log-levels",
    "No library logs addresses and headers",
    "high",
    "Set LOG_LEVEL to INFO or higher, and leave the levels of libraries as they are in settings.LOGGING.",
)
def log_levels() -> Iterator[str]:
    """The levels of LOGGING: these libraries tell whole headers, keys included."""
    logging: dict[str, Any] = settings.LOGGING
    loggers = logging.get("loggers", {})
    for name in TALKATIVE:
        if loggers.get(name, {}).get("level") not in ("WARNING", "ERROR", "CRITICAL"):
            yield f"{name} logs below WARNING"
    if logging.get("root", {}).get("level") == "DEBUG":
        yield "everything is logged, at DEBUG"


@check(
    "settings.proxies",
    "Callers can be told apart behind a proxy",
    "medium",
    "Set NUM_PROXIES to the number of proxies in front, or all strangers share one limit.",
)
def proxies() -> Iterator[str]:
    """NUM_PROXIES beside BEHIND_TLS_PROXY."""
    if settings.SECURE_PROXY_SSL_HEADER and settings.REST_FRAMEWORK.get("NUM_PROXIES") == 0:
        yield "a proxy ends TLS, and NUM_PROXIES is 0"


@check(
    "settings.providers",
    "Providers are asked over TLS, at their real addresses",
    "medium",
    "Take VIDGENIE_PROVIDER_MODE=simulated away; use https for gateways on other machines.",
)
def provider_addresses() -> Iterator[str]:
    """The addresses that keys are sent to. Plain http is for gateways on this machine."""
    if settings.PROVIDER_MODE != "real":
        yield f"VIDGENIE_PROVIDER_MODE is {settings.PROVIDER_MODE}"
        return
    from providers.http import is_loopback

    for name, url in settings.PROVIDER_URLS.items():
        if not url.startswith("https://") and not is_loopback(url):
            yield f"{name} is not asked over https"
