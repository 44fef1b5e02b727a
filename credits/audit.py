"""Whether the books are right: every sum made again from the lines, by the database itself, as of one moment.

Each check is one rule and one query for whatever breaks it, so that it takes seconds however many rows there are. The
invariants: I-1 what is given and taken adds up to what there is, I-2 stored sums are those of the rows behind them,
I-3 nothing is overdrawn, I-4 a hold ends once, I-5 no more is given back than was taken, I-6 what has ended holds
nothing, I-7 nothing is taken twice, I-8 no more is taken than was promised, I-9 to spend + held + spent = granted.
There are no stored counter accounts here, so I-1 is a rule about each account's own lines. I-6 and what else needs to
know what credits were held for is for whoever made the references: `run` takes their checks too.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from credits.models import Account, Entry, Hold, Verdict

NAMED = 20  # offenders whose ids are told for each check; the rest is counted
KEPT = 100  # verdicts


@dataclass(frozen=True)
class Check:
    """One rule, and the query whose every row is the id of something that breaks it."""

    name: str
    rule: str | Promise
    query: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A rule that is broken: by how many, and the ids of the first of them."""

    check: str
    rule: str
    count: int
    ids: list[str]


@contextmanager
def snapshot() -> Iterator[None]:
    """All that is read within is as of one moment, so that what is moving meanwhile is never accused.

    Nothing can be written within. Raises RuntimeError inside a transaction, whose moments would be several.
    """
    in_a_test = connection.in_atomic_block  # else the durable block below refuses
    with transaction.atomic(durable=True):
        if not in_a_test:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = '5min'")
                cursor.execute("SET LOCAL work_mem = '64MB'")
        yield


def run(checks: Iterable[Check]) -> list[Finding]:
    """What breaks these rules; empty when the books are right. Call it within a `snapshot`."""
    return [finding for finding in map(_broken, checks) if finding.count]


def keep(findings: list[Finding], *, seconds: float) -> Verdict:
    """Remember what a check of the books said; the oldest verdicts are forgotten."""
    verdict = Verdict.objects.create(findings=[asdict(finding) for finding in findings], seconds=seconds)
    Verdict.objects.exclude(pk__in=Verdict.objects.order_by("-pk").values("pk")[:KEPT]).delete()
    return verdict


def _broken(check: Check) -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT offender::text, count(*) OVER () FROM ({check.query}) AS broken (offender) "  # noqa: S608 (ours)
            f"ORDER BY offender LIMIT {NAMED}",
            check.parameters or None,
        )
        rows = cursor.fetchall()
    return Finding(check.name, str(check.rule), rows[0][1] if rows else 0, [offender for offender, _count in rows])


def guards(name: str, rule: str | Promise, models: Sequence[type[Model]], *more: str) -> Check:
    """The rule that all constraints of these models are in force, and what else of theirs has these names."""
    names = [*(constraint.name for model in models for constraint in model._meta.constraints), *more]
    tables = [model._meta.db_table for model in models]
    query = """
        SELECT name FROM unnest(%s::text[]) AS name WHERE name NOT IN (
            SELECT conname::text FROM pg_constraint WHERE convalidated AND conrelid = ANY(%s::regclass[])
            UNION ALL SELECT relname::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
                WHERE indisunique AND indisvalid AND indrelid = ANY(%s::regclass[])
            UNION ALL SELECT tgname::text FROM pg_trigger
                WHERE tgenabled IN ('O', 'A') AND tgrelid = ANY(%s::regclass[])
        )"""
    return Check(name, rule, query, (names, tables, tables, tables))


_OF_HOLDS = """
    SELECT hold_id,
           -coalesce(sum(amount) FILTER (WHERE kind = 'settle'), 0) AS taken,
           coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS given_back,
           count(*) FILTER (WHERE kind = 'settle') AS times
    FROM credits_entry WHERE hold_id IS NOT NULL GROUP BY hold_id"""

