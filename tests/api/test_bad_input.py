"""What cannot be done is refused by the name of its field, and nothing happens: no hold, no row, no file, no task."""

import uuid

import pytest

from credits import ledger
from tests.pictures import picture, sent
from tests.problems import assert_problem
from workflows import uploads
from workflows.models import Workflow

GOOD = {"type": "complete", "prompt": "a fox in the snow"}


def execute(api, body):
    return api.post("/api/workflow/execute", body, content_type="application/json")


@pytest.mark.parametrize(
    "prompt",
    ["", "   ", "\n\t ", "x" * 2001, "x" * 10_000, "a\x00fox", "a \x1b[31mfox", "a \u202efox", "a \u2066fox\u2069",
     "a\x7ffox", "half \ud800", None, 7, 1.5, True, [], ["a fox"], {"text": "a fox"}],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_a_prompt_that_is_none(api, nothing_happens, prompt):
    assert_problem(execute(api, GOOD | {"prompt": prompt}), 400, "invalid_input", "prompt")


def test_no_prompt(api, nothing_happens):
    assert_problem(execute(api, {"type": "complete"}), 400, "invalid_input", "prompt")


@pytest.mark.parametrize("type", ["", "movie", "COMPLETE", None, 1, True, ["complete"], {"complete": 1}], ids=repr)
def test_a_type_that_is_none(api, nothing_happens, type):
    assert_problem(execute(api, GOOD | {"type": type}), 400, "invalid_input", "type")


@pytest.mark.parametrize("options", [[], "fast", 1, True, [["seed", 1]]], ids=repr)
def test_options_that_are_no_object(api, nothing_happens, options):
    assert_problem(execute(api, GOOD | {"options": options}), 400, "invalid_input", "options")


@pytest.mark.parametrize("name", ["duration", "Seed", "", "prompt", "__class__", "a" * 40])
def test_an_option_that_is_not_there(api, nothing_happens, name):
    assert_problem(execute(api, GOOD | {"options": {name: 1}}), 400, "invalid_input", name)


def test_an_option_named_by_half_a_character(api, nothing_happens):
    assert_problem(execute(api, GOOD | {"options": {"\ud800": 1}}), 400, "invalid_input", "\\ud800")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("duration_seconds", value) for value in (0, -5, 1, 7, 11, 5.5, "5", True, [5], {"s": 5}, 10**30, 1e308)],
        *[("aspect_ratio", value) for value in ("", "16/9", "16:10", 16, 1.78, True, ["16:9"], {"16": 9})],
        *[("resolution", value) for value in ("", "720", "4k", "8640p", 720, True, ["720p"])],
        *[("seed", value) for value in (-1, 2**31, 10**40, 7.0, "7", True, [7])],
        *[("enhance", value) for value in ("yes", "true", 1, 0, [], {})],
        *[("style", value) for value in ("x" * 201, "a\x00b", "\u202eleft", 7, ["noir"], {"a": 1}, True)],
        *[("text_model", value) for value in ("", "gpt-9", 7, True, ["auto"], {"a": 1}, "sandbox/still")],
        *[("image_model", value) for value in ("", "dall-e-9", 7, ["auto"], "sandbox/motion", "\x00", "x" * 5000)],
        *[("video_model", value) for value in ("", "sora-9", 7, {"auto": 1}, "sandbox/still", "../../etc/passwd")],
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_an_option_that_cannot_be(api, nothing_happens, name, value):
    answer = assert_problem(execute(api, GOOD | {"options": {name: value}}), 400, "invalid_input", name)
    assert len(answer["detail"]) < 300


def test_wrong_fields_are_named_together(api, nothing_happens):
    answer = execute(api, GOOD | {"prompt": "", "options": {"resolution": "9p", "enhance": 3}}).json()
    assert set(answer["errors"]) == {"prompt", "resolution", "enhance"}


def test_options_nested_as_deep_as_can_be_read(api, nothing_happens):
    found = set()
    for depth in range(300, 1000, 20):
        body = '{"type": "complete", "prompt": "a fox", "options": ' + '{"seed":' * depth + "1" + "}" * (depth + 1)
        response = api.post(
            "/api/workflow/execute", body, content_type="application/json", headers={"Idempotency-Key": "one"}
        )
        found.add((response.status_code, response.json()["code"]))
    assert found <= {(400, "invalid_input"), (400, "parse_error")}


@pytest.mark.parametrize("field", ["user", "credits", "webhook", "Prompt", "model", ""])
def test_a_field_that_is_not_there(api, nothing_happens, field):
    assert_problem(execute(api, GOOD | {field: 1}), 400, "invalid_input", field)


@pytest.mark.parametrize("image", ["", "x", 7, True, ["x"], {"id": "x"}, "../secret", "\x00"], ids=repr)
def test_an_image_that_is_no_id(api, nothing_happens, image):
    body = GOOD | {"type": "video-from-image", "image": image}
    assert_problem(execute(api, body), 400, "invalid_input", "image")


@pytest.mark.parametrize("type", ["complete", "image-only", "video-from-image"])
def test_an_image_that_is_not_there(api, nothing_happens, type):
    assert_problem(execute(api, GOOD | {"type": type, "image": str(uuid.uuid4())}), 404, "not_found", "image")


def test_an_image_of_somebody_else(api, bob):
    image = uploads.upload(bob, sent(picture()))
    response = execute(api, GOOD | {"type": "video-from-image", "image": str(image.pk)})
    assert_problem(response, 404, "not_found", "image")
    assert Workflow.objects.count() == 0


def test_a_video_from_no_image(api, nothing_happens):
    assert_problem(execute(api, GOOD | {"type": "video-from-image"}), 400, "invalid_input", "image")


def test_too_few_credits(api, alice):
    ledger.adjust(alice, -290, key="spent", reason="spent elsewhere")
    answer = assert_problem(execute(api, GOOD), 402, "insufficient_credits")
    assert (answer["needed"], answer["available"], answer["held"]) == (15, 10, 0)
    assert Workflow.objects.count() == 0
    assert (ledger.balance(alice).balance, ledger.balance(alice).held) == (10, 0)
