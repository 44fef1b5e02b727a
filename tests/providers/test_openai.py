"""OpenAI's adapter: what goes over the line, what is made of the answers, and what a server can do without."""

import base64
import datetime
import json
from pathlib import Path

import pytest
import responses

from providers import http, sdk
from providers.adapters import openai
from providers.adapters.openai import OpenAIAdapter, frame
from providers.base import JobRef, JobRequest, Kind, Output, ProviderError, Reason, Status
from providers.models import ProviderCall
from tests.providers.contract import Canned, Contract, Spec

BASE = "https://api.openai.com/v1"
LOCAL = "http://127.0.0.1:11434/v1"
TOKEN = "sk-proj-planted-0123456789abcdef"
SAMPLES = Path(__file__).parent / "samples" / "openai"
STILL = {"aspect_ratio": "16:9", "resolution": "720p"}
IMAGE = JobRequest(Kind.IMAGE, "gpt-image-2.5-flare", "A red fox in snow", STILL, "attempt-1")
TEXT = JobRequest(Kind.TEXT, "gpt-6-luna", "a fox", {"instructions": "Describe.", "style": ""}, "attempt-1")
ADAPTER = OpenAIAdapter()


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


def error(code, message="no", type="invalid_request_error", param=None):
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


CHAT = Canned("POST", f"{BASE}/chat/completions", 200, sample("chat"))
GENERATE = Canned("POST", f"{BASE}/images/generations", 200, sample("image"))
MODERATE = Canned("POST", f"{BASE}/moderations", 200, sample("moderation_passed"))
MODELS = Canned("GET", f"{BASE}/models", 200, sample("models"))
REFUSALS = (
    (401, error("invalid_api_key"), Reason.UNAUTHORIZED),
    (401, error(None), Reason.UNAUTHORIZED),
    (403, error(None, "Your organization must be verified to use the model"), Reason.UNAUTHORIZED),
    (403, error("unsupported_country_region_territory"), Reason.UNAUTHORIZED),
    (404, error("model_not_found", "The model `x` has been deprecated."), Reason.RETIRED),
    (404, "<html>nothing here</html>", Reason.RETIRED),
    (429, error("insufficient_quota", type="insufficient_quota"), Reason.OUT_OF_QUOTA),
    (429, error(None, type="insufficient_quota"), Reason.OUT_OF_QUOTA),
    (429, error("credit_balance_exhausted"), Reason.OUT_OF_QUOTA),
    (400, error("billing_hard_limit_reached"), Reason.OUT_OF_QUOTA),
    (429, error("rate_limit_exceeded", type="images"), Reason.RATE_LIMITED),
    (503, error("slow_down"), Reason.RATE_LIMITED),
    (503, error("server_is_overloaded"), Reason.RATE_LIMITED),
    (400, error("moderation_blocked", type="image_generation_user_error", param=""), Reason.CONTENT_POLICY),
    (400, error("content_policy_violation"), Reason.CONTENT_POLICY),
    (400, error("invalid_value", param="size"), Reason.INVALID_INPUT),
    (400, error("a_new_word"), Reason.INVALID_INPUT),
    (400, {"error": "just a text"}, Reason.INVALID_INPUT),
)


@pytest.fixture(autouse=True)
def settings_of_openai(settings, monkeypatch):
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"openai": BASE}
    settings.PROVIDER_MODE = "real"
    settings.OPENAI_MODERATION = True
    monkeypatch.setattr(sdk, "_refused", {})
    monkeypatch.setattr(openai, "_unmoderated", set())


class TestImageContract(Contract):
    spec = Spec(
        adapter=ADAPTER,
        token=TOKEN,
        request=IMAGE,
        submit=GENERATE,
        around=(MODERATE,),
        check=MODELS,
        output=Output(location="https://cdn.example/x.png?sig=1"),
        refusals=REFUSALS,
    )


class TestTextContract(Contract):
    spec = Spec(adapter=ADAPTER, token=TOKEN, request=TEXT, submit=CHAT, refusals=REFUSALS)


@pytest.fixture
def network(db):
    with responses.mock:
        yield responses.mock


def submit(request, *canned, token=TOKEN):
    for one in canned:
        one.put()
    return ADAPTER.submit(request, token=token)


def sent(number=-1):
    return json.loads(responses.calls[number].request.body)


def at(canned, base):
    return Canned(canned.method, str(canned.url).replace(BASE, base), canned.status, canned.answer)


# --- Words ---------------------------------------------------------------------------------------------------


