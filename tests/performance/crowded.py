"""A site for the tests of the door: it answers when a file appears, and it is the real gunicorn that serves it."""

import os
import time
from pathlib import Path
from typing import Any

import django

from vidgenie import door

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vidgenie.settings")
django.setup()

door.PATIENCE = 600.0  # how long a busy machine has somebody wait decides nothing here
GATE = Path(os.environ["TEST_GATE"])


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Wait for the gate, then say which path was asked; a file beside the gate tells that a thread has taken it."""
    if environ["PATH_INFO"] != "/healthz":
        GATE.with_name("taken" + environ["PATH_INFO"].replace("/", "-")).touch()
    while environ["PATH_INFO"] != "/healthz" and not GATE.exists():
        time.sleep(0.01)
    body = environ["PATH_INFO"].encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
