"""The account page tells in words where every credit went; the rules page prints the policy itself."""

import uuid

from credits import ledger, views
from credits.policy import RULES
from tests.pipeline import run, start
from workflows import deletion

SMALL = {"resolution": "480p", "duration_seconds": 2}
URL = "/credits/"


def test_it_shows_what_can_be_spent_and_what_is_held(as_alice, alice):
    start(alice, "complete", "a fox", **SMALL)
    page = as_alice.get(URL).content.decode()
    assert "<h1>295 credits to spend</h1>" in page
    assert "5 more are held for what is in the making; 300 in all." in page
    assert '<td class="n">(5)</td>' in page


def test_it_tells_each_change_in_words(as_alice, alice):
    workflow = run(alice, "complete", "a fox #sim:fail@video", **SMALL)
    page = as_alice.get(URL).content.decode()
    assert "Welcome: a gift to begin with" in page
    assert '<td class="n">+300</td><td class="n">300</td>' in page
    assert f'href="/workflows/{workflow.pk}/" dir="auto"><q>a fox #sim:fail@video</q></a>' in page
    assert "5 were held, the rest came back" in page
    assert '<td class="n">-3</td><td class="n">297</td>' in page


def test_a_deleted_run_keeps_its_line_and_loses_its_words(as_alice, alice):
    deletion.delete(run(alice, "image-only", "a secret", resolution="480p"))
    page = as_alice.get(URL).content.decode()
    assert "a deleted run</a>" in page
    assert "a secret" not in page


def test_a_grant_says_why(as_alice, alice):
    ledger.grant(alice, 50, key="test", reason="won the contest")
    page = as_alice.get(URL).content.decode()
    assert "Granted" in page
    assert "won the contest" in page


def test_it_goes_on_where_the_page_ended(as_alice, alice, monkeypatch):
    monkeypatch.setattr(views, "PAGE", 2)
    for number in range(3):
        ledger.grant(alice, 1, key=f"test {number}", reason=f"gift {number}")
    first = as_alice.get(URL)
    second = as_alice.get(URL, {"before": first.context["more"]})
    reasons = [entry.reason for answer in (first, second) for entry, _ in answer.context["entries"]]
    assert reasons == ["gift 2", "gift 1", "gift 0", "sign-up"]
    assert second.context["more"] is None


def test_it_shows_nothing_of_somebody_else(as_bob, alice):
    entry = ledger.grant(alice, 50, key="test", reason="a secret")
    assert "a secret" not in as_bob.get(URL).content.decode()
    assert as_bob.get(URL, {"before": entry.pk}).status_code == 404
    assert as_bob.get(URL, {"before": uuid.uuid4()}).status_code == 404
    assert as_bob.get(URL, {"before": "x"}).status_code == 404


def test_a_stranger_has_no_credits(client, db):
    assert client.get(URL).headers["Location"] == "/accounts/login/?next=/credits/"


def test_the_rules_page_prints_the_policy(client, db):
    page = client.get("/credits/rules/").content.decode()
    for rule in RULES.values():
        sentence = str(rule.sentence).replace("'", "&#x27;")
        owed = "its price" if rule.owed else '<b class="good">nothing</b>'
        assert f"<tr><td>{sentence}</td><td>{owed}</td></tr>" in page
