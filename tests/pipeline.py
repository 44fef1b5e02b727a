"""Driving a run in tests: everything that workers do, at once, in this process, without waiting."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Now

from providers.adapters import sandbox
from workflows import pipeline
from workflows.models import Attempt, Workflow

STILL = {"enhance": False, "resolution": "480p", "seed": 7}  # the cheapest picture: 2 credits, in one step


def start(user: User, type: str, prompt: str, image: Any = None, **options: Any) -> Workflow:
    """A run that nobody has looked at yet."""
    return pipeline.start(user, pipeline.quote(type, prompt, options, image))


def advance_due(limit: int = 100) -> int:
    """Advance what is due, one after the other; how many runs there were."""
    for done in range(limit):
        if not (due := pipeline.due(1)):
            return done
        pipeline.advance(due[0])
    return limit


def render() -> None:
    """Be the sandbox's renderers until nothing is left to draw."""
    while sandbox.render_next():
        pass


def finish(workflow: Workflow) -> Workflow:
    """Render and look, again and again, until nothing is left to do."""
    for _ in range(20):
        render()
        Attempt.objects.filter(next_check_at__isnull=False).update(next_check_at=Now())
        if not advance_due():
            break
    return Workflow.objects.get(pk=workflow.pk)


def run(user: User, type: str, prompt: str, image: Any = None, **options: Any) -> Workflow:
    """A whole run, started and ended."""
    return finish(start(user, type, prompt, image, **options))
