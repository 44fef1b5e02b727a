"""The operator's door to the ring of encryption keys: a new key, sealing everything anew, taking an old key away."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from providers import crypto, keyring
from providers.crypto import Ring
from vidgenie import second_factor

HELP = """Seals every stored provider key and second factor with the first key of VIDGENIE_ENCRYPTION_KEYS, while
everything runs.
To change the key: 1. print one with --new-key; 2. put it last in VIDGENIE_ENCRYPTION_KEYS and restart everything, so
that every process can open with it; 3. put it first and restart; 4. run this command; 5. ask with --retire OLD whether
the old one may go. Ending it at any point does no harm: run it again."""


class Command(BaseCommand):
    help = HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--new-key", action="store_true", help="print a new entry for VIDGENIE_ENCRYPTION_KEYS")
        what.add_argument("--retire", metavar="ID", help="say whether this key may be taken out of the ring")
        what.add_argument(
            "--forget-unopenable", action="store_true", help="erase the provider keys that no key in the ring opens"
        )

    def handle(self, *, new_key: bool, retire: str | None, forget_unopenable: bool, **options: Any) -> None:
        if new_key:
            self.stdout.write(crypto.new_key())
            return
        ring = the_ring()
        if retire is not None:
            self.retire(ring, retire)
        elif forget_unopenable:
            self.stdout.write(f"Provider keys erased: {keyring.forget_unopenable(ring)}")
        else:
            self.rotate(ring)

    def rotate(self, ring: Ring) -> None:
        """Seal everything with the first key, and tell how far it has come."""
        if not ring.ids:
            raise CommandError("VIDGENIE_ENCRYPTION_KEYS is not set. --new-key prints a value for it.")
        progress = keyring.Progress()
        for progress in keyring.rotate(ring):
            if progress.seen % keyring.BATCH == 0:
                self.stdout.write(f"{progress.seen} looked at, {progress.sealed} sealed anew")
        self.stdout.write(
            f"{progress.sealed} sealed anew with {ring.ids[0]}, "
            f"{progress.changed_meanwhile} changed by others meanwhile."
        )
        factors = second_factor.rotate(ring)
        self.stdout.write(
            f"Second factors sealed anew: {factors.sealed}, changed meanwhile: {factors.changed_meanwhile}."
        )
        self.counts()
        if progress.unopenable or factors.unopenable:
            raise CommandError(
                "What does not open with any key in VIDGENIE_ENCRYPTION_KEYS: "
                f"provider keys {progress.unopenable}, second factors {factors.unopenable}"
            )

    def retire(self, ring: Ring, key_id: str) -> None:
        """Refuse while anything needs this key."""
        used = keyring.count_by_key()[key_id]
        if used:
            raise CommandError(f"Provider keys sealed with {key_id}: {used}. Seal them anew first: run this command.")
        if used := second_factor.count_by_key()[key_id]:
            raise CommandError(f"Second factors sealed with {key_id}: {used}. Seal them anew first: run this command.")
        if ring.ids[:1] == (key_id,):
            raise CommandError(f"{key_id} is the key that seals: put another one before it first.")
        self.stdout.write(f"Nothing is sealed with {key_id}. Take it out of VIDGENIE_ENCRYPTION_KEYS and restart.")
        self.stdout.write("Keep it somewhere safe for as long as you keep backups that were made before today.")

    def counts(self) -> None:
        for key_id, number in sorted(keyring.count_by_key().items()):
            self.stdout.write(f"{key_id or 'no sealed value'}: {number}")
        for key_id, number in sorted(second_factor.count_by_key().items()):
            self.stdout.write(f"{key_id or 'not sealed'}: {number} (second factors)")


def the_ring() -> Ring:
    """The ring of the settings; raises CommandError for one that makes no sense."""
    try:
        return crypto.ring()
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
