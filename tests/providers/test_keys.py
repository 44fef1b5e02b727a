"""Keys: which one opens what for whom, what may be one at all, and what becomes of one that is replaced."""

import json
import re
import runpy
from typing import ClassVar

import pytest
from django.core.checks import Error
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db import OperationalError
from django.urls import reverse

from providers import checks, crypto, health, keyring, keys
from providers.adapters import ADAPTERS
from providers.base import Adapter, ProviderError, Reason
from providers.keys import KeyRefused
from providers.models import ProviderHealth, ProviderKey

pytestmark = pytest.mark.django_db

OLD, NEW = (crypto.new_key() for _ in range(2))
ONE, TWO = "acme_" + "1" * 20, "acme_" + "2" * 20


class Acme(Adapter):
    """A provider that knows two keys, and tells who called it."""

    slug: ClassVar = "acme"
    key_looks: ClassVar = "acme_…"
    key_pattern: ClassVar = r"acme_\w{20}"
    key_mark: ClassVar = key_pattern

    def __init__(self):
        self.called = []
        self.error = None

    def sample_key(self):
        return "acme_sample"

    def check(self, *, token):
        self.called.append(token)
        if self.error:
            raise self.error
        return "2 models"


class Other(Adapter):
    """Takes any word, as servers that speak OpenAI's language do."""

    slug: ClassVar = "other"


class Resale(Adapter):
    """Sold through acme."""

    slug: ClassVar = "resale"
    key_of: ClassVar = "acme"


@pytest.fixture(autouse=True)
def acme(monkeypatch, settings):
    adapter = Acme()
    for slug in set(ADAPTERS) - {"sandbox"}:
        monkeypatch.delitem(ADAPTERS, slug)
    for one in (adapter, Other(), Resale()):
        monkeypatch.setitem(ADAPTERS, one.slug, one)
    settings.ENCRYPTION_KEYS, settings.PROVIDER_KEYS, settings.PROVIDER_MODE = OLD, {}, "real"
    return adapter


def token(provider="acme", key=None):
    return keys.token(ADAPTERS[provider], key)


def refused(provider="acme", key=None):
    with pytest.raises(ProviderError) as caught:
        token(provider, key)
    assert (caught.value.reason, caught.value.sent) == (Reason.UNAUTHORIZED, False)
    return caught.value.detail


# Which key


def test_without_any_key_there_is_none(alice):
    assert refused() == "there is no key for acme"
    assert not keys.available("acme")
    assert not keys.available("acme", alice)


def test_the_sandbox_needs_none():
    assert token("sandbox") == ""
    assert keys.available("sandbox")


def test_the_environments_key_is_used_when_there_is_no_other(settings):
    settings.PROVIDER_KEYS = {"acme": ONE}
    assert token() == ONE
    assert keys.available("acme")
    assert keys.chosen("acme") is None


@pytest.mark.parametrize(("clock", "again"), [(True, ONE), (False, TWO)])
def test_a_clock_uses_a_key_for_a_moment_more_after_it_was_replaced(monkeypatch, clock, again):
    now = [100.0]
    monkeypatch.setattr("providers.keys.time.monotonic", lambda: now[0])
    monkeypatch.setattr("providers.pool.is_shared", lambda: clock)
    monkeypatch.setattr(keys, "_rows", {})
    keys.store("acme", ONE)
    assert token() == ONE
    keys.store("acme", TWO)
    assert token() == again
    now[0] += keys.MOMENT
    assert token() == TWO


def test_that_a_user_has_no_key_is_asked_again_each_time(monkeypatch, alice):
    monkeypatch.setattr("providers.pool.is_shared", lambda: True)
    monkeypatch.setattr(keys, "_rows", {})
    assert keys.chosen("acme", alice) is None
    row = keys.store("acme", ONE, owner=alice)
    assert keys.chosen("acme", alice) == row.pk


def test_the_platforms_key_wins_over_the_environments(settings):
    settings.PROVIDER_KEYS = {"acme": ONE}
    row = keys.store("acme", TWO)
    assert token() == token(key=keys.chosen("acme")) == TWO
    assert keys.chosen("acme") == row.pk


def test_a_users_key_is_for_that_user_alone(alice, bob):
    row = keys.store("acme", ONE, owner=alice)
    assert (keys.chosen("acme", alice), keys.chosen("acme", bob), keys.chosen("acme")) == (row.pk, None, None)
    assert (keys.available("acme", alice), keys.available("acme", bob), keys.available("acme")) == (True, False, False)
    assert token(key=row.pk) == ONE
    refused()


