"""VidGenie's own source: what bandit finds in it, and rules of ours that no linter has.

A line that is all right in spite of a rule says so with a `noqa` and the linter's number: the same comment serves ruff,
bandit and this.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings

from vidgenie.management.audit.check import Seen, Unknown, check

PACKAGES = ("vidgenie", "workflows", "credits", "providers")
WITHIN = 180  # seconds for bandit
SKIPPED = "B610"  # takes every function named `extra` for that of a query; ruff's S610 looks closer
_QUERY = re.compile(r"\b(select|insert into|update|delete from|with)\s", re.IGNORECASE)
WAYS_TO_SQL = {"execute", "executemany", "raw", "extra", "RawSQL"}
WAYS_TO_LOG = {"debug", "info", "warning", "error", "exception", "critical", "log"}
TELLING = {"headers", "settings", "environ", "META", "COOKIES", "PROVIDER_KEYS", "ENCRYPTION_KEYS", "SECRET_KEY"}


def sources() -> list[Path]:
    """Every Python file that runs on a site."""
    return [path for place in _places() for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]


def _places() -> list[Path]:
    home = Path(settings.BASE_DIR)
    return [*(home / name for name in PACKAGES if (home / name).exists()), *sorted(home.glob("*.py"))]


# Rules of our own


def _named(node: ast.expr) -> str:
    """The last name of what is called: `raw` of `Model.objects.raw`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _whose(call: ast.Call) -> str:
    """The name before it: `objects` of `Model.objects.raw`."""
    return _named(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _keyword(call: ast.Call, name: str) -> object:
    found = next((one.value for one in call.keywords if one.arg == name), None)
    return found.value if isinstance(found, ast.Constant) else None


def _is_put_together(node: ast.expr) -> bool:
    """A text with values written into it. psycopg's own `SQL(…).format` quotes them, and is no text."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mod | ast.Add)
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr == "format" and isinstance(called.value, ast.Constant)


def _constants(node: ast.expr) -> str:
    """The parts of it that are written in the source."""
    parts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return " ".join(part for part in parts if isinstance(part, str))


def unverified(call: ast.Call) -> bool:
    """Certificates are not checked."""
    return _keyword(call, "verify") is False or _named(call.func) in ("_create_unverified_context", "CERT_NONE")


def sql_put_together(call: ast.Call) -> bool:
    """A query with values written into it. Names of tables and the like cannot be parameters; queries can have them."""
    if _named(call.func) not in WAYS_TO_SQL or not call.args:
        return False
    return _is_put_together(call.args[0]) and bool(_QUERY.search(_constants(call.args[0])))


def marked_safe(call: ast.Call) -> bool:
    """HTML that nobody escapes."""
    return _named(call.func) in ("mark_safe", "SafeString", "html_safe")


def through_a_shell(call: ast.Call) -> bool:
    """A program started by a shell."""
    return _keyword(call, "shell") is True or _whose(call) + _named(call.func) in ("ossystem", "ospopen")


def opened_by_urllib(call: ast.Call) -> bool:
    """A call to the outside that knows no guard and no deadline."""
    return _named(call.func) in ("urlopen", "urlretrieve")


def run_from_text(call: ast.Call) -> bool:
    """Text that becomes a program, or an object of any kind."""
    if isinstance(call.func, ast.Name):
        return call.func.id in ("eval", "exec", "__import__")
    return _whose(call) in ("pickle", "marshal", "shelve", "dill") and _named(call.func) in ("load", "loads", "open")


def logged_whole(call: ast.Call) -> bool:
    """Headers, settings or the environment in a log."""
    if _whose(call) not in ("log", "logger", "logging") or _named(call.func) not in WAYS_TO_LOG:
        return False
    return any(_named(part) in TELLING for argument in call.args for part in _whole(argument))


def _whole(argument: ast.expr) -> Iterator[ast.expr]:
    """What is written out as a whole: `settings`, and not `settings.DEBUG`."""
    yield argument
    if isinstance(argument, ast.JoinedStr):
        yield from (part.value for part in argument.values if isinstance(part, ast.FormattedValue))


CALLS: dict[str, tuple[str, Callable[[ast.Call], bool]]] = {
    "verify=False": ("S501", unverified),
    "SQL put together": ("S608", sql_put_together),
    "mark_safe": ("S308", marked_safe),
    "a shell": ("S602", through_a_shell),
    "urlopen": ("S310", opened_by_urllib),
    "eval or pickle": ("S301", run_from_text),
    "headers or settings in a log": ("S106", logged_whole),
}


def complaints(path: str, source: str) -> Iterator[str]:
    """What the rules have against a file."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        for rule, number in _broken(node, path):
            line: int = node.lineno  # type: ignore[attr-defined]
            end: int = getattr(node, "end_lineno", None) or line
            if not is_justified(lines[line - 1 : end], number):
                yield f"{path}:{line}: {rule}"


def _broken(node: ast.AST, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call):
        yield from ((rule, number) for rule, (number, breaks) in CALLS.items() if breaks(node))
    if isinstance(node, ast.ExceptHandler) and _swallows(node):
        yield "except that swallows everything, an end included", "BLE001"
    if isinstance(node, ast.With) and _is_transaction(node) and _asks_outside(node):
        yield "a call to the outside inside a transaction", "S000"


def _swallows(node: ast.ExceptHandler) -> bool:
    """A bare `except` or `except BaseException` that does not raise again and does nothing with the error."""
    if node.type is not None and _named(node.type) != "BaseException":
        return False
    inside = [part for statement in node.body for part in ast.walk(statement)]
    used = node.name and any(isinstance(part, ast.Name) and part.id == node.name for part in inside)
    return not used and not any(isinstance(part, ast.Raise) for part in inside)


def _is_transaction(node: ast.With) -> bool:
    calls = (item.context_expr for item in node.items)
    return any(isinstance(call, ast.Call) and _named(call.func) == "atomic" for call in calls)


def _asks_outside(node: ast.With) -> bool:
    calls = [part for statement in node.body for part in ast.walk(statement) if isinstance(part, ast.Call)]
    return any(
        isinstance(call.func, ast.Attribute) and _named(call.func.value) in ("gateway", "requests", "http")
        for call in calls
    )


def is_justified(lines: list[str], number: str) -> bool:
    """Whether one of the lines says that it knows of this rule."""
    return any(re.search(rf"noqa:[^#]*\b{number}\b", line) for line in lines)


@check("source.rules", "The source keeps our own rules", "high", "Change the line, or say in a noqa why it is right.")
def own_rules() -> Iterator[str]:
    """Every file is parsed: certificates, SQL, HTML, shells, pickles, logs, transactions."""
    files = sources()
    for path in files:
        yield from complaints(str(path.relative_to(settings.BASE_DIR)), path.read_text())
    yield Seen(f"{len(files)} files")


# Bandit


@check("source.bandit", "Bandit finds nothing", "medium", "Change the line, or say in a noqa why it is right.")
def bandit() -> Iterator[str]:
    """Bandit, for findings of medium severity and more; a `noqa` with ruff's number for the same rule counts."""
    if find_spec("bandit") is None:
        raise Unknown("bandit is not installed; it is in requirements-dev.lock")
    for found in _findings():
        path, number = Path(found["filename"]), "S" + found["test_id"][1:]
        lines = path.read_text().splitlines()[found["line_range"][0] - 1 : found["line_range"][-1]]
        if not is_justified(lines, number):
            yield f"{path.relative_to(settings.BASE_DIR)}:{found['line_number']}: {found['test_id']}"
    yield Seen(f"{len(sources())} files")


def _findings() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "bandit", "-r", *map(str, _places()), "-q", "-f", "json", "-ll", "--skip", SKIPPED]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN)
        whole = json.loads(said.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise Unknown("bandit did not come to its end") from error
    if whole["errors"]:
        raise Unknown(f"bandit could not read {len(whole['errors'])} files")
    return list(whole["results"])
