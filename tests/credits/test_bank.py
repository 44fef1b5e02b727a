"""The bank: writers that are killed while they write, and a reader that never sees a wrong sum.

The short version counts operations and not seconds; `--soak` is the minute with a kill every five seconds.
"""

import multiprocessing
import os
import random
import signal
import time
import uuid
from dataclasses import dataclass, field

import pytest
from django.db import connection, connections
from django.db.models import F, Sum
from django.test import Client
from django.urls import reverse

from credits import audit, ledger
from credits.ledger import InsufficientCredits, NotOwed
from credits.models import Account, Entry, Hold
from tests.credits.test_races import at_once
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, ACCOUNTS = 8, 10
LOOK = 0.05  # seconds between two looks
PATIENCE = 100  # seconds; only a machine that stands still is given up
FORK = multiprocessing.get_context("fork")

# One statement sees one moment. The last line is about all accounts together: what there is was given and not spent.
WRONG = """
SELECT account.id FROM credits_account account
LEFT JOIN (SELECT account_id, sum(amount) AS total FROM credits_entry GROUP BY account_id) line
    ON line.account_id = account.id
LEFT JOIN (SELECT account_id, sum(amount) AS total FROM credits_hold WHERE status = 'open' GROUP BY account_id) hold
    ON hold.account_id = account.id
WHERE balance <> coalesce(line.total, 0) OR held <> coalesce(hold.total, 0) OR balance < 0 OR held < 0 OR held > balance
UNION ALL SELECT 0 WHERE (SELECT sum(balance) FROM credits_account) <>
    (SELECT sum(amount) FROM credits_entry WHERE kind IN ('grant', 'adjust'))
    - (SELECT coalesce(sum(settled - refunded), 0) FROM credits_hold)
"""


def wrong():
    with connection.cursor() as cursor:
        cursor.execute(WRONG)
        return [account for (account,) in cursor.fetchall()]


# --- Writers -----------------------------------------------------------------------------------------------


def some(holds):
    """Any of these holds: the first from a random place on."""
    return holds.filter(pk__gte=uuid.UUID(int=random.getrandbits(128))).order_by("pk").first()


def settle(user):
    hold = some(Hold.objects.filter(status="open"))
    return hold and (ledger.settle(hold, random.randint(0, hold.amount + 1), key=f"settle:{hold.pk}"), hold)


def refund(user):
    hold = some(Hold.objects.filter(settled__gt=F("refunded")))
    return hold and ledger.refund(hold, random.randint(1, hold.settled + 1), key=str(uuid.uuid4()), reason="soak")


def hold(user):
    return ledger.hold(user, random.randint(1, 90), reference=str(uuid.uuid4()))


def grant(user):
    return ledger.grant(user, random.randint(1, 200), key=str(uuid.uuid4()), reason="soak")


def adjust(user):
    return ledger.adjust(user, random.choice([-40, -7, 1, 20]), key=str(uuid.uuid4()), reason="soak")


VERBS = [hold, hold, hold, settle, settle, settle, refund, grant, adjust]


def write(slot, users, done):
    """Random verbs until the process is killed. `done` is memory that all processes share; each has its own place."""
    random.seed(os.urandom(8))
    del connections["default"]  # whatever is open belongs to another process
    while True:
        try:
            done[slot] += bool(random.choice(VERBS)(random.choice(users)))
        except (InsufficientCredits, NotOwed):
            continue


@dataclass
class Bank:
    """Eight writers, and what was seen of them."""

    users: list
    done: object = field(default_factory=lambda: FORK.RawArray("q", WRITERS))
    writers: dict = field(default_factory=dict)
    kills: int = 0
    looks: int = 0
    wrong: list = field(default_factory=list)

    def __enter__(self):
        for slot in range(WRITERS):
            self.begin(slot)
        return self

    def __exit__(self, *_):
        for slot in list(self.writers):
            self.kill(slot)

    @property
    def operations(self):
        return sum(self.done)

    def begin(self, slot):
        connections.close_all()  # a connection is not to be shared by processes
        self.writers[slot] = FORK.Process(target=write, args=(slot, self.users, self.done), daemon=True)
        self.writers[slot].start()

    def kill(self, slot):
        writer = self.writers.pop(slot)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(30)
        assert writer.exitcode == -signal.SIGKILL, "a writer ended by itself; its traceback is above"

    def replace_one(self):
        slot = random.randrange(WRITERS)
        self.kill(slot)
        self.begin(slot)
        self.kills += 1

    def look_until(self, over):
        """Look again and again until `over` says so."""
        end = time.monotonic() + PATIENCE
        while not over():
            assert time.monotonic() < end, f"only {self.operations} operations"
            self.wrong += wrong()
            self.looks += 1
            time.sleep(LOOK)