CHECKS = (
    Check(
        "balance",  # I-1, I-2
        _("A balance is the sum of the account's entries."),
        """
        SELECT account.id FROM credits_account account
        LEFT JOIN (SELECT account_id, sum(amount) AS total FROM credits_entry GROUP BY account_id) line
            ON line.account_id = account.id
        WHERE account.balance <> coalesce(line.total, 0)""",
    ),
    Check(
        "held",  # I-2
        _("What an account holds is the sum of its open holds."),
        """
        SELECT account.id FROM credits_account account
        LEFT JOIN (SELECT account_id, sum(amount) AS total FROM credits_hold WHERE status = 'open' GROUP BY account_id)
            hold ON hold.account_id = account.id
        WHERE account.held <> coalesce(hold.total, 0)""",
    ),
    Check(
        "overdrawn",  # I-3
        _("No account owns less than nothing, or holds more than it owns."),
        "SELECT id FROM credits_account WHERE balance < 0 OR held < 0 OR held > balance",
    ),
    Check(
        # I-1. Lines are laid like dominoes: each begins at the balance where another ended, the first at nothing, and
        # the last ends at the balance of today. So every number is left as often as it is reached, in whatever order
        # the lines are read: the times on them come from clocks and may be equal.
        "chain",
        _("Each entry begins at the balance where the one before it ended."),
        """
        SELECT DISTINCT account_id FROM (
            SELECT account_id FROM (
                SELECT account_id, balance_after AS level, 1 AS times FROM credits_entry
                UNION ALL SELECT account_id, balance_after - amount, -1 FROM credits_entry
                UNION ALL SELECT id, 0, 1 FROM credits_account
                UNION ALL SELECT id, balance, -1 FROM credits_account
            ) ends GROUP BY account_id, level HAVING sum(times) <> 0
        ) torn""",
    ),
    Check(
        "settled-once",  # I-4, I-7
        _("A hold is settled at most once."),
        f"SELECT hold_id FROM ({_OF_HOLDS}) line WHERE times > 1",  # noqa: S608
    ),
    Check(
        "settled",  # I-4
        _("What a hold says was taken is what its entry took."),
        f"""
        SELECT hold.id FROM credits_hold hold LEFT JOIN ({_OF_HOLDS}) line ON line.hold_id = hold.id
        WHERE hold.settled <> coalesce(line.taken, 0)""",  # noqa: S608
    ),
    Check(
        "refunded",  # I-5
        _("What a hold says was given back is the sum of its refunds."),
        f"""
        SELECT hold.id FROM credits_hold hold LEFT JOIN ({_OF_HOLDS}) line ON line.hold_id = hold.id
        WHERE hold.refunded <> coalesce(line.given_back, 0)""",  # noqa: S608
    ),
    Check(
        "within-hold",  # I-5, I-8
        _("No more is taken than was held, and no more given back than was taken."),
        """
        SELECT id FROM credits_hold
        WHERE amount <= 0 OR settled < 0 OR settled > amount OR refunded < 0 OR refunded > settled
           OR (status = 'open') <> (closed IS NULL) OR (status = 'open' AND settled <> 0)""",
    ),
    Check(
        "held-once",  # I-7
        _("There is at most one open hold for one thing."),
        "SELECT reference FROM credits_hold WHERE status = 'open' GROUP BY reference HAVING count(*) > 1",
    ),
    Check(
        "own-hold",  # I-1
        _("An entry is in the account of its hold, and for the same thing."),
        """
        SELECT entry.id FROM credits_entry entry JOIN credits_hold hold ON hold.id = entry.hold_id
        WHERE entry.account_id <> hold.account_id OR entry.reference <> hold.reference""",
    ),
    Check(
        "whole",  # I-9: as told by the holds, not by the lines that took
        _("What can be spent, is held and was spent is all that was ever granted."),
        """
        SELECT account.id FROM credits_account account
        LEFT JOIN (SELECT account_id, sum(settled - refunded) AS total FROM credits_hold GROUP BY account_id) spent
            ON spent.account_id = account.id
        LEFT JOIN (SELECT account_id, sum(amount) AS total FROM credits_entry WHERE kind IN ('grant', 'adjust')
            GROUP BY account_id) given ON given.account_id = account.id
        WHERE account.balance + coalesce(spent.total, 0) <> coalesce(given.total, 0)""",
    ),
    guards(
        "guards",
        _("Every constraint and trigger that guards the books is in force."),
        (Account, Hold, Entry),
        "credits_account_user_id_key",
        "credits_entry_key_key",
        "credits_entry_immutable",
        "credits_entry_not_emptied",
    ),
)
