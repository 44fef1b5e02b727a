"""The box: the price before the button, every wrong thing named beside its field, and nothing held for it."""

import io
import re
import uuid

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from credits import ledger
from credits.ledger import Balance
from tests.pipeline import run, start
from workflows.models import Asset, Attempt, Workflow

URL = "/workflows/create/"
SMALL = {"resolution": "480p", "duration_seconds": "2", "aspect_ratio": "16:9"}


def box(**changes):
    return {"type": "complete", "prompt": "a fox in the snow", "enhance": "on", "key": "k1", **SMALL, **changes}


def picture(name="mine.png"):
    content = io.BytesIO()
    Image.new("RGB", (64, 36), "teal").save(content, "PNG")
    return SimpleUploadedFile(name, content.getvalue(), "image/png")


def assert_nothing_happened(user):
    assert ledger.balance(user) == Balance(300, 0)
    assert not Workflow.objects.exists()
    assert not Attempt.objects.exists()


def test_a_stranger_is_sent_to_sign_in(client, db):
    assert client.get(URL).headers["Location"] == f"/accounts/login/?next={URL}"


def test_the_button_says_the_price_and_what_is_left(as_alice):
    page = as_alice.get(URL).content.decode()
    assert "<b>15 credits</b>" in page
    assert "285 left after" in page


def test_each_model_says_what_it_costs_at_least(as_alice):
    page = as_alice.get(URL).content.decode()
    assert '<option value="sandbox/motion">Sandbox motion · from 2 credits</option>' in page


def test_pressing_it_holds_the_price_and_shows_the_run(as_alice, alice):
    answer = as_alice.post(URL, box())
    workflow = Workflow.objects.get()
    assert answer.headers["Location"] == f"/workflows/{workflow.pk}/"
    assert ledger.balance(alice) == Balance(300, 5)
    assert workflow.options["duration_seconds"] == 2


def test_a_double_click_pays_once(as_alice, alice):
    first, second = as_alice.post(URL, box()), as_alice.post(URL, box())
    assert first.headers["Location"] == second.headers["Location"]
    assert ledger.balance(alice) == Balance(300, 5)


def test_other_words_in_the_same_box_are_another_run(as_alice, alice):
    as_alice.post(URL, box())
    as_alice.post(URL, box(prompt="an owl in the snow"))
    assert Workflow.objects.count() == 2
    assert ledger.balance(alice) == Balance(300, 10)


def test_each_visit_has_a_key_of_its_own(as_alice):
    keys = {as_alice.get(URL).context["form"]["key"].value() for _ in range(2)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prompt", "", "Write what you want to see."),
        ("prompt", " \n\t ", "Write what you want to see."),
        ("prompt", "x" * 2001, "This is 2001 characters long; at most 2000 are possible."),
        ("prompt", "a\u202eb", "Character 2 is an invisible control character; take it out."),
        ("prompt", "a\x07b", "Character 2 is an invisible control character; take it out."),
        ("type", "opera", "Choose one of: complete, image-only, video-from-image."),
        (
            "aspect_ratio",
            "5:1",
            "This model cannot do &#x27;5:1&#x27;. Choose one of: 16:9, 9:16, 1:1, 4:3, 3:4, 21:9.",
        ),
        ("duration_seconds", "7", "This model cannot do 7. Choose one of: 2, 3, 4, 5, 6, 8, 10."),
        ("duration_seconds", "long", "Enter a whole number."),
        ("resolution", "8k", "This model cannot do &#x27;8k&#x27;. Choose one of: 480p, 720p, 1080p."),
        ("video_model", "sora", "There is no such model. Choose one of: auto, sandbox/motion."),
        ("seed", "-1", "This must be a whole number from 0 to 2147483647."),
        ("style", "x" * 201, "This is 201 characters long; at most 200 are possible."),
    ],
)
def test_it_names_the_field_that_is_wrong(as_alice, alice, field, value, sentence):
    answer = as_alice.post(URL, box(**{field: value}))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert f'id="id_{field}_error">{sentence}<' in page
    assert_nothing_happened(alice)


def test_what_was_typed_is_still_there_after_an_error(as_alice, alice):
    page = as_alice.post(URL, box(resolution="8k", style="ink")).content.decode()
    assert "a fox in the snow</textarea>" in page
    assert 'value="ink"' in page


def test_words_that_read_from_right_to_left_are_words(as_alice):
    as_alice.post(URL, box(prompt="ثعلب في الثلج"))
    assert Workflow.objects.get().prompt == "ثعلب في الثلج"


def test_it_says_what_is_needed_available_and_held(as_alice, alice):
    start(alice, "complete", "a whale", duration_seconds=10, resolution="1080p")  # 49 credits
    ledger.adjust(alice, -240, key="test", reason="test")
    answer = as_alice.post(URL, box(resolution="1080p"))  # 17 credits
    assert answer.status_code == 402
    assert "It needs 17 credits; you have 11, and 49 are held for other runs." in answer.content.decode()
    assert ledger.balance(alice) == Balance(60, 49)
    assert Workflow.objects.count() == 1


def test_the_button_says_why_it_cannot_be_paid(as_alice, alice):
    ledger.adjust(alice, -290, key="test", reason="test")
    page = as_alice.get(URL).content.decode()
    assert "It costs 15 credits" in page
    assert "5 credits are missing." in page


