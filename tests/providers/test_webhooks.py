"""Webhooks of providers: who is believed, and how little a message can do."""

import datetime
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import uuid
from base64 import urlsafe_b64encode

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db.models.functions import Now
from django.utils import timezone

from providers import hooks
from providers.adapters import fal
from tests.conftest import PROJECT
from tests.pictures import picture, sent
from tests.pipeline import start
from workflows import uploads
from workflows.models import Attempt, Transition
from workflows.webhooks import LIMIT

ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
JWKS = "https://rest.fal.ai/.well-known/jwks.json"
FAL = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
FORGER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
MESSAGE = {"request_id": ID, "gateway_request_id": ID, "status": "OK", "error": None, "payload": {}}
IN_AN_HOUR = Now() + datetime.timedelta(hours=1)


def published(*keys):
    raw = [urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=") for key in keys]
    return {"keys": [{"kty": "RSA"}, 7, *({"kty": "OKP", "crv": "Ed25519", "x": one} for one in raw)]}


@pytest.fixture(autouse=True)
def jwks(settings):
    """fal publishes its key, and we have an address that it reaches."""
    settings.PUBLIC_URL = "https://vid.example"
    fal._KEYS.forget()
    with responses.mock:
        yield responses.get(JWKS, json=published(FAL))
    fal._KEYS.forget()


@pytest.fixture
def attempt(alice, settings):
    """A submitted video of alice's, at which nobody would look for an hour."""
    settings.PROVIDER_KEYS = {"fal": "id:secret"}
    image = uploads.upload(alice, sent(picture(640, 360)))
    start(alice, "video-from-image", "a fox", image, video_model="fal/kling-2.5-turbo-pro", enhance=False)
    return put(Attempt.objects.get(), phase="fetch", status="queued", job_id=ID)


def put(attempt, **fields):
    Attempt.objects.filter(pk=attempt.pk).update(next_check_at=IN_AN_HOUR, **fields)
    return Attempt.objects.get(pk=attempt.pk)


def address(attempt, provider="fal"):
    return hooks.address(provider, str(attempt.pk), api="https://queue.fal.run").removeprefix("https://vid.example")


def send(client, url, message=None, *, key=FAL, age=0, name=ID, signature=None, body=None):
    body = json.dumps(MESSAGE if message is None else message).encode() if body is None else body
    moment = str(int(time.time()) - age)
    text = "\n".join((name, "user", moment, hashlib.sha256(body).hexdigest())).encode()
    headers = {"Request-Id": name, "User-Id": "user", "Timestamp": moment}
    headers["Signature"] = key.sign(text).hex() if signature is None else signature
    headers = {f"X-Fal-Webhook-{part}": value for part, value in headers.items()}
    return client.post(url, body, content_type="application/json", headers=headers).status_code


def is_due(attempt):
    return Attempt.objects.get(pk=attempt.pk).next_check_at <= timezone.now()


def everything(attempt):
    return Attempt.objects.filter(pk=attempt.pk).values().get(), Transition.objects.count()


def test_a_good_message_brings_the_next_look_forward_and_nothing_else(client, attempt):
    before, moves = everything(attempt)
    assert send(client, address(attempt)) == 204
    after, still = everything(attempt)
    assert is_due(attempt)
    assert (after | {"next_check_at": None}, still) == (before | {"next_check_at": None}, moves)


def test_the_same_message_again_does_nothing(client, attempt):
    body = json.dumps(MESSAGE).encode()
    assert send(client, address(attempt), body=body) == 204
    before = everything(put(attempt))
    assert send(client, address(attempt), body=body) == 204
    assert everything(attempt) == before


def test_played_ten_times_it_is_heard_once(client, attempt):
    body = json.dumps(MESSAGE).encode()
    heard = []
    for _ in range(10):
        assert send(client, address(attempt), body=body) == 204
        heard.append(is_due(attempt))
        put(attempt)
    assert heard == [True] + 9 * [False]


def test_messages_in_the_wrong_order_change_nothing_but_when_we_look(client, attempt):
    before, moves = everything(attempt)
    for status in ("OK", "IN_PROGRESS", "IN_QUEUE", "ERROR", "OK"):
        assert send(client, address(attempt), MESSAGE | {"status": status, "payload": {"at": time.monotonic()}}) == 204
        assert is_due(attempt)
        after, still = everything(attempt)
        assert (after | {"next_check_at": None}, still) == (before | {"next_check_at": None}, moves)


def test_a_message_about_another_job_does_not_change_whose_job_it_is(client, attempt):
    other = MESSAGE | {"request_id": "another-job", "gateway_request_id": "another-job"}
    assert send(client, address(attempt), other, name="another-job") == 204
    assert Attempt.objects.get().job_id == ID


def test_a_message_before_the_job_is_done_is_worth_a_look_and_no_more(client, attempt):
    assert send(client, address(attempt), MESSAGE | {"payload": None}) == 204
    assert send(client, address(attempt), MESSAGE | {"status": "ERROR", "error": "422"}) == 204
    assert Attempt.objects.get().status == "queued"


FORGED = {
    "signed_by_another": {"key": FORGER},
    "stale": {"age": 301},
    "from_the_future": {"age": -302},
    "unsigned": {"signature": ""},
    "no_hex": {"signature": "zz"},
    "zeros": {"signature": "00" * 64},
    "too_short": {"signature": "00"},
    "header_names_another_job": {"name": "another-job"},
    "header_names_no_job": {"name": ""},
    "body_names_another_job": {"message": {"request_id": "another-job"}},
    "body_names_no_text": {"message": {"request_id": [ID]}},
    "a_list": {"body": b"[]"},
    "half_json": {"body": b"{"},
    "wrong_charset": {"body": b"\xff"},
    "nested_100000_deep": {"body": b"[" * 100_000},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_fal_has_not_said_has_no_effect(client, attempt, forged):
    before = everything(attempt)
    assert send(client, address(attempt), **forged) == 401
    assert everything(attempt) == before


def test_a_message_that_was_changed_on_its_way_has_no_effect(client, attempt):
    before = everything(attempt)
    good = json.dumps(MESSAGE).encode()
    text = "\n".join((ID, "user", str(int(time.time())), hashlib.sha256(good).hexdigest())).encode()
    changed = json.dumps(MESSAGE | {"status": "ERROR"}).encode()
    assert send(client, address(attempt), body=changed, signature=FAL.sign(text).hex()) == 401
    assert everything(attempt) == before


@pytest.mark.parametrize("change", [("token=", "token=A"), ("?token=", "?x="), ("/fal/", "/pika/"), ("/fal/", "/no/")])
def test_an_address_that_we_never_gave_away_is_not_there(client, attempt, jwks, change):
    before = everything(attempt)
    assert send(client, address(attempt).replace(*change)) == 404
    assert everything(attempt) == before
    assert jwks.call_count == 0


def test_the_address_of_one_attempt_is_not_that_of_another(client, attempt):
    other = address(Attempt(pk=uuid.uuid4()))
    before = everything(attempt)
    assert send(client, f"/hooks/fal/{attempt.pk}?{other.partition('?')[2]}") == 404
    assert everything(attempt) == before


def test_a_provider_without_webhooks_is_not_believed(client, attempt):
    before = everything(attempt)
    assert send(client, address(attempt, "sandbox")) == 401
    assert send(client, address(attempt, "pika")) == 204
    assert everything(attempt) == before


def test_no_log_holds_what_makes_the_address_secret(client, attempt, caplog):
    caplog.set_level("DEBUG")
    assert send(client, address(attempt), key=FORGER) == 401
    assert str(attempt.pk) in caplog.text
    assert address(attempt).partition("token=")[2] not in caplog.text


def test_a_message_for_an_attempt_that_is_gone_is_taken_and_forgotten(client, attempt):
    url = address(attempt)
    attempt.delete()
    assert send(client, url) == 204


def test_a_message_after_the_end_changes_nothing(client, attempt):
    Attempt.objects.update(status="succeeded", phase="done", next_check_at=None)
    before = everything(attempt)
    assert send(client, address(attempt)) == 204
    assert everything(attempt) == before


def test_too_long_a_message_is_not_read(client, attempt, jwks):
    assert send(client, address(attempt), body=b" " * (LIMIT + 1)) == 413
    assert jwks.call_count == 0
    assert not is_due(attempt)


class Flood(io.RawIOBase):
    """100 MB that are made as they are read, and counted."""

    def __init__(self):
        self.left, self.read_so_far = 100_000_000, 0

    def read(self, size=-1):
        size = self.left if size < 0 else min(size, self.left)
        self.left, self.read_so_far = self.left - size, self.read_so_far + size
        return b" " * size


def test_of_a_hundred_megabytes_hardly_any_are_read(client, attempt, jwks):
    before, flood = everything(attempt), Flood()
    extra = {"wsgi.input": flood, "CONTENT_LENGTH": "100000000"}
    assert client.generic("POST", address(attempt), b"", "application/json", **extra).status_code == 413
    assert flood.read_so_far == LIMIT + 1
    assert (jwks.call_count, everything(attempt)) == (0, before)


def test_of_a_flood_at_an_address_that_is_not_ours_nothing_is_read(client, attempt):
    flood = Flood()
    extra = {"wsgi.input": flood, "CONTENT_LENGTH": "100000000"}
    url = address(attempt).replace("token=", "token=A")
    assert client.generic("POST", url, b"", "application/json", **extra).status_code == 404
    assert flood.read_so_far == 0


def test_only_posts_are_taken(client, attempt):
    assert client.get(address(attempt)).status_code == 405


# --- A lost submit


def test_it_finds_the_job_of_a_submit_whose_answer_was_lost(client, attempt):
    lost = put(attempt, phase="submitting", status="pending", job_id="")
    assert send(client, address(attempt)) == 204
    found = Attempt.objects.get()
    assert (found.job_id, found.phase, found.fence, is_due(found)) == (ID, "fetch", lost.fence + 1, True)


def test_a_found_job_is_fetched_without_the_addresses_of_its_submit(client, attempt):
    put(attempt, phase="submitting", status="pending", job_id="")
    send(client, address(attempt))
    url = f"https://queue.fal.run/fal-ai/kling-video/requests/{ID}/status"
    responses.get(url, json={"status": "IN_PROGRESS"}, status=202)
    found = Attempt.objects.get()
    job = fal.FalAdapter().fetch(fal.JobRef(found.job_id, found.endpoint, found.handle), token="id:secret")
    assert job.status == "running"


def test_a_job_that_belongs_to_another_attempt_is_not_taken_over(client, attempt, bob):
    image = uploads.upload(bob, sent(picture(640, 360)))
    workflow = start(bob, "video-from-image", "a cat", image, video_model="fal/kling-2.5-turbo-pro", enhance=False)
    other = put(Attempt.objects.get(step__workflow=workflow), phase="submitting")
    before = everything(other)
    assert send(client, address(other)) == 204
    assert everything(other) == before


@pytest.mark.parametrize("job_id", ["", " ", "x" * 201, "a\x00b", "a\nb", "\ud800", "\u00e9"], ids=ascii)
def test_a_job_with_an_impossible_id_is_no_job(client, attempt, monkeypatch, job_id):
    monkeypatch.setattr("providers.gateway.webhook_job_id", lambda provider, headers, body: job_id)
    before = everything(put(attempt, phase="submitting", status="pending", job_id=""))
    assert send(client, address(attempt)) == 400
    assert everything(attempt) == before


# --- fal's keys


def test_the_keys_are_asked_for_once(client, attempt, jwks):
    for n in range(3):
        assert send(client, address(attempt), MESSAGE | {"payload": n}) == 204
    assert jwks.call_count == 1


def test_forgers_do_not_make_us_ask_again_and_again(client, attempt, jwks):
    for _ in range(5):
        assert send(client, address(attempt), key=FORGER) == 401
    assert jwks.call_count == 1


def test_new_keys_are_learned(client, attempt, jwks, monkeypatch):
    assert send(client, address(attempt)) == 204
    responses.replace("GET", JWKS, json=published(FORGER))
    monkeypatch.setattr(fal._KEYS, "_asked", time.monotonic() - 61)
    assert send(client, address(attempt), MESSAGE | {"payload": 2}, key=FORGER) == 204


def test_old_keys_are_not_trusted_for_ever(client, attempt, monkeypatch):
    assert send(client, address(attempt)) == 204
    responses.replace("GET", JWKS, json=published(FORGER))
    monkeypatch.setattr(fal._KEYS, "_asked", time.monotonic() - 86_401)
    monkeypatch.setattr(fal._KEYS, "_loaded", time.monotonic() - 86_401)
    assert send(client, address(attempt), MESSAGE | {"payload": 2}) == 401


@pytest.mark.parametrize("answer", [{"status": 503}, {"json": []}, {"body": "<html>"}], ids=str)
def test_without_keys_the_message_may_come_again(client, attempt, answer):
    responses.replace("GET", JWKS, **answer)
    before = everything(attempt)
    assert send(client, address(attempt)) == 503
    assert everything(attempt) == before


# --- Addresses


@pytest.mark.parametrize(
    ("home", "api", "given"),
    [
        ("https://vid.example", "https://queue.fal.run", True),
        ("", "https://queue.fal.run", False),
        ("http://127.0.0.1:8000", "https://queue.fal.run", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8090/fal-queue", True),
    ],
)
def test_an_address_is_given_only_where_it_can_be_reached(settings, home, api, given):
    settings.PUBLIC_URL = home
    assert hooks.address("fal", "attempt-1", api=api).startswith(f"{home}/hooks/fal/") == given


def test_each_attempt_has_an_address_that_cannot_be_guessed(settings):
    tokens = {hooks.address("fal", name, api="https://q").partition("token=")[2] for name in ("a", "b")}
    settings.SECRET_KEY = "another"
    tokens.add(hooks.address("fal", "a", api="https://q").partition("token=")[2])
    assert len(tokens) == 3
    assert all(len(token) * 6 >= 256 for token in tokens)


# --- The secret behind the addresses


def loading(**environment):
    """What loading the settings says: "" when they are taken, else the last line of the complaint."""
    good = {"PATH": os.environ["PATH"], "VIDGENIE_ENVIRONMENT": "development", "SECRET_KEY": "k" * 60}
    command = [sys.executable, "-c", "import vidgenie.settings"]
    done = subprocess.run(command, env=good | environment, cwd=PROJECT, capture_output=True, text=True)
    return done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize("key", ["short", "k" * 49])
def test_with_a_poor_secret_nobody_is_given_an_address(key):
    assert "SECRET_KEY is too short to make" in loading(SECRET_KEY=key, PUBLIC_URL="https://vid.example")


@pytest.mark.parametrize("key", [" ", "\t\n "])
def test_a_blank_secret_is_none(key):
    assert "SECRET_KEY is not set" in loading(SECRET_KEY=key, VIDGENIE_ENVIRONMENT="production")


def test_with_a_good_secret_it_starts():
    assert loading(PUBLIC_URL="https://vid.example") == ""
