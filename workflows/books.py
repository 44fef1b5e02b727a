"""Whether the books and the runs tell the same story: `credits/audit.py` and what only we know, as of one moment.

`check` is the one operation; the command, the schedule and the end of every migration are its doors. All rules hold
whenever a transaction ends, so a system at work is never accused of what it is just about to write. The invariants
are named as in `credits/audit.py`; I-10 is that every job accepted by a provider is that of one attempt.
"""

import logging
import time
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext_lazy as _

from credits import audit
from credits.audit import Check
from credits.models import Account, Verdict
from workflows import alarms
from workflows.models import Attempt, Step, Workflow

log = logging.getLogger(__name__)


def check() -> Verdict:
    """Check all rules, keep the verdict and, where one is broken, tell staff. Changes nothing else.

    Raises RuntimeError inside a transaction, whose reads would be of several moments.
    """
    start = time.monotonic()
    with audit.snapshot():
        findings = audit.run([*audit.CHECKS, *CHECKS])
    verdict = audit.keep(findings, seconds=time.monotonic() - start)
    if findings:
        alarms.tell_staff("The books are wrong", "\n".join(verdict.lines))
    return verdict


def check_migrated(using: str = DEFAULT_DB_ALIAS, plan: Any = (), stdout: Any = None, **_: Any) -> None:
    """Check after a migration that changed something and left nothing half done; say it loudly, and never raise.

    `flush` sends this signal as well, with no plan. A database without accounts has no books yet.
    """
    if using != DEFAULT_DB_ALIAS or not plan or _is_half_migrated():
        return
    try:
        if not Account.objects.exists():
            return
        verdict = check()
    except (DatabaseError, RuntimeError):
        log.exception("The books could not be checked after the migration.")
        return
    if not verdict.is_clean and stdout is not None:
        stdout.write("\n".join(["THE BOOKS ARE WRONG after this migration:", *verdict.lines]))


def _is_half_migrated() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


_PAID = """
    SELECT reference, sum(settled) AS settled, max(amount) AS largest, count(*) FILTER (WHERE status = 'open') AS open
    FROM credits_hold WHERE starts_with(reference, 'workflow:') GROUP BY reference"""
_WITH_PAID = f"workflows_workflow workflow LEFT JOIN ({_PAID}) paid ON paid.reference = 'workflow:' || workflow.id"
_ENDED = "workflow.finished IS NOT NULL"
_UNFINISHED = "SELECT step_id FROM workflows_attempt WHERE next_check_at IS NOT NULL"
_ACCEPTED = "operation = 'submit' AND status BETWEEN 200 AND 299 AND reference <> ''"

# Everything here is written by us; nothing in it comes from outside.
CHECKS = (
    Check(
        "orphan-hold",  # I-6
        _("Credits are held only for runs that exist, and of their owners."),
        """
        SELECT hold.id FROM credits_hold hold JOIN credits_account account ON account.id = hold.account_id
        LEFT JOIN workflows_workflow workflow ON hold.reference = 'workflow:' || workflow.id
        WHERE starts_with(hold.reference, 'workflow:') AND workflow.user_id IS DISTINCT FROM account.user_id""",
    ),
    Check(
        "ended-holding",  # I-6
        _("A run that has ended holds nothing."),
        f"SELECT workflow.id FROM {_WITH_PAID} WHERE {_ENDED} AND paid.open > 0",  # noqa: S608
    ),
    Check(
        "running-unpaid",  # I-6, the other way round
        _("A run that goes on holds its price."),
        f"SELECT workflow.id FROM {_WITH_PAID} WHERE NOT {_ENDED} AND coalesce(paid.open, 0) <> 1",  # noqa: S608
    ),
    Check(
        "charged",  # I-1
        _("What the steps of a run say they cost is what was taken for it."),
        f"""
        SELECT workflow.id FROM {_WITH_PAID}
        LEFT JOIN (SELECT workflow_id, sum(charged) AS charged FROM workflows_step GROUP BY workflow_id) step
            ON step.workflow_id = workflow.id
        WHERE coalesce(step.charged, 0) <> coalesce(paid.settled, 0)""",  # noqa: S608
    ),
    Check(
        "above-quote",  # I-8
        _("No run holds or takes more than it was quoted."),
        f"""
        SELECT workflow.id FROM {_WITH_PAID}
        WHERE paid.settled > workflow.quoted OR paid.largest > workflow.quoted""",  # noqa: S608
    ),
    Check(
        "paid-for-nothing",  # I-7
        _("Credits are taken only for steps that were made, and never above their price."),
        "SELECT id FROM workflows_step WHERE charged > 0 AND (status <> 'succeeded' OR charged > price)",
    ),
    Check(
        "stranded",
        _("A run that goes on has an attempt that somebody will look at."),
        f"""
        SELECT workflow.id FROM workflows_workflow workflow WHERE NOT {_ENDED} AND NOT EXISTS (
            SELECT FROM workflows_step step WHERE step.workflow_id = workflow.id AND step.id IN ({_UNFINISHED})
        )""",  # noqa: S608
    ),
    Check(
        "restless",
        _("A run that has ended has no attempt that goes on."),
        f"""
        SELECT workflow.id FROM workflows_workflow workflow JOIN workflows_step step ON step.workflow_id = workflow.id
        WHERE {_ENDED} AND step.id IN ({_UNFINISHED})""",  # noqa: S608
    ),
    Check(
        "without-job",  # I-10
        _("An attempt that is being made, or was made, knows its job at the provider."),
        """
        SELECT id FROM workflows_attempt
        WHERE job_id = '' AND (status = 'succeeded' OR phase IN ('fetch', 'store'))""",
    ),
    Check(
        "job-of-nobody",  # I-10
        _("Every job that a provider accepted is that of an attempt."),
        f"""
        SELECT job.reference FROM (
            SELECT reference FROM providers_sandboxjob
            UNION SELECT reference FROM providers_providercall WHERE {_ACCEPTED}
        ) job LEFT JOIN workflows_attempt attempt ON attempt.id::text = job.reference
        WHERE attempt.id IS NULL""",  # noqa: S608
    ),
    Check(
        "submitted-twice",  # I-7, I-10
        _("No attempt was accepted by a provider twice."),
        f"""
        SELECT reference FROM providers_providercall WHERE {_ACCEPTED}
        GROUP BY reference HAVING count(*) > 1""",  # noqa: S608
    ),
    audit.guards(
        "guards-of-runs",
        _("Every constraint that guards the runs is in force."),
        (Workflow, Step, Attempt),
    ),
)
