"""Guards are taken away one at a time, in a copy of the project, and the tests that watch over them must go red.

Each takes seconds, so they are run when asked for: `make mutants`. That the table still fits the code is always seen.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS, Mutant

PROJECT = Path(__file__).resolve().parents[2]
NAMED = sorted({test for mutant in MUTANTS for test in mutant.tests})


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_table_fits_the_code(mutant: Mutant) -> None:
    assert (PROJECT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new


@pytest.mark.parametrize("test", NAMED)
def test_the_tests_of_the_table_are_there(test: str) -> None:
    file, _, function = test.partition("::")
    assert f"def {function}(" in (PROJECT / file).read_text() if function else (PROJECT / file).exists()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The project as it lies here, somewhere else."""
    if not request.config.getoption("--mutants"):
        pytest.skip("takes minutes; run it with `make mutants`")
    request.getfixturevalue("database_server")
    place = tmp_path_factory.mktemp("mutants") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, place / name)
    return place


@pytest.fixture
def mutated(copy: Path, request: pytest.FixtureRequest) -> Iterator[Mutant]:
    """The copy without one of its guards."""
    mutant: Mutant = request.param
    file = copy / mutant.file
    whole = file.read_text()
    file.write_text(whole.replace(mutant.old, mutant.new))
    yield mutant
    file.write_text(whole)


def run(place: Path, *tests: str) -> "subprocess.CompletedProcess[str]":
    """These tests of the copy, in a database of their own on the server that runs already."""
    environment = os.environ | {"VIDGENIE_TEST_DB": f"{os.environ.get('VIDGENIE_TEST_DB', 'test_vidgenie')}_mutant"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--create-db", "--tb=line", *tests]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=600)


def failed(output: str) -> set[str]:
    """The tests that failed, without their parameters; those that could not even begin are not among them."""
    return set(re.findall(r"^FAILED (\S+?)(?:\[.*)?(?: - .*)?$", output, re.MULTILINE))


def test_with_every_guard_in_its_place_the_tests_pass(copy: Path) -> None:
    done = run(copy, *NAMED)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mutated", MUTANTS, indirect=True, ids=lambda mutant: mutant.name)
def test_a_guard_that_is_gone_is_missed(copy: Path, mutated: Mutant) -> None:
    done = run(copy, *mutated.tests)
    found = failed(done.stdout)
    missing = {test for test in mutated.tests if not any(one == test or one.startswith(f"{test}::") for one in found)}
    assert missing == set(), done.stdout + done.stderr


def test_what_failed_is_read_from_what_pytest_says() -> None:
    said = "FAILED tests/a.py::test_b[x - y] - assert 1\nFAILED tests/a.py::test_c - E\nERROR tests/a.py::test_d\n"
    assert failed(said) == {"tests/a.py::test_b", "tests/a.py::test_c"}