@pytest.fixture
def bank():
    return Bank([UserFactory(username=f"customer{number}") for number in range(ACCOUNTS)])


def test_no_killed_writer_leaves_a_wrong_sum(bank):
    with bank:
        for _ in range(3):
            goal = bank.operations + 100
            bank.look_until(lambda goal=goal: bank.operations >= goal)
            bank.replace_one()
    assert (bank.wrong, wrong(), audit.run(audit.CHECKS)) == ([], [], [])
    assert bank.looks >= 3
    assert set(Entry.objects.values_list("kind", flat=True)) == {"grant", "settle", "refund", "adjust"}


def test_a_minute_of_kills_leaves_no_wrong_sum(bank, request, capsys):
    if not request.config.getoption("--soak"):
        pytest.skip("takes a minute; asked for with --soak")
    with bank:
        for _ in range(12):
            end = time.monotonic() + 5
            bank.look_until(lambda end=end: time.monotonic() > end)
            bank.replace_one()
    with capsys.disabled():
        print(f"\n{bank.operations} operations, {bank.kills} kills, {bank.looks} looks, {len(bank.wrong)} wrong sums")  # noqa: T201
    assert (bank.wrong, wrong(), audit.run(audit.CHECKS)) == ([], [], [])
    assert bank.operations >= 5000


def test_the_reader_sees_a_wrong_sum(bank):
    """The control."""
    assert wrong() == []
    Account.objects.filter(user=bank.users[0]).update(balance=F("balance") + 1)
    assert wrong() == [bank.users[0].account.pk, 0]


# --- Many that resolve the same ----------------------------------------------------------------------------


def test_each_hold_is_resolved_once_however_many_try(request, rich_in_holds):
    user, holds = rich_in_holds

    def resolve():
        answers = {}
        for hold in random.sample(holds, len(holds)):
            due = random.randint(0, hold.amount)
            answers[hold.pk] = ledger.settle(Hold.objects.get(pk=hold.pk), due, key=f"settle:{hold.pk}")
        return answers

    first, *others = at_once(*[resolve] * 10)
    assert all(answers == first for answers in others)
    taken = Hold.objects.aggregate(taken=Sum("settled"))["taken"]
    assert ledger.balance(user) == ledger.Balance(300 + 10 * len(holds) - taken, 0)
    assert Entry.objects.filter(kind="settle").count() == Hold.objects.filter(settled__gt=0).count()
    assert (Hold.objects.filter(status="open").count(), audit.run(audit.CHECKS)) == (0, [])


@pytest.fixture
def rich_in_holds(request):
    """A user, and all of their holds: a thousand in a soak."""
    user = UserFactory(username="rich")
    count = 1000 if request.config.getoption("--soak") else 25
    ledger.grant(user, 10 * count, key="rich", reason="for the race")
    return user, [ledger.hold(user, 10, reference=f"run:{number}") for number in range(count)]


def test_two_admins_who_give_back_the_same_give_it_back_once(alice, sam):
    hold = ledger.hold(alice, 100, reference="run")
    ledger.settle(hold, 60, key="s")
    kim = UserFactory(username="kim", is_staff=True, is_superuser=True)

    def give_back(staff):
        client = Client()
        client.force_login(staff)
        form = {"action": "refund", "_selected_action": hold.pk, "confirmed": "yes"}
        form |= {"amount": 60, "reason": "it flickers", "key": str(uuid.uuid4())}
        return client.post(reverse("admin:credits_hold_changelist"), form).status_code

    assert at_once(lambda: give_back(sam), lambda: give_back(kim)) == [302, 302]
    hold.refresh_from_db()
    assert (hold.refunded, ledger.balance(alice)) == (60, ledger.Balance(300, 0))
    assert Entry.objects.filter(kind="refund").count() == 1
