"""What every test stands on: a fast PostgreSQL of the run's own, and a Chromium where there is one.

The settings are loaded here and not by pytest-django, because the database they shall name is decided here.
VIDGENIE_TEST_DB names the test database for those who run tests side by side.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest

from vidgenie.embedded import Server

PROJECT = Path(__file__).resolve().parent.parent
SERVER = Server.of(PROJECT, fast=True)
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
HAS_ITS_DATABASE = os.environ.get("DATABASE_URL", SERVER.url) != SERVER.url  # set by whoever started this one of many

os.environ.setdefault("VIDGENIE_ENVIRONMENT", "test")
os.environ.setdefault("DATABASE_URL", SERVER.url)
os.environ["DJANGO_SETTINGS_MODULE"] = "vidgenie.settings"
django.setup()


@pytest.fixture(scope="session")
def database_server() -> Iterator[None]:
    """The embedded server, unless DATABASE_URL names another; it stops with the last run that uses it."""
    if HAS_ITS_DATABASE:
        yield
        return
    with SERVER.running():
        yield


@pytest.fixture(scope="session")
def database_name() -> Iterator[str]:
    """A name that no other run is using: two runs in one test database would fail in odd ways."""
    name = os.environ.get("VIDGENIE_TEST_DB", "test_vidgenie")
    SERVER.home.parent.mkdir(exist_ok=True)
    with open(SERVER.home.parent / f"{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            name = f"{name}_{os.getpid()}"
        yield name


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_server: None, database_name: str) -> None:
    """pytest-django asks for this before it makes the test database."""
    from django.db import connections

    database = connections.settings["default"]
    database["TEST"]["NAME"] = database_name
    database["OPTIONS"]["options"] += " -c vidgenie.allow_truncate=on"  # how transactional tests clean up


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Any Chromium of the system; Playwright's own is a download that a test run should not make."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs a Chromium, under one of these names: {', '.join(BROWSERS)}")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's event loop lives in the thread of the tests
    quiet = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
    return {"executable_path": found, "args": ["--no-sandbox", "--disable-dev-shm-usage", *quiet]}


# The cast: alice owns, bob is somebody else, sam is staff. Each has the credits of a newcomer.


@pytest.fixture
def alice(db: None) -> Any:
    from tests.factories import UserFactory

    return UserFactory(username="alice")


@pytest.fixture
def bob(db: None) -> Any:
    from tests.factories import UserFactory

    return UserFactory(username="bob")


@pytest.fixture
def sam(db: None) -> Any:
    from tests.factories import UserFactory

    return UserFactory(username="sam", is_staff=True, is_superuser=True)


@pytest.fixture(autouse=True)
def own_budget() -> None:
    """No test spends what another may."""
    from providers import budget

    budget.reset()


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> None:
    """Every test keeps its files to itself."""
    from django.core.files.storage import default_storage

    settings.MEDIA_ROOT = tmp_path
    assert Path(default_storage.location) == tmp_path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Long soaks are asked for."""
    parser.addoption("--soak", action="store_true", help="run the long versions of tests that have one")
    parser.addoption("--mutants", action="store_true", help="take guards away, one at a time, and see tests fail")