def test_it_asks_for_words_with_a_strict_schema_and_nothing_that_thinking_models_refuse(network):
    submit(TEXT, CHAT)
    assert sent() == sample("chat_request")
    assert responses.calls[0].request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_words_come_with_their_cost(network):
    job = submit(TEXT, CHAT)
    assert (job.id, job.status, job.handle) == ("attempt-1", Status.SUCCEEDED, {"answer": "chatcmpl-a1"})
    assert job.outputs == (Output(text="A red fox crosses fresh snow at dusk. The camera dollies in slowly."),)
    assert job.cost == pytest.approx((212 * 10 + 96 * 50) / 1e6)
    row = ProviderCall.objects.get()
    assert (row.provider, row.model, row.operation, row.status) == ("openai", "gpt-6-luna", "submit", 200)
    assert row.cost == job.cost


def said(content, finish="stop", refusal=None):
    choice = {"index": 0, "finish_reason": finish, "message": {"content": content, "refusal": refusal}}
    return Canned("POST", f"{BASE}/chat/completions", 200, {"id": "c", "choices": [choice]})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"prompt": "A fox."}', "A fox."),
        ('{"prompt": " A fox. "}', "A fox."),
        ('```json\n{"prompt": "A fox."}\n```', "A fox."),
        ('Sure! {"prompt": "A fox."}', "A fox."),
        ("<think>{hm} well</think>\n\nA fox.", "A fox."),
        ('"A fox."', "A fox."),
        ("```\nA fox.\n```", "A fox."),
        ("A fox {in brackets}.", "A fox {in brackets}."),
    ],
)
def test_plain_words_are_found_in_what_servers_wrap_them_in(network, content, text):
    assert submit(TEXT, said(content)).outputs == (Output(text=text),)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (said(None, refusal="I can't help with that."), Reason.CONTENT_POLICY),
        (said('{"prompt": "A f', finish="content_filter"), Reason.CONTENT_POLICY),
        (said('{"prompt": "A f', finish="length"), Reason.BAD_OUTPUT),
        (said('{"prompt": "A f'), Reason.BAD_OUTPUT),
        (said('{"answer": "A fox."}'), Reason.BAD_OUTPUT),
        (said('{"prompt": 7}'), Reason.BAD_OUTPUT),
        (said('{"prompt": ""}'), Reason.BAD_OUTPUT),
        (said(""), Reason.BAD_OUTPUT),
        (said(None), Reason.BAD_OUTPUT),
        (said(["A fox."]), Reason.BAD_OUTPUT),
    ],
)
def test_an_answer_without_words_is_a_failed_job(network, answer, reason):
    job = submit(TEXT, answer)
    assert (job.status, job.reason, job.outputs) == (Status.FAILED, reason, ())
    assert answer.calls == 1


def test_a_field_that_openai_names_is_left_out_from_then_on(network):
    refused = Canned("POST", CHAT.url, 400, error("unsupported_value", param="reasoning_effort"))
    assert submit(TEXT, refused, CHAT).status == Status.SUCCEEDED
    assert submit(TEXT).status == Status.SUCCEEDED
    assert ["reasoning_effort" in sent(number) for number in range(3)] == [True, False, False]
    assert [sent(number)["response_format"]["type"] for number in range(3)] == ["json_schema"] * 3


def test_another_refusal_by_openai_is_no_reason_to_ask_again(network):
    refused = Canned("POST", CHAT.url, 400, error("string_above_max_length", param="messages"))
    with pytest.raises(ProviderError) as failure:
        submit(TEXT, refused)
    assert (failure.value.reason, refused.calls) == (Reason.INVALID_INPUT, 1)


@pytest.fixture
def local(network, settings):
    """A server beside us that speaks the same language."""
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"openai": LOCAL}


@pytest.mark.parametrize("status", [400, 422])
def test_a_compatible_server_is_asked_in_simpler_forms_until_it_answers(local, status):
    refused = Canned("POST", f"{LOCAL}/chat/completions", status, {"detail": "unknown field"})
    text = JobRequest(Kind.TEXT, "llama4", "a fox", TEXT.options, "attempt-1")
    job = submit(text, refused, refused, at(said("A fox."), LOCAL))
    assert job.outputs == (Output(text="A fox."),)
    assert [sent(n).get("response_format", {}).get("type") for n in range(3)] == ["json_schema", "json_object", None]
    assert ["JSON" in sent(n)["messages"][0]["content"] for n in range(3)] == [True, True, False]
    submit(text)
    assert "response_format" not in sent()
    assert job.cost is None


