"""The only writer of money: balance, grant, hold, settle, refund, adjust.

Every verb locks the account row, checks under that lock, and writes its line in the same transaction, so two of
them can never both spend the same credit. Every verb that changes a balance carries a key: with the same key it is
done once, however often it is asked. A caller that also locks rows of its own takes them first: the account is last.

`hold` and `settle` are what every run pays for, so they are few statements, written by hand: a guarded UPDATE takes
the lock, checks and changes in one, since PostgreSQL looks at its condition again when it has waited for the row. The
constraints of the tables say the same once more, for whoever comes by another way.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.utils.translation import gettext as _

import sql
from crashpoint import crashpoint
from credits.models import Account, Entry, Hold

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LARGEST = 10**12  # credits in one line; far from what a column can hold, and beyond any honest amount
LONGEST = {"key": 120, "reason": 200, "reference": 80}  # characters, as the columns are wide


class LedgerError(Exception):
    """The ledger refused; nothing was changed."""


class InsufficientCredits(LedgerError):
    """There are fewer credits to spend than needed. Carries needed, available and held, in credits."""

    def __init__(self, needed: int, available: int, held: int) -> None:
        super().__init__(
            _("%(needed)d credits are needed; %(available)d are available and %(held)d are held.")
            % {"needed": needed, "available": available, "held": held}
        )
        self.needed, self.available, self.held = needed, available, held


class AlreadyHeld(LedgerError):
    """There is an open hold for this reference already."""


class NotOwed(LedgerError):
    """More was to be taken than was held, or more given back than was taken."""


class KeyReused(LedgerError):
    """This key was used before, for something else."""


@dataclass(frozen=True)
class Balance:
    """What an account has, in credits."""

    balance: int
    held: int

    @property
    def available(self) -> int:
        """Credits that can be spent now."""
        return self.balance - self.held


def open_account(user: "User") -> Account:
    """Give a user an account and, once, the credits that newcomers get. Safe to call twice."""
    with transaction.atomic():
        account, created = Account.objects.get_or_create(user=user)
        if created and settings.SIGNUP_CREDITS:
            grant(user, settings.SIGNUP_CREDITS, key=f"signup:{user.pk}", reason="sign-up")
            account.refresh_from_db()
    return account


def balance(user: "User") -> Balance:
    """What the user has now, in credits."""
    found = sql.found(Account, "user_id = %s", [user.pk])
    account = found[0] if found else open_account(user)
    return Balance(account.balance, account.held)


def grant(user: "User", amount: int, *, key: str, reason: str, actor: "User | None" = None) -> Entry:
    """Add `amount` credits, given by staff or by a rule."""
    _require_amount(amount)
    _require_text(key=key, reason=reason)
    with _transaction():
        account = _locked_of(user)
        return _post(account, Entry.Kind.GRANT, amount, key=key, reason=reason, actor=actor)


def adjust(user: "User", amount: int, *, key: str, reason: str, actor: "User | None" = None) -> Entry:
    """Correct a balance by `amount` credits, up or down; raises InsufficientCredits below what is held."""
    _require_amount(amount, signed=True)
    _require_text(key=key, reason=reason)
    with _transaction():
        account = _locked_of(user)
        if amount < 0 and account.available < -amount and not _find(key):
            raise InsufficientCredits(-amount, account.available, account.held)
        return _post(account, Entry.Kind.ADJUST, amount, key=key, reason=reason, actor=actor)


def hold(user: "User", amount: int, *, reference: str) -> Hold:
    """Set `amount` credits aside for `reference`; raises InsufficientCredits or AlreadyHeld.

    Within a caller's transaction it makes no savepoint of its own: after AlreadyHeld that transaction can only end.
    """
    _require_amount(amount)
    _require_text(reference=reference)
    with _transaction(savepoint=False):
        asked = {"id": uuid.uuid4(), "user": user.pk, "amount": amount, "reference": reference}
        hold = _made(Hold, _SET_ASIDE, asked)
        if hold is None:
            account = _locked_of(user)  # which may be opened only now, or have got credits since
            hold = _made(Hold, _SET_ASIDE, asked)
        if hold:
            crashpoint("hold.written")
            return hold
    raise InsufficientCredits(amount, account.available, account.held)


def settle(hold: Hold, due: int, *, key: str) -> Entry | None:
    """Take `due` credits of a hold, free the rest and close it. Twice is safe; None when nothing was due.

    What was settled first stays, whatever is asked later. Raises NotOwed when `due` is more than was held.
    """
    if due != 0 or type(due) is not int:
        _require_amount(due)
    _require_text(key=key)
    with _transaction():
        _first(_LOCK, {"account": hold.account_id})  # before the hold's row, as in every verb
        closed = _first(_CLOSE, {"hold": hold.pk, "due": due})
        if closed is None:
            return _settled_before(hold, due)
        freed, at = closed
        entry = _take(hold, freed, due, key)
        hold.settled, hold.status, hold.closed = due, Hold.Status.CLOSED, at
        crashpoint("settle.written")
    return entry


def refund(hold: Hold, amount: int, *, key: str, reason: str, actor: "User | None" = None) -> Entry:
    """Give back `amount` of the credits that a closed hold took; raises NotOwed beyond that. Twice is safe."""
    _require_amount(amount)
    _require_text(key=key, reason=reason)
    with _transaction():
        account = _locked(pk=hold.account_id)
        hold.refresh_from_db()
        if not _find(key):
            if hold.refunded + amount > hold.settled:
                raise NotOwed(
                    _("%(settled)d credits were taken and %(refunded)d of them given back already.")
                    % {"settled": hold.settled, "refunded": hold.refunded}
                )
            hold.refunded += amount
            hold.save(update_fields=["refunded"])
        entry = _post(account, Entry.Kind.REFUND, amount, key=key, hold=hold, reason=reason, actor=actor)
        crashpoint("refund.written")
        return entry


@contextmanager
def _transaction(*, savepoint: bool = True) -> Iterator[None]:
    """A transaction that knows which race was lost when a unique constraint speaks."""
    try:
        with transaction.atomic(savepoint=savepoint):
            yield
    except IntegrityError as error:
        broken = sql.broken(error)
        if broken == "credits_entry_key_key":
            raise KeyReused("This key was used for something else.") from error
        if broken == "hold_one_open_per_reference":
            raise AlreadyHeld("Credits are already held for this.") from error
        raise


def _locked(**which: int) -> Account:
    return Account.objects.select_for_update().get(**which)


def _locked_of(user: "User") -> Account:
    try:
        return _locked(user_id=user.pk)
    except Account.DoesNotExist:  # bulk_create and fixtures send no signal that would have opened one
        open_account(user)
        return _locked(user_id=user.pk)


def _find(key: str) -> Entry | None:
    return Entry.objects.filter(key=key).first()


# The columns that a new row comes back with are filled in by `_made`.
_SET_ASIDE = """
WITH account AS (
    UPDATE credits_account SET held = held + %(amount)s
    WHERE user_id = %(user)s AND balance - held >= %(amount)s RETURNING id
)
INSERT INTO credits_hold (id, account_id, reference, amount, settled, refunded, status)
SELECT %(id)s, account.id, %(reference)s, %(amount)s, 0, 0, 'open' FROM account RETURNING {columns}"""
_LOCK = "SELECT id FROM credits_account WHERE id = %(account)s FOR NO KEY UPDATE"
_CLOSE = """
UPDATE credits_hold SET settled = %(due)s, status = 'closed', closed = STATEMENT_TIMESTAMP()
WHERE id = %(hold)s AND status = 'open' AND amount >= %(due)s RETURNING amount, closed"""
_MOVE = """
WITH account AS (
    UPDATE credits_account SET balance = balance + %(amount)s, held = held - %(freed)s
    WHERE id = %(account)s RETURNING id, balance
)
INSERT INTO credits_entry
    (id, account_id, kind, amount, balance_after, hold_id, reference, reason, actor_id, key)
