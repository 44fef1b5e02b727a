"""Secrets are planted, everything fails in every way, and then everything that anybody can read is searched for them.

The adapter here does what no adapter should: it puts its key into everything that it says.
"""

import base64
import logging
import traceback
from typing import ClassVar
from uuid import uuid4

import pytest
import requests
from django.contrib import admin
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.urls import reverse
from django_q.models import OrmQ

from providers import budget, crypto, gateway, health, http, keys
from providers.adapters import ADAPTERS
from providers.base import Adapter, Job, JobRef, JobRequest, Kind, Output, ProviderError, Reason, Status
from providers.models import ProviderKey
from tests.pipeline import finish, start
from workflows import pipeline
from workflows.models import Attempt, Workflow

pytestmark = pytest.mark.django_db

KEY_ID, SECRET = "planted-id-51f3a0", "planted-secret-8f0c2d7be1"
PLANTED = f"{KEY_ID}:{SECRET}"
SIGNATURE = "X-Signature=planted-signature-77ab"
SIGNED = f"http://127.0.0.1:9/film.mp4?{SIGNATURE}"
RING = crypto.new_key()
MODEL = "openai/gpt-image-2"


def detailed(token):
    raise ProviderError(Reason.UNAUTHORIZED, f"401 wrong key {token}, that is Basic {SECRET}", sent=False)


def chained(token):
    try:
        raise ValueError(f"Authorization: Bearer {token}")
    except ValueError as error:
        raise ProviderError(Reason.INVALID_INPUT, "400", sent=False) from error


def stumbling(token):
    raise RuntimeError(f"Illegal header value b'Bearer {token}'")


def of_requests(token):
    with requests.Session() as session:
        session.get("http://127.0.0.1:9/", headers={"Authorization": f"Bearer {token}\n"})


def of_our_http(token):
    purpose, origin = http.Purpose("openai", "submit"), "http://127.0.0.1:9"
    http.call(purpose, "GET", f"{origin}/?key={token}", origin=origin, headers={"Authorization": f"Key {token}"})


def elsewhere(token):
    http.call(http.Purpose("openai", "submit"), "GET", f"https://{SECRET}.example/", origin="https://example.org")


def as_a_job(token):
    return Job(f"job-{uuid4()}", Status.FAILED, reason=Reason.OTHER, detail=f"your key {token} is not allowed")


def behind_a_signed_address(token):
    return Job(f"job-{uuid4()}", Status.SUCCEEDED, outputs=(Output(location=SIGNED, content_type="image/png"),))


WAYS = [detailed, chained, stumbling, of_requests, of_our_http, elsewhere, as_a_job]


class Leaky(Adapter):
    slug: ClassVar = "openai"

    def __init__(self):
        self.submits = self.fetches = self.checks = lambda token: Job(f"job-{uuid4()}", Status.QUEUED)
        self.seen = []

    def submit(self, request, *, token):
        self.seen.append(token)
        return self.submits(token)

    def fetch(self, job, *, token):
        return self.fetches(token)

    def check(self, *, token):
        self.seen.append(token)
        return str(self.checks(token))

    def find(self, reference, *, token):
        return self.fetches(token)

    def cancel(self, job, *, token):
        self.fetches(token)

    def download(self, output, *, token):
        origin = "http://127.0.0.1:9"
        purpose = http.Purpose("openai", "download")
        return http.download(purpose, output.location, origin=origin, headers={"Authorization": f"Key {token}"})


@pytest.fixture(autouse=True)
def leaky(monkeypatch, settings):
    adapter = Leaky()
    monkeypatch.setitem(ADAPTERS, "openai", adapter)
    budget.reset()
    settings.ENCRYPTION_KEYS, settings.PROVIDER_KEYS, settings.PROVIDER_MODE = RING, {}, "real"
    return adapter


@pytest.fixture
def heard(caplog):
    """All that is logged, by everybody, at the lowest level."""
    with caplog.at_level(logging.DEBUG):
        queue = logging.getLogger("django-q")
        queue.addHandler(caplog.handler)
        yield lambda: caplog.text
        queue.removeHandler(caplog.handler)


