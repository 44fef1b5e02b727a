"""The audit names each weakness that is planted, and is quiet before it is."""

import datetime
import io
import ipaddress
import json
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import clear_url_caches, path
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from credits import api as credits_api
from providers import crypto, http, keys, wire
from providers.models import ProviderCall, ProviderKey
from tests.factories import UserFactory
from tests.ops.test_reports import complaints
from vidgenie import scopes, tokens, urls
from vidgenie.management import audit
from vidgenie.management.audit import access, dependencies, files, source, traces
from vidgenie.management.audit.check import CHECKS, Check, Seen, Unknown
from vidgenie.models import ApiToken
from workflows import api, uploads
from workflows.models import Workflow

audit.load()

pytestmark = pytest.mark.django_db

FAST = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def openai_key() -> str:
    """One that reads like a real one, and is in no file."""
    return f"sk-proj-{secrets.token_hex(30)}"


def sealed(owner: Any = None, plain: str = "") -> ProviderKey:
    """A key in the table, as it is stored."""
    return keys.store("openai", plain or openai_key(), owner=owner)


def look(id: str) -> Any:
    """What the audit says of one thing."""
    return CHECKS[id].row()


@pytest.fixture
def place(production, tmp_path, monkeypatch):
    """A directory that is VidGenie's, with a program in it."""
    (tmp_path / "manage.py").write_text("import sys\n")
    production.BASE_DIR = production.VAR_DIR = tmp_path
    production.ENCRYPTION_KEYS_FILE = tmp_path / "encryption_keys"
    return tmp_path


@pytest.fixture
def few(monkeypatch):
    """Asking all addresses takes seconds; these show that all can be seen."""
    wanted = ("api/workflow/status/<uuid:workflow_id>", "workflows/<uuid:pk>/", "api/credits", "accounts/tokens/")
    chosen = {name: access.matrix()[name] for name in wanted}
    monkeypatch.setattr(access, "matrix", lambda: chosen)


# --- What is planted, by the check that has to name it -----------------------------------------------------------


def setting(name: str, value: Any) -> Any:
    """A setting that somebody has changed."""

    def plant(settings: Any, **_: Any) -> None:
        setattr(settings, name, value)

    return plant


def without(name: str, words: str) -> Any:
    """A line that somebody has taken out of a list in the settings."""

    def plant(settings: Any, **_: Any) -> None:
        setattr(settings, name, [value for value in getattr(settings, name) if words not in value])

    return plant


def replaced(place: Any, name: str, value: Any) -> Any:
    """Code of ours that somebody has changed."""

    def plant(monkeypatch: Any, **_: Any) -> None:
        monkeypatch.setattr(place, name, value)

    return plant


def loose_policy(settings: Any, **_: Any) -> None:
    policy = {**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], "script-src": ["'self'", "'unsafe-inline'"]}
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy}


def hidden_page(monkeypatch: Any, **_: Any) -> None:
    more = path("hidden/", lambda request: HttpResponse("all of it"))
    monkeypatch.setattr(urls, "urlpatterns", [*urls.urlpatterns, more])
    clear_url_caches()


def of_the_api(settings: Any, **change: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, **change}


def no_limit(settings: Any, **_: Any) -> None:
    of_the_api(settings, DEFAULT_THROTTLE_RATES={"anon": "60/min", "user": "900000/min"})


def all_of_forwarded_for(settings: Any, **_: Any) -> None:
    of_the_api(settings, NUM_PROXIES=None)


def talkative(settings: Any, **_: Any) -> None:
    loggers = {**settings.LOGGING["loggers"], "requests": {"level": "DEBUG"}}
    settings.LOGGING = {**settings.LOGGING, "loggers": loggers}


def another_ring(settings: Any, alice: Any, **_: Any) -> None:
    sealed(alice)
    settings.ENCRYPTION_KEYS = crypto.new_key()


def key_in_the_clear(alice: Any, **_: Any) -> None:
    ProviderKey.objects.filter(pk=sealed(alice).pk).update(sealed=openai_key())


def swapped_values(alice: Any, bob: Any, **_: Any) -> None:
    one, other = sealed(alice), sealed(bob)
    ProviderKey.objects.filter(pk=one.pk).update(sealed=other.sealed)


def one_nonce(monkeypatch: Any, alice: Any, bob: Any, **_: Any) -> None:
    encrypt = crypto.encrypt
    monkeypatch.setattr(crypto, "encrypt", lambda key, nonce, plain, bound: encrypt(key, bytes(12), plain, bound))
    sealed(alice)
    sealed(bob)


