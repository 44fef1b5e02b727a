"""The parts of an environment in which every kind of test can run: each is made where it is missing, and shown.

Every part is a function that gives rows. With `change` off it looks and touches nothing.
"""

import http.client
import io
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import django
import environ
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F

from credits import ledger
from credits.models import Account
from providers import crypto, keys, storage
from providers.adapters import ADAPTERS
from providers.models import ProviderKey
from vidgenie import embedded, reports
from vidgenie.embedded import EmbeddedDatabaseError, Server
from vidgenie.management.production_signs import DEMO_USERS, database_host
from vidgenie.processes import die_with_parent
from vidgenie.reports import Row, Verdict
from workflows import media

CREDITS = 1000  # that each demo user has to spend
STAFF = "demo-sam"
OWNER = "demo-alice"  # of the dummy keys
KEYS = "VIDGENIE_ENCRYPTION_KEYS"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
READY_WITHIN = 20.0  # seconds, for a simulator to answer
BY_HAND = "./manage.py setup_test_environment"


def verdict(good: bool) -> Verdict:
    return Verdict.PASS if good else Verdict.FAIL


# The variables


def env_file() -> Path:
    return Path(settings.BASE_DIR) / ".env.test"


def example() -> Path:
    return Path(settings.BASE_DIR) / ".env.test.example"


def variables(shell: dict[str, str]) -> dict[str, str]:
    """The environment that the tests' settings are read from: what was typed, then .env.test or the example of it.

    What a site's own .env brought into `shell` gives way: its database above all, in whose place is the embedded one.
    """
    ours = _read(env_file() if env_file().exists() else example())
    sites = _read(Path(settings.BASE_DIR) / ".env")
    typed = {name: value for name, value in shell.items() if sites.get(name) != value}
    database = {"DATABASE_URL": Server.of(settings.BASE_DIR, fast=True).url}
    if "DATABASE_URL_FILE" in typed or "DATABASE_URL_FILE" in ours:
        database = {}
    return {**database, **ours, **typed}


def _read(path: Path) -> dict[str, str]:
    class Lines(environ.Env):  # read_env writes into its class
        ENVIRON: Any = {}

    if path.exists():
        Lines.read_env(path)
    return dict(Lines.ENVIRON)


def variables_row(change: bool) -> Row:
    """.env.test, made from the example with a key of its own unless there is one."""
    path = env_file()
    made = change and not path.exists() and _make(path)
    there = path.exists()
    advice = "" if there else f"Run {BY_HAND} without --check."
    told = "made now" if made else "it was there and stays as it is" if there else "missing"
    return Row("variables", ".env.test", verdict(there), "a file beside its example", evidence=told, advice=advice)


