"""The programs behind `make run` are restarted when they die, and leave nothing running when they stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vidgenie import processes
from vidgenie.processes import KeepsDyingError, Program, keep_alive, revive, stop_together

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def python(code: str) -> Program:
    program = Program("worker", [sys.executable, "-c", code])
    program.start()
    return program


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def is_running(pid: int) -> bool:
    """Whether it does anything still: a zombie, which nobody has waited for yet, does not."""
    try:
        return Path("/proc", str(pid), "stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_died_is_started_again_and_told() -> None:
    program = python("raise SystemExit(4)")
    told: list[str] = []
    eventually(lambda: program.exit_code() == 4)
    first = program.process

    revive(program, told.append)

    assert told == ["The worker ended by itself (exit code 4). Starting it again."]
    assert program.process is not first
    stop_together([program])


def test_what_was_killed_is_told_by_its_signal() -> None:
    program = python(SLEEP)
    told: list[str] = []
    assert program.process
    program.process.kill()
    program.process.wait()

    revive(program, told.append)
    stop_together([program])

    assert told == ["The worker ended by itself (SIGKILL). Starting it again."]


def test_what_keeps_dying_is_given_up() -> None:
    program = python("raise SystemExit(1)")
    told: list[str] = []

    with pytest.raises(KeepsDyingError, match=r"The worker ended by itself .* time and again"):
        keep_alive([program], told.append)
    assert len(told) == processes.RESTARTS


def test_programs_stop_when_asked() -> None:
    programs = [python(SLEEP), python(SLEEP)]

    stop_together(programs)

    assert [program.exit_code() for program in programs] == [-signal.SIGTERM, -signal.SIGTERM]


def test_what_does_not_stop_when_asked_is_made_to() -> None:
    program = Program("worker", [sys.executable, "-c", STUBBORN])
    read, write = os.pipe()
    program.process = subprocess.Popen(program.command, stdout=write, start_new_session=True)
    os.read(read, 1)

    stop_together([program], patience=0.2)

    assert eventually(lambda: program.exit_code() == -signal.SIGKILL)
    os.close(read)
    os.close(write)


def test_children_of_a_dead_program_are_ended(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    command = [sys.executable, "-c", SLEEP]
    program = python(f"import subprocess; print(subprocess.Popen({command}).pid, file=open({str(note)!r}, 'w'))")
    assert eventually(lambda: program.exit_code() == 0)
    assert is_running(int(note.read_text()))

    stop_together([program])

    assert eventually(lambda: not is_running(int(note.read_text())))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell a child that its parent has died")
def test_programs_stop_when_their_parent_is_killed() -> None:
    start = f"from tests.ops.test_processes import python; print(python({SLEEP!r}).process.pid, flush=True)"
    code = f"{start}; {SLEEP}"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert parent.stdout
    child = int(parent.stdout.readline())

    parent.kill()
    parent.communicate()

    assert eventually(lambda: not is_running(child))