def test_a_compatible_server_that_refuses_everything_is_asked_four_times_and_nothing_is_learned(local):
    refused = Canned("POST", f"{LOCAL}/chat/completions", 400, {"error": "context length exceeded"})
    with pytest.raises(ProviderError) as failure:
        submit(TEXT, refused)
    assert (failure.value.reason, refused.calls) == (Reason.INVALID_INPUT, 4)
    assert sdk._refused == {}


def test_the_sdk_itself_never_knows_a_key():
    exchange = sdk.Exchange(BASE, True, http.Purpose("openai", "check"), 5, ADAPTER._refusal)
    with responses.RequestsMock() as line:
        line.add("GET", f"{BASE}/models", json=sample("models"))
        seen = []
        exchange.ask(lambda client: (seen.append(client), client.models.with_raw_response.list()), TOKEN)
        assert line.calls[0].request.headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(vars(seen[0])) + repr(vars(exchange))
    assert seen[0] is sdk._client(BASE), "it is made once"


def test_a_compatible_server_gets_no_fields_that_only_openai_knows(local):
    submit(TEXT, at(CHAT, LOCAL), token="dummy")
    assert set(sent()) == {"model", "messages", "response_format", "max_completion_tokens"}


# --- Images --------------------------------------------------------------------------------------------------


def test_it_asks_for_an_image_with_size_and_quality_and_no_field_of_old(network):
    submit(IMAGE, MODERATE, GENERATE)
    assert sent() == sample("image_request")


def test_an_image_comes_as_bytes_with_its_cost(network):
    job = submit(IMAGE, MODERATE, GENERATE)
    assert job.outputs[0].content == base64.b64decode(GENERATE.answer["data"][0]["b64_json"])
    assert job.outputs[0].content.startswith(b"\x89PNG")
    assert job.outputs[0].content_type == "image/png"
    assert job.cost == pytest.approx((14 * 500 + 246 * 3000) / 1e6)
    assert ProviderCall.objects.get(operation="submit").cost == job.cost


@pytest.mark.parametrize(
    "answer",
    [{"data": []}, {"data": [{}]}, {"data": [{"b64_json": ""}]}, {"data": [{"b64_json": "%%%"}]}, {"data": [7]}],
)
def test_a_success_without_an_image_has_failed(network, answer):
    job = submit(IMAGE, MODERATE, Canned("POST", GENERATE.url, 200, answer))
    assert (job.status, job.reason) == (Status.FAILED, Reason.BAD_OUTPUT)


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("16:9", "720p", (1280, 720)),
        ("9:16", "720p", (720, 1280)),
        ("16:9", "1080p", (1920, 1088)),
        ("9:16", "1080p", (1088, 1920)),
        ("1:1", "720p", (816, 816)),
        ("1:1", "1080p", (1088, 1088)),
        ("4:3", "720p", (960, 720)),
        ("21:9", "720p", (1680, 720)),
        ("16:9", "480p", (1088, 608)),
        ("16:9", "4k", (3840, 2160)),
        ("21:9", "4k", (4384, 1872)),
    ],
)
def test_sides_are_multiples_of_16_within_the_limits(ratio, resolution, size):
    width, height = frame(*map(int, ratio.split(":")), resolution)
    assert (width, height) == size
    assert (width % 16, height % 16) == (0, 0)
    assert 655_360 <= width * height <= 8_294_400


@pytest.mark.parametrize(
    ("model", "ratio", "size"),
    [
        ("gpt-image-1.5", "16:9", "1536x1024"),
        ("gpt-image-1-mini", "9:16", "1024x1536"),
        ("gpt-image-1.5", "1:1", "1024x1024"),
        ("gpt-image-2", "16:9", "1280x720"),
    ],
)
def test_older_models_have_three_sizes(network, model, ratio, size):
    options = {"aspect_ratio": ratio, "resolution": "720p"}
    submit(JobRequest(Kind.IMAGE, model, "a fox", options, "attempt-1"), MODERATE, GENERATE)
    assert sent()["size"] == size


def test_a_compatible_server_is_asked_as_dalle_was_and_may_answer_with_an_address(local):
    moderate = Canned("POST", f"{LOCAL}/moderations", 404, "not found")
    generate = Canned("POST", f"{LOCAL}/images/generations", 200, sample("image_by_address"))
    dalle = JobRequest(Kind.IMAGE, "dall-e-3", "a fox", STILL, "attempt-1")
    job = submit(dalle, moderate, generate)
    expected = {"model": "dall-e-3", "prompt": "a fox", "n": 1, "size": "1792x1024", "response_format": "b64_json"}
    assert sent() == expected
    assert job.outputs == (Output(location="http://127.0.0.1:11434/generated-images/a.png"),)


