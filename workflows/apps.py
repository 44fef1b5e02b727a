"""Workflows: the product. A workflow walks through its steps."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Workflows"

    def ready(self) -> None:
        from credits import references
        from workflows import books
        from workflows.strip import meanings

        references.register("workflow", meanings)
        post_migrate.connect(books.check_migrated, sender=self, dispatch_uid="workflows.books.check_migrated")
