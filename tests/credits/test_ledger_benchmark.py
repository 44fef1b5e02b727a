"""The ledger is measured against its own statements, and the measurement says something."""

from django.db import connection

from credits import ledger
from vidgenie.management.benchmarks import ledger as benchmark
from vidgenie.management.benchmarks.figures import Figure


def test_what_psycopg_sends_is_what_the_ledger_sends(alice, monkeypatch):
    sent, raw = [], []

    def note(execute, sql, parameters, many, context):
        sent.append((sql, set(parameters or ())))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        benchmark._by_ledger(alice.pk, alice.account.pk)
    monkeypatch.setattr(benchmark, "_together", lambda *pairs: raw.extend((sql, set(given)) for sql, given in pairs))
    benchmark._by_psycopg(alice.pk, alice.account.pk)
    assert [statement for statement in sent if "SAVEPOINT" not in statement[0]] == raw
    assert len(raw) == 4
    assert ledger.balance(alice) == ledger.Balance(293, 0)


def test_it_is_measured_alone_and_together(transactional_db, monkeypatch):
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    monkeypatch.setattr(benchmark, "SECONDS", 0.05)
    monkeypatch.setattr(benchmark, "ACCOUNTS", 3)
    monkeypatch.setattr(benchmark, "CASES", ((1, 1), (3, 2)))
    *lines, durability, books = benchmark.report()
    figures = [line for line in lines if isinstance(line, Figure)]
    assert [figure.name.partition(": ")[0] for figure in figures] == ["1 account, 1 process"] * 3 + [
        "3 accounts, 2 processes"
    ] * 3
    assert [figure.at_least for figure in figures] == [None, None, 0.4] * 2
    assert all(figure.value > 0 for figure in figures)
    assert durability.startswith("fsync ")
    assert books.endswith("the books are right.")