def older_value(alice: Any, **_: Any) -> None:
    row = sealed(alice)
    text = crypto.seal(openai_key(), provider="openai", owner=alice.pk, row=row.pk)
    ProviderKey.objects.filter(pk=row.pk).update(sealed=text)


def half_a_rotation(settings: Any, alice: Any, **_: Any) -> None:
    sealed(alice)
    settings.ENCRYPTION_KEYS = f"{crypto.new_key()},{settings.ENCRYPTION_KEYS}"


def open_seed(alice: Any, **_: Any) -> None:
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})


def old_key(settings: Any, **_: Any) -> None:
    settings.ENCRYPTION_KEYS = "k20240101-0a0b0c0d:" + crypto.new_key().partition(":")[2]


def somebody(**more: Any) -> Any:
    """A person whom the test has planted."""

    def plant(**_: Any) -> None:
        UserFactory(**{"username": "mallory", **more})

    return plant


def token(**change: Any) -> Any:
    """A token that is not as tokens are made."""

    def plant(alice: Any, **_: Any) -> None:
        made, _text = tokens.create(alice, "a program", scopes=["read"])
        ApiToken.objects.filter(pk=made.pk).update(**change)

    return plant


def broad_token(alice: Any, **_: Any) -> None:
    tokens.create(alice, "a program")


def page_of_the_queue(monkeypatch: Any, **_: Any) -> None:
    monkeypatch.setitem(admin.site._registry, OrmQ, admin.ModelAdmin(OrmQ, admin.site))


def key_in_a_prompt(alice: Any, **_: Any) -> None:
    over = {"status": "failed", "finished": timezone.now()}
    prompt = f"my key is {openai_key()}"
    Workflow.objects.create(user=alice, type="image-only", prompt=prompt, quoted=1, deadline=timezone.now(), **over)


def stored_key_elsewhere(alice: Any, **_: Any) -> None:
    plain = secrets.token_urlsafe(20)
    keys_row = ProviderKey(id=uuid4(), provider="openai", owner=alice, fingerprint=crypto.fingerprint(plain))
    keys_row.save(force_insert=True)
    ProviderCall.objects.create(provider="openai", operation="submit", model=f"refused {plain}", milliseconds=1)


def site_secret_elsewhere(settings: Any, **_: Any) -> None:
    ProviderCall.objects.create(provider="openai", operation="submit", model=settings.SECRET_KEY[:120], milliseconds=1)


def key_in_the_queue(**_: Any) -> None:
    OrmQ.objects.create(key="vidgenie", payload=SignedPackage.dumps({"args": (openai_key(),)}), lock=timezone.now())


def key_in_a_session(client: Client, **_: Any) -> None:
    session = client.session
    session["typed"] = openai_key()
    session.save()


def key_in_a_log(place: Path, **_: Any) -> None:
    (place / "web.log").write_text(f"2026-11-23 refused: {openai_key()}\n")


def key_in_a_report(place: Path, **_: Any) -> None:
    (place / "benchmark-report.json").write_text(json.dumps({"key": openai_key()}))


