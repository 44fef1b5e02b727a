"""What `manage.py security_audit` looks at: one module for each subject, in the order in which they are told."""

from importlib import import_module

from vidgenie.management.audit.check import CHECKS, Check

SUBJECTS = (
    "configuration",
    "served",
    "access",
    "throttles",
    "sealed",
    "accounts",
    "addresses",
    "pictures",
    "traces",
    "files",
    "dependencies",
    "source",
)


def load() -> list[Check]:
    """Have every subject make its checks known; all of them, in the order of the subjects."""
    names = {import_module(f"{__name__}.{name}").__name__: number for number, name in enumerate(SUBJECTS)}
    return sorted(CHECKS.values(), key=lambda one: names[one.look.__module__])
