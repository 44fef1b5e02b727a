"""A process that dies in the middle: a fork of the test's own, so that it costs milliseconds and not a start."""

import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable

from django.db import connections

import crashpoint

PATIENCE = 60  # seconds; only for runs in which something hangs


def dies_at(point: str, act: Callable[[], object]) -> None:
    """Do `act` in another process, which must die at this crash point ("name" or "name:n")."""
    ended = forked(lambda: (crashpoint.arm(point), act()))
    assert ended == -signal.SIGKILL, f"{point} was not reached: the process ended with {ended}"


def forked(act: Callable[[], object]) -> int:
    """Do `act` in another process; its exit code, or minus the signal that ended it."""
    connections.close_all()  # a socket to the database serves one process
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        child = os.fork()
    if child == 0:
        _be_the_child(act)
    return _ended(child)


def _be_the_child(act: Callable[[], object]) -> None:
    code = 1
    try:
        act()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)  # the rest of the tests is not for this process


def _ended(child: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