def git(place: Path, *arguments: str) -> None:
    who = ["-c", "user.name=alice", "-c", "user.email=alice@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=place, check=True, capture_output=True)


def committed(place: Path, name: str, text: str) -> None:
    git(place, "init")
    (place / name).write_text(text)
    git(place, "add", "-f", name)
    git(place, "commit", "-m", "Add")


def key_in_history(place: Path, **_: Any) -> None:
    committed(place, "notes.txt", f"key {openai_key()}\n")
    git(place, "rm", "notes.txt")
    git(place, "commit", "-m", "Take it away")


def secrets_in_git(place: Path, **_: Any) -> None:
    committed(place, ".env", "SECRET_KEY=x\n")


def readable(name: str, mode: int) -> Any:
    """A file or folder that others on this machine may use."""

    def plant(place: Path, **_: Any) -> None:
        target = place / name
        target.parent.mkdir(exist_ok=True)
        target.write_text("x")
        target.chmod(mode)

    return plant


def media_for_all(settings: Any, place: Path, **_: Any) -> None:
    settings.MEDIA_ROOT = place / "media"
    readable("media/film.mp4", 0o644)(place)


def careless_code(place: Path, **_: Any) -> None:
    (place / "manage.py").write_text("import os\nos.system(f'rm {name}')\n")


def bad_program(place: Path, **_: Any) -> None:
    (place / "manage.py").write_text("import hashlib, pickle\npickle.loads(b'')\nhashlib.md5(b'')\n")


PLANTS: dict[str, Any] = {
    "settings.environment": setting("PRODUCTION", False),
    "settings.debug": setting("DEBUG", True),
    "settings.secret-key": setting("SECRET_KEY", "django-insecure-" + "ab" * 30),
    "settings.hosts": setting("ALLOWED_HOSTS", ["video.example.org", "*"]),
    "settings.deploy-check": setting("SECURE_HSTS_SECONDS", 0),
    "settings.password-hashers": setting("PASSWORD_HASHERS", FAST),
    "settings.password-rules": setting("AUTH_PASSWORD_VALIDATORS", []),
    "settings.sessions": setting("SESSION_COOKIE_AGE", 90 * 24 * 3600),
    "settings.log-levels": talkative,
    "settings.proxies": setting("SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https")),
    "settings.providers": setting("PROVIDER_URLS", {"openai": "http://gateway.example.org"}),
    "served.csp": loose_policy,
    "served.hsts": setting("SECURE_HSTS_SECONDS", 3600),
    "served.headers": setting("SECURE_CONTENT_TYPE_NOSNIFF", False),
    "served.https": setting("SECURE_SSL_REDIRECT", False),
    "served.cookies": setting("SESSION_COOKIE_SECURE", False),
    "served.foreign-hosts": setting("ALLOWED_HOSTS", ["video.example.org", "*"]),
    "served.errors": setting("DEBUG", True),
    "served.forgery": without("MIDDLEWARE", "CsrfViewMiddleware"),
    "served.monitoring": setting("METRICS_ALLOW", [ipaddress.ip_network("0.0.0.0/0")]),
    "served.tokens": replaced(tokens, "find", lambda text: ApiToken.objects.first()),
    "access.listed": hidden_page,
    "throttles.api-users": replaced(credits_api.Credits, "throttle_classes", []),
    "throttles.forwarded": all_of_forwarded_for,
    "throttles.sign-in": setting("ACCOUNT_RATE_LIMITS", False),
    "sealed.ring": setting("ENCRYPTION_KEYS", ""),
    "sealed.vectors": replaced(crypto, "encrypt", lambda key, nonce, plain, bound: nonce + plain + bytes(16)),
    "sealed.tampering": replaced(crypto, "_bound", lambda *place: b""),
    "sealed.openable": another_ring,
    "sealed.plaintext": key_in_the_clear,
    "sealed.second-factors": open_seed,
    "sealed.swapped": swapped_values,
    "sealed.nonces": one_nonce,
    "sealed.columns": older_value,
    "sealed.retired": half_a_rotation,
    "sealed.age": old_key,
    "accounts.second-factor": somebody(is_staff=True),
    "accounts.hashes": somebody(password=make_password("x", hasher="pbkdf2_sha1")),
    "accounts.guessable": somebody(is_staff=True, password=make_password("mallory")),
    "accounts.demo": somebody(username="demo-bob"),
    "accounts.admin": page_of_the_queue,
    "tokens.digests": token(digest="vg_" + "0" * 64),
    "tokens.expiry": token(expiry=None),
    "tokens.unused": token(created=timezone.now() - datetime.timedelta(days=91), expiry=None),
    "tokens.scopes": broad_token,
    "addresses.private": replaced(wire, "_CLOSED", ()),
    "addresses.given": replaced(wire.Line, "_allows", lambda line, address: True),
    "addresses.keys": replaced(http, "require_origin", lambda url, origin: None),
    "pictures.refused": replaced(uploads, "drawn_anew", lambda file: file.read()),
    "pictures.hidden": replaced(uploads, "drawn_anew", lambda file: file.read()),
    "pictures.limits": setting("UPLOAD_MAX_BYTES", 10**9),
    "traces.tables": key_in_a_prompt,
    "traces.packed": key_in_the_queue,
    "traces.logs": key_in_a_log,
    "traces.reports": key_in_a_report,
    "traces.history": key_in_history,
    "files.secrets": readable(".env", 0o644),
    "files.media": media_for_all,
    "files.backups": readable("backups/all.dump", 0o640),
    "files.code": readable("manage.py", 0o666),
    "files.tracked": secrets_in_git,
    "source.rules": careless_code,
    "source.bandit": bad_program,
}
AGAIN: list[tuple[str, Any]] = [
    ("served.cookies", setting("SESSION_COOKIE_NAME", "session")),
    ("served.cookies", setting("CSRF_COOKIE_HTTPONLY", False)),
    ("served.csp", without("MIDDLEWARE", "CSPMiddleware")),
    ("served.headers", without("MIDDLEWARE", "XFrameOptions")),
    ("throttles.api-users", no_limit),
    ("traces.tables", stored_key_elsewhere),
    ("traces.tables", site_secret_elsewhere),
    ("traces.packed", key_in_a_session),
]
IN_A_PLACE = ("traces.logs", "traces.reports", "traces.history", "files", "source")


