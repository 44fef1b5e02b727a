"""`.env.test.example` lists exactly the variables that the settings read, each with its meaning above it."""

import ast
import re
from itertools import pairwise
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE = PROJECT / ".env.test.example"
VARIABLE = re.compile(r"#? ?([A-Z][A-Z0-9_]*)=")


def variables_read(source: str) -> set[str]:
    """Names given to `env(...)`, to `env.bool(...)` and its like, and to the settings' own readers."""
    tree = ast.parse(source)
    readers = {"env", *(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and reads(node))}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) in readers]
    first = [node.args[0] for node in calls if node.args]
    return {argument.value for argument in first if isinstance(argument, ast.Constant)}  # type: ignore[misc]


def reads(function: ast.FunctionDef) -> bool:
    """The settings' own readers take the variable's name first, and call it that."""
    return bool(function.args.args) and function.args.args[0].arg == "name"


def called(call: ast.Call) -> str:
    """`env` for env("X") and env.bool("X"), `secret` for secret("X")."""
    function = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    return function.id if isinstance(function, ast.Name) else ""


def variables_listed(text: str) -> list[str]:
    return [match[1] for match in map(VARIABLE.match, text.splitlines()) if match]


def without_meaning(text: str) -> list[str]:
    """Variables that have no comment right above them."""
    lines = ["", *text.splitlines()]
    return [match[1] for above, line in pairwise(lines) if (match := VARIABLE.match(line)) and not explains(above)]


def explains(line: str) -> bool:
    return line.startswith("# ") and not VARIABLE.match(line)


def test_the_example_lists_what_the_settings_read() -> None:
    settings = (PROJECT / "vidgenie" / "settings.py").read_text()

    assert set(variables_listed(EXAMPLE.read_text())) == variables_read(settings)


def test_each_variable_is_listed_once_with_its_meaning() -> None:
    listed = variables_listed(EXAMPLE.read_text())

    assert sorted(listed) == sorted(set(listed))
    assert without_meaning(EXAMPLE.read_text()) == []


def test_every_way_of_reading_a_variable_is_seen() -> None:
    source = (
        'def secret(name, default=""): ...\nenv("A")\nif env.bool("B", default=True): pass\nC = secret("D")\nlen("E")'
    )

    assert variables_read(source) == {"A", "B", "D"}


def test_a_variable_without_a_meaning_is_seen() -> None:
    text = "# What A is.\nA=1\n# B=2\n\n# What C is.\n# C=\n"

    assert variables_listed(text) == ["A", "B", "C"]
    assert without_meaning(text) == ["B"]