def _make(path: Path) -> bool:
    """Put the example there with a new key, whole or not at all, never over another. Whether this call did it."""
    key = crypto.new_key()
    text = "\n".join(f"{KEYS}={key}" if line == f"# {KEYS}=" else line for line in example().read_text().split("\n"))
    aside = path.with_name(f".env.test.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS or key
    return True


# The database


@contextmanager
def database(change: bool) -> Iterator[None]:
    """The embedded server of the tests for as long as the block takes; nothing where another is named.

    Without `change` one that was never made is not made.
    """
    server = Server.of(settings.BASE_DIR, fast=True)
    if database_host() != str(server.socket) or not (change or server.data.exists()):
        yield
        return
    with server.running():
        yield
        connection.close()


def database_rows(change: bool) -> Iterator[Row]:
    least = ".".join(map(str, connection.features.minimum_database_version or ()))
    version = reports.postgresql()
    where = "embedded" if database_host() == str(Server.of(settings.BASE_DIR, fast=True).socket) else "DATABASE_URL"
    good = verdict(connection.pg_version // 10000 >= int(least or 0))  # type: ignore[attr-defined]
    yield Row("database", "Database", good, f"PostgreSQL {least} or later", measured=version, evidence=where)
    yield _programs_row(str(version).split(".", maxsplit=1)[0])
    yield migrations_row(change)


def _programs_row(major: str) -> Row:
    """pg_dump and its like, which backups are made with, must not be older than the server."""
    title, target = "PostgreSQL's programs", f"version {major} or later"
    advice = f"Install the client programs of PostgreSQL {major}; backups need them."
    try:
        found = embedded.version(embedded.bin_dir(major))
    except EmbeddedDatabaseError:
        return Row("programs", title, Verdict.FAIL, target, evidence="none found", advice=advice)
    good = int(found.split(".", maxsplit=1)[0]) >= int(major)
    return Row("programs", title, verdict(good), target, measured=found, advice="" if good else advice)


def migrations_row(change: bool) -> Row:
    if change:
        call_command("migrate", verbosity=0, interactive=False)
    executor = MigrationExecutor(connection)
    left = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    advice = f"Run {BY_HAND} without --check." if left else ""
    return Row(
        "migrations", "Migrations", verdict(not left), "none left to apply", measured=left, unit="left", advice=advice
    )


# People and keys


def people_row(change: bool) -> Row:
    """The demo users, who have no password: nobody gets in by one that is written somewhere."""
    if change:
        for name in DEMO_USERS:
            _provide(name)
    demo = Account.objects.filter(user__username__in=DEMO_USERS)
    rich = demo.filter(balance__gte=F("held") + CREDITS).count()
    return Row(
        "people",
        "Demo users",
        verdict(rich == len(DEMO_USERS)),
        f"{', '.join(DEMO_USERS)}, each with {CREDITS} credits to spend",
        measured=rich,
        unit="users",
        evidence="they have no password; give one by: ./manage.py changepassword demo-alice",
        advice="" if rich == len(DEMO_USERS) else f"Run {BY_HAND} without --check.",
    )


def _provide(name: str) -> None:
    """Make the user and fill up the credits; twice changes nothing, also when two do it at once."""
    with transaction.atomic():
        user, created = User.objects.get_or_create(username=name, defaults={"is_staff": name == STAFF})
        if created:
            user.set_unusable_password()
            user.save()
        missing = CREDITS - ledger.balance(user).available
        if missing > 0:
            ledger.grant(user, missing, key=f"{name}:{user.account.entries.count()}", reason="test environment")


def keys_row(change: bool) -> Row:
    """A key for every provider that opens nothing, sealed as a real one is. They are a demo user's, not the site's."""
    title, providers = "Sealed dummy keys", keys.keyed_providers()
    if settings.PROVIDER_MODE != "simulated":
        return Row("keys", title, Verdict.NOTED, evidence="left out: VIDGENIE_PROVIDER_MODE is real")
    target = f"one for each of {', '.join(providers)}, that opens"
    if not settings.ENCRYPTION_KEYS:
        advice = f"Add to .env.test: {KEYS}= with what ./manage.py rotate_encryption_keys --new-key prints."
        return Row("keys", title, Verdict.FAIL, target, evidence=f"{KEYS} is not set", advice=advice)
    opening = {name for name in providers if _opens(name)}
    for name in providers if change else ():
        if name not in opening:
            keys.store(name, ADAPTERS[name].sample_key(), owner=User.objects.get(username=OWNER))
            opening |= {name} if _opens(name) else set()
    advice = "" if len(opening) == len(providers) else f"Run {BY_HAND} without --check."
    good = verdict(not advice)
    return Row("keys", title, good, target, measured=len(opening), unit="keys", evidence=f"of {OWNER}", advice=advice)


def _opens(provider: str) -> bool:
    row = ProviderKey.objects.filter(provider=provider, owner__username=OWNER, active=True).first()
    try:
        return bool(row and crypto.open_sealed(row.sealed, provider=provider, owner=row.owner_id, row=row.pk))
    except crypto.Unopenable:
        return False


# What needs no database


def python_row() -> Row:
    good = verdict(sys.version_info >= (3, 11))
    return Row("python", "Python", good, "3.11 or later", measured=".".join(map(str, sys.version_info[:3])))


def django_row() -> Row:
    return Row("django", "Django", verdict(django.VERSION[:2] == (5, 2)), "5.2", measured=django.get_version())


def storage_row(change: bool) -> Row:
    """The folder of made files: one is written, read and taken away."""
    title, target = "Folder for media", "what is written there is read again"
    if settings.MEDIA_STORAGE == "s3":
        return Row("storage", title, Verdict.NOTED, evidence="not used: files are kept in the bucket")
    if not change:
        good = os.access(settings.MEDIA_ROOT, os.R_OK | os.W_OK | os.X_OK)
        told = "there, and may be written to" if good else "missing, or may not be written to"
        advice = "" if good else f"Run {BY_HAND} without --check, or set MEDIA_ROOT."
        return Row("storage", title, verdict(good), target, method="looked at, not tried", evidence=told, advice=advice)
    try:
        error = _try_storage()
    except OSError as failure:
        error = failure.strerror or type(failure).__name__
    advice = "Set MEDIA_ROOT to a folder that VidGenie may write to." if error else ""
    told = error or "written, read, deleted"
    return Row("storage", title, verdict(not error), target, method="a small file", evidence=told, advice=advice)


def _try_storage() -> str:
    """What is wrong, "" for nothing."""
    content = secrets.token_bytes(64)
    name = default_storage.save(f"test-environment/{secrets.token_hex(8)}", ContentFile(content))
    try:
        with default_storage.open(name) as file:
            return "" if file.read() == content else "what was read is not what was written"
    finally:
        default_storage.delete(name)


def bucket_row(change: bool) -> Row:
    """The bucket of made files, made unless it is there: a file is written, read and taken away. It must be private."""
    title, target = "Bucket", "private, and what is written there is read again"
    if settings.MEDIA_STORAGE != "s3":
        return Row("bucket", title, Verdict.NOTED, evidence="not configured: files are kept in the folder for media")
    try:
        error = _try_bucket() if change else _look_into_the_bucket()
    except OSError as failure:
        error = failure.strerror or type(failure).__name__
    told = error or ("written, read, deleted; closed to strangers" if change else "it answers")
    method = "a small file" if change else "looked at, not tried"
    advice = "See S3_BUCKET, S3_ENDPOINT_URL and the key to it in docs/deploying.md." if error else ""
    return Row("bucket", title, verdict(not error), target, method=method, evidence=told, advice=advice)


def _try_bucket() -> str:
    storage.make()
    rights = storage.open_to_strangers()
    return f"anybody may {' and '.join(rights)} what is in it" if rights else _try_storage()


def _look_into_the_bucket() -> str:
    default_storage.listdir("test-environment")
    return ""


def encoder_row() -> Row:
    title, target = "Encoder", "H.264 that decodes again"
    try:
        film = _film()
        seconds = media.measure_video(film).duration
    except (av.FFmpegError, ValueError) as error:
        return Row(
            "encoder", title, Verdict.FAIL, target, evidence=type(error).__name__, advice="Run: python3 dev.py setup"
        )
    told = f"PyAV {av.__version__}, libx264"
    return Row("encoder", title, Verdict.PASS, target, measured=seconds, unit="s of film", evidence=told)


def _film() -> io.BytesIO:
    """A quarter of a second."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width = stream.height = 64
        for _ in range(6):
            film.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        film.mux(stream.encode(None))
    target.seek(0)
    return target


def browser_row() -> Row:
    found = next((name for name in BROWSERS if shutil.which(name)), "")
    return Row(
        "browser", "Chromium", Verdict.NOTED, evidence=found or "none: tests in a browser will say that they skip"
    )


# The simulator of the providers


@contextmanager
def simulator() -> Iterator[Row]:
    """The row of the simulator, which answers inside the block: one that runs, else one that is started for it."""
    port = settings.SIMULATOR_PORT
    said = _asked(port)
    if said is not None:
        yield _simulator_row(said, "it runs already")
        return
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "simulate_providers", "--port", str(port)]
    quiet: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    own_group: Any = {"start_new_session": True, "preexec_fn": die_with_parent}  # Ctrl-C is ours to answer
    with subprocess.Popen([*command, "--speed", "0"], **quiet, **own_group) as process:
        try:
            yield _simulator_row(_patiently(port, process), "started for this check, and stopped")
        finally:
            process.terminate()


def _simulator_row(is_one: bool | None, evidence: str) -> Row:
    title, target = "Simulator", f"answers on port {settings.SIMULATOR_PORT}"
    if is_one:
        return Row("simulator", title, Verdict.PASS, target, evidence=evidence)
    told = "nothing answers" if is_one is None else "something else answers there"
    advice = "Set SIMULATOR_PORT to a port that is free."
    return Row("simulator", title, Verdict.FAIL, target, evidence=told, advice=advice)


def _patiently(port: int, process: subprocess.Popen[bytes]) -> bool | None:
    end = time.monotonic() + READY_WITHIN
    while (said := _asked(port)) is None and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    return said


def _asked(port: int) -> bool | None:
    """Whether it is a simulator that answers on this port; None where nothing does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_control/state")
        return "mistakes" in json.loads(connection.getresponse().read(1_000_000))
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return False
    finally:
        connection.close()


# What is told


def providers_with_a_key() -> dict[str, str]:
    """By provider, where the site's key comes from; never the key."""
    sealed = set(ProviderKey.objects.filter(owner=None, active=True).values_list("provider", flat=True))
    found = {name: "environment" for name, key in settings.PROVIDER_KEYS.items() if key}
    return found | dict.fromkeys(sealed, "sealed")


def limits() -> dict[str, int | bool | str]:
    """The limits in force, by their variables."""
    names = ["ENABLE_REAL_API_TESTS", "MAX_TEST_CREDITS_PER_RUN", "WORKFLOWS_IN_FLIGHT_PER_USER"]
    names += ["WORKFLOWS_PER_DAY_PER_USER", "WORKFLOW_DEADLINE_MINUTES", "UPLOAD_MAX_BYTES", "QUEUE_WORKERS"]
    names += ["LOOK_THREADS", "SUBMIT_THREADS", "STORE_THREADS", "CLOCK_CONNECTIONS", "SANDBOX_RENDERERS"]
    rates: Any = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    return {
        **{name: getattr(settings, name) for name in names},
        **{f"{name.upper()}_CONCURRENCY": most for name, most in settings.PROVIDER_CONCURRENCY.items()},
        "API_RATE_ANONYMOUS": rates["anon"],
        "API_RATE_USER": rates["user"],
    }


def spending_row() -> Row:
    """What tests may spend at the real providers."""
    most = settings.MAX_TEST_CREDITS_PER_RUN
    told = f"on, up to {most} credits a run" if settings.ENABLE_REAL_API_TESTS else "off"
    return Row("spending", "Tests with real APIs", Verdict.NOTED, evidence=told)


def keys_told(found: dict[str, str]) -> Row:
    told = ", ".join(f"{name} ({where})" for name, where in sorted(found.items())) or "none: the sandbox needs none"
    return Row("providers", "Providers with a key", Verdict.NOTED, evidence=told)
