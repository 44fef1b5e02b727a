"""A check of the audit: what must be so, how bad it is if it isn't, how that is looked at, and what to do about it.

A check only looks. What speaks against it, it yields as sentences; what it has looked at, as `Seen`. What it could not
look at it raises as `Unknown`: that is not a pass.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from vidgenie.reports import Row, Verdict

TOLD = 5  # complaints that a row quotes; it counts the others

Sentences: TypeAlias = "Iterator[str]"


class Seen(str):
    """What a check has looked at. No complaint."""

    __slots__ = ()


class Unknown(Exception):
    """It could not be looked at; the text says why, and holds no secret."""


@dataclass(frozen=True)
class Check:
    """One check. `title` says what must be so; `look` yields what speaks against it."""

    id: str
    title: str
    severity: str
    advice: str
    look: Callable[[], Sentences]

    def row(self) -> Row:
        """Look, and say what was found. Whatever breaks the look makes it unknown."""
        against: list[str] = []
        seen, verdict = "", Verdict.PASS
        try:
            for sentence in self.look():
                if isinstance(sentence, Seen):
                    seen = sentence
                else:
                    against.append(sentence)
        except Unknown as error:
            seen, verdict = str(error), Verdict.UNKNOWN
        except Exception as error:  # its text may hold anything
            seen, verdict = f"the check broke off: {type(error).__name__}", Verdict.UNKNOWN
        if against:
            seen, verdict = _quoted(against), Verdict.FAIL
        return Row(
            self.id,
            self.title,
            verdict,
            target="yes",
            method=" ".join((self.look.__doc__ or "").split()),
            evidence=seen,
            advice="" if verdict == Verdict.PASS else self.advice,
            severity=self.severity,
        )


CHECKS: dict[str, Check] = {}  # by their ids


def check(id: str, title: str, severity: str, advice: str) -> Callable[[Callable[[], Sentences]], Check]:
    """Make a look known as a check; its docstring says how it looks."""

    def known(look: Callable[[], Sentences]) -> Check:
        CHECKS[id] = Check(id, title, severity, advice, look)
        return CHECKS[id]

    return known


def _quoted(against: list[str]) -> str:
    more = f"; and {len(against) - TOLD} more" if len(against) > TOLD else ""
    return "; ".join(against[:TOLD]) + more
