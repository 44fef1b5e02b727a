"""What is owed, as one table: you pay for what you receive.

Pure: no database, no clock. The page that explains refunds prints this same table, so the promise and the deed
cannot drift apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Outcome(StrEnum):
    """How one priced line of a run ended."""

    DELIVERED = "delivered"
    UNUSED = "unused"
    FAILED = "failed"
    REFUSED = "refused"
    LOST = "lost"
    LATE = "late"
    CANCELED = "canceled"
    UNSTARTED = "unstarted"


@dataclass(frozen=True)
class Rule:
    """The share of the price that is owed (0 or 1) and the sentence that says so."""

    owed: int
    sentence: str | Promise


RULES: dict[Outcome, Rule] = {
    Outcome.DELIVERED: Rule(1, _("It was made and you have it: its price is taken.")),
    Outcome.UNUSED: Rule(0, _("The words were improved, but no picture was made from them: nothing is taken.")),
    Outcome.FAILED: Rule(0, _("It failed, whoever's fault it was: its credits come back.")),
    Outcome.REFUSED: Rule(0, _("The provider declined the prompt: its credits come back.")),
    Outcome.LOST: Rule(0, _("Nobody can say whether it was made: its credits come back at the deadline.")),
    Outcome.LATE: Rule(0, _("It arrived after its credits were given back: you keep it, for nothing.")),
    Outcome.CANCELED: Rule(0, _("You canceled before it was finished: its credits come back.")),
    Outcome.UNSTARTED: Rule(0, _("It was never begun: its credits come back.")),
}


@dataclass(frozen=True)
class Line:
    """One priced part of a run: its price in credits and how it ended."""

    price: int
    outcome: Outcome

    @property
    def due(self) -> int:
        """Credits owed for this line, never more than its price."""
        return self.price * RULES[self.outcome].owed


def amount_due(lines: Iterable[Line]) -> int:
    """Credits owed for all lines together."""
    return sum(line.due for line in lines)
