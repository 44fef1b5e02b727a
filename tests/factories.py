"""Rows for tests, made the way the product makes them wherever it can."""

from functools import cache

import factory
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from credits import ledger

PASSWORD = "correct-horse-battery"


@cache
def hashed_password() -> str:
    """Hashing is slow on purpose; once is enough."""
    return make_password(PASSWORD)


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    password = factory.LazyFunction(hashed_password)


def rich_dora() -> User:
    """Somebody who can pay for as many real videos as a test starts."""
    user: User = UserFactory(username="dora")
    ledger.grant(user, 10**5, key="rich", reason="test")
    return user
