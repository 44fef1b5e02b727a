"""Sealing everything anew while others store, open, replace and erase keys: nothing is lost, nothing comes back."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
from django.core.management import call_command
from django.db import connection

from providers import crypto, keyring, keys
from providers.adapters import ADAPTERS
from providers.base import Adapter, ProviderError
from providers.models import ProviderKey
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = (crypto.new_key() for _ in range(2))
USERS, THREADS = 40, 4


class Acme(Adapter):
    slug: ClassVar = "acme"

    def check(self, *, token):
        return "fine"


@pytest.fixture(autouse=True)
def acme(monkeypatch, settings):
    monkeypatch.setitem(ADAPTERS, "acme", Acme())
    settings.ENCRYPTION_KEYS, settings.PROVIDER_KEYS, settings.PROVIDER_MODE = OLD, {}, "real"


class Owners(threading.Thread):
    """Each works on users of its own, so that it always knows what must come out: the last key stored, or none."""

    def __init__(self, users, stop, seed):
        super().__init__()
        self.users, self.stop, self.dice = users, stop, random.Random(seed)
        self.expected, self.wrong, self.acts = dict.fromkeys(users), [], 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.act(self.dice.choice(self.users))
                self.acts += 1
        finally:
            connection.close()

    def act(self, user):
        chosen, what = keys.chosen("acme", user), self.dice.random()
        if what < 0.4:
            plain = f"key-{self.dice.getrandbits(64):x}"
            keys.store("acme", plain, owner=user)
            self.expected[user] = plain
        elif what < 0.5 and chosen:
            keys.take_away(ProviderKey.objects.get(pk=chosen))
            self.expected[user] = None
        elif chosen and opened(chosen) != self.expected[user]:
            self.wrong.append((user.username, opened(chosen), self.expected[user]))


def opened(key):
    try:
        return keys.token(ADAPTERS["acme"], key)
    except ProviderError:
        return None


def test_rotation_under_load_loses_nothing(settings, capsys, monkeypatch):
    read = keyring.Sealed.seal_anew
    monkeypatch.setattr(keyring.Sealed, "seal_anew", lambda sealed, ring: (read(sealed, ring), time.sleep(0.003))[0])
    users, stop = [UserFactory() for _ in range(USERS)], threading.Event()
    for user in users:
        keys.store("acme", f"key-of-{user.username}", owner=user)
    owners = [Owners(users[n::THREADS], stop, n) for n in range(THREADS)]
    for owner in owners:
        owner.expected = {user: f"key-of-{user.username}" for user in owner.users}
        owner.start()
    for ring in (f"{OLD},{NEW}", f"{NEW},{OLD}", f"{OLD},{NEW}", f"{NEW},{OLD}"):
        settings.ENCRYPTION_KEYS = ring
        time.sleep(0.1)
        call_command("rotate_encryption_keys")
    stop.set()
    for owner in owners:
        owner.join()

    call_command("rotate_encryption_keys")
    settings.ENCRYPTION_KEYS = NEW
    assert [owner.wrong for owner in owners] == [[]] * THREADS
    assert min(owner.acts for owner in owners) > 10
    found = {user: opened(keys.chosen("acme", user)) for user in users}
    assert found == {user: plain for owner in owners for user, plain in owner.expected.items()}
    assert keyring.unopenable(crypto.ring()) == []
    assert not ProviderKey.objects.filter(active=False).exclude(sealed="").exists(), "nothing that was erased came back"


def test_a_key_that_is_stored_between_reading_and_writing_wins(settings, alice, monkeypatch):
    row = keys.store("acme", "first-key", owner=alice)
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    read = keyring.Sealed.seal_anew

    def slowly(sealed, ring):
        text = read(sealed, ring)
        keys.store("acme", "second-key", owner=alice)
        return text

    monkeypatch.setattr(keyring.Sealed, "seal_anew", slowly)
    (progress, *_) = list(keyring.rotate(crypto.ring()))
    row.refresh_from_db()
    assert (row.active, row.sealed) == (False, ""), "the erased key did not come back"
    assert opened(row.pk) == "second-key"
    assert progress.changed_meanwhile == 1


def test_many_who_store_at_once_leave_one_key_that_opens(alice):
    def store(number):
        try:
            return keys.store("acme", f"key-number-{number}", owner=alice)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store, range(8)))
    assert ProviderKey.objects.filter(active=True).count() == 1
    assert ProviderKey.objects.exclude(sealed="").count() == 1
    assert opened(keys.chosen("acme", alice)).startswith("key-number-")
