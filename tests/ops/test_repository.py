"""What may not be in the repository: hosts of package registries, somebody's paths, big files, odd drawers."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
REGISTRIES = [
    f"{name}.{ending}"
    for name, ending in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com")]
]
SOMEBODYS_PATH = re.compile(r"(?<![\w/.}-])/(?:home|root|Users|work|farm)/\w")
DRAWERS = {"utils", "util", "helpers", "common", "constants", "managers", "misc"}
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Everything that git keeps, as far as it lies here."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for path in (PROJECT / name for name in listed.stdout.split("\0") if name) if path.is_file()]


def text_of(path: Path) -> str:
    return path.read_bytes().decode(errors="ignore")


def test_no_file_names_a_package_registry(files: list[Path]) -> None:
    assert [path for path in files if any(host in text_of(path) for host in REGISTRIES)] == []


def test_no_file_names_a_path_of_somebodys_machine(files: list[Path]) -> None:
    assert [path for path in files if SOMEBODYS_PATH.search(text_of(path))] == []


def test_such_a_path_would_be_found() -> None:
    assert SOMEBODYS_PATH.search("see " + "/".join(["", "home", "alice", "video"]))
    assert not SOMEBODYS_PATH.search("GET https://host.example/home/page and {% url %}/root/x and ./work/y")


def test_no_file_is_over_one_mebibyte(files: list[Path]) -> None:
    assert [path for path in files if path.stat().st_size > MIB] == []


def test_no_module_is_a_drawer_for_odds_and_ends(files: list[Path]) -> None:
    assert [path for path in files if path.suffix == ".py" and DRAWERS & {path.stem, path.parent.name}] == []
