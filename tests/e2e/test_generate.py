"""`manage.py generate`: one run from the command line, with no worker anywhere."""

import io
import json
from pathlib import Path

import av
import pytest
from django.core.management import CommandError, call_command

from credits import ledger
from credits.ledger import Balance
from providers.base import ProviderError, Reason
from tests.factories import UserFactory
from tests.pictures import picture
from workflows.models import Attempt, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
SMALL = ("--resolution", "480p", "--duration", "2", "--seed", "7")


@pytest.fixture
def dora():
    return UserFactory(username="dora", is_superuser=True)


def generate(*arguments):
    out = io.StringIO()
    call_command("generate", *arguments, stdout=out)
    return out.getvalue()


def test_it_writes_the_files_and_prints_the_status_document(dora, tmp_path):
    said = json.loads(generate("a fox in the snow", *SMALL, "--output", str(tmp_path), "--json"))
    still, motion = said["files"]
    assert (said["status"], Path(still).suffix, Path(motion).suffix) == ("succeeded", ".png", ".mp4")
    with av.open(motion) as film:
        assert (film.streams.video[0].codec_context.name, film.streams.video[0].width) == ("h264", 854)
    assert ledger.balance(dora) == Balance(300 - said["credits"]["settled"], 0)


def test_it_names_the_files_and_the_cost_for_people(dora, tmp_path):
    lines = generate("a fox", "--type", "image-only", *SMALL, "--output", str(tmp_path)).splitlines()
    assert (Path(lines[0]).name.startswith("a-fox-"), lines[1:]) == (True, ["3 credits"])


def test_it_brings_an_image_to_life(dora, tmp_path):
    file = tmp_path / "mine.png"
    file.write_bytes(picture(320, 240))
    said = json.loads(
        generate(
            "drifting", "--type", "video-from-image", "--image", str(file), *SMALL, "--output", str(tmp_path), "--json"
        )
    )
    assert (said["options"]["aspect_ratio"], said["result"]["video"]["duration_seconds"]) == ("4:3", 2.0)


def test_a_run_that_fails_is_an_error_and_says_what_came_back(dora, tmp_path):
    with pytest.raises(CommandError, match=r"3 credits are back"):
        generate("a fox #sim:fail", "--type", "image-only", *SMALL, "--output", str(tmp_path))
    assert ledger.balance(dora) == Balance(300, 0)


def test_what_holds_it_up_is_said(dora, tmp_path, mishaps, capsys):
    mishaps.put("fetch", ProviderError(Reason.UNAVAILABLE, "502"))
    generate("a fox", "--type", "image-only", "--no-enhance", *SMALL, "--output", str(tmp_path))
    trouble = "image: The provider does not answer at the moment. We go on asking."
    assert trouble in capsys.readouterr().err.splitlines()


def test_a_run_that_is_given_up_says_that_it_may_still_arrive(dora, tmp_path, mishaps, settings):
    settings.WORKFLOW_DEADLINE_MINUTES = 1 / 60
    with pytest.raises(CommandError, match=r"took too long.*2 credits are back\. It may still arrive"):
        generate("a fox #sim:slow=60", "--type", "image-only", "--no-enhance", *SMALL, "--output", str(tmp_path))
    assert Attempt.objects.get().watch_until


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("a fox", "--ratio", "5:4"), "aspect_ratio"),
        ((" ",), "prompt"),
        (("a fox", "--type", "video-from-image"), "image"),
        (("a fox", "--image", "/nowhere/at/all.png"), "image"),
        (("a fox", "--user", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_done_is_named_and_nothing_is_begun(dora, arguments, named):
    with pytest.raises(CommandError, match=named):
        generate(*arguments)
    assert (Workflow.objects.count(), ledger.balance(dora)) == (0, Balance(300, 0))


def test_who_cannot_pay_is_told_how_to_get_more(dora):
    ledger.adjust(dora, -299, key="poor", reason="test")
    with pytest.raises(CommandError, match=r"2 credits are needed.*grant_credits dora"):
        generate("a fox", "--type", "image-only", "--no-enhance", *SMALL)
    assert (Workflow.objects.count(), ledger.balance(dora)) == (0, Balance(1, 0))
