"""Workflows: the product. A workflow walks through its steps."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Workflows"

    def ready(self) -> None:
        from credits import references
        from workflows.strip import meanings

        references.register("workflow", meanings)