def plant(settings, where, alice):
    """Put the secret where keys come from."""
    if where == "environment":
        settings.PROVIDER_KEYS = {"openai": PLANTED}
    else:
        keys.store("openai", PLANTED, owner=alice if where == "user" else None)


def rows_of_the_database():
    """Every row of every table as text, whatever application it belongs to."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT t::text FROM {connection.ops.quote_name(table)} t")  # noqa: S608
            yield from (f"{table}: {text}" for (text,) in cursor.fetchall())
    yield from (str(row.task) for row in OrmQ.objects.all())


def pages(client, alice, sam):
    """What alice sees of her runs, in pages and by the API, and then what staff see of anything."""
    client.force_login(alice)
    for workflow in Workflow.objects.all():
        for name in ("workflows:detail", "workflows:card", "workflows:live"):
            yield client.get(reverse(name, args=[workflow.pk]))
        yield client.get(f"/api/workflow/status/{workflow.pk}")
    for address in (reverse("workflows:gallery"), reverse("workflows:create"), "/api/workflow", "/api/models"):
        yield client.get(address)
    client.force_login(sam)
    yield client.get(reverse("admin:index"))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield client.get(reverse(f"{name}_changelist"))
        for row in model._default_manager.all()[:3]:
            yield client.get(reverse(f"{name}_change", args=[row.pk]))
            yield client.get(reverse(f"{name}_history", args=[row.pk]))


SPELLINGS = [SECRET, SECRET.encode().hex(), base64.b64encode(SECRET.encode()).decode()[:-4]]


def holds_secret(text):
    return any(spelling in text for spelling in SPELLINGS)


@pytest.fixture
def leaks(heard, client, alice, sam):
    """Searches everything; where the secret can be read."""

    def search():
        found = ["the log"] if holds_secret(heard()) else []
        found += [row[:200] for row in rows_of_the_database() if holds_secret(row)]
        for response in pages(client, alice, sam):
            assert response.status_code == 200, response.request["PATH_INFO"]
            if holds_secret(response.content.decode()) or SIGNATURE in response.content.decode():
                found.append(response.request["PATH_INFO"])
        return found + (["the log, after the pages"] if holds_secret(heard()) or SIGNATURE in heard() else [])

    return search


def run(user):
    """A run by the leaky provider, to its end."""
    asked = pipeline.quote("image-only", "a fox", {"image_model": MODEL, "enhance": False}, user=user)
    return finish(pipeline.start(user, asked))


def revive():
    """The next failure shall find the provider on offer, and the test's purse full."""
    health.bring_back("openai")
    budget.reset()


def told(error):
    return "".join(traceback.format_exception(error))


# Runs that fail


@pytest.mark.parametrize("where", ["platform", "environment", "user"])
def test_runs_that_fail_in_every_way_tell_no_key(settings, leaky, leaks, alice, where):
    plant(settings, where, alice)
    for way in WAYS:
        leaky.submits = way
        assert run(alice).status in ("failed", "running")
        revive()
    assert len(leaky.seen) >= len(WAYS)
    assert set(leaky.seen) == {PLANTED}
    assert leaks() == []


def test_jobs_that_fail_in_every_way_tell_no_key(settings, leaky, leaks, alice):
    plant(settings, "platform", alice)
    for way in WAYS:
        leaky.fetches = way
        run(alice)
        revive()
    assert Attempt.objects.filter(job_id__startswith="job-").count() == len(WAYS)
    assert leaks() == []


def test_a_signed_address_is_never_shown(settings, leaky, leaks, alice):
    plant(settings, "platform", alice)
    leaky.fetches = behind_a_signed_address
    run(alice)
    assert Attempt.objects.get().outputs[0]["location"] == SIGNED, "it is kept, and that is all"
    assert leaks() == []


# Every call of the gateway


REQUEST = JobRequest(Kind.IMAGE, "m", "a fox", {}, "reference")
CALLS = {
    "submit": lambda: gateway.submit("openai", REQUEST),
    "fetch": lambda: gateway.fetch("openai", JobRef("job-1", "m")),
    "find": lambda: gateway.find("openai", "reference"),
    "cancel": lambda: gateway.cancel("openai", JobRef("job-1", "m")),
    "check": lambda: gateway.check("openai"),
    "download": lambda: gateway.download("openai", Output(location=SIGNED)),
}


