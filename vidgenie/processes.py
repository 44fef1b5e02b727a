"""Programs that run side by side and stop together: the parts of a worker, and all that `manage.py run` starts."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STEADY = 20.0  # seconds; what lived that long did not die of its start
RESTARTS = 3  # short lives in a row; what dies more often will not get better by haste
LONGEST_PAUSE = 30.0  # seconds between two starts of what keeps dying
ECHO = 2.0  # seconds; systemd tells every process, and `run` tells the worker: that is one wish, said twice
PR_SET_PDEATHSIG = 1


def give_way(nice: int) -> None:
    """Let whoever is less nice have the processor first; 0 is usual, 19 is the most, below 0 one goes before others.

    Linux weighs all programs of a session as one, and looks at their own niceness only among themselves: so that of
    the session is told as well, where there is such a thing. In a container or a unit of systemd its weight counts.
    Raises PermissionError for a niceness below that of now, where the system does not allow it.
    """
    os.nice(nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


class KeepsDyingError(RuntimeError):
    """A program ended again and again; the message names it."""


class Wish:
    """The wish to stop, as signals tell it: the first interrupts what goes on, a later one says that it is urgent."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.urgent = False

    def listen(self) -> None:
        """Hear Ctrl-C and SIGTERM; a shell's background jobs start with SIGINT ignored, which ends here as well."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.hear)

    def hear(self, *_: object) -> None:
        """Raises KeyboardInterrupt the first time, and never again: so nothing breaks the stopping."""
        now = time.monotonic()
        if self.since is None:
            self.since = now
            raise KeyboardInterrupt
        if now - self.since > ECHO:
            self.urgent = True


@dataclass
class Program:
    """A command that has to run all the time, in a process group of its own with whatever it starts."""

    name: str
    command: list[str]
    gives_up: bool = True
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    short_lives: int = 0
    resumes: float | None = None  # when it is started again, by the monotonic clock, once its end was told

    def start(self) -> None:
        self.resumes, self.started = None, time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (there is one thread when programs are started)
        )

    @property
    def pid(self) -> int | None:
        """Of its process, which may have ended; None before the first start."""
        return self.process.pid if self.process else None

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll() if self.process else None

    @property
    def is_running(self) -> bool:
        """Whether there is a process that has not ended."""
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def end(self) -> None:
        """End it and everything it started, now and without asking."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.sweep()

    def sweep(self) -> None:
        """End what a dead program left behind: its children would go on working unseen."""
        if self.process:
            _kill_group(self.process.pid)

    def pause(self) -> float:
        """Seconds to wait before the next start: none at first, more and more for what keeps dying."""
        lived = time.monotonic() - self.started
        self.short_lives = 0 if lived >= STEADY else self.short_lives + 1
        return 0.0 if self.short_lives <= RESTARTS else min(2.0 ** (self.short_lives - RESTARTS), LONGEST_PAUSE)


def keep_alive(
    programs: list[Program], say: Callable[[str], object], watch: Callable[[], object] = lambda: None
) -> None:
    """Restart what dies, and `watch` what lives, until interrupted.

    Raises KeepsDyingError when restarting does not help a program that gives up.
    """
    while True:
        time.sleep(0.5)
        for program in programs:
            if program.exit_code() is not None:
                revive(program, say)
        watch()


def revive(program: Program, say: Callable[[str], object]) -> None:
    """Tell that a program has ended, and start it once more: at once, or in a while when it keeps dying."""
    if program.resumes is None:
        program.sweep()
        program.resumes = time.monotonic() + _told(program, say)
    if time.monotonic() >= program.resumes:
        program.start()


def _told(program: Program, say: Callable[[str], object]) -> float:
    pause = program.pause()
    ended = f"The {program.name} ended by itself ({_meaning(program.exit_code())})"
    if pause and program.gives_up:
        raise KeepsDyingError(f"{ended}, time and again. Its last words are above.")
    say(f"{ended}. Starting it again{f' in {pause:.0f} s' if pause else ''}.")
    return pause


def replace(program: Program, why: str, say: Callable[[str], object]) -> None:
    """End a program that lives and does nothing, with everything it started, and start it anew."""
    say(f"The {program.name} lives and gets nothing done: {why}. Ending it and starting it anew.")
    program.end()
    program.start()


def stop_together(
    programs: list[Program],
    patience: float = 15,
    *,
    longer: Callable[[], bool] = lambda: False,
    urgent: Callable[[], bool] = lambda: False,
    last: float = 0.0,
) -> None:
    """Ask all of them to stop, and end those that have not after so many seconds.

    They are given more time for as long as it is `longer`. As soon as it is `urgent`, they are asked once more, and
    given `last` seconds.
    """
    _wait_for_the_end(programs, patience, longer, urgent)
    if urgent() and last:
        _wait_for_the_end(programs, last)
    for program in programs:
        program.end()


def _wait_for_the_end(
    programs: list[Program],
    patience: float,
    longer: Callable[[], bool] = lambda: False,
    urgent: Callable[[], bool] = lambda: False,
) -> None:
    for program in programs:
        program.ask_to_stop()
    deadline = time.monotonic() + patience
    while any(program.is_running for program in programs) and not urgent():
        if time.monotonic() > deadline and not longer():
            return
        time.sleep(0.05)


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """In a child: be told when its parent is killed, so that it does not go on unseen and keep its port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def _meaning(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
