"""What an operator's command has found: a file for programs, a few lines for people, an exit code for scripts.

Every command of the kind makes a `Report` and adds a `Row` for each thing that it was asked to show. What could not be
checked is `unknown`, and unknown is not a pass. docs/reports/ has the schema of every kind of file.
"""

import json
import math
import os
import platform
import secrets
import subprocess
import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import Error as DatabaseFailed
from django.db import connection

from providers.keys import redacted

FORMAT = 1
SEVERITIES = ("low", "medium", "high", "critical")
_WORTH_HIDING = 12  # characters; a shorter secret would take words out of sentences


class Verdict(StrEnum):
    """What a row says. `noted` is for what has no target: it is told and decides nothing."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOTED = "noted"


EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 3}  # 2 is a command line that makes no sense


class Unwritable(Exception):
    """A report cannot be written there; the text is a sentence that names the option."""


class Unreadable(Exception):
    """A file is no report; the text says what is wrong with it."""


@dataclass(frozen=True)
class Row:
    """One thing that was to be shown: what was wanted, what was found, how, and what to do about it.

    A row has a target or is `noted`. `evidence` is what somebody else can look at; it never holds a secret.
    """

    id: str
    title: str
    verdict: Verdict
    target: str = ""
    measured: float | int | str | None = None
    unit: str = ""
    method: str = ""
    evidence: str = ""
    advice: str = ""
    severity: str = ""  # of SEVERITIES, where a kind of report tells them apart

    def __post_init__(self) -> None:
        if (self.verdict == Verdict.NOTED) == bool(self.target):
            raise ValueError(f"{self.id}: a row has a target, or else it is noted")
        if self.severity and self.severity not in SEVERITIES:
            raise ValueError(f"{self.id}: {self.severity!r} is no severity")


@dataclass
class Report:
    """The rows of one command's run, and where and when it ran.

    `fail_on` is the lowest severity that decides (""; every row does). `details` is what this kind has beyond rows.
    `partial`: less was asked for than the command shows without arguments, so it is good for a look and no proof.
    """

    kind: str
    fail_on: str = ""
    partial: bool = False
    rows: list[Row] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.monotonic, repr=False)

    def add(self, row: Row) -> Row:
        """Add a row. Raises ValueError for an id that is there already."""
        if any(other.id == row.id for other in self.rows):
            raise ValueError(f"{row.id}: there are two rows of this name")
        self.rows.append(row)
        return row

    @property
    def outcome(self) -> Verdict:
        """`pass` only where something was shown, and nothing that decides failed or stayed unknown."""
        return outcome([(row.verdict, row.severity) for row in self.rows], self.fail_on)

    @property
    def exit_code(self) -> int:
        """0 for a pass, 1 for a failure, 3 for what stayed unknown."""
        return EXIT_CODES[self.outcome]

    def as_json(self) -> str:
        """The file's text as of now, without any secret that the settings know."""
        duration = time.monotonic() - self._clock
        whole = {
            "kind": self.kind,
            "format": FORMAT,
            "started": self.started.isoformat(),
            "finished": datetime.now(UTC).isoformat(),
            "duration_seconds": round(duration, 3),
            **program(),
            "machine": machine(),
            "outcome": self.outcome,
            "fail_on": self.fail_on,
            "partial": self.partial,
            "rows": [asdict(row) for row in self.rows],
            "details": self.details,
        }
        return json.dumps(_presentable(whole), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def outcome(verdicts: list[tuple[str, str]], fail_on: str = "") -> Verdict:
    """What these verdicts, each with its severity, come to; those of less severity than `fail_on` do not decide."""
    least = _weight(fail_on)
    deciding = {verdict for verdict, severity in verdicts if not severity or _weight(severity) >= least}
    if Verdict.FAIL in deciding:
        return Verdict.FAIL
    if Verdict.UNKNOWN in deciding:
        return Verdict.UNKNOWN
    return Verdict.PASS if any(verdict == Verdict.PASS for verdict, _ in verdicts) else Verdict.UNKNOWN


def _weight(severity: str) -> int:
    return SEVERITIES.index(severity) if severity else 0


# Where it was made


def program() -> dict[str, Any]:
    """VidGenie's version, its commit, and whether files differ from that; None outside a git checkout."""
    with open(settings.BASE_DIR / "pyproject.toml", "rb") as file:
        version = tomllib.load(file)["project"]["version"]
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {"version": version, "commit": commit or None, "uncommitted": None if changed is None else bool(changed)}


def _git(*arguments: str) -> str | None:
    """What git says of the checkout; None where there is no git, or no checkout of ours."""
    if not (settings.BASE_DIR / ".git").exists():
        return None
    try:
        said = subprocess.run(["git", *arguments], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() if said.returncode == 0 else None


def machine() -> dict[str, Any]:
    """What figures depend on; None for what cannot be known."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "django": django.get_version(),
        "postgresql": postgresql(),
    }


def postgresql() -> str | None:
    """The database server's version, as in "18.4"; None where there is none to ask."""
    try:
        number = connection.pg_version  # type: ignore[attr-defined]
    except DatabaseFailed:
        return None
    return f"{number // 10000}.{number % 10000}"


# Writing


def default_path(kind: str) -> Path:
    """Where a report goes unless told otherwise: the current directory."""
    return Path(f"{kind}-report.json")


def require_writable(path: Path) -> None:
    """Raise Unwritable unless a report can be written there; it is tried, since permissions say little of disks."""
    if path.exists() and not path.is_file():
        raise Unwritable(f"--report: {path} is not a file. Name a file, or - for the screen.")
    probe = _aside(path)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise Unwritable(
            f"--report: {path} cannot be written: {error.strerror}. Name another, or - for the screen."
        ) from error


def write(path: Path, text: str) -> None:
    """Write the whole text or, raising OSError, nothing: what was there before stays."""
    aside = _aside(path)
    try:
        with open(aside, "x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def _presentable(value: Any) -> Any:
    """JSON's own kinds of values, without secrets, and null for what is no number."""
    if isinstance(value, dict):
        return {str(name): _presentable(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_presentable(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, int) else without_secrets(str(value))


def without_secrets(text: str) -> str:
    """The text without any secret of the settings. A net below commands, which do not write one in the first place."""
    for secret in _secrets():
        text = redacted(text, secret)
    return text


def _secrets() -> Iterator[str]:
    known: list[str | None] = [settings.SECRET_KEY, settings.METRICS_TOKEN, settings.SENTRY_DSN]
    known += settings.PROVIDER_KEYS.values()
    known += [settings.DATABASES["default"].get("PASSWORD"), settings.EMAIL_HOST_PASSWORD]  # None where there is none
    known += [settings.BUCKET.get("secret_key"), *settings.ENCRYPTION_KEYS.split(",")]
    return (secret for secret in known if secret and len(secret) >= _WORTH_HIDING)


# Reading


@dataclass(frozen=True)
class Found:
    """What a later command has to know of a report."""

    kind: str
    outcome: Verdict
    finished: datetime
    version: str
    commit: str | None
    uncommitted: bool | None
    partial: bool
    rows: list[dict[str, Any]]

    def of(self, verdict: Verdict) -> list[str]:
        """The ids of the rows with this verdict."""
        return [row["id"] for row in self.rows if row["verdict"] == verdict]


def read(path: Path, kind: str) -> Found:
    """The report of this kind. Raises FileNotFoundError, or Unreadable for whatever is no such report."""
    try:
        whole = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no whole JSON: {_briefly(error)}") from error
    if not isinstance(whole, dict) or whole.get("kind") != kind:
        raise Unreadable(f"it is no report of the kind {kind}")
    if whole.get("format") != FORMAT:
        raise Unreadable(f"its format is {whole.get('format')!r:.20}, and this program reads {FORMAT}")
    try:
        return _found(whole)
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"something in it is missing or wrong: {_briefly(error)}") from error


def _briefly(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:120]


def _found(whole: dict[str, Any]) -> Found:
    """Raises KeyError, TypeError or ValueError for what no command of ours has written."""
    finished = datetime.fromisoformat(whole["finished"])
    rows = [{"id": str(row["id"]), "verdict": Verdict(row["verdict"])} for row in whole["rows"]]
    told = outcome([(row["verdict"], row["severity"]) for row in whole["rows"]], whole["fail_on"])
    if finished.tzinfo is None or whole["outcome"] != told:
        raise ValueError("its outcome is not what its rows come to" if finished.tzinfo else "its time has no zone")
    for name, kinds in (("version", str), ("commit", str | None), ("uncommitted", bool | None), ("partial", bool)):
        if not isinstance(whole[name], kinds):
            raise TypeError(name)
    about = {name: whole[name] for name in ("version", "commit", "uncommitted", "partial")}
    return Found(whole["kind"], told, finished, rows=rows, **about)
