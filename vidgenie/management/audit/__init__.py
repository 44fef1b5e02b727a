"""What `manage.py security_audit` looks at: one module for each subject, in the order in which they are told."""

from importlib import import_module

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


def load() -> None:
    """Have every subject make its checks known."""
    for name in SUBJECTS:
        import_module(f"{__name__}.{name}")
