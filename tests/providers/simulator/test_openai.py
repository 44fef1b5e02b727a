"""The simulator's OpenAI."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.providers.simulator.talk import submit
from tests.simulator import Simulator

SCHEMA = {
    "type": "object",
    "properties": {"image_prompt": {"type": "string"}, "motion_prompt": {"type": ["string", "null"]}},
    "required": ["image_prompt", "motion_prompt"],
    "additionalProperties": False,
}
STRICT = {"type": "json_schema", "json_schema": {"name": "enhanced", "strict": True, "schema": SCHEMA}}


def chat(simulator: Simulator, prompt: str = "a fox", **changes: Any) -> Any:
    asked = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": prompt}], "store": False}
    return simulator.ask("openai", "POST", "/openai/v1/chat/completions", asked | changes)


def complaint(answer: Any) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return answer.status_code, error["code"], error["param"]


def test_chat_fills_a_strict_schema(simulator: Simulator) -> None:
    answer = chat(simulator, response_format=STRICT).json()
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["refusal"] is None
    assert json.loads(choice["message"]["content"]).keys() == {"image_prompt", "motion_prompt"}
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]


def test_chat_carries_tags_over_into_what_it_writes(simulator: Simulator) -> None:
    written = chat(simulator, "a fox #sim:fails@fal #tag:one", response_format=STRICT).json()
    assert "#sim:fails@fal #tag:one" in json.loads(written["choices"][0]["message"]["content"])["image_prompt"]


def test_chat_writes_json_and_plain_words(simulator: Simulator) -> None:
    written = chat(simulator, "a fox, as json", response_format={"type": "json_object"}).json()
    assert "image_prompt" in json.loads(written["choices"][0]["message"]["content"])
    assert chat(simulator).json()["choices"][0]["message"]["content"].startswith("a fox")


def test_chat_refuses_with_content_null(simulator: Simulator) -> None:
    choice = chat(simulator, "a fox #sim:refusal").json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "stop")
    assert choice["message"]["refusal"]


def test_chat_is_cut_at_its_length(simulator: Simulator) -> None:
    choice = chat(simulator, "a fox #sim:truncated_answer", response_format=STRICT).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(choice["message"]["content"])


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"temperature": 0.7}, 400, "unsupported_value", "temperature"),
        ({"max_tokens": 100}, 400, "unsupported_parameter", "max_tokens"),
        ({"promt": "x"}, 400, "unknown_parameter", "promt"),
        ({"max_completion_tokens": "many"}, 400, "invalid_type", "max_completion_tokens"),
        ({"reasoning_effort": "huge"}, 400, "invalid_value", "reasoning_effort"),
        ({"messages": []}, 400, "empty_array", "messages"),
        ({"model": "gpt-4-turbo"}, 404, "model_not_found", None),
        ({"model": "gpt-nonsense"}, 404, "model_not_found", None),
        ({"response_format": {"type": "json_object"}}, 400, None, "messages"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "e", "strict": True, "schema": {}}}},
            400,
            None,
            "response_format",
        ),
    ],
)
def test_chat_refuses_what_openai_refuses(
    simulator: Simulator, changes: Any, status: int, code: str, param: str
) -> None:
    assert complaint(chat(simulator, **changes)) == (status, code, param)
    assert simulator.books()["providers"] == {}


def test_images_come_as_bytes_of_the_size_asked_for(simulator: Simulator) -> None:
    answer = submit(simulator, "openai", quality="high", size="1536x864").json()
    image = Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"])))
    assert (image.size, image.format, answer["size"]) == ((1536, 864), "PNG", "1536x864")
    assert answer["data"][0].keys() == {"b64_json"}
    assert answer["usage"]["output_tokens"] == 1078


@pytest.mark.parametrize(
    ("model", "size", "quality", "expected"),
    [
        ("gpt-image-2", "1024x1024", "high", 7024),
        ("gpt-image-2.5-flare", "1280x720", "medium", 246),
        ("gpt-image-2.5-flare", "1536x1024", "xhigh", 2459),
        ("gpt-image-2.6-flare", "1024x1024", "low", 588),
    ],
)
def test_usage_follows_the_published_formula(
    simulator: Simulator, model: str, size: str, quality: str, expected: int
) -> None:
    answer = submit(simulator, "openai", model=model, size=size, quality=quality).json()
    assert answer["usage"]["output_tokens"] == expected


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"size": "1920x1080"}, 400, "invalid_value", "size"),
        ({"size": "512x512"}, 400, "invalid_value", "size"),
        ({"size": "3840x1024"}, 400, "invalid_value", "size"),
        ({"size": 1024}, 400, "invalid_type", "size"),
        ({"model": "gpt-image-1.5", "size": "1280x720"}, 400, "invalid_value", "size"),
        ({"quality": "hd"}, 400, "invalid_value", "quality"),
        ({"model": "gpt-image-2", "quality": "max"}, 400, "invalid_value", "quality"),
        ({"style": "vivid"}, 400, "unknown_parameter", "style"),
        ({"response_format": "b64_json"}, 400, "unknown_parameter", "response_format"),
        ({"prompt": ""}, 400, "empty_string", "prompt"),
        ({"prompt": "x" * 32_001}, 400, "string_above_max_length", "prompt"),
        ({"n": 11}, 400, "integer_above_max_value", "n"),
        ({"model": "dall-e-3"}, 404, "model_not_found", None),
        ({"model": "gpt-image-1"}, 404, "model_not_found", None),
        ({"prompt": "a fox #sim:moderation_input"}, 400, "moderation_blocked", None),
        ({"prompt": "a fox #sim:moderation_output"}, 400, "moderation_blocked", None),
    ],
)
def test_images_refuse_what_openai_refuses(
    simulator: Simulator, changes: Any, status: int, code: str, param: str
) -> None:
    assert complaint(submit(simulator, "openai", **changes)) == (status, code, param)


def test_a_model_goes_on_its_day(simulator: Simulator) -> None:
    assert submit(simulator, "openai", model="gpt-image-1.5", size="1024x1024").status_code == 200
    simulator.advance(400 * 86400)
    try:
        assert complaint(submit(simulator, "openai", model="gpt-image-1.5", size="1024x1024"))[0] == 404
    finally:
        simulator.advance(-400 * 86400)


def test_models_tell_the_day_they_go(simulator: Simulator) -> None:
    found = simulator.ask("openai", "GET", "/openai/v1/models/gpt-5-mini").json()
    assert (found["object"], found["shutdown_date"]) == ("model", "2026-12-11")
    ids = [one["id"] for one in simulator.ask("openai", "GET", "/openai/v1/models").json()["data"]]
    assert "gpt-image-2.5-flare" in ids


def test_moderation_is_free_and_flags(simulator: Simulator) -> None:
    def flagged(text: str) -> bool:
        asked = {"model": "omni-moderation-latest", "input": text}
        answer = simulator.ask("openai", "POST", "/openai/v1/moderations", asked)
        return bool(answer.json()["results"][0]["flagged"])

    assert not flagged("a fox")
    assert flagged("a fox #sim:flagged")
    assert simulator.books()["providers"] == {}


def test_a_compatible_server_gives_an_address(simulator: Simulator) -> None:
    asked = {"model": "dall-e-3", "prompt": "a fox", "size": "1792x1024", "quality": "hd", "style": "vivid"}
    answer = simulator.ask("openai", "POST", "/openai-compatible/v1/images/generations", asked).json()
    assert answer["data"][0]["revised_prompt"] == "a fox"
    file = simulator.ask("openai", "GET", answer["data"][0]["url"], headers={})
    assert Image.open(io.BytesIO(file.content)).size == (1792, 1024)


@pytest.mark.parametrize("header", [{}, {"Authorization": "sk-x"}, {"Authorization": "Key a:b"}])
def test_it_wants_a_key(simulator: Simulator, header: dict[str, str]) -> None:
    answer = simulator.ask("openai", "GET", "/openai/v1/models", headers=header)
    assert answer.status_code == 401