def test_a_provider_may_be_opened_by_anothers_key(alice):
    row = keys.store("acme", ONE)
    own = keys.store("acme", TWO, owner=alice)
    assert token("resale") == ONE
    assert (keys.chosen("resale"), keys.chosen("resale", alice)) == (row.pk, own.pk)
    assert keys.available("resale")
    assert keys.keyed_providers() == ["acme", "other"]


def test_a_key_opens_no_provider_but_its_own():
    row = keys.store("acme", ONE)
    assert refused("other", row.pk) == "there is no key for other"


def test_the_simulator_is_called_with_a_sample_and_never_with_the_environments_key(settings):
    settings.PROVIDER_MODE, settings.PROVIDER_KEYS = "simulated", {"acme": ONE}
    assert token() == token("resale").replace("simulated", "acme_sample") == "acme_sample"
    assert keys.available("other")


def test_a_row_that_was_moved_to_another_owner_opens_nothing(alice, bob):
    row = keys.store("acme", ONE, owner=alice)
    ProviderKey.objects.filter(pk=row.pk).update(owner=bob)
    assert "does not open" in refused(key=row.pk)


# Replacing and taking away


def test_a_new_key_takes_the_place_of_the_former_which_is_erased():
    former, row = keys.store("acme", ONE), keys.store("acme", TWO)
    former.refresh_from_db()
    assert (former.active, former.sealed, former.last_four) == (False, "", "1111")
    assert (row.active, row.last_four, row.fingerprint) == (True, "2222", crypto.fingerprint(TWO))
    assert token(key=former.pk) == TWO, "what began with the former key goes on with the new one"


def test_each_owner_has_one_active_key(alice):
    for plain in (ONE, TWO, ONE):
        keys.store("acme", plain)
        keys.store("acme", plain, owner=alice)
    assert ProviderKey.objects.filter(active=True).count() == 2


def test_a_users_run_does_not_go_on_at_the_platforms_expense(alice):
    row = keys.store("acme", ONE, owner=alice)
    keys.store("acme", TWO)
    keys.take_away(row)
    assert refused(key=row.pk) == "there is no key for acme"
    assert keys.chosen("acme", alice) == row.pk, "steps that follow name the key that is gone"
    assert (keys.available("acme", alice), token()) == (True, TWO)


def test_when_the_platforms_key_is_taken_away_the_environments_takes_over(settings):
    row = keys.store("acme", ONE)
    keys.take_away(row)
    settings.PROVIDER_KEYS = {"acme": TWO}
    assert token(key=row.pk) == TWO
    assert not ProviderKey.objects.exclude(sealed="").exists()


# What may be a key


@pytest.mark.parametrize(
    ("provider", "plain", "complaint"),
    [
        ("acme", "", "Key: it is empty. Paste the key of acme."),
        ("acme", " \n\t", "Key: it is empty. Paste the key of acme."),
        ("acme", ONE + "\n", "Key: there is a blank or a line break in it. Paste it without."),
        ("acme", " " + ONE, "Key: there is a blank or a line break in it. Paste it without."),
        ("acme", ONE[:9] + "\r\n" + ONE[9:], "Key: there is a blank or a line break in it. Paste it without."),
        ("acme", ONE + "1", "Key: this is no key of acme; they look like acme_…"),
        ("acme", "Bearer " + ONE, "Key: this is no key of acme; they look like acme_…"),
        ("acme", "acmé_" + "1" * 20, "Key: this is no key of acme; they look like acme_…"),
        ("other", ONE, "Key: this looks like a key of acme, not of other."),
        ("other", ONE + " ", "Key: this looks like a key of acme, not of other."),
        ("other", "two words", "Key: there is a blank or a line break in it. Paste it without."),
        ("other", "null\0byte", "Key: this is no key of other; they look like …"),
        ("other", "x" * 8193, "Key: it has more than 8192 characters; no key is that long."),
    ],
)
def test_what_cannot_be_a_key_is_refused_in_a_sentence(provider, plain, complaint):
    with pytest.raises(KeyRefused, match=f"^{re.escape(complaint)}$"):
        keys.store(provider, plain)
    assert not ProviderKey.objects.exists()


