"""What a request may say, written as tables; what is wrong with one, in neutral words that each API translates."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `kind` is missing, unknown, type, literal, long, short, many, few, big, small or value."""

    kind: str
    message: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    path: tuple[str | int, ...] = ()
    value: Any = None

    @property
    def name(self) -> str:
        """The path as a.b.0.c."""
        return ".".join(map(str, self.path))


Check = Callable[[Any], list[Problem]]


def text(low: int = 0, high: int = 1_000_000, *, utf16: bool = False) -> Check:
    """A string of so many characters, or units of UTF-16 as JavaScript counts them."""

    def check(value: Any) -> list[Problem]:
        if not isinstance(value, str):
            return [Problem("type", "string")]
        length = len(value.encode("utf-16-le", "surrogatepass")) // 2 if utf16 else len(value)
        if length > high:
            return [Problem("long", context={"limit": high})]
        return [Problem("short", context={"limit": low})] if length < low else []

    return check


def literal(*allowed: Any) -> Check:
    """One of these values, of the very same type: "5" is not 5."""

    def check(value: Any) -> list[Problem]:
        if any(value == one and type(value) is type(one) for one in allowed):
            return []
        return [Problem("literal", context={"allowed": allowed})]

    return check


def whole(low: int = -(2**63), high: int = 2**63) -> Check:
    """An integer; 5.0 and true are none."""
    return _number(low, high, "integer", int)


def number(low: float = -1e300, high: float = 1e300) -> Check:
    """An integer or a float."""
    return _number(low, high, "number", (int, float))


def _number(low: float, high: float, word: str, kind: Any) -> Check:
    def check(value: Any) -> list[Problem]:
        if not isinstance(value, kind) or isinstance(value, bool):
            return [Problem("type", word)]
        if value > high:
            return [Problem("big", context={"limit": high})]
        return [Problem("small", context={"limit": low})] if value < low else []

    return check


def boolean(value: Any) -> list[Problem]:
    """true or false."""
    return [] if isinstance(value, bool) else [Problem("type", "boolean")]


def anything(value: Any) -> list[Problem]:
    """Whatever it may be."""
    return []


def nullable(check: Check) -> Check:
    """null, or what the other check takes."""
    return lambda value: [] if value is None else check(value)


def either(*checks: Check) -> Check:
    """What any of these takes; else the problems that the last one sees."""

    def check(value: Any) -> list[Problem]:
        found: list[Problem] = []
        for one in checks:
            if not (found := one(value)):
                return []
        return found

    return check


def rows(check: Check, low: int = 0, high: int = 1_000) -> Check:
    """A list, each item of which passes."""

    def checked(value: Any) -> list[Problem]:
        if not isinstance(value, list):
            return [Problem("type", "array")]
        if not low <= len(value) <= high:
            many = len(value) > high
            return [Problem("many" if many else "few", context={"limit": high if many else low})]
        return [_under(n, problem) for n, item in enumerate(value) for problem in check(item)]

    return checked


def document(fields: Mapping[str, Check], required: Collection[str] = ()) -> Check:
    """An object with these fields and no others."""

    def check(value: Any) -> list[Problem]:
        if not isinstance(value, dict):
            return [Problem("type", "object")]
        found = [Problem("missing", path=(name,)) for name in required if name not in value]
        found += [Problem("unknown", path=(str(name),)) for name in value if name not in fields]
        for name, item in value.items():
            if name in fields:
                found += [_under(name, problem, item) for problem in fields[name](item)]
        return found

    return check


def _under(name: str | int, problem: Problem, value: Any = None) -> Problem:
    path = (name, *problem.path)
    return Problem(problem.kind, problem.message, problem.context, path, problem.value if problem.path else value)
