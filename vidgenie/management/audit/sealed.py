"""Sealed keys: whether the cipher does what it should here, and every value that is stored."""

import datetime
from collections import Counter
from collections.abc import Iterator
from functools import partial
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from providers import crypto, keyring, vectors
from providers.crypto import Ring, Unopenable
from providers.keyring import Sealed
from providers.models import ProviderKey
from vidgenie import second_factor
from vidgenie.management.audit.check import Seen, Unknown, check

OLDEST = datetime.timedelta(days=365)
MOST = 3  # keys of a ring; more say that rotations were never finished
TRIED = 50  # values that are tried in the places of all others
ROTATE = "See `manage.py rotate_encryption_keys --help`: make a new key, rotate, retire the old one."
FORGET = (
    "Put the key back that sealed them. If it is lost: `manage.py rotate_encryption_keys --forget-unopenable`. "
    "If nobody has lost a key, somebody has written to the database: have the providers' keys replaced."
)


def ring() -> Ring:
    """The ring of the settings. Raises Unknown where there is none."""
    try:
        found = crypto.ring()
    except ImproperlyConfigured as error:
        raise Unknown("VIDGENIE_ENCRYPTION_KEYS makes no sense") from error
    if not found.ids:
        raise Unknown("VIDGENIE_ENCRYPTION_KEYS is not set")
    return found


@check(
    "sealed.ring",
    "There is a ring of keys to seal with, of its own",
    "critical",
    "Put what `manage.py rotate_encryption_keys --new-key` prints into VIDGENIE_ENCRYPTION_KEYS.",
)
def ring_is_sound() -> Iterator[str]:
    """VIDGENIE_ENCRYPTION_KEYS is read, and compared with SECRET_KEY, from which it may not come."""
    try:
        found = crypto.ring()
    except ImproperlyConfigured as error:
        yield str(error)
        return
    if not found.ids:
        yield "VIDGENIE_ENCRYPTION_KEYS is not set: keys cannot be kept"
    if settings.SECRET_KEY and settings.SECRET_KEY in settings.ENCRYPTION_KEYS:
        yield "SECRET_KEY is one of them"
    yield Seen(f"{len(found.ids)} keys")


@check(
    "sealed.vectors", "The cipher gives the known answers", "critical", "Install requirements.lock anew; seal nothing."
)
def known_answers() -> Iterator[str]:
    """Published vectors are sealed and opened, and opened again with each of their bytes changed."""
    yield from vectors.wrong()
    yield Seen(f"{len(vectors.VECTORS)} vectors, of sources and dates in providers/vectors.py")


@check("sealed.tampering", "What is changed or moved does not open", "critical", "Restore providers/crypto.py.")
def tampering() -> Iterator[str]:
    """Something is sealed by each key of the ring, opened in its place, and then changed, moved and given to others."""
    tried = 0
    for key_id, key in ring().keys.items():
        one = Ring({key_id: key})
        place = {"provider": "fal", "owner": 1, "row": uuid4()}
        text = one.seal("audit", **place)  # type: ignore[arg-type]
        if not _opens(partial(one.open, text, **place), "audit"):  # type: ignore[arg-type]
            yield f"{key_id}: it does not open where it was sealed"
        for what, changed in _changed(text):
            tried += 1
            if _opens(partial(one.open, changed, **place)):  # type: ignore[arg-type]
                yield f"{key_id}: {what} changed, and it opens"
        for other in ({"provider": "openai"}, {"owner": 2}, {"owner": None}, {"row": uuid4()}):
            tried += 1
            if _opens(partial(one.open, text, **(place | other))):  # type: ignore[arg-type]
                yield f"{key_id}: it opens with another {next(iter(other))}"
    yield Seen(f"{tried} ways")


def _opens(look: "partial[str]", plain: str | None = None) -> bool:
    try:
        found = look()
    except Unopenable:
        return False
    return plain is None or found == plain


def _changed(text: str) -> Iterator[tuple[str, str]]:
    """The value with each of its characters replaced, cut short and made longer."""
    for place, letter in enumerate(text):
        yield f"character {place}", text[:place] + ("B" if letter == "A" else "A") + text[place + 1 :]
    yield "its end", text[:-1]
    yield "its end", text + "A"


@check("sealed.openable", "Every stored key opens", "critical", FORGET)
def openable() -> Iterator[str]:
    """Every sealed value is opened with the ring of the settings, in its place."""
    found = ring()
    closed = Counter(sealed.key_id for sealed in keyring.unopenable(found) if sealed.key_id)
    for key_id, number in closed.items():
        why = "with that key, in their places" if key_id in found.ids else "as their key is not in the ring"
        yield f"sealed by {key_id}: {number} do not open {why}"
    yield Seen(f"{ProviderKey.objects.exclude(sealed='').count()} values")


