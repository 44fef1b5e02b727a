"""The packages that VidGenie stands on: whether they are those of the lock file, and whether anything is known of them.

pip-audit leaves with 0 when it could audit nothing at all, and with --strict it tells nothing but the first that it
could not: so it is asked for its list, and what counts is that every package of the lock file is in it.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from packaging.requirements import Requirement

from vidgenie.management.audit.check import Seen, Unknown, check

WITHIN = 120  # seconds for pip-audit, which asks for one package after the other
_PIN = re.compile(r"^[A-Za-z0-9][^\\\n]*", re.MULTILINE)
ELSEWHERE = (
    "Run this where the advisories can be had, with pip-audit installed (it is in requirements-dev.lock). Or run "
    "`pip-audit --disable-pip -r requirements.lock -f json -o advisories.json` on such a machine, and give that file "
    "to --advisories."
)


class Advisories:
    """Where the answer of a pip-audit is that ran elsewhere; None to run one here."""

    file: Path | None = None


def pins() -> dict[str, str]:
    """The version of every package of requirements.lock that this system needs, by its normalized name."""
    text = (Path(settings.BASE_DIR) / "requirements.lock").read_text()
    locked = [Requirement(line) for line in _PIN.findall(text)]
    here = [one for one in locked if one.marker is None or one.marker.evaluate()]
    return {normalized(one.name): str(one.specifier).removeprefix("==") for one in here}


def normalized(name: str) -> str:
    """A package's name as all spellings of it are the same."""
    return re.sub(r"[-_.]+", "-", name).lower()


@check("dependencies.installed", "What is installed is what was locked", "high", "Run: python3 dev.py setup")
def installed() -> Iterator[str]:
    """The versions of installed packages are compared with requirements.lock."""
    for name, version in pins().items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} {version} is not installed"
            continue
        if found != version:
            yield f"{name} is {found}, locked is {version}"
    yield Seen(f"{len(pins())} packages")


@check("dependencies.advisories", "No advisory is known against a dependency", "high", ELSEWHERE)
def advisories() -> Iterator[str]:
    """pip-audit looks up every package of requirements.lock; all of them must have been looked up."""
    looked_up, locked = _answer(), pins()
    for one in looked_up:
        ids = ", ".join(sorted({str(known["id"]) for known in one.get("vulns", ())}))
        if ids:
            fixed = sorted({str(version) for known in one["vulns"] for version in known.get("fix_versions", ())})
            yield f"{one['name']} {one['version']}: {ids} (fixed in {', '.join(fixed) or 'no version'})"
    known = {(normalized(one["name"]), one["version"]) for one in looked_up if "skip_reason" not in one}
    if missing := [name for name, version in locked.items() if (name, version) not in known]:
        raise Unknown(f"{len(missing)} of {len(locked)} packages could not be looked up, such as {missing[0]}")
    yield Seen(f"{len(locked)} packages")


def _answer() -> list[dict[str, Any]]:
    """What pip-audit says of each package. Raises Unknown when it says nothing that can be read."""
    text = _ran_here() if Advisories.file is None else _ran_elsewhere(Advisories.file)
    try:
        found = json.loads(text)["dependencies"]
        return [one for one in found if isinstance(one["name"], str) and ("skip_reason" in one or one["version"])]
    except (ValueError, KeyError, TypeError) as error:
        raise Unknown("pip-audit gave no list of packages") from error


def _ran_elsewhere(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError) as error:
        raise Unknown(f"--advisories: {file.name} cannot be read") from error


def _ran_here() -> str:
    if find_spec("pip_audit") is None:
        raise Unknown("pip-audit is not installed")
    lock = str(Path(settings.BASE_DIR) / "requirements.lock")
    quiet = ["--disable-pip", "--progress-spinner", "off", "--timeout", "10"]
    try:
        said = subprocess.run(
            [sys.executable, "-m", "pip_audit", "-r", lock, "-f", "json", *quiet],
            capture_output=True,
            text=True,
            timeout=WITHIN,
        )
    except subprocess.TimeoutExpired as error:
        raise Unknown(f"pip-audit was not done after {WITHIN} s") from error
    return said.stdout
