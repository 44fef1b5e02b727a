"""Who else on this machine may read what is secret, and write what is run."""

import os
import stat
import subprocess
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from django.conf import settings

from vidgenie.management.audit.check import Seen, Unknown, check

SAMPLE = 2000  # files of a folder that are looked at
OTHERS = stat.S_IRWXG | stat.S_IRWXO
CODE = ("vidgenie", "workflows", "credits", "providers", "templates", "static", "locale")
SECRETS = (
    "SECRET_KEY",
    "DATABASE_URL",
    "EMAIL_URL",
    "VIDGENIE_ENCRYPTION_KEYS",
    "METRICS_TOKEN",
    "SENTRY_DSN",
    "OPENAI_API_KEY",
    "FAL_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "RUNWAYML_API_SECRET",
    "S3_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY",
)  # each may also be given as NAME_FILE
SECRET_NAMES = (".env", ".env.test", "encryption_keys", "secret_key", "id_rsa", "id_ed25519")
SECRET_ENDINGS = (".pem", ".key", ".p12", ".pfx", ".dump")


@check("files.secrets", "Secrets are readable by their owner alone", "high", "chmod 600 on each of them.")
def secret_files() -> Iterator[str]:
    """The permissions of .env, of what `make run` has made under var/, and of every file that a NAME_FILE names."""
    named = [Path(value) for name in SECRETS if (value := os.environ.get(f"{name}_FILE"))]
    named += [
        Path(value) for value in [os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")] if value[:1] not in ("", "{")
    ]
    named += [Path(settings.BASE_DIR) / ".env", settings.VAR_DIR / "secret_key", settings.ENCRYPTION_KEYS_FILE]
    files = [path for path in named if path.is_file()]
    yield from _open_to(OTHERS, files)
    yield Seen(f"{len(files)} files")


@check("files.media", "Files of users are for nobody else on this machine", "high", "chmod -R go= on MEDIA_ROOT.")
def media() -> Iterator[str]:
    """MEDIA_ROOT, and the first two thousand files in it."""
    yield from _in_folder(Path(settings.MEDIA_ROOT), OTHERS)


@check("files.backups", "Backups are readable by their owner alone", "high", "chmod -R go= on that folder.")
def backups() -> Iterator[str]:
    """The folder for backups under var/: they hold all there is."""
    yield from _in_folder(settings.VAR_DIR / "backups", OTHERS)


@check("files.code", "Nobody else may write what is run", "high", "chmod -R go-w on VidGenie's directory.")
def code() -> Iterator[str]:
    """Permissions of the program, of its templates and of what it serves."""
    home = Path(settings.BASE_DIR)
    places = [*(home / name for name in CODE), *sorted(home.glob("*.py"))]
    files = [path for place in places for path in (place, *sorted(place.rglob("*")))]
    yield from _open_to(stat.S_IWGRP | stat.S_IWOTH, files)
    yield Seen(f"{len(files)} files")


@check("files.tracked", "No file for secrets is in git", "critical", "Take it out of git, and replace what was in it.")
def tracked() -> Iterator[str]:
    """The names of all files that git keeps."""
    if not (settings.BASE_DIR / ".git").exists():
        yield Seen("no checkout of git here")
        return
    asked = subprocess.run(["git", "ls-files", "-z"], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=30)
    if asked.returncode:
        raise Unknown("git does not tell its files")
    names = [name for name in asked.stdout.split("\0") if name]
    yield from (name for name in names if _is_for_secrets(Path(name)))
    yield Seen(f"{len(names)} files")


def _is_for_secrets(path: Path) -> bool:
    return path.name in SECRET_NAMES or path.suffix in SECRET_ENDINGS or path.parts[0] == "var"


def _in_folder(folder: Path, bits: int) -> Iterator[str]:
    if not folder.is_dir():
        yield Seen(f"{_short(folder)} is not there")
        return
    files = list(islice(folder.rglob("*"), SAMPLE))
    yield from _open_to(bits, [folder] if folder.stat().st_mode & bits else files)
    yield Seen(f"{len(files)} files")


def _open_to(bits: int, files: Iterable[Path]) -> Iterator[str]:
    for path in files:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:  # made and taken away meanwhile
            continue
        if mode & bits:
            yield f"{_short(path)} has {stat.filemode(mode)}"


def _short(path: Path) -> str:
    """Without where on this machine VidGenie is."""
    return str(path.relative_to(settings.BASE_DIR)) if path.is_relative_to(settings.BASE_DIR) else path.name
