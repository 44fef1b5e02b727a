#!/usr/bin/env python3
"""Everything a developer types, with nothing installed but Python: setup, run, test, check, lock.

Only the standard library is imported here, because this is what installs the rest. The lock files say what is
installed, every package by its hash; a stamp in the virtual environment tells whether that has been done.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
SECRET_KEY = ROOT / "var" / "secret_key"
CHECKS = {"ruff check": ["ruff", "check"], "ruff format": ["ruff", "format", "--check"], "mypy": ["mypy"]}


def setup(lock=LOCK):
    """Install what the lock file names into .venv, unless that has been done, and make the secrets."""
    with exclusively():
        create_secret(SECRET_KEY)
        if not is_installed(lock):
            install(lock)


@contextlib.contextmanager
def exclusively():
    """One at a time: two terminals must not install into one environment at once."""
    with open(__file__) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def create_secret(path):
    """Write a random secret that only its owner can read, unless there is one."""
    path.parent.mkdir(exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")


def digest(lock):
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def is_installed(lock):
    """The development lock holds all of the runtime lock, so after it both are installed."""
    return PYTHON.exists() and STAMP.exists() and digest(lock) in STAMP.read_text().split()


def install(lock):
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists():
        create_environment()
    count = len(re.findall("^[a-z0-9]", lock.read_text(), re.MULTILINE))
    if not install_with_uv(lock, count):
        install_with_pip(lock, count)
    locks = [LOCK] if lock == LOCK else [LOCK, DEV_LOCK]
    STAMP.write_text("\n".join(map(digest, locks)) + "\n")


def create_environment():
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("This Python cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv")
    say(f"Making a virtual environment in {VENV.name}")
    venv.create(VENV, clear=True, with_pip=False)


def install_with_uv(lock, count):
    """Try uv when it is there. It knows nothing of pip's configuration, so where it fails pip may succeed."""
    uv = shutil.which("uv")
    command = [uv, "pip", "install", "--python", str(PYTHON), *install_options(lock)]
    if uv is None:
        return False
    failed = follow(f"Installing {count} packages with uv", command)
    if failed:
        say("uv did not manage; pip may, which can be configured otherwise.")
    return not failed


def install_with_pip(lock, count):
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--no-compile"]
    if follow("Adding pip", [str(PYTHON), "-m", "ensurepip"]) or follow(
        f"Installing {count} packages with pip", command + install_options(lock)
    ):
        sys.exit("Nothing was installed: see the message above. Does this machine reach its package index?")


def install_options(lock):
    return ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(lock)]


def follow(title, command):
    """Run a long command quietly: its title, a sign of life every ten seconds, its last words if it fails."""
    start = time.monotonic()
    say(f"{title} ...")
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment())
        while (status := wait(process, 10)) is None:
            say(f"  still at it, {time.monotonic() - start:.0f} s")
        output.seek(0)
        last_words = "".join(output.readlines()[-15:])
    say(last_words if status else f"  done in {time.monotonic() - start:.0f} s")
    return status


def wait(process, seconds):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def say(text):
    print(text, flush=True)


def run(*arguments):
    """Set up and start everything: database, web server and worker. PORT and HOST say where."""
    setup()
    os.execv(PYTHON, [str(PYTHON), str(ROOT / "manage.py"), "run", *arguments])


def check():
    """Style, format and types of the whole tree; returns the names of what failed."""
    setup(DEV_LOCK)
    return [name for name, module in CHECKS.items() if not passes(name, module)]


def test(*arguments):
    """Every check and every test; with arguments, only pytest with these."""
    failed = [] if arguments else check()
    setup(DEV_LOCK)
    pytest = ["pytest", *(arguments or ["--cov", "--numprocesses=auto", "--dist=loadfile"])]
    return failed if passes("pytest", pytest) else [*failed, "pytest"]


def passes(name, module):
    """Run one check to its end; an interrupted one gets the time to stop its database, and then we stop."""
    say(f"--- {name}")
    interrupted = []
    signal.signal(signal.SIGINT, lambda *_: interrupted.append(True))
    process = subprocess.Popen([str(PYTHON), "-m", *module], cwd=ROOT)
    signal.signal(signal.SIGTERM, lambda *_: interrupted.append(process.send_signal(signal.SIGINT)))
    status = process.wait()
    if interrupted:
        sys.exit(130)
    return status == 0


def lock(*arguments):
    """Write both lock files anew from pyproject.toml; --upgrade takes the newest versions."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("The lock files are made by uv, which is not installed: pipx install uv")
    compile_lock(uv, LOCK, arguments)
    compile_lock(uv, DEV_LOCK, ["--extra", "dev", "--constraint", LOCK.name, *arguments])


def compile_lock(uv, lock, arguments):
    """One answer for all platforms and Pythons from 3.11 on: with hashes, without the address of an index."""
    options = ["--universal", "--python-version=3.11", "--fork-strategy=fewest", "--generate-hashes"]
    quiet = [
        "--quiet",
        "--no-annotate",
        "--no-emit-index-url",
        "--custom-compile-command=python3 dev.py lock",
    ]
    command = [uv, "pip", "compile", "pyproject.toml", *options, *quiet, "-o", lock.name, *arguments]
    if subprocess.run(command, cwd=ROOT, env=environment()).returncode:
        sys.exit(f"{lock.name} was not written.")


def environment():
    return {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}


COMMANDS = {"setup": setup, "run": run, "test": test, "check": check, "lock": lock}


def main(name="help", *arguments):
    if name not in COMMANDS:
        sys.exit(f"Usage: python3 dev.py {'|'.join(COMMANDS)}")
    try:
        failed = COMMANDS[name](*arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("VidGenie needs Python 3.11 or later, and this is {}.{}.".format(*sys.version_info))
    main(*sys.argv[1:])
