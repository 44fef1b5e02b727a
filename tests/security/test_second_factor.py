"""Second factors are sealed where they are kept, sealed anew with the provider keys, and let nobody in unopened."""

import json

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from providers import crypto
from providers.crypto import Unopenable
from tests.factories import UserFactory
from vidgenie import second_factor
from vidgenie.management.audit import sealed
from vidgenie.management.audit.check import Seen
from vidgenie.management.commands.run import make_encryption_key

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OLD, NEW = crypto.new_key(), crypto.new_key()
TOTP_KIND, CODES = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES


@pytest.fixture(autouse=True)
def ring(settings):
    settings.ENCRYPTION_KEYS = OLD


@pytest.fixture
def factor(sam):
    """The app of sam's, as it is set up."""
    return TOTP.activate(sam, SEED).instance


def rows():
    """All that is kept of second factors, as whoever reads the database sees it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator ORDER BY id")
        return [text for (text,) in cursor.fetchall()]


def code():
    return format_hotp_value(hotp_value(SEED, next(iter(yield_hotp_counters_from_time()))))


def migration(way):
    """The step of the migration, forth or back, on the tables as they are."""
    ((operation),) = MigrationLoader(connection).disk_migrations["vidgenie", "0006_sealed_second_factors"].operations
    {"forth": operation.code, "back": operation.reverse_code}[way](apps, None)


# --- In use


def test_the_seed_of_an_app_does_not_lie_open(factor):
    (kept,) = rows()
    assert SEED not in kept
    assert json.loads(kept)["secret"].startswith(f"vg1.{OLD.partition(':')[0]}.")


def test_codes_of_the_app_are_accepted_and_others_are_not(sam, factor):
    fresh = Authenticator.objects.get(user=sam).wrap()
    assert (fresh.validate_code(code()), fresh.validate_code("000000")) == (True, False)


def test_recovery_codes_are_good_once(sam):
    first = RecoveryCodes.activate(sam).get_unused_codes()[0]
    assert first not in rows()[0]
    again = Authenticator.objects.get(user=sam).wrap()
    assert [again.validate_code(first) for _ in range(2)] == [True, False]


def test_staff_sign_in_with_a_sealed_factor(client, sam, factor):
    sam.set_password("a long enough secret")
    sam.save()
    client.post("/accounts/login/", {"login": sam.username, "password": "a long enough secret"})
    assert "_auth_user_id" not in client.session
    assert client.post("/accounts/2fa/authenticate/", {"code": code()}).status_code == 302
    assert client.session["_auth_user_id"] == str(sam.pk)


def test_a_factor_that_does_not_open_lets_nobody_in(settings, sam, factor):
    settings.ENCRYPTION_KEYS = NEW
    with pytest.raises(Unopenable):
        Authenticator.objects.get(user=sam).wrap().validate_code(code())


def test_without_a_ring_factors_work_and_lie_open(settings, sam):
    settings.ENCRYPTION_KEYS = ""
    assert TOTP.activate(sam, SEED).validate_code(code())
    assert second_factor.open_ones() == ["sam, totp"]


# --- The migration


def test_the_migration_seals_all_there_are_and_its_way_back_opens_them(sam, alice):
    Authenticator.objects.create(user=sam, type=TOTP_KIND, data={"secret": SEED})
    Authenticator.objects.create(user=sam, type=CODES, data={"seed": "ab" * 40, "used_mask": 5})
    Authenticator.objects.create(user=alice, type=CODES, data={"migrated_codes": ["11112222", "33334444"]})
    before = rows()
    migration("forth")
    assert not any(secret in text for text in rows() for secret in (SEED, "ab" * 40, "11112222", "33334444"))
    assert ('"used_mask": 5' in rows()[1], second_factor.count_by_key()[""]) == (True, 0)
    migration("back")
    assert rows() == before


def test_it_changes_nothing_twice(factor):
    before = rows()
    migration("forth")
    assert rows() == before


def test_a_code_that_is_used_while_it_works_stays_used(sam, monkeypatch):
    row = Authenticator.objects.create(user=sam, type=CODES, data={"seed": "ab" * 40, "used_mask": 0})
    seal, used = second_factor.seal, []

    def slowly(ring, text):
        if not used:
            used.append(Authenticator.objects.filter(pk=row.pk).update(data={"seed": "ab" * 40, "used_mask": 1}))
        return seal(ring, text)

    monkeypatch.setattr(second_factor, "seal", slowly)
    migration("forth")
    row.refresh_from_db()
    assert (row.data["used_mask"], second_factor.open_ones()) == (1, [])


def test_the_way_back_stops_where_a_factor_does_not_open(settings, factor):
    settings.ENCRYPTION_KEYS = NEW
    before = rows()
    with pytest.raises(Unopenable):
        migration("back")
    assert rows() == before


def test_without_a_ring_it_leaves_all_as_it_is(settings, sam):
    settings.ENCRYPTION_KEYS = ""
    Authenticator.objects.create(user=sam, type=TOTP_KIND, data={"secret": SEED})
    migration("forth")
    assert rows() == [json.dumps({"secret": SEED})]


# --- Rotation


def test_rotation_seals_them_anew(settings, sam, factor, capsys):
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    call_command("rotate_encryption_keys")
    assert "Second factors sealed anew: 1, changed meanwhile: 0." in capsys.readouterr().out
    settings.ENCRYPTION_KEYS = NEW
    assert Authenticator.objects.get(user=sam).wrap().validate_code(code())


def test_rotation_seals_those_that_lie_open(sam):
    Authenticator.objects.create(user=sam, type=TOTP_KIND, data={"secret": SEED})
    call_command("rotate_encryption_keys")
    assert second_factor.open_ones() == []


def test_a_key_that_second_factors_need_is_not_retired(settings, factor):
    settings.ENCRYPTION_KEYS = f"{NEW},{OLD}"
    old = OLD.partition(":")[0]
    with pytest.raises(CommandError, match=f"Second factors sealed with {old}: 1"):
        call_command("rotate_encryption_keys", retire=old)
    call_command("rotate_encryption_keys")
    call_command("rotate_encryption_keys", retire=old)


def test_rotation_says_which_do_not_open_and_seals_the_others(settings, factor):
    settings.ENCRYPTION_KEYS = NEW
    TOTP.activate(UserFactory(), SEED)
    Authenticator.objects.create(user=UserFactory(), type=TOTP_KIND, data={"secret": SEED})
    with pytest.raises(CommandError, match="provider keys 0, second factors 1"):
        call_command("rotate_encryption_keys")
    assert second_factor.count_by_key() == {OLD.partition(":")[0]: 1, NEW.partition(":")[0]: 2}


def test_no_first_key_is_made_where_a_factor_is_sealed(settings, tmp_path, factor):
    settings.ENVIRONMENT, settings.ENCRYPTION_KEYS = "development", ""
    settings.ENCRYPTION_KEYS_FILE = tmp_path / "encryption_keys"
    make_encryption_key()
    assert not settings.ENCRYPTION_KEYS_FILE.exists()


# --- The audit


def test_the_audit_names_whose_factor_lies_open(sam, factor):
    Authenticator.objects.create(user=UserFactory(username="zoe"), type=TOTP_KIND, data={"secret": SEED})
    assert found() == ["it lies open: zoe, totp"]


def test_the_audit_counts_those_that_do_not_open_and_shows_no_seed(settings, factor):
    settings.ENCRYPTION_KEYS = NEW
    assert found() == [f"sealed by {OLD.partition(':')[0]}: 1 do not open"]


def test_the_audit_is_content_where_all_are_sealed(factor):
    assert found() == []


def found():
    return [text for text in sealed.second_factors.look() if not isinstance(text, Seen)]
