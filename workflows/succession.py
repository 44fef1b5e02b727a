"""Which model takes over when one has failed for good.

Only where the choice was left to us and the price was promised: never dearer than the user was quoted, never one that
was tried before, and only for reasons that lie with a provider and not with the request.
"""

from providers import catalog
from providers.base import Reason
from providers.offer import on_offer
from workflows import reasons
from workflows.models import Step, Workflow
from workflows.services import SERVICES

LIMIT = 3  # attempts of a step, the first included


def successor(workflow: Workflow, step: Step, reason: Reason) -> catalog.Model | None:
    """The cheapest model on offer that can do what this step asks, at its price or below; None when there is none."""
    if not step.automatic or step.own_key or not reasons.TABLE[reason].another:
        return None
    tried = set(step.attempts.values_list("model", flat=True))
    if len(tried) >= LIMIT:
        return None
    able = (model for model in on_offer() if model.kind == SERVICES[step.stage].kind and model.slug not in tried)
    return next((model for model in able if _can(model, workflow) and _cost(model, workflow) <= step.price), None)


def _can(model: catalog.Model, workflow: Workflow) -> bool:
    same_world = (model.provider == "sandbox") == (workflow.steps.filter(provider="sandbox").exists())
    return same_world and all(model.can(*option) for option in workflow.options.items())


def _cost(model: catalog.Model, workflow: Workflow) -> int:
    options = workflow.options
    return model.cost(seconds=options.get("duration_seconds", 0), resolution=options.get("resolution", ""))
