"""What the ledger costs on top of its own statements: hold + settle by it and by psycopg alone, side by side."""

import multiprocessing
import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import psycopg
from django.contrib.auth.models import User
from django.db import connection, connections

import sql
from credits import audit, ledger
from credits.models import Account, Entry, Hold
from vidgenie.management.benchmarks.figures import LEAST_RUNS, Figure

BAR = 0.4  # of what psycopg does
ROUNDS, SECONDS = 7, 1.0
ACCOUNTS = 1000
CASES = ((1, 1), (1, 8), (ACCOUNTS, 1), (ACCOUNTS, 8))  # accounts, processes
CREDITS = 10**9
HELD, DUE = 10, 7
METHOD = (
    f"Pairs of hold({HELD}) and settle({DUE}), each verb in a transaction of its own, for {SECONDS:g} s (a quarter of "
    "it in the short form), by the ledger and then by psycopg with its defaults (prepared statements), which sends the "
    "ledger's very statements with BEGIN and COMMIT and makes nothing of the answers; rounds of both, in turns, every "
    "process with a connection of its own to an empty database. The ratio is the median of the rounds' ratios."
)
_barrier: Any = None  # of the processes of one case


def report(runs: int | None = None, *, short: bool = False) -> Iterator[Figure | str]:
    """Measure on the database at hand, which is filled for it, line by line; `short`: only the extremes, briefly."""
    seconds, rounds = SECONDS / 4 if short else SECONDS, runs or (LEAST_RUNS if short else ROUNDS)
    places, taken = _places(), 0
    for accounts, processes in (CASES[0], CASES[-1]) if short else CASES:
        of = f"{accounts}x{processes}"
        what = f"{accounts:,} account{'s' * (accounts > 1)}, {processes} process{'es' * (processes > 1)}"
        ours, raw = _measure(places[:accounts], processes, rounds, seconds)
        taken += round((sum(ours) + sum(raw)) * seconds)
        ratios = [one / other for one, other in zip(ours, raw, strict=True)]
        yield Figure.of(f"{what}: ledger", ours, unit="pairs/s", id=f"{of}-ledger")
        yield Figure.of(f"{what}: psycopg", raw, unit="pairs/s", id=f"{of}-psycopg")
        yield Figure.of(f"{what}: ledger / psycopg", ratios, at_least=BAR, id=f"{of}-ratio")
    yield f"fsync {_setting('fsync')}, synchronous_commit {_setting('synchronous_commit')}"
    with audit.snapshot():
        broken = audit.run(audit.CHECKS)
    yield f"After about {taken:,} pairs the books are {'wrong: ' + str(broken) if broken else 'right'}."


def _setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def _places() -> list[tuple[int, int]]:
    """Users with credits, and their accounts."""
    users = User.objects.bulk_create(User(username=f"ledger{number}") for number in range(ACCOUNTS))
    accounts = Account.objects.bulk_create(Account(user=user, balance=CREDITS) for user in users)
    Entry.objects.bulk_create(
        Entry(account=account, kind=Entry.Kind.GRANT, amount=CREDITS, balance_after=CREDITS, key=f"give:{account.pk}")
        for account in accounts
    )
    return [(account.user_id, account.pk) for account in accounts]


def _measure(
    places: list[tuple[int, int]], processes: int, rounds: int, seconds: float
) -> tuple[list[float], list[float]]:
    """Pairs per second, of all processes together, by the ledger and by psycopg; a number for each round."""
    connections.close_all()  # a connection is not to be shared by processes
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(processes)
    with ProcessPoolExecutor(processes, fork, _join, (barrier,)) as pool:
        for side in (_by_ledger, _by_psycopg):
            list(pool.map(_work, [side] * processes, [places[:1]] * processes, [seconds] * processes))  # to warm up
        pairs = [
            [
                sum(pool.map(_work, [side] * processes, [places] * processes, [seconds] * processes))
                for side in (_by_ledger, _by_psycopg)
            ]
            for _ in range(rounds)
        ]
    return [ours for ours, _ in pairs], [raw for _, raw in pairs]


def _join(barrier: Any) -> None:
    global _barrier  # noqa: PLW0603 (a process of the pool is told so, and has no other place to keep it)
    _barrier = barrier
    del connections["default"]  # whatever is open belongs to another process


def _work(pair: Callable[[int, int], None], places: list[tuple[int, int]], seconds: float) -> float:
    """Pairs per second of one process."""
    _barrier.wait(60)
    pairs, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        pair(*random.choice(places))  # noqa: S311 (nothing depends on it)
        pairs += 1
    return pairs / taken


def _by_ledger(user_id: int, account_id: int) -> None:
    hold = ledger.hold(User(pk=user_id), HELD, reference=str(uuid.uuid4()))
    ledger.settle(hold, DUE, key=f"settle:{hold.pk}")


def _by_psycopg(user_id: int, account_id: int) -> None:
    """The same statements. What the answers are needed for is known here."""
    hold, reference = uuid.uuid4(), str(uuid.uuid4())
    asked = {"id": hold, "user": user_id, "amount": HELD, "reference": reference}
    line = {"id": uuid.uuid4(), "account": account_id, "kind": "settle", "amount": -DUE, "freed": HELD, "hold": hold}
    line |= {"reference": reference, "reason": "", "actor": None, "key": f"settle:{hold}"}
    _together((_statement(Hold, ledger._SET_ASIDE), asked))
    _together(
        (ledger._LOCK, {"account": account_id}),
        (ledger._CLOSE, {"hold": hold, "due": DUE}),
        (_statement(Entry, ledger._MOVE), line),
    )


def _together(*statements: tuple[Any, dict[str, Any]]) -> None:
    raw = _raw()
    with raw.transaction(), raw.cursor() as cursor:
        for statement, given in statements:
            cursor.execute(statement, given)
            cursor.fetchone()


@cache
def _statement(model: type[Hold] | type[Entry], statement: str) -> str:
    return statement.format(columns=sql.columns(model))


@cache
def _raw() -> "psycopg.Connection[Any]":
    place = connection.get_connection_params()
    wanted = {name: place[name] for name in ("dbname", "user", "password", "host", "port", "options") if name in place}
    return psycopg.connect(**wanted, autocommit=True)
