"""A run from a picture that is deleted in the very moment in which the run starts."""

import pytest

from credits import ledger
from credits.models import Hold
from tests.pictures import picture, sent
from tests.problems import assert_problem
from vidgenie import tokens
from workflows import pipeline, uploads
from workflows.models import Asset, Attempt, Workflow

pytestmark = pytest.mark.django_db(transaction=True)  # the database looks at the picture when all is committed


@pytest.fixture
def image(alice, monkeypatch):
    """A picture that goes when the run has been priced."""
    kept, quote = uploads.upload(alice, sent(picture())), pipeline.quote

    def quoted(*given, **named):
        found = quote(*given, **named)
        Asset.objects.filter(pk=kept.pk).delete()
        return found

    monkeypatch.setattr(pipeline, "quote", quoted)
    return kept


def nothing_happened(user):
    before = ledger.Balance(300, 0)
    return ledger.balance(user) == before and not any(model.objects.exists() for model in (Workflow, Attempt, Hold))


def test_a_program_is_told_that_there_is_no_such_picture(client, alice, image):
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {tokens.create(alice, 'a program')[1]}"
    body = {"type": "video-from-image", "prompt": "it moves", "image": str(image.pk)}
    headers = {"Idempotency-Key": "one"}
    answer = client.post("/api/workflow/execute", body, content_type="application/json", headers=headers)
    assert_problem(answer, 404, "not_found", "image")
    assert nothing_happened(alice)


def test_a_person_is_told_so_in_the_box(client, alice, image):
    client.force_login(alice)
    body = {"type": "video-from-image", "prompt": "it moves", "image": str(image.pk), "key": "one"}
    answer = client.post("/workflows/create/", body)
    assert (answer.status_code, "There is no such image." in answer.content.decode()) == (422, True)
    assert nothing_happened(alice)