SELECT %(id)s, account.id, %(kind)s, %(amount)s, account.balance,
    %(hold)s, %(reference)s, %(reason)s, %(actor)s, %(key)s FROM account RETURNING {columns}"""
_FREE = "UPDATE credits_account SET held = held - %(freed)s WHERE id = %(account)s RETURNING held"
_Row = TypeVar("_Row", bound=models.Model)


def _first(statement: str, given: dict[str, Any]) -> tuple[Any, ...] | None:
    """The first row that a statement found or changed; None when its conditions were not met."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _made(model: type[_Row], statement: str, given: dict[str, Any]) -> _Row | None:
    """The row that a statement wrote; None when its conditions were not met."""
    row = _first(statement.format(columns=sql.columns(model)), given)
    return None if row is None else sql.made(model, row)


def _take(hold: Hold, freed: int, due: int, key: str) -> Entry | None:
    """Free all that a closed hold held, and take what is due of it; None when that is nothing."""
    if due:
        return _write(hold.account_id, Entry.Kind.SETTLE, -due, freed=freed, hold=hold, key=key)
    _first(_FREE, {"account": hold.account_id, "freed": freed})
    return None


def _settled_before(hold: Hold, due: int) -> Entry | None:
    """The line of a hold that could not be closed since it was already; raises NotOwed when that was not why."""
    hold.refresh_from_db()
    if hold.status == Hold.Status.OPEN:
        raise NotOwed(_("%(due)d credits are due, %(held)d were held.") % {"due": due, "held": hold.amount})
    return hold.entries.filter(kind=Entry.Kind.SETTLE).first()


