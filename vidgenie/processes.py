"""Programs that run side by side and stop together: the web server and the worker behind `manage.py run`."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

RESTARTS = 3  # within a minute; what dies more often will not get better by itself
PR_SET_PDEATHSIG = 1


class KeepsDyingError(RuntimeError):
    """A program ended again and again; the message names it."""


@dataclass
class Program:
    """A command that has to run all the time, in a process group of its own with whatever it starts."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (there is one thread when programs are started)
        )

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll() if self.process else None

    def ask_to_stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def make_stop(self, deadline: float) -> None:
        """Give it until the deadline (by the monotonic clock), then end it and everything it started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.sweep()

    def sweep(self) -> None:
        """End what a dead program left behind: its children would go on working unseen."""
        if self.process:
            _kill_group(self.process.pid)

    def died_too_often(self) -> bool:
        now = time.monotonic()
        self.deaths = [death for death in self.deaths if now - death < 60] + [now]
        return len(self.deaths) > RESTARTS


def keep_alive(programs: list[Program], say: Callable[[str], object]) -> None:
    """Restart what dies, until interrupted; raises KeepsDyingError when that does not help."""
    while True:
        time.sleep(0.5)
        for program in programs:
            if program.exit_code() is not None:
                revive(program, say)


def revive(program: Program, say: Callable[[str], object]) -> None:
    """Start a program that has ended once more, and tell."""
    program.sweep()
    ended = f"The {program.name} ended by itself ({_meaning(program.exit_code())})"
    if program.died_too_often():
        raise KeepsDyingError(f"{ended}, time and again. Its last words are above.")
    say(f"{ended}. Starting it again.")
    program.start()


def stop_together(programs: list[Program], patience: float = 15) -> None:
    """Ask all of them to stop, and end those that have not after so many seconds."""
    for program in programs:
        program.ask_to_stop()
    deadline = time.monotonic() + patience
    for program in programs:
        program.make_stop(deadline)


def _meaning(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _die_with_parent() -> None:
    """In the child: be told to stop when `run` itself is killed, so that nothing keeps its port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