@pytest.fixture
def scene(request, production, monkeypatch, client):
    """What a plant may ask for."""
    found = {"settings": production, "monkeypatch": monkeypatch, "client": client}
    yield lambda *names: found | {name: request.getfixturevalue(name) for name in names}
    clear_url_caches()


@pytest.mark.parametrize(
    ("id", "what"), [*PLANTS.items(), *AGAIN], ids=lambda value: value if type(value) is str else ""
)
def test_a_planted_weakness_is_named(id, what, scene, production):
    if id in ("served.cookies", "throttles.sign-in"):
        production.PASSWORD_HASHERS = FAST
    there = scene("alice", "bob", *(["place"] if id.startswith(IN_A_PLACE) else []))
    assert look(id).verdict == "pass", look(id).evidence
    what(**there)
    found = look(id)
    assert (found.verdict, bool(found.evidence), bool(found.advice)) == ("fail", True, True)
    assert found.severity in ("low", "medium", "high", "critical")


def test_everything_that_is_looked_at_was_planted_once():
    others = {"access.callers", "served.pages", "served.caching", "served.cors", "throttles.api-strangers"}
    others |= {"dependencies.installed", "dependencies.advisories"}
    assert set(CHECKS) == set(PLANTS) | others
    assert len(PLANTS) > 25


# --- Who gets what ------------------------------------------------------------------------------------------------


def of_anybody(request: Any, workflow_id: Any) -> Workflow:
    return Workflow.objects.get(pk=workflow_id)


WAYS_IN = {
    "other": (api, "_own", of_anybody),
    "unscoped": (scopes.HasScope, "has_permission", lambda self, request, view: True),
    "expired": (
        tokens,
        "find",
        lambda text: ApiToken.objects.select_related("user").filter(expiry__lt=timezone.now()).first(),
    ),
}


@pytest.mark.parametrize("caller", WAYS_IN)
def test_who_gets_what_is_not_theirs_is_named(caller, few, production, monkeypatch):
    assert look("access.callers").verdict == "pass", look("access.callers").evidence
    monkeypatch.setattr(*WAYS_IN[caller])
    assert f"by {caller}: 200 instead of" in look("access.callers").evidence


def test_a_page_that_forgot_to_ask_who_it_is_is_named(few, production, monkeypatch):
    monkeypatch.setattr(access, "_browser", lambda user: access.visitor())
    assert "workflows/<uuid:pk>/ by owner: 302 instead of 200" in look("access.callers").evidence


def test_nobody_gets_a_mail_of_what_is_tried_out(production, mailoutbox):
    production.ACCOUNT_EMAIL_VERIFICATION, production.PASSWORD_HASHERS = "mandatory", FAST
    assert look("served.cookies").verdict == "pass"
    assert mailoutbox == []


def test_strangers_without_a_limit_are_named(production, monkeypatch):
    assert look("throttles.api-strangers").verdict == "pass"
    monkeypatch.setattr("drf_spectacular.views.SpectacularSwaggerSplitView.throttle_classes", [])
    assert look("throttles.api-strangers").evidence == "requests are not counted"


def test_another_site_that_may_ask_is_named(production, monkeypatch):
    assert look("served.cors").verdict == "pass"
    monkeypatch.setattr("vidgenie.request_log.RequestMiddleware.__call__", generous)
    assert look("served.cors").evidence.startswith("/ allows *")


def generous(middleware: Any, request: Any) -> Any:
    response = middleware.get_response(request)
    response["Access-Control-Allow-Origin"] = "*"
    return response


# --- Dependencies -------------------------------------------------------------------------------------------------


