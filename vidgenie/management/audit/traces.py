"""Traces of secrets where none may be: other columns, the queue's pickles, sessions, logs, reports, git's history.

What looks like a key is looked for, every key that is stored (by its fingerprint: none is opened for this), and the
very secrets of this site. They are compared here and never sent to the database, whose own log might keep them. What is
found is told by its place alone.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from providers import crypto
from providers.adapters import ADAPTERS
from providers.models import ProviderKey
from vidgenie.management.audit.check import Seen, Unknown, check
from vidgenie.management.audit.packed import unpacked

BLOCK = 256 * 1024  # characters that are searched at once
LONGEST_FILE = 64 * 1024 * 1024  # bytes at the end of a log that are looked at
_TOKEN = r"(?<!\w)vg_[0-9a-f]{64}(?!\w)"
_PRIVATE = r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\+n|\s)+[A-Za-z0-9+/]{40}"
_SAMPLE = re.compile(r"planted|simulated|0123456789abcdef", re.IGNORECASE)  # no random key ever reads like this
_WORD = re.compile(r"[A-Za-z0-9_:.+/-]{16,}", re.ASCII)
_TEXTS = ("text", "character varying", "character", "json", "jsonb", "ARRAY")
PACKED = ("django_q_ormq", "django_q_task", "django_q_schedule", "django_session", "django_cache")
CHANGE = "Have the provider replace that key; then delete what holds it, in backups too."


class Patience:
    """Seconds for looking through the tables, and as many for git's history."""

    seconds = 20.0


class Search:
    """What is looked for; made once for many texts."""

    def __init__(self) -> None:
        self.words = [word for word in site_secrets() if len(word) >= crypto.RECOGNIZABLE]
        prints = ProviderKey.objects.exclude(fingerprint="").values_list("fingerprint", flat=True)
        self.fingerprints = frozenset(prints)

    @cached_property
    def shapes(self) -> re.Pattern[str]:
        """What looks like a key of any provider, a private key, or a token of ours."""
        marks = [one.key_mark for one in ADAPTERS.values() if one.key_mark and not one.key_mark.startswith(r"\{")]
        return re.compile("|".join([rf"(?<![\w-])(?:{mark})" for mark in marks] + [_TOKEN, _PRIVATE]), re.ASCII)

    def finds(self, text: str) -> str:
        """What a text holds, in words; "" for nothing."""
        if any(word in text for word in self.words):
            return "a secret of this site"
        if any(not _is_sample(found[0]) for found in self.shapes.finditer(text)):
            return "what looks like a key"
        return "a stored key" if self.fingerprints and self._stored(text) else ""

    def _stored(self, text: str) -> bool:
        words = (part for word in _WORD.findall(text) for part in {word, word.rpartition(":")[2], word.rstrip(".")})
        return any(crypto.fingerprint(word) in self.fingerprints for word in words)

    def lines(self, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The lines that hold something, each with what it is. Many are searched at once, since most hold nothing."""
        block: list[str] = []
        size = 0
        for line in lines:
            block.append(line)
            size += len(line)
            if size >= BLOCK:
                yield from self._of_block(block)
                block, size = [], 0
        yield from self._of_block(block)

    def _of_block(self, block: list[str]) -> Iterator[tuple[str, str]]:
        if self.finds("\n".join(block)):
            yield from ((line, what) for line in block if (what := self.finds(line)))


def _is_sample(key: str) -> bool:
    """Whether it says itself that it opens nothing: tests and the simulator have such keys."""
    return bool(_SAMPLE.search(key)) or len(set(key.partition("_")[2])) == 1


def site_secrets() -> Iterator[str]:
    """The secrets of the settings. A service account is known by the private key in it."""
    yield from (settings.SECRET_KEY, settings.METRICS_TOKEN, settings.SENTRY_DSN)
    yield settings.DATABASES["default"].get("PASSWORD") or ""
    yield settings.EMAIL_HOST_PASSWORD or ""
    yield settings.BUCKET.get("secret_key") or ""
    yield from (key for key in settings.PROVIDER_KEYS.values() if not key.startswith("{"))
    yield from (entry.rpartition(":")[2].strip() for entry in settings.ENCRYPTION_KEYS.split(","))


# The database


@check("traces.tables", "No key is outside the sealed column", "critical", CHANGE)
def tables() -> Iterator[str]:
    """Every text of every table is searched, as far as patience goes; small tables come first."""
    search, end = Search(), time.monotonic() + Patience.seconds
    names = [name for name in _by_size() if name not in PACKED]
    for number, name in enumerate(names):
        for line, what in search.lines(_rows(name, end)):
            yield f"{name}{_columns_in(line, search)}: {what}"
        if time.monotonic() > end:
            raise Unknown(f"{number} of {len(names)} tables were searched in time; give it more with --patience")
    yield Seen(f"{len(names)} tables")


@check("traces.packed", "No key is in the queue, in a session or in the cache", "critical", CHANGE)
def packed() -> Iterator[str]:
    """What is packed there is unpacked, and never run, and then searched."""
    search, end = Search(), time.monotonic() + Patience.seconds
    for name in sorted(set(PACKED) & set(_by_size())):
        for line in _rows(name, end):
            if what := search.finds(line) or search.finds(unpacked(line)):
                yield f"{name}: {what}"
    if time.monotonic() > end:
        raise Unknown("they were not searched in time; give it more with --patience")


def _by_size() -> list[str]:
    """The tables of our schema, the smallest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)"
            " AND relnamespace = current_schema()::regnamespace ORDER BY pg_total_relation_size(oid), relname"
        )
        return [name for (name,) in cursor.fetchall()]