@check(
    "sealed.plaintext",
    "Nothing but sealed values is in the sealed column",
    "critical",
    "Have the provider replace that key, type the new one into the admin, and look for whoever writes to the database.",
)
def plaintext() -> Iterator[str]:
    """Every value of the column is taken apart as our format has it."""
    rows = [sealed.row for sealed in keyring.sealed_rows() if not sealed.key_id]
    yield from (f"row {row}" for row in rows)


@check(
    "sealed.second-factors",
    "Every second factor is sealed, and opens",
    "high",
    "`manage.py rotate_encryption_keys` seals those that lie open. Put the key back that sealed the others, or take "
    "them away in the admin, so that their owners can set up new ones.",
)
def second_factors() -> Iterator[str]:
    """The seeds of all authenticator apps and recovery codes are taken apart as our format has it, and opened."""
    yield from (f"it lies open: {whose}" for whose in second_factor.open_ones())
    counts = second_factor.count_by_key()
    for key_id, number in second_factor.unopenable(ring()).items() if counts else ():
        yield f"sealed by {key_id}: {number} do not open"
    yield Seen(f"{counts.total()} seeds")


@check("sealed.swapped", "Every stored key is in the place it was sealed for", "critical", FORGET)
def swapped() -> Iterator[str]:
    """What does not open where it is, is tried in the places of all others."""
    found = ring()
    closed = [sealed for sealed in keyring.unopenable(found) if sealed.key_id in found.ids]
    places = list(keyring.sealed_rows()) if closed else []
    for sealed in closed[:TRIED]:
        for place in places:
            if _opens(partial(Sealed(place.row, place.provider, place.owner, sealed.text).open, found)):
                yield f"row {sealed.row} has the value of row {place.row}"
    if len(closed) > TRIED:
        raise Unknown(f"{len(closed) - TRIED} values were not tried")


@check("sealed.nonces", "No nonce was ever used twice", "critical", "Rotate at once, and have these keys replaced.")
def nonces() -> Iterator[str]:
    """The nonces of all stored values are compared, key by key: twice the same would give the texts away."""
    every = (*keyring.sealed_rows(), *second_factor.seeds())
    seen = Counter((sealed.key_id, crypto.nonce(sealed.text)) for sealed in every if sealed.key_id)
    for (key_id, _), number in seen.items():
        if number > 1:
            yield f"sealed by {key_id}: {number} values with one nonce"
    yield Seen(f"{len(seen)} nonces")


@check(
    "sealed.columns",
    "What is shown of a key is of that key",
    "high",
    "Somebody has written to the database: have these keys replaced by their providers.",
)
def columns() -> Iterator[str]:
    """Fingerprint and last four characters are computed anew from every opened value."""
    found, last = ring(), None
    while batch := list(_with_columns(last)):
        for row, provider, owner, text, fingerprint, last_four in batch:
            try:
                plain = found.open(text, provider=provider, owner=owner, row=row)
            except Unopenable:
                continue
            if (crypto.fingerprint(plain), crypto.last_four(plain)) != (fingerprint, last_four):
                yield f"row {row}"
        last = batch[-1][0]


def _with_columns(last: object) -> Iterator[tuple]:  # type: ignore[type-arg]
    rows = ProviderKey.objects.exclude(sealed="").order_by("pk")
    rows = rows.filter(pk__gt=last) if last else rows
    names = ("pk", "provider", "owner_id", "sealed", "fingerprint", "last_four")
    return iter(rows.values_list(*names)[: keyring.BATCH])


@check("sealed.retired", "Everything is sealed by the first key", "medium", ROTATE)
def retired() -> Iterator[str]:
    """Rows are counted by the key that sealed them: a rotation that was not finished leaves some behind."""
    first = ring().ids[0]
    counts = keyring.count_by_key() + second_factor.count_by_key()
    yield from (f"{number} by {key_id}" for key_id, number in counts.items() if key_id and key_id != first)
    yield Seen(f"{counts[first]} by {first}")


@check("sealed.age", "The key that seals is young, and old ones are put away", "medium", ROTATE)
def age() -> Iterator[str]:
    """The date is in the id that --new-key gives; other ids do not tell."""
    ids = ring().ids
    if len(ids) > MOST:
        yield f"there are {len(ids)} keys"
    today = datetime.datetime.now(datetime.UTC).date()
    made = crypto.made_on(ids[0])
    if made is None:
        raise Unknown(f"the id {ids[0]} has no date")
    if today - made > OLDEST:
        yield f"{ids[0]} is {(today - made).days} days old"
    yield Seen(f"{len(ids)} keys; the one that seals is {(today - made).days} days old")
