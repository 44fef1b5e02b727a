"""A project directory for tests that start servers of their own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidgenie.embedded import Server


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A directory of its own, near the root: the path of a socket may not be long."""
    path = Path(tempfile.mkdtemp(prefix="vg-"))
    path.chmod(0o755)
    yield path
    Server.of(path, fast=True).stop()
    Server.of(path).stop()
    shutil.rmtree(path)