def _rows(table: str, end: float) -> Iterator[str]:
    """The texts of each row as JSON, until the end of patience. The one column that is sealed is left out."""
    columns = [name for name in _text_columns(table) if (table, name) != ("providers_providerkey", "sealed")]
    if not columns:
        return
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, columns))
    query = f"COPY (SELECT to_jsonb(t) FROM (SELECT {names} FROM {quote(table)}) t) TO STDOUT"  # noqa: S608
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for row in copy.rows():
            yield row[0] or ""
            if time.monotonic() > end:
                return


def _text_columns(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s AND data_type = ANY(%s)",
            [table, list(_TEXTS)],
        )
        return [name for (name,) in cursor.fetchall()]


def _columns_in(line: str, search: Search) -> str:
    """ ".column" for the columns of a row that hold what was found."""
    try:
        found = [name for name, value in json.loads(line).items() if search.finds(json.dumps(value))]
    except ValueError:
        return ""
    return f".{'/'.join(found)}" if found else ""


# Files


@check("traces.logs", "No key is in a log", "critical", CHANGE + " Look for what wrote it.")
def logs() -> Iterator[str]:
    """The files that LOGGING writes to, and those of our own database."""
    logging: dict[str, Any] = settings.LOGGING
    files = [Path(one["filename"]) for one in logging["handlers"].values() if one.get("filename")]
    files += sorted(settings.VAR_DIR.glob("*.log")) + sorted(settings.VAR_DIR.glob("*/data/log*"))
    yield from _in_files([path for path in files if path.is_file()], "logs go to the console")


@check("traces.reports", "No key is in a report", "critical", CHANGE)
def reports() -> Iterator[str]:
    """The reports of all commands, here and in VidGenie's directory."""
    places = {Path.cwd(), Path(settings.BASE_DIR)}
    yield from _in_files(sorted(path for place in places for path in place.glob("*-report*.json")), "no reports here")


def _in_files(files: list[Path], none: str) -> Iterator[str]:
    search = Search()
    for path in files:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - LONGEST_FILE))
            for _, what in search.lines(raw.decode(errors="replace") for raw in file):
                yield f"{path.name}: {what}"
                break
    yield Seen(f"{len(files)} files" if files else none)


# Git


@check("traces.history", "No key was ever committed", "critical", CHANGE + " What was pushed counts as read.")
def history() -> Iterator[str]:
    """Every line that was ever added, in all branches, the newest first, as far as patience goes."""
    if not (settings.BASE_DIR / ".git").exists():
        yield Seen("no checkout of git here")
        return
    search, story = Search(), Story(time.monotonic() + Patience.seconds)
    found = set()
    for line, what in search.lines(story):
        found.add(f"{line.partition(' ')[0]}: {what}")
    yield from sorted(found)
    if story.is_cut_short:
        raise Unknown(f"{story.commits} commits were searched in time; give it more with --patience")
    yield Seen(f"{story.commits} commits")


class Story:
    """The lines that commits added, each with its commit and file before it; until patience ends."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.commits = 0
        self.is_cut_short = False

    def __iter__(self) -> Iterator[str]:
        asked = ["git", "log", "--all", "-p", "--unified=0", "--no-color", "--no-ext-diff", "--format=commit %h"]
        with subprocess.Popen(asked, cwd=settings.BASE_DIR, stdout=subprocess.PIPE) as git:
            try:
                yield from self._told(git.stdout or ())
            finally:
                git.kill()
        if not self.is_cut_short and git.returncode not in (0, -9):
            raise Unknown("git does not tell its history")

    def _told(self, lines: Iterable[bytes]) -> Iterator[str]:
        commit = file = ""
        for raw in lines:
            line = raw.decode(errors="replace").rstrip("\n")
            if line.startswith("commit "):
                commit, self.commits = line[7:], self.commits + 1
                if time.monotonic() > self.end:
                    self.is_cut_short = True
                    return
            elif line.startswith("+++ "):
                file = line[6:]
            elif line.startswith("+"):
                yield f"{commit}:{file} {line[1:]}"