def answer(name: str = "", version: str = "", **more: Any) -> Any:
    """Plants what pip-audit says: all is well, but for one package."""

    def plant(place: Path, **_: Any) -> None:
        known = [
            {"name": one, "version": pinned, "vulns": []} for one, pinned in dependencies.pins().items() if one != name
        ]
        known += [{"name": name, "version": version, **more}] if name else []
        dependencies.Advisories.file = place / "advisories.json"
        dependencies.Advisories.file.write_text(json.dumps({"dependencies": known, "fixes": []}))

    return plant


@pytest.fixture
def advisories(tmp_path, monkeypatch):
    monkeypatch.setattr(dependencies.Advisories, "file", None)
    return lambda *one, **more: answer(*one, **more)(tmp_path)


def test_all_dependencies_looked_up_and_nothing_known_is_a_pass(advisories):
    advisories()
    assert look("dependencies.advisories").verdict == "pass"


def test_an_advisory_is_a_failure_that_says_what_to_install(advisories):
    advisories("django", dependencies.pins()["django"], vulns=[{"id": "PYSEC-1", "fix_versions": ["9.9"]}])
    found = look("dependencies.advisories")
    assert (found.verdict, found.severity) == ("fail", "high")
    assert found.evidence == f"django {dependencies.pins()['django']}: PYSEC-1 (fixed in 9.9)"


@pytest.mark.parametrize("missing", [{"skip_reason": "not found"}, {"version": "0.1", "vulns": []}])
def test_a_package_that_was_not_looked_up_in_its_version_leaves_it_unknown(advisories, missing):
    advisories("django", **{"version": "", **missing})
    found = look("dependencies.advisories")
    assert found.verdict == "unknown"
    assert found.evidence == f"1 of {len(dependencies.pins())} packages could not be looked up, such as django"


@pytest.mark.parametrize("said", ["", "{}", "[]", '{"dependencies": [1]}', "No known vulnerabilities found"])
def test_an_answer_that_is_no_list_leaves_it_unknown(monkeypatch, said):
    monkeypatch.setattr(dependencies, "_ran_here", lambda: said)
    assert look("dependencies.advisories").verdict == "unknown"


def test_without_pip_audit_it_is_unknown(monkeypatch):
    monkeypatch.setattr(dependencies, "find_spec", lambda name: None)
    assert look("dependencies.advisories").evidence == "pip-audit is not installed"


def test_a_package_of_another_version_is_named(monkeypatch):
    monkeypatch.setattr(dependencies, "pins", lambda: {"django": "1.0", "no-such-package": "2.0"})
    found = look("dependencies.installed")
    assert found.evidence.endswith("locked is 1.0; no-such-package 2.0 is not installed")


# --- Rules of our own ---------------------------------------------------------------------------------------------