def _post(
    account: Account,
    kind: Entry.Kind,
    amount: int,
    *,
    key: str,
    hold: Hold | None = None,
    reason: str = "",
    actor: "User | None" = None,
) -> Entry:
    """Write the line and the new balance, or find the line that this key has written before."""
    if (before := _find(key)) is not None:
        asked = (account.pk, hold.pk if hold else None, kind, amount)
        if (before.account_id, before.hold_id, before.kind, before.amount) != asked:
            raise KeyReused(f"The key {key} was used for something else.")
        return before
    return _write(account.pk, kind, amount, key=key, hold=hold, reason=reason, actor=actor)


def _write(
    account_id: int,
    kind: Entry.Kind,
    amount: int,
    *,
    key: str,
    hold: Hold | None = None,
    freed: int = 0,
    reason: str = "",
    actor: "User | None" = None,
) -> Entry:
    """Change the balance by `amount`, free what was held, and write the line that says so."""
    line = {
        "id": uuid.uuid4(),
        "account": account_id,
        "kind": kind.value,
        "amount": amount,
        "freed": freed,
        "hold": hold and hold.pk,
        "reference": hold.reference if hold else "",
        "reason": reason,
        "actor": actor and actor.pk,
        "key": key,
    }
    entry = _made(Entry, _MOVE, line)
    if entry is None:
        raise Account.DoesNotExist(f"account {account_id}")
    return entry


def _require_amount(amount: int, *, signed: bool = False) -> None:
    """A whole number, and none of the things that Python takes for one."""
    if type(amount) is not int or amount == 0 or abs(amount) > LARGEST or (amount < 0 and not signed):
        sign = "other than" if signed else "above"
        raise ValueError(f"An amount must be a whole number of credits {sign} 0, at most {LARGEST}; it is {amount!r}.")


def _require_text(**texts: str) -> None:
    """Every line says why, and has a key to know it by; none of it is cut off in silence."""
    for field, text in texts.items():
        if not text.strip() or len(text) > LONGEST[field]:
            raise ValueError(f"The {field} must have 1 to {LONGEST[field]} characters.")
