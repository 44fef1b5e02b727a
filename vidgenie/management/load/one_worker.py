"""gunicorn's settings for the look at memory: one process that tidies up and tells what it has, on a signal.

VIDGENIE_LOAD_FILE names the file that it tells. With VIDGENIE_LOAD_LEAK it keeps so many bytes of each request, to
see that this would be seen.
"""

import ctypes
import gc
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from vidgenie.web_server import control_socket_disable, graceful_timeout, loglevel, threads, worker_class

__all__ = ["control_socket_disable", "graceful_timeout", "loglevel", "threads", "worker_class"]

workers = 1
max_requests = 0
TELL = signal.SIGRTMIN


def post_worker_init(worker: Any) -> None:
    """Called by gunicorn in the process that answers."""
    signal.signal(TELL, lambda *_: tell(Path(os.environ["VIDGENIE_LOAD_FILE"])))
    if size := int(os.environ.get("VIDGENIE_LOAD_LEAK", "0")):
        worker.wsgi = leaking(worker.wsgi, size)
    tell(Path(os.environ["VIDGENIE_LOAD_FILE"]))


class Heap(ctypes.Structure):
    """What glibc's mallinfo2 tells, in bytes; only two of its ten numbers matter."""

    _fields_ = [(name, ctypes.c_size_t) for name in (*"abcd", "mapped", *"ef", "used", *"gh")]


def tell(path: Path) -> None:
    """Tidy up, then write down how much memory is in use and how many files are open.

    What the heap has in use is exact where PYTHONMALLOC is malloc. What the system has given the process goes up and
    down with how full its pages are, by a hundred times as much.
    """
    gc.collect()
    system = ctypes.CDLL(None)
    system.mallinfo2.restype = Heap
    heap = system.mallinfo2()
    with path.open("a") as file:
        told = {"pid": os.getpid(), "bytes": heap.used + heap.mapped, "files": psutil.Process().num_fds()}
        file.write(json.dumps(told) + "\n")


def leaking(application: Callable[..., Any], size: int) -> Callable[..., Any]:
    """The application, and so many bytes kept for each request."""
    kept = []

    def leaks(environ: Any, start_response: Any) -> Any:
        kept.append(bytearray(b"x" * size))
        return application(environ, start_response)

    return leaks