BROKEN = {
    "requests.get(url, verify=False)": "verify=False",
    'cursor.execute(f"SELECT * FROM t WHERE id = {id}")': "SQL put together",
    'Model.objects.raw("SELECT %s" % id)': "SQL put together",
    "mark_safe(text)": "mark_safe",
    "subprocess.run(command, shell=True)": "a shell",
    "urllib.request.urlopen(url)": "urlopen",
    "pickle.loads(content)": "eval or pickle",
    "eval(text)": "eval or pickle",
    "log.info('%s', request.headers)": "headers or settings in a log",
    "log.info(f'{settings}')": "headers or settings in a log",
    "try:\n    f()\nexcept:\n    pass": "except that swallows everything",
    "with transaction.atomic():\n    gateway.submit(x)": "a call to the outside inside a transaction",
}
FINE = [
    'cursor.execute("SELECT * FROM t WHERE id = %s", [id])',
    'cursor.execute(sql.SQL("DROP DATABASE {}").format(name))',
    'cursor.execute(f"SELECT * FROM {table}")  # noqa: S608',
    "platform.system()",
    "log.info('%s', settings.DEBUG)",
    "try:\n    f()\nexcept BaseException as error:\n    told = error",
    "try:\n    f()\nexcept BaseException:\n    undo()\n    raise",
    "with transaction.atomic():\n    row.save()\ngateway.submit(x)",
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_line_that_breaks_a_rule_is_named(text):
    (found,) = source.complaints("x.py", text)
    assert BROKEN[text] in found
    assert found.startswith("x.py:")


@pytest.mark.parametrize("text", FINE)
def test_a_line_that_keeps_the_rules_is_not(text):
    assert list(source.complaints("x.py", text)) == []


# --- What a check is ----------------------------------------------------------------------------------------------


def row(look: Any) -> Any:
    return Check("a.check", "A thing", "high", "Do it.", look).row()


def test_what_breaks_a_check_makes_it_unknown_and_tells_nothing_of_it():
    def broken() -> Any:
        yield Seen("something")
        raise ValueError(openai_key())

    found = row(broken)
    assert (found.verdict, found.evidence) == ("unknown", "the check broke off: ValueError")


def test_what_was_found_before_it_broke_counts():
    def broken() -> Any:
        yield "a weakness"
        raise Unknown("no more patience")

    assert (row(broken).verdict, row(broken).evidence) == ("fail", "a weakness")


def test_many_complaints_are_counted():
    assert row(lambda: iter("abcdefg")).evidence == "a; b; c; d; e; and 2 more"


def test_every_check_says_how_it_looks_and_what_to_do():
    for one in CHECKS.values():
        assert one.look.__doc__
        assert one.advice
        assert one.id.partition(".")[0] in ("settings", *(name.partition("_")[0] for name in audit.SUBJECTS), "tokens")


def test_all_secrets_that_may_be_files_are_looked_at():
    text = (Path(files.__file__).parents[2] / "settings.py").read_text()
    assert set(re.findall(r'secret\("(\w+)"', text)) == set(files.SECRETS)


# --- The command --------------------------------------------------------------------------------------------------


def counts() -> dict[str, int]:
    """The rows of every table."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            found[table] = cursor.fetchone()[0]
    return found


def run(*arguments: str) -> tuple[str, int]:
    """What was printed, and the exit code."""
    said = io.StringIO()
    try:
        call_command("security_audit", *arguments, stdout=said, stderr=said)
    except SystemExit as left:
        return said.getvalue(), int(str(left.code))
    return said.getvalue(), 0


@pytest.fixture
def people(production, alice, sam):
    """Somebody with a key and a token, and staff with a second factor."""
    Authenticator.objects.create(user=sam, type=Authenticator.Type.TOTP, data={})
    sealed(alice)
    tokens.create(alice, "a program", scopes=["read"])


@pytest.mark.django_db(transaction=True)
def test_a_sound_installation_is_quiet_and_left_as_it_was(people, advisories, tmp_path, monkeypatch):
    monkeypatch.setattr("vidgenie.management.audit.source._findings", list)  # it takes seconds, and has its own test
    advisories()
    before = counts()
    text, code = run("--advisories", str(tmp_path / "advisories.json"), "--patience", "60")
    report = json.loads(Path("security-audit-report.json").read_text())
    assert [one["evidence"] for one in report["rows"] if one["verdict"] != "pass"] == []
    assert (report["outcome"], report["fail_on"], code) == ("pass", "high", 0)
    assert text.splitlines()[-2] == "security-audit: pass"
    assert complaints(report, "security-audit") == []
    assert counts() == before


@pytest.fixture
def two_checks(monkeypatch):
    """A look at little, for tests of the command itself."""
    monkeypatch.setattr(audit, "load", lambda: [CHECKS["settings.debug"], CHECKS["settings.sessions"]])


def test_a_weakness_of_less_severity_is_told_and_does_not_decide(two_checks, production):
    production.SESSION_COOKIE_AGE = 10**8
    text, code = run()
    assert "fail    Sessions end" in text
    assert "Set SESSION_COOKIE_AGE to 14 days or less." in text
    assert code == 0
    assert run("--fail-on", "medium")[1] == 1


def test_a_severe_one_does(two_checks, production):
    production.DEBUG = True
    assert run()[1] == 1


def test_patience_is_above_zero(two_checks, production):
    with pytest.raises(CommandError, match="--patience"):
        run("--patience", "0")
    assert not Path("security-audit-report.json").exists()


def test_without_patience_it_is_unknown_and_no_pass(production, alice, monkeypatch):
    monkeypatch.setattr(traces.Patience, "seconds", 0.0)
    found = look("traces.tables")
    assert found.verdict == "unknown"
    assert "--patience" in found.evidence


def test_what_was_found_is_told_by_its_place_alone(production, alice):
    plain = openai_key()
    sealed(alice, plain)
    ProviderCall.objects.create(provider="openai", operation="submit", model=plain, milliseconds=1)
    found = look("traces.tables")
    assert found.evidence == "providers_providercall.model: what looks like a key"
    assert plain not in str(found)
