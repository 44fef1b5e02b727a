"""One run of each type, from prompt to a file that a decoder reads, with the sandbox at the other end."""

from credits import ledger
from credits.ledger import Balance
from tests.pipeline import run

OPTIONS = {"resolution": "480p", "duration_seconds": 2, "seed": 7}


def test_a_sentence_becomes_a_video(alice):
    workflow = run(alice, "complete", "a fox in the snow", **OPTIONS)
    assert workflow.status == "succeeded"
    words, still, motion = workflow.steps.all()
    assert "a fox in the snow" in words.text
    assert (still.asset.content_type, still.asset.width, still.asset.height) == ("image/png", 854, 480)
    assert (motion.asset.content_type, motion.asset.duration) == ("video/mp4", 2.0)


def test_it_takes_exactly_the_quote_when_all_is_delivered(alice):
    workflow = run(alice, "complete", "a fox in the snow", **OPTIONS)
    assert [step.charged for step in workflow.steps.all()] == [1, 2, 2]
    assert ledger.balance(alice) == Balance(300 - 5, 0)
    assert workflow.quoted == 5
