"""Connections to the database that the threads of one process share, so that nobody holds one while it waits.

A submit may wait for its answer for a minute, and a clock has hundreds of them in hand; PostgreSQL has a hundred
connections for everybody. Whoever is about to wait gives its own back, and takes any when it goes on.
"""

import time
from typing import Any

import psycopg
from django.db import connection, connections

PATIENCE = 15.0  # seconds to wait for a connection, before that is an OperationalError
FRESH = 1.0  # seconds after it was used in which a connection is taken for good without asking PostgreSQL
PREPARED = 3  # times that a connection is asked the same before PostgreSQL keeps how it answers
ANEW = 15.0  # seconds in which the pool tries again to connect, at growing distances; then whoever asks does


class _Connection(psycopg.Connection[Any]):
    """One that was in use just now is not asked whether it is well, which the pool does by asking for nothing."""

    used = 0.0  # by a monotonic clock

    def execute(self, query: Any, *given: Any, **options: Any) -> psycopg.Cursor[Any]:
        if query == "" and time.monotonic() - self.used < FRESH:
            return self.cursor()
        return super().execute(query, *given, **options)


def share(size: int) -> None:
    """Have all threads of this process share at most `size` connections. Ahead of their first, and of no fork."""
    connections.close_all()
    database = connections.settings["default"]
    database["CONN_MAX_AGE"] = 0
    database["CONN_HEALTH_CHECKS"] = True  # whoever takes one finds out whether PostgreSQL was started anew since
    database["OPTIONS"]["pool"] = {
        "min_size": 0,
        "max_size": size,
        "timeout": PATIENCE,
        "reconnect_timeout": ANEW,
        "connection_class": _Connection,
    }
    database["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": PREPARED}


def is_shared() -> bool:
    """Whether the threads of this process share their connections."""
    return bool(connection.settings_dict["OPTIONS"].get("pool"))


def release() -> None:
    """Let another thread have our connection, where they are shared and no transaction is open."""
    if is_shared() and not connection.in_atomic_block:
        if connection.connection is not None:  # a `reset` of the pool's could note it, by way of another thread
            connection.connection.used = time.monotonic()
        connection.close()
