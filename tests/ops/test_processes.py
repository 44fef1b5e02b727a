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
from vidgenie.processes import ECHO, KeepsDyingError, Program, Wish, keep_alive, replace, revive, stop_together

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


def test_what_never_gives_up_waits_longer_and_longer_between_its_starts() -> None:
    program = Program("worker", [], gives_up=False, started=time.monotonic())

    assert [program.pause() for _ in range(9)] == [0, 0, 0, 2, 4, 8, 16, 30, 30]

    program.started -= processes.STEADY
    assert (program.pause(), program.short_lives) == (0, 0)


def test_the_end_of_what_waits_for_its_start_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program = python("raise SystemExit(1)")
    program.gives_up, program.short_lives = False, processes.RESTARTS
    eventually(lambda: program.exit_code() == 1)
    told: list[str] = []

    revive(program, told.append)
    revive(program, told.append)
    assert (told, program.exit_code()) == (["The worker ended by itself (exit code 1). Starting it again in 2 s."], 1)

    program.resumes = time.monotonic()
    first = program.process
    revive(program, told.append)
    assert (program.process is not first, len(told)) == (True, 1)
    stop_together([program])


def test_what_lives_and_does_nothing_is_ended_with_all_it_started_and_started_anew(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    command = [sys.executable, "-c", STUBBORN]
    child = (
        f"import subprocess, time; print(subprocess.Popen({command}).pid, file=open({str(note)!r}, 'w'), flush=True)"
    )
    program = python(f"{child}; time.sleep(60)")
    assert eventually(lambda: note.exists() and note.read_text() != "")
    before, told = int(note.read_text()), list[str]()

    replace(program, "it sleeps", told.append)

    assert eventually(lambda: not is_running(before))
    assert told == ["The worker lives and gets nothing done: it sleeps. Ending it and starting it anew."]
    assert program.is_running
    stop_together([program])


def test_the_first_signal_interrupts_its_echo_is_nothing_and_a_later_one_is_urgent() -> None:
    wish = Wish()
    with pytest.raises(KeyboardInterrupt):
        wish.hear()
    wish.hear()
    assert wish.since is not None
    assert not wish.urgent

    wish.since -= ECHO
    wish.hear()
    assert wish.urgent


def test_more_time_is_given_as_long_as_it_is_needed() -> None:
    program, asked = stubborn(), [True, True, True]

    stop_together([program], patience=0, longer=lambda: bool(asked and asked.pop()))

    assert (asked, program.exit_code()) == ([], -signal.SIGKILL)


def test_no_time_is_given_any_more_when_it_is_urgent() -> None:
    program = stubborn()

    stop_together([program], patience=10**6, longer=lambda: True, urgent=lambda: True)

    assert program.exit_code() == -signal.SIGKILL


def test_one_that_is_asked_again_may_hurry() -> None:
    count = "import signal, sys, time; heard = []\ndef hear(*_):\n heard.append(1)\n if heard[1:]: sys.exit(3)\n"
    program = ready(f"{count}signal.signal(signal.SIGTERM, hear); print(flush=True)\nwhile True: time.sleep(60)")
    calm = [True] * 20

    stop_together([program], urgent=lambda: not calm or not calm.pop(), last=20)

    assert program.exit_code() == 3


def stubborn() -> Program:
    return ready(STUBBORN)


def ready(code: str) -> Program:
    """A program that has said its first line."""
    program = Program("worker", [sys.executable, "-c", code])
    program.process = subprocess.Popen(program.command, stdout=subprocess.PIPE, start_new_session=True)
    assert program.process.stdout
    with program.process.stdout as said:
        said.readline()
    return program


def test_programs_stop_when_asked() -> None:
    programs = [python(SLEEP), python(SLEEP)]

    stop_together(programs)

    assert [program.exit_code() for program in programs] == [-signal.SIGTERM, -signal.SIGTERM]


def test_what_does_not_stop_when_asked_is_made_to() -> None:
    program = stubborn()

    stop_together([program], patience=0.2)

    assert program.exit_code() == -signal.SIGKILL


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


def test_who_gives_way_does_so_among_sessions_too() -> None:
    code = "from vidgenie.processes import give_way; import os; give_way(5); print(os.nice(0))"
    code += "; print(open('/proc/self/autogroup').read() if os.path.exists('/proc/self/autogroup') else 'nice 5')"
    given = subprocess.run([sys.executable, "-c", code], start_new_session=True, capture_output=True, text=True)
    assert given.stdout.split()[0] == str(os.nice(0) + 5)
    assert given.stdout.rstrip().endswith("nice 5") or "autogroup" not in given.stdout
