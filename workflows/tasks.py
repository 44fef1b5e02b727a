"""The queue is a nudge: it may lose or double any message, and nothing changes but latency.

Tasks are named by dotted path and carry an id, nothing else: what they need is in the rows.
"""

from uuid import UUID

from django_q.models import Schedule
from django_q.tasks import async_task


def nudge(workflow_id: UUID) -> None:
    """Have a worker look at this workflow soon. Inside a transaction it goes out with the commit."""
    async_task("workflows.pipeline.advance", str(workflow_id))


def deliver_late(attempt_id: UUID) -> None:
    """Have a worker bring what a given-up attempt has made after all."""
    async_task("workflows.late.deliver", str(attempt_id))


def schedule() -> None:
    """Make the schedules that back the clock up; safe to call at every start."""
    for name, function, minutes in (
        ("advance what is due", "workflows.pipeline.advance_due", 1),
        ("look for what comes late", "workflows.late.deliver_due", 5),
        ("ask when models go", "providers.lifecycle.ask_shutdown_dates", 24 * 60),
        ("forget the sandbox's old files", "providers.adapters.sandbox.forget_old", 60),
        ("forget old counts of requests", "vidgenie.throttle.forget_old", 60),
    ):
        Schedule.objects.update_or_create(
            name=name, defaults={"func": function, "schedule_type": Schedule.MINUTES, "minutes": minutes}
        )