def test_a_server_of_ones_own_takes_any_word_and_a_short_one_is_not_shown():
    row = keys.store("other", "ollama")
    assert (token("other"), row.fingerprint, row.last_four) == ("ollama", "", "")


def test_nothing_is_kept_that_cannot_be_sealed(settings):
    settings.ENCRYPTION_KEYS = ""
    with pytest.raises(crypto.NoEncryptionKey):
        keys.store("acme", ONE)
    assert not ProviderKey.objects.exists()


# Trying a key


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (None, "fine", "Fine: 2 models"),
        (ProviderError(Reason.UNAUTHORIZED, "401 invalid"), "refused", "The key was refused. 401 invalid"),
        (
            ProviderError(Reason.OUT_OF_QUOTA, "403"),
            "out_of_credit",
            "The key is right, but its account is out of credit. 403",
        ),
        (ProviderError(Reason.TIMED_OUT), "unreachable", "The provider did not answer in time."),
        (ProviderError(Reason.UNAVAILABLE, "502"), "unreachable", "The provider could not be reached. 502"),
        (ProviderError(Reason.RATE_LIMITED), "busy", "The provider is busy and asks to wait."),
        (
            ProviderError(Reason.RETIRED, "404"),
            "unclear",
            "The provider answered in a way that says nothing about the key. 404",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_check_says_in_words_what_it_saw(acme, error, state, text):
    row, acme.error = keys.store("acme", ONE), error
    verdict = keys.check("acme", row.pk)
    row.refresh_from_db()
    assert (verdict.state, verdict.text, row.verdict) == (state, text, text)
    assert row.checked is not None
    assert acme.called == [ONE]


def test_a_key_is_tried_once_it_is_committed(acme, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        row = keys.store("acme", ONE)
        assert acme.called == []
    for callback in callbacks:
        callback()
    row.refresh_from_db()
    assert (acme.called, row.verdict) == ([ONE], "Fine: 2 models")


def test_a_key_that_is_fine_brings_the_provider_back_on_offer():
    health.went_wrong("acme", ProviderError(Reason.UNAUTHORIZED, "401"))
    row = keys.store("acme", ONE)
    keys.check("acme", row.pk)
    assert ProviderHealth.objects.get(provider="acme").open_until is None


def test_a_users_fine_key_says_nothing_about_the_platforms(alice):
    health.went_wrong("acme", ProviderError(Reason.UNAUTHORIZED, "401"))
    row = keys.store("acme", ONE, owner=alice)
    keys.check("acme", row.pk)
    assert ProviderHealth.objects.get(provider="acme").open_until is not None


# Commands


def check_providers(capsys, *arguments):
    try:
        call_command("check_providers", *arguments)
        failure = ""
    except CommandError as error:
        failure = str(error)
    return capsys.readouterr().out, failure


def test_checking_providers_says_what_is_wrong_with_which(capsys, acme):
    keys.store("acme", ONE)
    acme.error = ProviderError(Reason.UNAUTHORIZED, "401")
    said, failure = check_providers(capsys)
    assert said.splitlines()[:2] == ["acme     The key was refused. 401", "other    There is no key."]
    assert failure == "Not fine: acme, resale"


def test_providers_without_a_key_are_no_failure(capsys):
    said, failure = check_providers(capsys, "--json")
    assert {name: verdict["state"] for name, verdict in json.loads(said).items()} == {
        "acme": "no_key",
        "other": "no_key",
        "resale": "no_key",
        "sandbox": "fine",
    }
    assert failure == ""


def rotate(capsys, *arguments):
    call_command("rotate_encryption_keys", *arguments)
    return capsys.readouterr().out


def test_rotation_seals_everything_anew(capsys, settings, alice):
    rows = [keys.store("acme", ONE), keys.store("acme", TWO, owner=alice), keys.store("other", "ollama")]
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    new, old = crypto.ring().ids
    assert rotate(capsys).splitlines() == [
        f"3 sealed anew with {new}, 0 changed by others meanwhile.",
        "Second factors sealed anew: 0, changed meanwhile: 0.",
        f"{new}: 3",
    ]
    assert rotate(capsys).startswith(f"0 sealed anew with {new}")
    settings.ENCRYPTION_KEYS = NEW
    assert [token(row.provider, row.pk) for row in rows] == [ONE, TWO, "ollama"]
    assert rotate(capsys, "--retire", old).startswith(f"Nothing is sealed with {old}. Take it out")


def test_rotation_goes_on_where_it_was_interrupted(capsys, settings, alice):
    keys.store("acme", ONE)
    keys.store("acme", TWO, owner=alice)
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    next(keyring.rotate(crypto.ring()))
    assert sorted(keyring.count_by_key().values()) == [1, 1]
    assert rotate(capsys).startswith("1 sealed anew")


def test_a_key_that_is_in_use_is_not_retired(settings):
    keys.store("acme", ONE)
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    new, old = crypto.ring().ids
    with pytest.raises(CommandError, match=f"Provider keys sealed with {old}: 1. Seal them anew first"):
        call_command("rotate_encryption_keys", retire=old)
    with pytest.raises(CommandError, match=f"{new} is the key that seals"):
        call_command("rotate_encryption_keys", retire=new)


def test_rotation_tells_what_does_not_open_and_leaves_it_alone(capsys, settings, alice):
    lost = keys.store("acme", ONE)
    settings.ENCRYPTION_KEYS = NEW
    keys.store("acme", TWO, owner=alice)
    before = ProviderKey.objects.get(pk=lost.pk).sealed
    with pytest.raises(CommandError, match="VIDGENIE_ENCRYPTION_KEYS: provider keys 1, second factors 0"):
        rotate(capsys)
    assert ProviderKey.objects.get(pk=lost.pk).sealed == before


def test_keys_that_are_lost_for_good_can_be_forgotten(capsys, settings, alice):
    lost = keys.store("acme", ONE)
    settings.ENCRYPTION_KEYS = NEW
    kept = keys.store("acme", TWO, owner=alice)
    assert rotate(capsys, "--forget-unopenable") == "Provider keys erased: 1\n"
    lost.refresh_from_db()
    assert (lost.active, lost.sealed) == (False, "")
    assert token(key=kept.pk) == TWO
    checks.require_openable_keys()


# Starting


def test_it_starts_without_any_encryption_key_while_nothing_is_sealed(settings):
    settings.ENCRYPTION_KEYS = ""
    checks.require_openable_keys()


def test_it_starts_with_keys_that_open(settings):
    keys.store("acme", ONE)
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    checks.require_openable_keys()


def same_id_other_key():
    return f"{OLD.partition(':')[0]}:{NEW.partition(':')[2]}"


@pytest.mark.parametrize("ring", ["", NEW, same_id_other_key()], ids=["none", "another", "the same id"])
def test_it_refuses_to_start_when_a_sealed_key_does_not_open(settings, alice, ring):
    keys.store("acme", ONE)
    keys.store("acme", TWO, owner=alice)
    settings.ENCRYPTION_KEYS = ring
    with pytest.raises(SystemCheckError) as caught:
        checks.require_openable_keys()
    said, old = str(caught.value), OLD.partition(":")[0]
    assert said.startswith(f"Sealed provider keys that do not open: 2 (sealed by {old}: 2). VIDGENIE_ENCRYPTION_KEYS")
    assert f"has {crypto.ring().ids[0] if ring else 'no key'}." in said
    assert "--forget-unopenable" in said
    assert not any(secret in said for secret in (ONE, OLD.partition(":")[2], NEW.partition(":")[2]))


@pytest.mark.parametrize("start", [lambda: call_command("worker"), lambda: runpy.run_module("vidgenie.wsgi")])
def test_neither_worker_nor_web_server_starts_then(settings, monkeypatch, start):
    keys.store("acme", ONE)
    settings.ENCRYPTION_KEYS = NEW
    monkeypatch.setattr("vidgenie.processes.Program.start", lambda program: pytest.fail("it was started"))
    monkeypatch.setattr("django.core.wsgi.get_wsgi_application", lambda: None)
    with pytest.raises(SystemCheckError, match="Sealed provider keys that do not open: 1"):
        start()


def test_a_ring_that_makes_no_sense_keeps_it_from_starting(settings):
    settings.ENCRYPTION_KEYS = "k1:tooshort"
    with pytest.raises(SystemCheckError, match="entry 1 is not of the form"):
        checks.require_openable_keys()
    assert [type(found) for found in checks.the_ring_makes_sense(None)] == [Error]


def test_a_database_that_is_away_is_for_others_to_complain_of(monkeypatch):
    monkeypatch.setattr(keyring, "sealed_rows", _away)
    checks.require_openable_keys()


def _away():
    raise OperationalError("away")


def test_a_strange_key_in_the_environment_is_told_without_being_shown(settings):
    settings.PROVIDER_KEYS = {"acme": ONE + "\n", "other": "ollama", "unheard-of": "x"}
    (found,) = checks.keys_of_the_environment_look_right(None)
    assert found.msg == "The key of acme in the environment does not look like one."
    assert ONE not in str(found)


@pytest.fixture
def run(settings, tmp_path):
    """`manage.py run`'s making of a first key, in development."""
    from vidgenie.management.commands import run

    settings.ENVIRONMENT, settings.ENCRYPTION_KEYS = "development", ""
    settings.ENCRYPTION_KEYS_FILE = tmp_path / "var" / "encryption_keys"
    return run


def test_in_development_a_first_key_is_made_once(settings, run):
    run.make_encryption_key()
    made = settings.ENCRYPTION_KEYS_FILE.read_text()
    run.make_encryption_key()
    assert settings.ENCRYPTION_KEYS_FILE.read_text() == made
    assert len(crypto.Ring.parse(made).ids) == 1
    assert settings.ENCRYPTION_KEYS_FILE.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("environment", ["test", "production"])
def test_elsewhere_none_is_made(settings, run, environment):
    settings.ENVIRONMENT = environment
    run.make_encryption_key()
    assert not settings.ENCRYPTION_KEYS_FILE.exists()


def test_none_is_made_where_something_is_sealed_already(settings, run):
    settings.ENCRYPTION_KEYS = OLD
    keys.store("acme", ONE)
    settings.ENCRYPTION_KEYS = ""
    run.make_encryption_key()
    assert not settings.ENCRYPTION_KEYS_FILE.exists()


# The admin


@pytest.fixture
def staff(client, sam):
    client.force_login(sam)
    return client


ADD, LIST = reverse("admin:providers_providerkey_add"), reverse("admin:providers_providerkey_changelist")


def test_staff_store_a_key_and_read_what_its_check_said(staff, acme, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = staff.post(ADD, {"provider": "acme", "key": ONE})
    assert (response.status_code, response.url) == (302, LIST)
    assert token() == ONE
    assert acme.called == [ONE]
    page = staff.get(LIST).content.decode()
    assert "Fine: 2 models" in page
    assert "…1111" in page
    assert ONE not in page


def test_a_key_never_comes_back_with_a_complaint(staff):
    response = staff.post(ADD, {"provider": "acme", "key": ONE + "1"})
    page = response.content.decode()
    assert "this is no key of acme; they look like acme_…" in page
    assert ONE not in page
    assert not ProviderKey.objects.exists()


def test_without_an_encryption_key_staff_read_what_to_set(staff, settings):
    settings.ENCRYPTION_KEYS = ""
    page = staff.post(ADD, {"provider": "acme", "key": ONE}).content.decode()
    assert "Set VIDGENIE_ENCRYPTION_KEYS and restart" in page
    assert not ProviderKey.objects.exists()


def test_a_provider_that_has_no_keys_of_its_own_cannot_be_chosen(staff):
    for provider in ("resale", "sandbox", "unheard-of", ""):
        assert staff.post(ADD, {"provider": provider, "key": ONE}).status_code == 200
    assert not ProviderKey.objects.exists()


def test_staff_check_a_key_again(staff, acme):
    row, acme.error = keys.store("acme", ONE), ProviderError(Reason.OUT_OF_QUOTA)
    page = staff.post(LIST, {"action": "check_now", "_selected_action": row.pk}, follow=True).content.decode()
    assert "Acme …1111: The key is right, but its account is out of credit." in page


def test_staff_take_a_key_away(staff):
    row = keys.store("acme", ONE)
    staff.post(LIST, {"action": "take_away", "_selected_action": row.pk})
    row.refresh_from_db()
    assert (row.active, row.sealed) == (False, "")


def test_a_keys_page_shows_it_and_changes_nothing(staff, alice):
    row = keys.store("acme", ONE, owner=alice)
    address = reverse("admin:providers_providerkey_change", args=[row.pk])
    page = staff.get(address).content.decode()
    assert "alice" in page
    assert ONE not in page
    assert ProviderKey.objects.get(pk=row.pk).sealed not in page
    assert staff.post(address, {"provider": "acme", "key": TWO}).status_code == 403
    assert token(key=row.pk) == ONE
