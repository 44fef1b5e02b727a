"""A dump and what it must come to when it is restored, both of one moment of a database that goes on working.

`pg_dump` works on a snapshot that our own connection has exported and holds, and the checksums are taken on that same
connection: so they agree to the row, whatever is written meanwhile. The manifest beside the dump has everything that a
restored copy is compared with, and says which encryption keys are needed, by fingerprints.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from providers import crypto
from vidgenie import reports
from vidgenie.management.migration import catalog, place, sums
from vidgenie.management.migration.catalog import Catalog
from vidgenie.management.migration.sums import Sums

FORMAT = 1
PARTIAL = ".partial"
_HOW = ("-Fc", "-Z", "1", "--lock-wait-timeout", "10s")  # the time of a deployment is dearer than a few megabytes
_BLOCK = 1 << 20


class BadBackup(Exception):
    """A backup is not what it was, or was never whole; the text says what is wrong."""


@dataclass(frozen=True)
class Manifest:
    """What a dump is, and what it comes to. `keys` are the fingerprints of encryption keys by id, `sealed` counts."""

    path: Path
    database: str
    deployment: str
    taken: str
    postgresql: int  # server_version_num
    version: str
    commit: str | None
    size: int
    sha256: str
    migrations: list[str]
    keys: dict[str, str]
    sealed: dict[str, int]
    sums: Sums
    catalog: Catalog

    @property
    def dump(self) -> Path:
        return self.path.with_suffix(".dump")

    @property
    def name(self) -> str:
        return self.path.stem


def take(directory: Path, deployment: str) -> Manifest:
    """Dump the live database. Raises PlaceError or OSError; what was written until then is removed."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    database, now = place.live_name(), datetime.now(UTC)
    path = directory / f"{database}-{now:%Y%m%dT%H%M%SZ}-{deployment}.json"
    partial = path.with_suffix(f".dump{PARTIAL}")
    try:
        with _snapshot(database) as (link, exported, written):
            program = place.program("pg_dump", link.info.server_version)
            risen = sums.sequences(link)  # before the dump reads them, which may only find them higher
            with place.running(program, database, [*_HOW, "--snapshot", exported, "--file", str(partial)]):
                facts = _facts(link)
            facts["sums"].sequences, facts["sums"].written = risen, written
        _sync(partial)
        facts |= {"path": path, "database": database, "deployment": deployment, "taken": now.isoformat()}
        made = _manifest(partial, facts)
        partial.replace(made.dump)
        _write(made)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return made


@contextmanager
def _snapshot(database: str) -> Iterator[tuple[place.Connection, str, dict[str, int]]]:
    """A moment of the database, for as long as the block lasts, its name for others who want to see the same, and what
    had been written before it.
    """
    with place.connect(database) as link:
        written = sums.written(link)  # what is written while the checksums are made was written after them
        link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ((exported,),) = link.execute("SELECT pg_export_snapshot()").fetchall()
        yield link, str(exported), written


def _facts(link: place.Connection) -> dict[str, Any]:
    tables = sums.columns(link)
    migrations = (
        sorted(f"{app}.{name}" for app, name in link.execute("SELECT app, name FROM django_migrations"))
        if "django_migrations" in tables
        else []
    )
    return {
        "postgresql": link.info.server_version,
        "migrations": migrations,
        "sealed": sealed_by(link) if "providers_providerkey" in tables else {},
        "sums": sums.of(link),
        "catalog": catalog.of(link),
    }


def sealed_by(link: place.Connection) -> dict[str, int]:
    """How many sealed values bear the id of each encryption key; "" for what is no sealed value."""
    found: Counter[str] = Counter()
    for (text,) in link.execute("SELECT sealed FROM providers_providerkey WHERE sealed <> ''"):
        try:
            found[crypto.key_id(text)] += 1
        except crypto.Unopenable:
            found[""] += 1
    return dict(found)


def fingerprints() -> dict[str, str]:
    """The fingerprint of each encryption key of the settings, by its id."""
    entries = (entry.partition(":") for entry in re.split(r"[,\s]+", settings.ENCRYPTION_KEYS) if entry)
    return {key_id: hashlib.sha256(key.rstrip("=").encode()).hexdigest()[:16] for key_id, _, key in entries}


def _manifest(dump: Path, facts: dict[str, Any]) -> Manifest:
    us = reports.program()
    return Manifest(
        version=us["version"],
        commit=us["commit"],
        size=dump.stat().st_size,
        sha256=_digest(dump),
        keys=fingerprints(),
        **facts,
    )


def _write(made: Manifest) -> None:
    """The manifest comes last: a dump without one is no backup."""
    kept = {**made.__dict__, "format": FORMAT, "path": made.path.name, "sums": made.sums.as_dict()}
    aside = made.path.with_suffix(f".json{PARTIAL}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(kept, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(made.path)


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


# Backups that are there


def read(path: Path) -> Manifest:
    """The manifest of this name, or of a dump of this name. Raises BadBackup."""
    path = path.with_suffix(".json") if path.suffix in (".dump", ".json") else path.with_name(f"{path.name}.json")
    try:
        found = json.loads(path.read_text())
        if found.pop("format") != FORMAT:
            raise BadBackup(f"{path.name} is of a form that this program does not read.")
        return Manifest(**found | {"path": path, "sums": Sums.from_dict(found["sums"])})
    except OSError as error:
        raise BadBackup(f"{path}: {error.strerror}. A backup is a .dump and a .json of one name.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadBackup(f"{path.name} is no whole manifest ({type(error).__name__}).") from error


def require_unchanged(manifest: Manifest) -> None:
    """Raise BadBackup unless the dump is, to the byte, what was written."""
    try:
        size = manifest.dump.stat().st_size
        digest = _digest(manifest.dump)
    except OSError as error:
        raise BadBackup(f"{manifest.dump.name}: {error.strerror}") from error
    if size != manifest.size:
        raise BadBackup(f"{manifest.dump.name} has {size:,} bytes; {manifest.size:,} were written.")
    if digest != manifest.sha256:
        raise BadBackup(f"{manifest.dump.name} is not what was written: its SHA-256 is another.")


def all_of(directory: Path, database: str) -> list[Path]:
    """The manifests of a database, newest first."""
    found = directory.glob(f"{database}-*.json")
    return sorted((path for path in found if re.search(r"-\d{8}T\d{6}Z-[0-9a-f]+\.json$", path.name)), reverse=True)


def prune(directory: Path, database: str, keep: int, spared: str) -> list[str]:
    """Remove all but the newest `keep` backups, and what is left of half ones; never the one that is `spared`."""
    for half in directory.glob(f"{database}-*{PARTIAL}"):
        half.unlink()
    gone = [path for path in all_of(directory, database)[keep:] if path.stem != spared]
    for path in gone:
        path.unlink()
        path.with_suffix(".dump").unlink(missing_ok=True)
    orphans = (dump for dump in directory.glob(f"{database}-*.dump") if not dump.with_suffix(".json").exists())
    for dump in orphans:
        dump.unlink()
    return [path.stem for path in gone]
