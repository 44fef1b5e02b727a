"""A process dies at a named place only where two settings say so, and at the passing that was named."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import crashpoint

PROJECT = Path(__file__).resolve().parents[2]
PASSING_THRICE = """
import vidgenie.settings
from crashpoint import crashpoint
for number in (1, 2, 3):
    crashpoint("recorded"), crashpoint("claimed")
    print(number, flush=True)
"""


def passing_thrice(**environment: str) -> tuple[int, str]:
    """How a process ends that passes "claimed" three times, and how often it came past it."""
    base = {"PATH": os.environ["PATH"], "VIDGENIE_ENVIRONMENT": "test"}
    command = [sys.executable, "-c", PASSING_THRICE]
    done = subprocess.run(command, cwd=PROJECT, env=base | environment, capture_output=True, text=True)
    return done.returncode, "".join(done.stdout.split())


@pytest.mark.parametrize(("where", "lived"), [("claimed", ""), ("claimed:1", ""), ("claimed:3", "12")])
def test_it_dies_at_the_passing_that_was_named(where: str, lived: str) -> None:
    assert passing_thrice(VIDGENIE_CRASH=where, VIDGENIE_CRASH_ALLOWED="true") == (-signal.SIGKILL, lived)


@pytest.mark.parametrize(
    "environment",
    [{}, {"VIDGENIE_CRASH": "claimed"}, {"VIDGENIE_CRASH_ALLOWED": "true"}, {"VIDGENIE_CRASH": "claimed:4"}],
    ids=str,
)
def test_it_lives_otherwise(environment: dict[str, str]) -> None:
    assert passing_thrice(**environment) == (0, "123")


@pytest.mark.parametrize("where", ["", "nowhere", "claimed:0", "claimed:-1", "claimed:two", "claimed:1:2", ":1"])
def test_it_refuses_what_is_no_place(where: str) -> None:
    with pytest.raises(crashpoint.UnknownPoint, match="is no crash point; there are quoted, "):
        crashpoint.arm(where)
    crashpoint.crashpoint("claimed")  # and we live
