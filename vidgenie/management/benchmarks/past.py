"""What a site has behind it: finished runs by the ten thousand, which PostgreSQL copies from one, and renders."""

import datetime
import random
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, models
from django.utils import timezone

from credits.models import Entry, Hold
from providers.models import ProviderCall
from providers.simulator.clock import Renders
from workflows.models import Attempt, Step, Transition, Workflow

UNSEEN = 0.04  # of the time that a render takes lies between two looks at it
_BALANCE = "SELECT balance FROM credits_account WHERE id = t.account_id"
_PAID = """
    UPDATE credits_account account SET balance = balance + entry.amount * %(count)s
    FROM credits_entry entry WHERE entry.account_id = account.id AND entry.reference = %(reference)s"""


def copy(run: Workflow, first: int, last: int) -> int:
    """Finished runs like this one and by the same user, numbers `first` to `last`; how many rows there are now."""
    run_of, mine = "JOIN workflows_workflow w ON w.id = t.workflow_id AND w.id = %(run)s", {"workflow_id": _new("w.id")}
    reference = {"reference": f"'workflow:' || {_new('w.id')}"}
    by_name = "JOIN workflows_workflow w ON t.reference = 'workflow:' || w.id AND w.id = %(run)s"
    step_of = "JOIN workflows_step s ON s.id = t.step_id AND s.workflow_id = %(run)s"
    step_of += f" JOIN workflows_step c ON c.position = s.position AND c.workflow_id = {_new('s.workflow_id')}"
    ago = {name: f"t.{name} - interval '1 month'" for name in ("created", "finished")}  # limits count today's
    job = "CASE t.job_id WHEN '' THEN '' ELSE t.job_id || ':' || n END"
    key, left = "t.key || ':' || n", f"({_BALANCE}) + t.amount * (n - %(first)s + 1)"
    copies: list[tuple[type[models.Model], str, dict[str, str]]] = [
        (Workflow, "JOIN workflows_workflow w ON w.id = t.id AND w.id = %(run)s", {"id": _new("w.id"), **ago}),
        (Step, run_of, mine),
        (Transition, run_of, mine),
        (
            Attempt,
            step_of,
            {"id": _new("t.id"), "step_id": "c.id", "job_id": job, "made": "t.made - '1 day'::interval"},
        ),
        (Hold, by_name, {"id": _new("t.id"), **reference}),
        (
            Entry,
            by_name,
            {"id": _new("t.id"), "hold_id": _new("t.hold_id"), "key": key, "balance_after": left, **reference},
        ),
        (ProviderCall, "WHERE t.id < (SELECT min(id) + 7 FROM providers_providercall)", {"reference": "''"}),
    ]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for model, source, changed in copies:
            cursor.execute(_insert(model, source, changed), {"run": run.pk, "first": first, "last": last})
            cursor.execute(f"ANALYZE {model._meta.db_table}")
        cursor.execute(_PAID, {"reference": run.reference, "count": last - first + 1})
        cursor.execute("RESET statement_timeout")
    return sum(model.objects.count() for model, _, _ in copies)  # type: ignore[attr-defined]


def _new(id: str) -> str:
    """The id of a copy."""
    return f"md5({id} || ':' || n)::uuid"


def _insert(model: type[models.Model], source: str, changed: dict[str, str]) -> str:
    """The rows that `source` leaves of a table, once for each number n; without a new id they get the next."""
    columns = [str(field.column) for field in model._meta.concrete_fields]
    columns = [name for name in columns if name != "id" or "id" in changed]
    values = ", ".join(changed.get(name, f't."{name}"') for name in columns)
    names, table = ", ".join(f'"{name}"' for name in columns), model._meta.db_table
    numbers = "generate_series(%(first)s::int, %(last)s::int) n"
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {numbers} CROSS JOIN {table} t {source}"  # noqa: S608


def render(count: int, user: User, model: str, took: Renders) -> None:
    """So many films that were made by this model before, as long ago as a plan for the next ones looks back."""
    chance, now = random.Random(7), timezone.now()  # noqa: S311
    options = {"duration_seconds": 5, "resolution": "720p"}
    ended: dict[str, Any] = {"status": "succeeded", "finished": now}
    runs = Workflow.objects.bulk_create(
        Workflow(user=user, type="video-from-image", prompt="a fox", quoted=1, deadline=now, **ended)
        for _ in range(count)
    )
    of_model = {"provider": model.partition("/")[0], "model": model, "price": 1}
    steps = Step.objects.bulk_create(Step(workflow=run, stage="video", position=1, **of_model, **ended) for run in runs)
    for step in steps:
        seconds = took.draw(chance)
        unseen = datetime.timedelta(
            seconds=UNSEEN * seconds * chance.random()
        )  # since it was made, when that was noticed
        Attempt.objects.create(
            step=step, number=1, user=user, phase="done", prompt="a fox", options=options,
            submitted=now - datetime.timedelta(seconds=seconds), made=now + unseen,
            looked=now + unseen - datetime.timedelta(seconds=UNSEEN * seconds), **of_model, **ended,
        )  # fmt: skip
