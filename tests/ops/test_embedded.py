"""The embedded PostgreSQL comes up whatever was left behind: a crash, a race, somebody else's process id."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from vidgenie import embedded
from vidgenie.embedded import EmbeddedDatabaseError, Server, bin_dir, database_settings, version


@pytest.fixture
def server(project: Path) -> Iterator[Server]:
    server = Server.of(project, fast=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def durable(project: Path) -> Iterator[Server]:
    server = Server.of(project)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with PostgreSQL, run by the user that the server runs as."""
    identity = {"user": "nobody"} if os.geteuid() == 0 else {}
    process = subprocess.Popen(["sleep", "60"], cwd="/", **identity)
    yield process
    process.kill()
    process.wait()


def pid_of(server: Server) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def ask(server: Server, question: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def crash(server: Server) -> None:
    """What a power cut does to the server, though not to the disk."""
    with psycopg.connect(server.url):
        os.kill(pid_of(server), signal.SIGKILL)


def test_settings_start_nothing(tmp_path: Path) -> None:
    settings = database_settings(tmp_path)

    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert list(tmp_path.iterdir()) == []


def test_it_says_whether_it_was_this_call_that_started_or_stopped_it(server: Server) -> None:
    assert server.start() is False
    assert server.stop() is True
    assert server.stop() is False
    assert server.start() is True


def test_it_takes_the_newest_programs_or_those_that_made_the_data() -> None:
    newest = float(version(bin_dir()))

    assert newest >= 18
    assert version(bin_dir("16")).startswith("16.")
    assert float(version(bin_dir("9"))) == newest


def test_it_listens_on_a_socket_that_only_its_user_can_reach(server: Server) -> None:
    assert ask(server, "SHOW listen_addresses") == ""
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_it_leaves_the_project_as_closed_as_it_was(server: Server, project: Path) -> None:
    assert stat.S_IMODE(project.stat().st_mode) == 0o755
    assert server.home.parent == project / "var"


def test_fast_is_fast_and_durable_is_durable(server: Server, durable: Server) -> None:
    assert ask(server, "SHOW fsync") == "off"
    assert ask(durable, "SHOW fsync") == "on"
    assert ask(durable, "SHOW synchronous_commit") == "on"
    assert server.data != durable.data


def test_data_outlives_a_killed_server(durable: Server) -> None:
    with psycopg.connect(durable.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    crash(durable)

    assert durable.start() is True
    assert ask(durable, "SELECT seven FROM kept") == 7


def test_a_process_that_got_the_id_of_a_crashed_server_is_left_alone(
    server: Server, bystander: subprocess.Popen[bytes]
) -> None:
    crash(server)
    forge(server, bystander.pid)

    assert server.start() is True
    assert ask(server, "SELECT 1") == 1
    assert bystander.poll() is None


def test_stopping_a_crashed_server_does_not_stop_somebody_else(
    server: Server, bystander: subprocess.Popen[bytes]
) -> None:
    crash(server)
    forge(server, bystander.pid)

    assert server.stop() is False
    assert bystander.poll() is None


def forge(server: Server, pid: int) -> None:
    """Write a process id where a crashed server left its own: with the data and beside the socket."""
    for file in (server.data / "postmaster.pid", server.socket / ".s.PGSQL.5432.lock"):
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(pid), *lines[1:]]) + "\n")


def test_of_many_starts_at_once_one_starts_it(project: Path) -> None:
    server = Server.of(project, fast=True)
    server.stop()
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: server.start(), range(4)))

    assert sorted(started) == [False, False, False, True]
    assert ask(server, "SELECT 1") == 1


def test_who_leaves_last_stops_it(project: Path) -> None:
    server = Server.of(project, fast=True)
    server.stop()
    with server.running():
        with Server.of(project, fast=True).running():
            assert server.is_ready()
        assert server.is_ready()
    assert not server.is_ready()


def test_what_was_started_by_hand_stays(server: Server) -> None:
    server.keep()
    with server.running():
        pass

    assert server.is_ready()


def test_what_a_killed_initdb_left_is_made_anew(server: Server) -> None:
    server.stop()
    server.data.rename(server.data.with_name("data.unfinished"))

    with server.running():
        assert ask(server, "SELECT current_database()") == "vidgenie"


def test_a_long_path_has_its_socket_in_tmp(tmp_path: Path) -> None:
    server = Server.of(tmp_path / ("deep" * 30), fast=True)

    assert server.socket.parent == Path("/tmp")
    assert len(str(server.socket / ".s.PGSQL.5432")) < 108


def test_it_does_not_use_a_socket_directory_that_somebody_else_made(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server.of(project, fast=True)
    server.stop()
    link = project / "link"
    link.symlink_to(project)
    monkeypatch.setattr(Server, "socket", link)

    with pytest.raises(EmbeddedDatabaseError, match="belongs to somebody else"):
        server.start()
    link.unlink()


def test_data_of_a_version_that_is_gone_is_not_touched(server: Server) -> None:
    server.stop()
    made_by = server.data / "PG_VERSION"
    before = made_by.read_text()
    made_by.write_text("11\n")

    with pytest.raises(EmbeddedDatabaseError, match="was made by PostgreSQL 11"):
        server.start()
    made_by.write_text(before)


def test_without_any_postgresql_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_in_the_wheel", list)
    monkeypatch.setattr(embedded, "_on_the_system", list)

    with pytest.raises(EmbeddedDatabaseError, match=r"dev\.py setup, or set DATABASE_URL"):
        bin_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run it as somebody else")
def test_root_keeps_a_closed_project_closed_and_its_data_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Path(tempfile.mkdtemp(prefix="vg-"))
    monkeypatch.setattr(embedded, "ROOTS_DATA", Path(tempfile.mkdtemp(prefix="vg-")))
    embedded.ROOTS_DATA.chmod(0o755)
    server = Server.of(closed, fast=True)

    with server.running():
        assert ask(server, "SELECT 1") == 1
        assert server.home.resolve().parent == embedded.ROOTS_DATA
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    shutil.rmtree(closed)
    shutil.rmtree(embedded.ROOTS_DATA)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to copy the programs")
def test_root_copies_programs_that_nobody_can_reach(
    project: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    closed = Path(tempfile.mkdtemp(prefix="vg-"))
    package = bin_dir().parents[1]
    for directory in package.parent.glob(f"{package.name}*"):
        shutil.copytree(directory, closed / directory.name, symlinks=True)
    programs = closed / bin_dir().relative_to(package.parent)
    monkeypatch.setattr(embedded, "_in_the_wheel", lambda: [programs])
    shutil.rmtree(server.data)

    assert server.start() is True
    assert ask(server, "SELECT 1") == 1
    assert list(server.home.glob("programs-*/**/bin/initdb")) != []
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    server.stop()
    shutil.rmtree(closed)


def test_importing_it_imports_no_django() -> None:
    code = "import sys, vidgenie.embedded; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=Path(embedded.__file__).parents[1]).returncode == 0