@pytest.mark.parametrize("way", [way for way in WAYS if way is not as_a_job], ids=lambda way: way.__name__)
@pytest.mark.parametrize("name", CALLS)
def test_what_a_call_raises_holds_no_key(settings, leaky, heard, name, way):
    settings.PROVIDER_KEYS = {"openai": PLANTED}
    leaky.submits = leaky.fetches = leaky.checks = way
    with pytest.raises(ProviderError) as caught:
        CALLS[name]()
    for text in (told(caught.value), repr(caught.value), caught.value.detail, heard()):
        assert not holds_secret(text)
        assert SIGNATURE not in text


def test_the_half_of_a_key_that_is_secret_is_taken_out_too(settings, leaky):
    settings.PROVIDER_KEYS = {"openai": PLANTED}
    leaky.checks = detailed
    with pytest.raises(ProviderError) as caught:
        gateway.check("openai")
    assert caught.value.detail == "401 wrong key •••, that is Basic •••"
    assert (caught.value.reason, caught.value.sent) == (Reason.UNAUTHORIZED, False)


def test_a_private_key_is_taken_out_line_by_line():
    account = '{"private_key": "-----BEGIN-----\\nMIIEvplanted0123456789\\n-----END-----\\n", "client_email": "a@b"}'
    assert keys.redacted("could not load MIIEvplanted0123456789", account) == "could not load •••"


def test_a_mistake_in_an_adapter_can_still_be_found(settings, leaky, heard):
    settings.PROVIDER_KEYS = {"openai": PLANTED}
    leaky.checks = stumbling
    with pytest.raises(ProviderError, match="RuntimeError in our own code"):
        gateway.check("openai")
    assert "The adapter of openai stumbled: RuntimeError" in heard()
    assert "in stumbling" in heard()


# Typing a key in


def test_a_key_that_is_typed_in_leaves_nothing_behind(leaky, leaks, client, sam, django_capture_on_commit_callbacks):
    leaky.checks = detailed
    client.force_login(sam)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("admin:providers_providerkey_add"), {"provider": "openai", "key": PLANTED})
    assert leaky.seen == [PLANTED]
    assert ProviderKey.objects.get().verdict == "The key was refused. 401 wrong key •••, that is Basic •••"
    assert leaks() == []


def test_a_key_that_is_refused_leaves_nothing_behind(leaks, client, sam):
    client.force_login(sam)
    form = {"provider": "openai", "key": PLANTED + "\n"}
    page = client.post(reverse("admin:providers_providerkey_add"), form)
    assert "there is a blank or a line break in it" in page.content.decode()
    assert not holds_secret(page.content.decode())
    assert leaks() == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_checking_providers_prints_no_key(settings, leaky, heard, capsys, form):
    settings.PROVIDER_KEYS, leaky.checks = {"openai": PLANTED}, detailed
    with pytest.raises(CommandError) as caught:
        call_command("check_providers", json=form == "json")
    assert "The key was refused" in (printed := capsys.readouterr().out)
    assert not holds_secret(printed + told(caught.value) + heard())


def test_rotation_prints_no_key(settings, heard, capsys):
    keys.store("openai", PLANTED)
    settings.ENCRYPTION_KEYS = f"{crypto.new_key()},{RING}"
    call_command("rotate_encryption_keys")
    printed = "".join(capsys.readouterr())
    assert not holds_secret(printed + heard())
    assert not any(entry.partition(":")[2] in printed + heard() for entry in settings.ENCRYPTION_KEYS.split(","))


# The search itself


def test_the_search_would_find_a_key(leaks, alice):
    logging.getLogger("anything").debug("the key is %s", SECRET)
    start(alice, "image-only", f"a fox called {SECRET}")
    found = leaks()
    assert found[0] == "the log"
    assert any(row.startswith("workflows_workflow: ") for row in found)
    assert "/api/workflow" in found
