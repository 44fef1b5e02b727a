"""The bootstrap: what it writes, when it installs, what its names are."""

import importlib.util
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """dev.py as it would be in a fresh checkout in a temporary directory."""
    spec = importlib.util.spec_from_file_location("dev", PROJECT / "dev.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(module, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(module, "DEV_LOCK", tmp_path / "requirements-dev.lock")
    monkeypatch.setattr(module, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(module, "install_with_uv", lambda lock, count: True)
    return module


def test_a_secret_is_for_its_owner_only_and_written_once(dev: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret_key"
    dev.create_secret(path)
    first = path.read_text()
    dev.create_secret(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first.strip()) == 64
    assert path.read_text() == first


def test_it_installs_once_and_again_when_the_lock_file_changes(dev: ModuleType) -> None:
    assert not dev.is_installed(dev.LOCK)
    dev.install(dev.LOCK)
    assert dev.is_installed(dev.LOCK)
    assert not dev.is_installed(dev.DEV_LOCK)

    dev.LOCK.write_text("changed")
    assert not dev.is_installed(dev.LOCK)


def test_after_the_development_packages_the_runtime_ones_are_there_too(dev: ModuleType) -> None:
    dev.install(dev.DEV_LOCK)

    assert dev.is_installed(dev.DEV_LOCK)
    assert dev.is_installed(dev.LOCK)


def test_an_installation_that_fails_is_tried_again(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    dev.install(dev.LOCK)
    dev.LOCK.write_text("changed")
    monkeypatch.setattr(dev, "install_with_uv", lambda lock, count: False)
    monkeypatch.setattr(dev, "follow", lambda title, command: 1)

    with pytest.raises(SystemExit, match="Nothing was installed"):
        dev.install(dev.LOCK)
    assert not dev.STAMP.exists()


def test_a_long_command_shows_its_last_words_when_it_fails(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    status = dev.follow("Trying", [sys.executable, "-c", "print('no such host'); raise SystemExit(3)"])

    assert status == 3
    assert capsys.readouterr().out == "Trying ...\nno such host\n\n"


def test_make_has_a_name_for_every_command(dev: ModuleType) -> None:
    used = re.findall(r"dev\.py (\w+)", re.sub("^#.*", "", (PROJECT / "Makefile").read_text()))

    assert set(used) == set(dev.COMMANDS)


def test_it_needs_nothing_but_the_standard_library() -> None:
    command = [sys.executable, "-I", "-S", str(PROJECT / "dev.py"), "unheard-of"]
    result = subprocess.run(command, capture_output=True, text=True)

    assert result.returncode == 1
    assert result.stderr == "Usage: python3 dev.py setup|run|test|check|lock\n"


def test_without_django_manage_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "manage.py").write_text((PROJECT / "manage.py").read_text())
    result = subprocess.run([sys.executable, "-I", "-S", tmp_path / "manage.py"], capture_output=True, text=True)

    assert result.returncode == 1
    assert result.stderr == "VidGenie is not installed yet. Run: python3 dev.py setup\n"