def test_nobody_pays_more_than_the_button_said(as_alice, alice):
    answer = as_alice.post(URL, box(price="4"))
    assert "The price has changed with your choice." in answer.content.decode()
    assert_nothing_happened(alice)


def test_a_preview_shows_the_price_without_starting(as_alice, alice):
    answer = as_alice.post(URL, box(preview="1", duration_seconds="10"))
    assert "<b>13 credits</b>" in answer.content.decode()
    assert_nothing_happened(alice)


# --- The price, when a choice changes


def test_the_price_follows_the_choice(as_alice):
    page = as_alice.post("/workflows/price/", box(prompt="", duration_seconds="10")).content.decode()
    assert "<b>13 credits</b>" in page
    assert "287 left after" in page


def test_the_price_of_a_film_from_an_image_needs_no_image_yet(as_alice):
    page = as_alice.post("/workflows/price/", box(prompt="", type="video-from-image")).content.decode()
    assert "<b>3 credits</b>" in page


def test_a_choice_without_a_price_says_so(as_alice):
    page = as_alice.post("/workflows/price/", box(duration_seconds="7")).content.decode()
    assert "This choice has no price yet" in page


def test_another_model_brings_what_it_can_do(as_alice):
    page = as_alice.post("/workflows/price/", box(duration_seconds="7"), HTTP_HX_TRIGGER_NAME="video_model")
    assert 'id="shape" hx-swap-oob="true"' in page.content.decode()
    assert "<b>15 credits</b>" not in page.content.decode()
    assert "<b>8 credits</b>" in page.content.decode()


# --- Images


def test_an_uploaded_image_comes_alive(as_alice, alice):
    as_alice.post(URL, box(type="video-from-image", enhance="", upload=picture()))
    workflow = Workflow.objects.get()
    assert (workflow.image.width, workflow.image.uploaded) == (64, True)
    assert ledger.balance(alice) == Balance(300, 2)


def test_an_upload_clicked_twice_is_kept_once(as_alice, alice):
    for _ in range(2):
        as_alice.post(URL, box(type="video-from-image", enhance="", upload=picture()))
    assert Asset.objects.count() == 1
    assert ledger.balance(alice) == Balance(300, 2)


@pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n cut off"])
def test_it_refuses_what_is_no_image(as_alice, alice, content):
    lie = SimpleUploadedFile("image.png", content, "image/png")
    answer = as_alice.post(URL, box(type="video-from-image", upload=lie))
    assert answer.status_code == 422
    assert {"image", "upload"} & set(answer.context["form"].errors)
    assert not Asset.objects.exists()
    assert_nothing_happened(alice)


def test_an_upload_is_not_kept_for_a_run_that_cannot_be_paid(as_alice, alice, tmp_path):
    ledger.adjust(alice, -299, key="test", reason="test")
    answer = as_alice.post(URL, box(type="video-from-image", upload=picture()))
    assert answer.status_code == 402
    assert not Asset.objects.exists()
    assert default_storage.listdir("uploads")[1] == []


def test_without_an_image_it_asks_for_one(as_alice, alice):
    answer = as_alice.post(URL, box(type="video-from-image"))
    assert answer.context["form"].errors == {"image": ["Choose or upload an image to bring to life."]}
    assert_nothing_happened(alice)


def test_somebody_elses_image_does_not_exist(as_bob, bob, alice):
    image = run(alice, "image-only", "a fox", resolution="480p").steps.get(stage="image").asset
    answer = as_bob.post(URL, box(type="video-from-image", image=str(image.pk)))
    assert answer.context["form"].errors == {"image": ["There is no such image."]}
    assert as_bob.get(URL, {"image": image.pk}).status_code == 404
    assert ledger.balance(bob) == Balance(300, 0)


def test_a_still_of_ones_own_can_be_brought_along(as_alice, alice):
    image = run(alice, "image-only", "a fox", resolution="480p").steps.get(stage="image").asset
    page = as_alice.get(URL, {"image": image.pk}).content.decode()
    assert f'value="{image.pk}" checked' in page
    as_alice.post(URL, box(type="video-from-image", image=str(image.pk)))
    assert Workflow.objects.filter(type="video-from-image").get().image == image


# --- Remix


def test_a_remix_begins_with_the_same_words_and_choices(as_alice, alice):
    before = start(alice, "complete", "a fox in ink", style="ink", duration_seconds=8, seed=7)
    page = as_alice.get(URL, {"from": before.pk}).content.decode()
    assert "a fox in ink</textarea>" in page
    assert '<input type="number" name="seed" value="7"' in page
    assert "<b>21 credits</b>" in page


def test_somebody_elses_run_cannot_be_remixed(as_bob, alice):
    before = start(alice, "complete", "a fox")
    assert as_bob.get(URL, {"from": before.pk}).status_code == 404
    assert as_bob.get(URL, {"from": uuid.uuid4()}).status_code == 404
    assert as_bob.get(URL, {"from": "nonsense"}).status_code == 404


def test_somebody_without_a_picture_can_begin_with_one(as_alice):
    begin = "/workflows/create/?type=video-from-image"
    assert f'href="{begin}"' in as_alice.get("/workflows/pictures/").content.decode()
    page = as_alice.get(begin).content.decode()
    assert re.search(r'value="video-from-image"[^>]* checked', page)
    assert not re.search(r'name="enhance"[^>]* checked', page)


def test_an_example_fills_the_box(as_alice):
    assert "an owl</textarea>" in as_alice.get(URL, {"prompt": "an owl"}).content.decode()
