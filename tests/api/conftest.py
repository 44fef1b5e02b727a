"""Callers of the API, and what they may not have changed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django_q.models import OrmQ

from credits import ledger
from credits.models import Account, Entry, Hold
from tests.pictures import picture, sent
from vidgenie import tokens
from vidgenie.models import ApiToken
from workflows import uploads
from workflows.models import Asset, Step, Transition, Workflow


def bearer(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"}, raise_request_exception=False)


@pytest.fixture
def token_of() -> Callable[..., tuple[ApiToken, str]]:
    return lambda user: tokens.create(user, "a program")


@pytest.fixture
def api(alice: Any) -> Client:
    """Alice's program."""
    return bearer(tokens.create(alice, "a program")[1])


@pytest.fixture
def bobs_api(bob: Any) -> Client:
    """Bob's program."""
    return bearer(tokens.create(bob, "a program")[1])


@pytest.fixture
def image(alice: Any) -> Asset:
    """A picture that alice has uploaded."""
    return uploads.upload(alice, sent(picture()))


def everything() -> dict[str, Any]:
    """All that a refused request may not change."""
    files = sorted(path for path in django_settings.MEDIA_ROOT.rglob("*") if path.is_file())
    counts = {model.__name__: model.objects.count() for model in (Workflow, Step, Transition, Hold, Entry, OrmQ, Asset)}
    balances = {account.user_id: ledger.balance(account.user) for account in Account.objects.all()}
    return counts | {"balances": balances, "files": files}


@pytest.fixture
def nothing_happens(db: None) -> Iterator[None]:
    """Nothing was held, written, stored or queued by the test."""
    before = everything()
    yield
    assert everything() == before
