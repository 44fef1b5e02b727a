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
    file, _, function = test.partition("[")[0].partition("::")
    assert f"def {function}(" in (PROJECT / file).read_text() if function else (PROJECT / file).exists()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The project as it lies here, somewhere else, where the tests of the table pass."""
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
    done = run(place, "--create-db", "--reuse-db", *NAMED)
    assert done.returncode == 0, done.stdout + done.stderr
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


def run(place: Path, *arguments: str, database: str = "mutant") -> "subprocess.CompletedProcess[str]":
    """pytest in the copy, with a database of its own on the server that runs already."""
    name = f"{os.environ.get('VIDGENIE_TEST_DB', 'test_vidgenie')}_{database}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", *arguments]
    environment = os.environ | {"VIDGENIE_TEST_DB": name}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=600)


def failed(output: str) -> set[str]:
    """The tests that failed, without their parameters; those that could not even begin are not among them."""
    return set(re.findall(r"^FAILED (\S+?)(?:\[.*)?(?: - .*)?$", output, re.MULTILINE))


@pytest.mark.parametrize("mutated", MUTANTS, indirect=True, ids=lambda mutant: mutant.name)
def test_a_guard_that_is_gone_is_missed(copy: Path, mutated: Mutant) -> None:
    if "/migrations/" in mutated.file:
        done = run(copy, "--create-db", *mutated.tests, database="migrated_mutant")
    else:
        done = run(copy, "--reuse-db", *mutated.tests)
    found = failed(done.stdout)
    wanted = {test.partition("[")[0] for test in mutated.tests}
    assert {test for test in wanted if not any(one.startswith(test) for one in found)} == set(), done.stdout


def test_what_failed_is_read_from_what_pytest_says() -> None:
    said = "FAILED tests/a.py::test_b[x - y] - assert 1\nFAILED tests/a.py::test_c - E\nERROR tests/a.py::test_d\n"
    assert failed(said) == {"tests/a.py::test_b", "tests/a.py::test_c"}
