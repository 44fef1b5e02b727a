"""The lock files install the same thing everywhere: every package by hash, from whatever index a machine uses."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
LOCKS = ("requirements.lock", "requirements-dev.lock")
DIRECT = {
    "requirements.lock": DECLARED["dependencies"],
    "requirements-dev.lock": DECLARED["dependencies"] + DECLARED["optional-dependencies"]["dev"],
}


def entries(text: str) -> list[list[str]]:
    """One list for each requirement: itself and its hashes."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [entry.split() for entry in re.split(r"\n(?=\S)", lines.replace("\\", "").strip())]


def pins(lock: str) -> dict[str, str]:
    """Version by name."""
    named = [entry[0].split("==") for entry in entries((PROJECT / lock).read_text())]
    return {canonicalize_name(name): version for name, version in named}


def unmet(requirements: list[str], pinned: dict[str, str]) -> list[str]:
    """The requirements that these pins do not satisfy."""
    parsed = {requirement: Requirement(requirement) for requirement in requirements}
    return [
        text
        for text, requirement in parsed.items()
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_host(lock: str) -> None:
    assert "://" not in (PROJECT / lock).read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    for requirement, *rest in entries((PROJECT / lock).read_text()):
        assert re.fullmatch(r"[a-z0-9-]+==[^=]+", requirement)
        assert [word for word in rest if re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word)], requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_the_pins_satisfy_what_pyproject_asks_for(lock: str) -> None:
    assert unmet(DIRECT[lock], pins(lock)) == []


def test_the_development_lock_holds_all_of_the_runtime_lock() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_a_missing_and_an_old_package_would_be_found() -> None:
    assert unmet(["django>=5.2.19,<5.3", "pillow>=12"], {"django": "5.2.3"}) == ["django>=5.2.19,<5.3", "pillow>=12"]
