"""Is this the database that our jobs were submitted from, or a copy brought back from a backup?

A backup remembers nothing of what was submitted after it was taken: an attempt that still waits in it may long have
been sent, and paid for. So the database knows where it came to be, and where that isn't the place it is in now, all
that waits to be submitted is in doubt: it is looked up, and never sent by itself. Fetching and storing go on, as both
cost nothing.

Copies in files (a snapshot of a disk or a machine) look exactly like what they were taken of: only a person knows.
`manage.py after_restore` is for them.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from workflows import alarms
from workflows.models import Attempt, Origin, Workflow
from workflows.states import UNFINISHED

SUBJECT = "the database was restored from a backup"
DETAIL = "The database was restored from a backup: this may have been sent since, so it is looked up and never sent."
_FREE = ("sandbox",)  # its jobs are in the same database, and cost nothing

# Every initdb makes a cluster, every recovery and promotion a timeline, every pg_restore a table: each of its own.
_PLACE = """
SELECT concat_ws(
    '/',
    {system},
    left(pg_walfile_name(pg_current_wal_lsn()), 8),
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    'workflows_origin'::regclass::oid
)
"""
_SYSTEM = "(SELECT system_identifier FROM pg_control_system())"


@dataclass(frozen=True)
class Doubt:
    """What was found in a restored database: runs that were going on, and attempts that may have been sent since."""

    workflows: int
    attempts: int

    def __str__(self) -> str:
        return (
            f"This database was restored from a backup, or moved. {self.workflows} runs were going on in it; what they"
            f" have sent since nobody knows. {self.attempts} attempts that waited are looked up and never sent again:"
            " what cannot be looked up ends as lost, and its credits go back. What had been submitted is fetched as"
            " ever. Next time, stop the workers before the backup and run `manage.py after_restore --nothing-was-sent`."
        )


def require_origin() -> None:
    """See that this database is where it came to be; else put in doubt what waits in it, and tell everybody.

    To be called before anything is submitted, by each process. One small query where all is well.
    """
    place = _place()
    if _known(place):
        return
    with transaction.atomic():
        # Of many processes that start, one moves the row; a row just made is of a database that nobody has moved.
        doubt = _doubt() if Origin.objects.exclude(place=place).update(place=place, noted=Now()) else None
    if doubt is not None:
        alarms.tell_staff(SUBJECT, str(doubt))


def doubt_all() -> Doubt:
    """Put all that waits in doubt, whatever the place says: for copies that only a person can tell."""
    with transaction.atomic():
        nothing_was_sent()
        doubt = _doubt()
    alarms.tell_staff(SUBJECT, str(doubt))
    return doubt


def nothing_was_sent() -> None:
    """A person says that nothing was submitted since the backup was taken: this is where we are now."""
    Origin.objects.update_or_create(pk=1, defaults={"place": _place(), "noted": Now()})


def first_phase(workflow: Workflow, provider: str) -> Attempt.Phase:
    """Where an attempt begins: it is submitted, or, where it may have been in another life, looked up."""
    return Attempt.Phase.SUBMITTING if workflow.doubted and provider not in _FREE else Attempt.Phase.SUBMIT


def _known(place: str) -> bool:
    """Whether this place is the one on record, which it is from the first time that anybody asks."""
    return Origin.objects.get_or_create(pk=1, defaults={"place": place})[0].place == place


def _doubt() -> Doubt:
    going_on = Workflow.objects.filter(status__in=UNFINISHED)
    waiting = Attempt.objects.filter(phase=Attempt.Phase.SUBMIT, step__workflow__in=going_on)
    return Doubt(
        workflows=going_on.update(doubted=Now()),
        attempts=waiting.exclude(provider__in=_FREE).update(
            phase=Attempt.Phase.SUBMITTING, tries=0, fence=F("fence") + 1, next_check_at=Now(), detail=DETAIL
        ),
    )


def _place() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_function_privilege('pg_control_system()', 'execute')")
        (may_ask,) = cursor.fetchone()
        cursor.execute(_PLACE.format(system=_SYSTEM if may_ask else "'unknown'"))
        (place,) = cursor.fetchone()
    return str(place)
