"""The three tables of money, and what the last checks of them said.

Constraints here are the truth; `ledger.py` is the only writer. Credits are whole numbers; 1 credit is 1 US cent of
list price. Times are those of the database's clock, of which there is one.
"""

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Account(models.Model):
    """A user's credits: what is owned (`balance`) and how much of it is set aside (`held`)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="account")
    balance = models.BigIntegerField(_("balance"), default=0, help_text=_("credits owned, held ones included"))
    held = models.BigIntegerField(_("held"), default=0, help_text=_("credits set aside for runs in progress"))

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.CheckConstraint(condition=Q(balance__gte=0), name="account_balance_not_negative"),
            models.CheckConstraint(condition=Q(held__gte=0), name="account_held_not_negative"),
            models.CheckConstraint(condition=Q(held__lte=F("balance")), name="account_held_within_balance"),
        ]

    def __str__(self) -> str:
        return f"{self.user}"

    @property
    def available(self) -> int:
        """Credits that can be spent now."""
        return self.balance - self.held


class Hold(models.Model):
    """Credits set aside for one reference (a workflow) until it is known what is owed."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    reference = models.CharField(max_length=80, help_text=_("what the credits are held for"))
    amount = models.BigIntegerField(_("held"))
    settled = models.BigIntegerField(_("taken"), default=0)
    refunded = models.BigIntegerField(_("given back after it was taken"), default=0)
    status = models.CharField(max_length=6, choices=Status, default=Status.OPEN)
    created = models.DateTimeField(db_default=Now(), editable=False)
    closed = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        indexes = [models.Index(fields=["reference"], name="hold_reference")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="hold_amount_positive"),
            models.CheckConstraint(
                condition=Q(settled__gte=0, settled__lte=F("amount")), name="hold_settled_within_amount"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("settled")), name="hold_refunded_within_settled"
            ),
            models.CheckConstraint(
                condition=Q(status="open", closed__isnull=True, settled=0) | Q(status="closed", closed__isnull=False),
                name="hold_closed_has_a_time",
            ),
            models.UniqueConstraint(
                fields=["reference"], condition=Q(status="open"), name="hold_one_open_per_reference"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.reference}"

    @property
    def returned(self) -> int:
        """Credits of this hold that went back to the user, freed or refunded."""
        return 0 if self.status == self.Status.OPEN else self.amount - self.settled + self.refunded


class Entry(models.Model):
    """One line of the ledger. A trigger refuses to change or delete it; corrections are new lines."""

    class Kind(models.TextChoices):
        GRANT = "grant", _("granted")
        SETTLE = "settle", _("taken")
        REFUND = "refund", _("given back")
        ADJUST = "adjust", _("adjusted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=6, choices=Kind)
    amount = models.BigIntegerField(help_text=_("credits; what it adds to the balance, negative takes away"))
    balance_after = models.BigIntegerField()
    hold = models.ForeignKey(Hold, null=True, blank=True, on_delete=models.PROTECT, related_name="entries")
    reference = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    key = models.CharField(max_length=120, unique=True, help_text=_("doing the same twice changes nothing"))
    created = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        ordering = ["-created", "-id"]
        indexes = [
            models.Index(fields=["account", "-created"], name="entry_account_newest"),
            BrinIndex(fields=["created"], pages_per_range=32, autosummarize=True, name="entry_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(balance_after__gte=0), name="entry_balance_not_negative"),
            models.CheckConstraint(
                condition=Q(kind="grant", amount__gt=0, hold__isnull=True)
                | Q(kind="settle", amount__lt=0, hold__isnull=False)
                | Q(kind="refund", amount__gt=0, hold__isnull=False)
                | (Q(kind="adjust", hold__isnull=True) & ~Q(amount=0)),
                name="entry_amount_fits_kind",
            ),
            models.UniqueConstraint(fields=["hold"], condition=Q(kind="settle"), name="entry_one_settle_per_hold"),
        ]

    def __str__(self) -> str:
        return f"{self.amount:+} {self.kind}"


class Verdict(models.Model):
    """What one check of the books said: which rules are broken, by how many rows, and which are the first of them."""

    at = models.DateTimeField(_("when"), db_default=Now(), editable=False)
    seconds = models.FloatField(_("seconds"), help_text=_("that it took"))
    findings = models.JSONField(_("findings"), default=list, help_text=_("empty when the books are right"))

    class Meta:
        verbose_name = _("check of the books")
        verbose_name_plural = _("checks of the books")
        ordering = ["-pk"]
        get_latest_by = "pk"

    def __str__(self) -> str:
        return str(_("The books are right.") if self.is_clean else _("The books are wrong."))

    @property
    def is_clean(self) -> bool:
        """Whether no rule was broken."""
        return not self.findings

    @property
    def lines(self) -> list[str]:
        """A sentence for each broken rule: what it says, how many break it, and which of them first."""
        return ["{check}: {rule} {count}: {first}".format(first=", ".join(f["ids"]), **f) for f in self.findings]
