"""What tells a database that people live from, whatever it is called.

A name can lie ("test_copy" may be the copy that went live), so nothing here looks at it. Each sign is a fact that a
database for tests does not have; what a fresh or a foreign database lacks is no reason to stumble.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from credits.models import Entry
from providers.models import ProviderKey

DEMO_USERS = ("demo-alice", "demo-bob", "demo-sam")
LOCAL = {"", "localhost", "127.0.0.1", "::1", "[::1]"}
OURS = {"workflows", "credits", "providers", "vidgenie"}


@dataclass(frozen=True)
class Sign:
    """One fact and what it tells. `final` ones hold whatever a person says."""

    text: str
    final: bool = False


def signs() -> list[Sign]:
    """Every sign there is, of the configuration first. Reads the database and writes nothing."""
    found = [*_of_the_configuration()]
    return found if any(sign.final for sign in found) else [*found, *_of_the_database()]


def _of_the_configuration() -> Iterator[Sign]:
    if settings.PRODUCTION:
        yield Sign("VIDGENIE_ENVIRONMENT is production: this is the site itself", final=True)
    if not is_local(database_host()):
        yield Sign("the database is on another machine: others may be using it")
    if settings.PUBLIC_URL or any(not is_local(host) for host in settings.ALLOWED_HOSTS):
        yield Sign("PUBLIC_URL or ALLOWED_HOSTS names an address of the internet: these are the settings of a site")


def _of_the_database() -> Iterator[Sign]:
    tables = set(connection.introspection.table_names())
    if tables and "django_migrations" not in tables:
        yield Sign(f"the database has {len(tables)} tables, none of them ours: it is another program's", final=True)
        return
    if newer := from_the_future():
        text = f"a newer VidGenie has migrated the database ({', '.join(newer[:3])}): this one would misread it"
        yield Sign(text, final=True)
        return
    yield from _of_people(tables)


def _of_people(tables: set[str]) -> Iterator[Sign]:
    """Tables that are not there yet hold nobody."""
    if "auth_user" in tables and (people := get_user_model().objects.exclude(username__in=DEMO_USERS).count()):
        yield Sign(f"users other than the demo users are in the database: {people}")
    if "credits_entry" in tables and (lines := _foreign_lines()):
        yield Sign(f"the ledger has lines of others than the demo users: {lines}, and lines can never be taken out")
    if "providers_providerkey" in tables and (keys := _foreign_keys()):
        yield Sign(f"provider keys that no set-up has sealed are in the database: {keys}, and they may be real")


def _foreign_lines() -> int:
    return Entry.objects.exclude(account__user__username__in=DEMO_USERS).count()


def _foreign_keys() -> int:
    """Sealed keys of the platform, or of others than the demo users; the dummies belong to one of these."""
    sealed = ProviderKey.objects.exclude(sealed="")
    return sealed.count() - sealed.filter(owner__username__in=DEMO_USERS).count()


def from_the_future() -> list[str]:
    """Migrations of ours that are in the database and not in these files."""
    loader = MigrationLoader(connection, ignore_no_migrations=True)
    unknown = [f"{app}.{name}" for app, name in loader.applied_migrations if (app, name) not in loader.disk_migrations]
    replaced = {f"{app}.{name}" for node in loader.disk_migrations.values() for app, name in node.replaces}
    return sorted(name for name in unknown if name.split(".")[0] in OURS and name not in replaced)


def database_host() -> str:
    """The host of the settings' database; a directory for a socket, "" for the system's own."""
    database = settings.DATABASES["default"]
    return str(database.get("OPTIONS", {}).get("host") or database.get("HOST") or "")


def is_local(host: str) -> bool:
    """Whether this is a socket or an address of this machine."""
    return host in LOCAL or host.startswith("/")
