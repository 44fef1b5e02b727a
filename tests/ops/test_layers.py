"""Who may import whom, and who may take row locks: the shape of the house, held by a test.

vidgenie -> workflows -> credits, providers      (an arrow reads "imports"; there is no arrow back)

Beside them stand crashpoint.py and sql.py, which all may import and which import none of them.
"""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("vidgenie", "workflows", "credits", "providers")
SOURCES = sorted(path.relative_to(PROJECT) for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
SOURCES += [Path("crashpoint.py"), Path("sql.py")]

FORBIDDEN = {
    "credits": {"providers", "workflows", "vidgenie"},
    "providers": {"credits", "workflows", "vidgenie"},
    "workflows": {"vidgenie"},
    "crashpoint.py": {*PACKAGES, "django"},
    "sql.py": set(PACKAGES),
}
ONLY_IN = {
    "boto3": ("providers/",),
    "botocore": ("providers/",),
    "cryptography": ("providers/",),
    "openai": ("providers/",),
    "requests": ("providers/",),
    "storages": ("providers/",),
    "django_q": ("workflows/tasks.py", "vidgenie/management/"),
}
LOCKERS = ("workflows/pipeline.py", "credits/ledger.py")


def violations(path: Path, source: str) -> list[str]:
    """What this source may not do where it lies."""
    tree = ast.parse(source)
    place = path.as_posix()
    found = [f"{place} imports {name}" for name in sorted(imported(tree)) if not may_import(path, name)]
    if takes_locks(tree) and place not in LOCKERS:
        found.append(f"{place} takes row locks")
    return found


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def may_import(path: Path, name: str) -> bool:
    if name in FORBIDDEN.get(path.parts[0], set()):
        return False
    return name not in ONLY_IN or path.as_posix().startswith(ONLY_IN[name])


def takes_locks(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "select_for_update" for node in ast.walk(tree))


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_module_keeps_to_its_layer(path: Path) -> None:
    assert violations(path, (PROJECT / path).read_text()) == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("credits/ledger.py", "from workflows.models import Workflow", "imports workflows"),
        ("credits/views.py", "import providers.gateway", "imports providers"),
        ("providers/models.py", "def f():\n    from credits import ledger", "imports credits"),
        ("workflows/api.py", "from vidgenie import api", "imports vidgenie"),
        ("workflows/pipeline.py", "import requests", "imports requests"),
        ("crashpoint.py", "from django.conf import settings", "imports django"),
        ("vidgenie/models.py", "from cryptography.fernet import Fernet", "imports cryptography"),
        ("workflows/pipeline.py", "from django_q.tasks import async_task", "imports django_q"),
        ("workflows/views.py", "Workflow.objects.select_for_update().get()", "takes row locks"),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str, complaint: str) -> None:
    assert violations(Path(path), source) == [f"{path} {complaint}"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("workflows/pipeline.py", "from credits import ledger\nfrom providers import gateway\nq.select_for_update()"),
        ("workflows/tasks.py", "from django_q.tasks import async_task"),
        ("credits/ledger.py", "from crashpoint import crashpoint"),
        ("vidgenie/management/commands/worker.py", "from django_q.cluster import Cluster"),
        ("providers/adapters/fal.py", "import requests\nfrom . import credits"),
        ("vidgenie/urls.py", "import credits.views, providers.admin, workflows.api"),
    ],
)
def test_what_is_allowed_is_not_complained_of(path: str, source: str) -> None:
    assert violations(Path(path), source) == []
