"""Places where a process may be made to die, so that tests can see what is left when one does.

In the middle of things stands `crashpoint("claimed")`. It does nothing, in nanoseconds, unless the settings have armed
it: then the process kills itself there, as a power cut would, without a word to the database or to anybody else. This
module imports nothing of ours, so that every package may use it.
"""

import os
import signal
from collections.abc import Iterator
from itertools import count

POINTS = {
    "quoted": "the price is known, nothing is written",
    "start.written": "run, steps, hold, attempt and nudge are written, not committed",
    "started": "they are committed, nobody was told",
    "claimed": "a lease is taken, the call not made",
    "submit.intended": "the intent to submit is committed, nothing sent",
    "request.sent": "a request has left in full, its answer not been read",
    "submit.answered": "the answer to a submit is read, nothing written",
    "answer.unspooled": "an answer brought its bytes, which are nowhere else",
    "answer.spooled": "they are in our storage, and no row knows",
    "find.answered": "a submit in doubt was looked up, nothing written",
    "fetch.answered": "a provider said how a job stands, nothing written",
    "completed.seen": "a job is seen done, its output chosen, nothing committed",
    "recorded": "an answer is committed",
    "download.half": "a part of the file is here",
    "file.complete": "all of the file is here, and opens",
    "file.aside": "it is on the disk of our storage, without its name",
    "file.placed": "it is in its place, without its thumbnail",
    "stored": "file and thumbnail are in our storage, no row knows",
    "hold.written": "credits are set aside, not committed",
    "settle.written": "what was due is taken, not committed",
    "refund.written": "credits are given back, not committed",
    "finish.written": "a run is at its end, settled, not committed",
    "cancel.wished": "the wish to stop is committed, nobody was told",
    "cancel.intended": "a job is about to be canceled",
    "cancel.answered": "the provider has stopped a job, nothing written",
    "retry.written": "a failed run is open again, its hold taken, not committed",
    "late.stored": "what came after its run was given up is in our storage, no row knows",
    "late.written": "it is given to the run, not committed",
    "heard.written": "a webhook has named a job that was in doubt, not committed",
    "discarding": "a file that came with an answer is of no more use, and still there",
    "rotation.opened": "a sealed key was sealed anew, not written",
    "rotation.written": "it is written, others wait",
    "guard.killing": "a worker that does nothing any more is about to be killed",
}

_armed: dict[str, tuple[Iterator[int], int]] = {}  # empty but in a test


class UnknownPoint(ValueError):
    """There is no such place, or no such passing of it."""


def crashpoint(name: str) -> None:
    """Die here, if this is the place and the passing that was armed; else do nothing."""
    if _armed and name in _armed:
        passings, deadly = _armed[name]
        if next(passings) == deadly:  # each thread is given a number of its own
            os.kill(os.getpid(), signal.SIGKILL)


def arm(where: str) -> None:
    """Have this process die at "name" or "name:n", at the n-th passing; raises UnknownPoint for nonsense."""
    name, _, number = where.partition(":")
    if name not in POINTS or not (number or "1").isdecimal() or int(number or 1) < 1:
        raise UnknownPoint(f"{where!r} is no crash point; there are {', '.join(POINTS)}, each with :n if you like")
    _armed[name] = (count(1), int(number or 1))


def disarm() -> None:
    """Let this process live."""
    _armed.clear()
