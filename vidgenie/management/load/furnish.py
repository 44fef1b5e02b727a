"""Whom the load is driven as: users with credits, browsers that are signed in, programs with tokens, and a past."""

from collections.abc import Iterable
from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from vidgenie import tokens
from vidgenie.management.benchmarks import past
from vidgenie.management.benchmarks.rig import Rig, succeeded, unfinished, wait
from vidgenie.management.load.mix import Person
from workflows.models import Asset, Workflow

PASSWORD = "a fox crossing a frozen lake"  # it opens a database that lives for minutes


def furnish(on: Rig, runs: int) -> list[Person]:
    """Give everybody of the rig so many finished runs of last month, and what they come in with.

    Needs a worker: one run of each is made, the others are copies of it.
    """
    User.objects.filter(pk__in=[user.pk for user in on.people]).update(password=make_password(PASSWORD))
    firsts = on.start(len(on.people), on.quote())
    wait(lambda: not unfinished(), 180, "the first runs of everybody are not all settled")
    succeeded(firsts)
    for run in Workflow.objects.filter(pk__in=firsts):
        past.copy(run, 1, runs - 1)
    return [person(user, number) for number, user in enumerate(User.objects.filter(pk__in=_ids(on.people)))]


def _ids(people: Iterable[User]) -> list[int]:
    return [user.pk for user in people]


def person(user: User, number: int) -> Person:
    """What this user comes in with: an address of their own by `number`, a session, a token, and their runs."""
    return Person(
        name=user.username,
        password=PASSWORD,
        address=f"127.1.{number // 250}.{number % 250 + 1}",
        session=_session(user),
        token=tokens.create(user, "load")[1],
        runs=[str(pk) for pk in Workflow.objects.filter(user=user).values_list("pk", flat=True)],
        assets=[str(pk) for pk in Asset.objects.filter(user=user).values_list("pk", flat=True)],
    )


def _session(user: User) -> str:
    """A session as signing in makes it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)