def test_an_image_at_the_server_itself_is_brought_with_the_key(local):
    Canned("GET", "http://127.0.0.1:11434/generated-images/a.png", 200, b"\x89PNG").put()
    with ADAPTER.download(Output(location="/generated-images/a.png"), token=TOKEN) as file:
        assert file.read() == b"\x89PNG"
    assert responses.calls[0].request.headers["Authorization"] == f"Bearer {TOKEN}"


# --- Moderation ----------------------------------------------------------------------------------------------


def test_a_prompt_that_is_flagged_costs_nothing(network):
    flagged = Canned("POST", MODERATE.url, 200, sample("moderation_flagged"))
    with pytest.raises(ProviderError, match="moderation: violence") as failure:
        submit(IMAGE, flagged, GENERATE)
    assert (failure.value.reason, failure.value.sent) == (Reason.CONTENT_POLICY, False)
    assert sent() == {"model": "omni-moderation-latest", "input": "A red fox in snow"}
    assert GENERATE.calls == 0


@pytest.mark.parametrize(
    "answer",
    [{}, {"results": 7}, {"results": [{}]}, "<html>", {"results": None}],
)
def test_a_moderation_that_says_nothing_is_asked_again_before_anything_is_paid(network, answer):
    with pytest.raises(ProviderError) as failure:
        submit(IMAGE, Canned("POST", MODERATE.url, 200, answer), GENERATE)
    assert (failure.value.reason, failure.value.sent) == (Reason.UNAVAILABLE, False)
    assert GENERATE.calls == 0


def test_a_broken_moderation_leaves_nothing_in_doubt(network):
    with pytest.raises(ProviderError) as failure:
        submit(IMAGE, Canned("POST", MODERATE.url, 502, "<html>"), GENERATE)
    assert (failure.value.reason, failure.value.sent) == (Reason.UNAVAILABLE, False)
    assert GENERATE.calls == 0


def test_a_server_without_moderation_is_asked_for_it_once(local):
    moderate = Canned("POST", f"{LOCAL}/moderations", 404, "not found")
    for _ in range(2):
        submit(IMAGE, moderate, at(GENERATE, LOCAL))
    assert moderate.calls == 1


def test_moderation_can_be_switched_off(network, settings):
    settings.OPENAI_MODERATION = False
    submit(IMAGE, MODERATE, GENERATE)
    assert (MODERATE.calls, GENERATE.calls) == (0, 1)


# --- The rest ------------------------------------------------------------------------------------------------


def test_the_check_says_what_it_saw(network):
    MODELS.put()
    assert ADAPTER.check(token=TOKEN) == "the key is accepted; 2 models are listed"


@pytest.mark.parametrize(
    ("answer", "day"),
    [
        ({"id": "gpt-image-1.5", "shutdown_date": "2026-12-01"}, datetime.date(2026, 12, 1)),
        ({"id": "gpt-image-1.5", "shutdown_date": None}, None),
        ({"id": "gpt-image-1.5"}, None),
        ({"id": "gpt-image-1.5", "shutdown_date": "soon"}, None),
    ],
)
def test_it_knows_when_a_model_goes(network, answer, day):
    Canned("GET", f"{BASE}/models/gpt-image-1.5", 200, answer).put()
    assert ADAPTER.shutdown_date("gpt-image-1.5", token=TOKEN) == day


def test_there_is_nothing_to_come_back_for():
    for ask in (lambda: ADAPTER.fetch(JobRef("1", "x"), token=TOKEN), lambda: ADAPTER.find("attempt-1", token=TOKEN)):
        with pytest.raises(ProviderError) as failure:
            ask()
        assert failure.value.reason == Reason.LOST


def test_it_makes_no_videos():
    with pytest.raises(ProviderError) as failure:
        ADAPTER.submit(JobRequest(Kind.VIDEO, "sora-2", "a fox", {}, "attempt-1"), token=TOKEN)
    assert (failure.value.reason, failure.value.sent) == (Reason.INVALID_INPUT, False)


def test_usage_that_makes_no_sense_has_no_cost(network):
    odd = Canned("POST", GENERATE.url, 200, GENERATE.answer | {"usage": {"input_tokens": "7", "output_tokens": None}})
    assert submit(IMAGE, MODERATE, odd).cost is None
