"""OpenAI: the SDK writes our requests too, so what is compared is what we ask it for; see the facts, part A."""

import base64
import hashlib
from typing import Any

import openai
import pytest

from providers.adapters.openai import OpenAIAdapter
from providers.base import JobRequest, Kind, Status
from tests.simulator import KEYS, Simulator
from tests.witness.asks import OPTIONS, PNG, PROMPT, REFERENCE, Differs, request, same
from tests.witness.recorder import ABSENT, Recorder

ADAPTER = OpenAIAdapter()
KEY = KEYS["openai"]
HASH = hashlib.sha256(REFERENCE.encode()).hexdigest()
IMAGE = request("gpt-image-2.5-flare", Kind.IMAGE)
WORDS = JobRequest(Kind.TEXT, "gpt-6-luna", PROMPT, {"instructions": "Describe the shot."}, REFERENCE)
SCHEMA = {
    "type": "object",
    "properties": {"prompt": {"type": "string"}},
    "required": ["prompt"],
    "additionalProperties": False,
}
FORM: Any = {"type": "json_schema", "json_schema": {"name": "shot", "strict": True, "schema": SCHEMA}}
CHAT = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-6-luna",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"prompt": "x"}'}}],
}  # fmt: skip
PICTURE = {"created": 1, "data": [{"b64_json": base64.b64encode(PNG).decode()}]}
VERDICT: dict[str, Any] = {"id": "modr-1", "model": "m", "results": [{"flagged": False, "categories": {}}]}

CHAT_DIFFERS = (
    Differs("json.messages.0.content", "Describe the shot.",
            'Describe the shot.\nAnswer with a JSON object that has the one key "prompt".',
            "json_object, our second form, is refused when nobody says JSON; corrections, A1"),
    Differs("json.max_completion_tokens", ABSENT, 1500, "thinking counts: less comes back cut short; A1.2"),
    Differs("json.reasoning_effort", ABSENT, "none", "a sentence needs no thinking that is paid; A1.1"),
    Differs("json.store", ABSENT, False, "users' prompts are nobody's archive; A1.1"),
    Differs("json.safety_identifier", ABSENT, HASH, "so that one user's misuse is not ours; A1.1"),
)  # fmt: skip
IMAGE_DIFFERS = (
    Differs("json.quality", ABSENT, "medium", "left out, the server chooses at up to 20 times the price; A2.4"),
    Differs("json.output_format", ABSENT, "png", "what the next step takes; A2.3"),
    Differs("json.safety_identifier", ABSENT, HASH, "so that one user's misuse is not ours; A2.3"),
)


def client(base: str, **how: Any) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=base, **how)


def test_words_are_asked_for_as_the_sdk_asks(here: Recorder) -> None:
    here.reply("POST", "/chat/completions", CHAT)
    messages: Any = [{"role": "system", "content": "Describe the shot."}, {"role": "user", "content": PROMPT}]
    create = client(here.base).chat.completions.create
    theirs = here.during(lambda: create(model="gpt-6-luna", messages=messages, response_format=FORM))
    ours = here.during(lambda: ADAPTER.submit(WORDS, token=KEY))
    same(theirs, ours, *CHAT_DIFFERS)


def test_an_image_is_asked_for_as_the_sdk_asks(here: Recorder) -> None:
    here.reply("POST", "/images/generations", PICTURE)
    generate = client(here.base).images.generate
    theirs = here.during(lambda: generate(model="gpt-image-2.5-flare", prompt=PROMPT, n=1, size="1280x720"))
    ours = here.during(lambda: ADAPTER.submit(IMAGE, token=KEY))
    same(theirs, ours, *IMAGE_DIFFERS)


def test_a_prompt_is_moderated_as_the_sdk_does(here: Recorder, settings: Any) -> None:
    settings.OPENAI_MODERATION = True
    here.reply("POST", "/moderations", VERDICT)
    here.reply("POST", "/images/generations", PICTURE)
    create = client(here.base).moderations.create
    theirs = here.during(lambda: create(model="omni-moderation-latest", input=PROMPT))
    ours = here.during(lambda: ADAPTER.submit(IMAGE, token=KEY))
    assert [one.path for one in ours] == ["/moderations", "/images/generations"]
    same(theirs, ours[:1])


def test_models_are_asked_for_as_the_sdk_asks(here: Recorder) -> None:
    here.reply("GET", "/models", {"object": "list", "data": []})
    here.reply("GET", "/models/gpt-6-luna", {"id": "gpt-6-luna", "object": "model", "created": 1, "owned_by": "x"})
    models = client(here.base).models
    same(here.during(models.list), here.during(lambda: ADAPTER.check(token=KEY)))
    theirs = here.during(lambda: models.retrieve("gpt-6-luna"))
    same(theirs, here.during(lambda: ADAPTER.shutdown_date("gpt-6-luna", token=KEY)))


# --- The SDK before the simulator ------------------------------------------------------------------------------


@pytest.fixture
def sdk(simulator: Simulator) -> openai.OpenAI:
    return client(simulator.urls["openai"], max_retries=0)


def test_the_sdk_gets_words_from_the_simulator(sdk: openai.OpenAI) -> None:
    answer = sdk.chat.completions.create(
        model="gpt-6-luna", messages=[{"role": "user", "content": PROMPT}], response_format=FORM
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content == f'{{"prompt": "{PROMPT}, cinematic light, fine detail"}}'
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_sdk_gets_an_image_from_the_simulator(sdk: openai.OpenAI) -> None:
    answer = sdk.images.generate(model="gpt-image-2.5-flare", prompt=PROMPT, size="1280x720", quality="medium")
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "").startswith(b"\x89PNG")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 246  # the table in A2.4


def test_the_sdk_gets_a_verdict_and_models_from_the_simulator(sdk: openai.OpenAI) -> None:
    assert [one.flagged for one in sdk.moderations.create(model="omni-moderation-latest", input=PROMPT).results] == [
        False
    ]
    assert "gpt-6-luna" in [one.id for one in sdk.models.list()]
    assert sdk.models.retrieve("gpt-6-luna").id == "gpt-6-luna"


def test_the_sdk_reads_the_simulators_refusal(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as failure:
        sdk.images.generate(model="gpt-image-2.5-flare", prompt=PROMPT, size="1920x1080")
    assert failure.value.param == "size"
    with pytest.raises(openai.NotFoundError) as gone:
        sdk.images.generate(model="dall-e-3", prompt=PROMPT)
    assert gone.value.code == "model_not_found"


def test_our_adapter_gets_the_same_from_the_simulator(simulator: Simulator, settings: Any) -> None:
    settings.PROVIDER_URLS = simulator.urls
    job = ADAPTER.submit(IMAGE, token=KEY)
    assert (job.status, OPTIONS["resolution"]) == (Status.SUCCEEDED, "720p")
    assert job.outputs[0].content.startswith(b"\x89PNG")
