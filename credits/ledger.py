"""The only writer of money: balance, grant, hold, settle, refund, adjust.

Every verb locks the account row, checks under that lock, and writes its line in the same transaction, so two of
them can never both spend the same credit. Every verb that changes a balance carries a key: with the same key it is
done once, however often it is asked. A caller that also locks rows of its own takes them first: the account is last.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from credits.models import Account, Entry, Hold

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class LedgerError(Exception):
    """The ledger refused; nothing was changed."""


class InsufficientCredits(LedgerError):
    """There are fewer credits to spend than needed. Carries needed, available and held, in credits."""

    def __init__(self, needed: int, available: int, held: int) -> None:
        super().__init__(f"{needed} credits are needed; {available} are available and {held} are held.")
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
    return account


def balance(user: "User") -> Balance:
    """What the user has now, in credits."""
    account = Account.objects.only("balance", "held").get(user=user)
    return Balance(account.balance, account.held)


def grant(user: "User", amount: int, *, key: str, reason: str, actor: "User | None" = None) -> Entry:
    """Add `amount` credits, given by staff or by a rule."""
    _require_whole(amount)
    with transaction.atomic():
        account = _locked(user_id=user.pk)
        return _post(account, Entry.Kind.GRANT, amount, key=key, reason=reason, actor=actor)


def adjust(user: "User", amount: int, *, key: str, reason: str, actor: "User | None" = None) -> Entry:
    """Correct a balance by `amount` credits, up or down; raises InsufficientCredits below what is held."""
    _require_whole(abs(amount))
    with transaction.atomic():
        account = _locked(user_id=user.pk)
        if amount < 0 and account.available < -amount and not _posted(key):
            raise InsufficientCredits(-amount, account.available, account.held)
        return _post(account, Entry.Kind.ADJUST, amount, key=key, reason=reason, actor=actor)


def hold(user: "User", amount: int, *, reference: str) -> Hold:
    """Set `amount` credits aside for `reference`; raises InsufficientCredits or AlreadyHeld."""
    _require_whole(amount)
    try:
        with transaction.atomic():
            account = _locked(user_id=user.pk)
            if account.available < amount:
                raise InsufficientCredits(amount, account.available, account.held)
            account.held += amount
            account.save(update_fields=["held"])
            return Hold.objects.create(account=account, amount=amount, reference=reference)
    except IntegrityError as error:
        raise AlreadyHeld(f"Credits are already held for {reference}.") from error


def settle(hold: Hold, due: int, *, key: str) -> Entry | None:
    """Take `due` credits of a hold, free the rest and close it. Twice is safe; None when nothing was due.

    Raises NotOwed when `due` is more than was held.
    """
    if type(due) is not int or due < 0:
        raise ValueError(f"What is due must be a whole number of credits, 0 or more; it is {due!r}.")
    with transaction.atomic():
        account = _locked(pk=hold.account_id)
        hold.refresh_from_db()
        if hold.status == Hold.Status.CLOSED:
            return hold.entries.filter(kind=Entry.Kind.SETTLE).first()
        if due > hold.amount:
            raise NotOwed(f"{due} credits are due, {hold.amount} were held.")
        hold.settled, hold.status, hold.closed = due, Hold.Status.CLOSED, timezone.now()
        hold.save(update_fields=["settled", "status", "closed"])
        account.held -= hold.amount
        if due == 0:
            account.save(update_fields=["held"])
            return None
        return _post(account, Entry.Kind.SETTLE, -due, key=key, hold=hold)


def refund(hold: Hold, amount: int, *, key: str, reason: str, actor: "User | None" = None) -> Entry:
    """Give back `amount` of the credits that a closed hold took; raises NotOwed beyond that. Twice is safe."""
    _require_whole(amount)
    with transaction.atomic():
        account = _locked(pk=hold.account_id)
        hold.refresh_from_db()
        if not _posted(key):
            if hold.refunded + amount > hold.settled:
                raise NotOwed(f"{hold.settled} credits were taken and {hold.refunded} of them given back already.")
            hold.refunded += amount
            hold.save(update_fields=["refunded"])
        return _post(account, Entry.Kind.REFUND, amount, key=key, hold=hold, reason=reason, actor=actor)


def _locked(**which: int) -> Account:
    return Account.objects.select_for_update().get(**which)


def _posted(key: str) -> bool:
    return Entry.objects.filter(key=key).exists()


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
    if (before := Entry.objects.filter(key=key).first()) is not None:
        if (before.account_id, before.kind, before.amount) != (account.pk, kind, amount):
            raise KeyReused(f"The key {key} was used for something else.")
        return before
    account.balance += amount
    account.save(update_fields=["balance", "held"])
    return Entry.objects.create(
        account=account,
        kind=kind,
        amount=amount,
        balance_after=account.balance,
        hold=hold,
        reference=hold.reference if hold else "",
        reason=reason,
        actor=actor,
        key=key,
    )


def _require_whole(amount: int) -> None:
    if type(amount) is not int or amount <= 0:
        raise ValueError(f"An amount must be a whole number of credits above 0; it is {amount!r}.")
