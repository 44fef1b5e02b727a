"""Connections that threads share: more threads may wait for the world than there are connections."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction

from providers import pool

SIZE, THREADS = 2, 12


@pytest.fixture
def shared(transactional_db, monkeypatch):
    before = connection.settings_dict | {"OPTIONS": dict(connection.settings_dict["OPTIONS"])}
    monkeypatch.setattr(pool, "PATIENCE", 1.0)
    pool.share(SIZE)
    yield
    connection.close()
    connection.close_pool()
    connection.settings_dict.clear()
    connection.settings_dict.update(before)


def ours():
    """How many connections the pool has open."""
    return connection.pool.get_stats()["pool_size"]


def test_more_threads_wait_than_there_are_connections(shared):
    all_wait = threading.Barrier(THREADS, timeout=30)

    def submit():
        User.objects.count()
        pool.release()
        all_wait.wait()  # for the answer
        try:
            return User.objects.count()
        finally:
            connection.close()

    connection.close()
    with ThreadPoolExecutor(THREADS) as threads:
        answers = [future.result() for future in [threads.submit(submit) for _ in range(THREADS)]]
    assert answers == [0] * THREADS
    assert ours() <= SIZE


@pytest.mark.parametrize(("fresh", "times"), [(60.0, 1), (0.0, 4)])
def test_a_connection_is_asked_whether_it_is_well_unless_it_was_used_just_now(shared, monkeypatch, fresh, times):
    asked = []
    monkeypatch.setattr(pool, "FRESH", fresh)
    monkeypatch.setattr(psycopg.Connection, "execute", lambda self, query: asked.append(query))
    pool.release()
    for _ in range(4):
        connection.ensure_connection()
        pool.release()
    assert len(asked) == times


def test_postgresql_keeps_how_it_answers_what_is_asked_again_and_again(shared):
    connection.close()
    for name in ("alice", "bob", "sam", "dora", "eve"):
        User.objects.filter(username=name).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%auth_user%'")
        assert cursor.fetchone() == (1,)


def test_who_holds_a_connection_while_waiting_keeps_others_from_work(shared):
    connection.pool.open()
    held = [connection.pool.getconn() for _ in range(SIZE)]
    with pytest.raises(OperationalError):
        User.objects.count()
    for one in held:
        connection.pool.putconn(one)
    assert User.objects.count() == 0


def test_nothing_is_given_back_in_the_middle_of_a_transaction(shared):
    with transaction.atomic():
        User.objects.create(username="dora")
        pool.release()
        assert connection.connection is not None
    assert User.objects.count() == 1


def test_connections_that_the_database_has_ended_are_replaced(shared):
    User.objects.count()
    ended = connection.connection
    pool.release()
    ended.pgconn.finish()
    assert User.objects.count() == 0
    assert connection.connection is not ended


def test_where_nothing_is_shared_a_thread_keeps_its_connection(transactional_db):
    User.objects.count()
    mine = connection.connection
    pool.release()
    assert connection.connection is mine
