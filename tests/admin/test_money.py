"""Grant, adjust and give back: asked for on a page of their own, with a reason, and done once."""

import re
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from credits import ledger
from credits.ledger import Balance
from credits.models import Entry
from tests.factories import UserFactory

ACCOUNTS = "admin:credits_account_changelist"
HOLDS = "admin:credits_hold_changelist"


@pytest.fixture
def post(client, sam):
    """Posts an action as sam; the answer, and the form it shows."""
    client.force_login(sam)

    def send(address, action, *rows, **answers):
        chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
        return client.post(reverse(address), chosen | ({"confirmed": "yes"} | answers if answers else {}))

    return send


def key_of(response):
    return re.search(r'name="key" value="([0-9a-f-]{36})"', response.content.decode())[1]


def entries(user):
    return list(user.account.entries.order_by("created").values_list("kind", "amount", "reason", "actor__username"))


SIGNUP = ("grant", 300, "sign-up", None)


def test_it_asks_first_and_posts_nothing(post, alice):
    response = post(ACCOUNTS, "grant", alice.account)
    assert response.status_code == 200
    assert b'name="amount"' in response.content
    assert b'name="reason"' in response.content
    assert entries(alice) == [SIGNUP]


def test_a_grant_is_posted_with_its_reason_and_who_gave_it(post, alice, sam):
    key = key_of(post(ACCOUNTS, "grant", alice.account))
    post(ACCOUNTS, "grant", alice.account, amount=50, reason="for the demo", key=key)
    assert entries(alice) == [SIGNUP, ("grant", 50, "for the demo", "sam")]
    assert ledger.balance(alice) == Balance(350, 0)
    assert LogEntry.objects.get().user == sam


def test_the_same_page_sent_twice_is_one_entry(post, alice):
    key = key_of(post(ACCOUNTS, "grant", alice.account))
    for _ in range(2):
        post(ACCOUNTS, "grant", alice.account, amount=50, reason="for the demo", key=key)
    assert entries(alice) == [SIGNUP, ("grant", 50, "for the demo", "sam")]


def test_the_same_page_sent_again_with_another_amount_is_refused(post, alice):
    key = key_of(post(ACCOUNTS, "grant", alice.account))
    post(ACCOUNTS, "grant", alice.account, amount=50, reason="for the demo", key=key)
    post(ACCOUNTS, "grant", alice.account, amount=60, reason="for the demo", key=key)
    assert ledger.balance(alice) == Balance(350, 0)


def test_two_pages_are_two_grants(post, alice):
    keys = {key_of(post(ACCOUNTS, "grant", alice.account)) for _ in range(2)}
    for key in keys:
        post(ACCOUNTS, "grant", alice.account, amount=50, reason="for the demo", key=key)
    assert ledger.balance(alice) == Balance(400, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""}, {"reason": "   "}, {"reason": "x" * 201}, {"reason": "a\x00b"}, {"amount": ""},
        {"amount": "0"}, {"amount": "-5"}, {"amount": "1.5"}, {"amount": str(2**63)}, {"amount": "many"},
        {"key": ""}, {"key": "1"},
    ],
    ids=repr,
)  # fmt: skip
def test_it_refuses_a_grant_that_is_not_whole_and_asks_again(post, alice, wrong):
    answers = {"amount": "50", "reason": "for the demo", "key": str(uuid.uuid4())} | wrong
    response = post(ACCOUNTS, "grant", alice.account, **answers)
    assert response.status_code == 200
    assert b"errorlist" in response.content
    assert entries(alice) == [SIGNUP]


def test_several_accounts_get_one_grant_each(post, alice, bob):
    key = key_of(post(ACCOUNTS, "grant", alice.account, bob.account))
    for _ in range(2):
        post(ACCOUNTS, "grant", alice.account, bob.account, amount=50, reason="sorry", key=key)
    assert (ledger.balance(alice), ledger.balance(bob)) == (Balance(350, 0), Balance(350, 0))


def test_an_adjustment_takes_away(post, alice):
    key = key_of(post(ACCOUNTS, "adjust", alice.account))
    post(ACCOUNTS, "adjust", alice.account, amount=-100, reason="granted twice", key=key)
    assert entries(alice) == [SIGNUP, ("adjust", -100, "granted twice", "sam")]


@pytest.mark.parametrize("amount", [-301, 0])
def test_it_refuses_an_adjustment_below_zero_or_by_nothing(post, alice, amount):
    post(ACCOUNTS, "adjust", alice.account, amount=amount, reason="granted twice", key=uuid.uuid4())
    assert entries(alice) == [SIGNUP]
    assert not LogEntry.objects.exists()


@pytest.fixture
def taken(alice):
    """A hold of alice's for 100 credits, of which 60 were taken."""
    hold = ledger.hold(alice, 100, reference="workflow:1")
    ledger.settle(hold, 60, key="s1")
    return hold


def test_what_was_taken_can_be_given_back_once(post, alice, taken):
    key = key_of(post(HOLDS, "refund", taken))
    for _ in range(2):
        post(HOLDS, "refund", taken, amount=60, reason="it flickers", key=key)
    assert entries(alice)[-1] == ("refund", 60, "it flickers", "sam")
    assert ledger.balance(alice) == Balance(300, 0)


def test_no_more_is_given_back_than_was_taken(post, alice, taken):
    post(HOLDS, "refund", taken, amount=61, reason="it flickers", key=uuid.uuid4())
    assert ledger.balance(alice) == Balance(240, 0)
    assert not Entry.objects.filter(kind="refund").exists()


def test_the_actions_are_on_the_page_of_one_row(client, sam, alice):
    client.force_login(sam)
    page = client.get(reverse("admin:credits_account_change", args=[alice.account.pk])).content.decode()
    assert 'name="action" value="grant"' in page
    assert 'name="action" value="adjust"' in page


def test_staff_who_may_only_look_have_no_actions(client, alice):
    looker = UserFactory(username="lou", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(looker)
    assert client.get(reverse(ACCOUNTS)).status_code == 200
    chosen = {"action": "grant", "_selected_action": alice.account.pk, "confirmed": "yes"}
    client.post(reverse(ACCOUNTS), chosen | {"amount": 50, "reason": "mine", "key": uuid.uuid4()})
    assert entries(alice) == [SIGNUP]
