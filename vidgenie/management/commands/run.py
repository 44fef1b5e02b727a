"""One command that brings VidGenie up: database, tables, first account, web server and worker."""

import contextlib
import http.client
import os
import secrets
import socket
import sys
import time
from argparse import ArgumentParser
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from providers import crypto, keyring
from providers.checks import require_openable_keys
from vidgenie import second_factor
from vidgenie.embedded import EmbeddedDatabaseError, Server
from vidgenie.processes import KeepsDyingError, Program, Wish, keep_alive, revive, stop_together

READY_WITHIN = 60  # seconds
STOPPED_WITHIN = settings.QUEUE_TIMEOUT + 60  # seconds; longer than the worker gives its own parts
HURRY = 5.0  # seconds for the worker to end its parts, once it is told to hurry


class Command(BaseCommand):
    help = "Runs everything on this machine: database, web server and worker. Ctrl-C stops all of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="default: $HOST or 127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"), help="default: $PORT or 8000")

    def handle(self, *, host: str, port: str, **options: Any) -> None:
        refuse_a_taken_port(host, number(port))
        self.wish = Wish()
        try:
            self.wish.listen()
            with self.database():
                self.prepare()
                self.serve(host, int(port))
        except KeyboardInterrupt:
            self.say("Everything has stopped.")
        except (EmbeddedDatabaseError, KeepsDyingError) as error:
            raise CommandError(str(error)) from error

    def database(self) -> AbstractContextManager[None]:
        """The embedded server for as long as we run, or nothing where DATABASE_URL names another."""
        server = Server.of(settings.BASE_DIR)
        if not server.serves(settings.DATABASES["default"]):
            return contextlib.nullcontext()
        self.say("Starting the database ...")
        return server.running()

    def prepare(self) -> None:
        """What has to be so before the first request: tables, static files, an account."""
        self.say("Bringing the tables up to date ...")
        call_command("migrate", verbosity=0, interactive=False)
        make_encryption_key()
        require_openable_keys()
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        if settings.PRODUCTION:
            call_command("collectstatic", verbosity=0, interactive=False)
        self.password = first_account()
        connections.close_all()

    def serve(self, host: str, port: int) -> None:
        programs = [Program("web server", web_server(host, port)), Program("worker", worker())]
        simulators = [Program("simulator", simulator())] if settings.PROVIDER_MODE == "simulated" else []
        try:
            for program in simulators:  # ready before the worker looks for its jobs there
                self.say("Starting the simulator of the providers ...")
                program.start()
                self.wait_for_an_answer(simulators, "127.0.0.1", settings.SIMULATOR_PORT)
            self.say("Starting the web server and the worker ...")
            for program in programs:
                program.start()
            self.wait_for_an_answer(programs, host, port)
            self.say(self.welcome(host, port))
            keep_alive([*simulators, *programs], self.say)
        finally:
            self.say("\nStopping ...")
            self.stop(programs)
            stop_together(simulators)

    def stop(self, programs: list[Program]) -> None:
        """The worker decides how long it may take: it may have a call in hand that costs. Told twice, it hurries."""
        self.wish.since = self.wish.since or time.monotonic()
        stop_together(programs, STOPPED_WITHIN, urgent=lambda: self.wish.urgent, last=HURRY)

    def wait_for_an_answer(self, programs: list[Program], host: str, port: int) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not answers(host, port):
            if time.monotonic() > deadline:
                raise CommandError(f"The {programs[0].name} does not answer after {READY_WITHIN} seconds.")
            for program in programs:
                if program.exit_code() is not None:
                    revive(program, self.say)
            time.sleep(0.1)

    def welcome(self, host: str, port: int) -> str:
        lines = ["", f"  VidGenie is at  http://{in_url(reachable(host))}:{port}/", ""]
        if self.password:
            lines += ["  Sign in as      admin", f"  Password        {self.password}   (shown this once)"]
        lines += ["  Provider        sandbox: local and free, no key needed"]
        if settings.PROVIDER_MODE == "simulated":
            lines += [f"  Others          simulated at http://127.0.0.1:{settings.SIMULATOR_PORT}/, nothing is billed"]
        lines += ["  To stop         Ctrl-C", ""]
        return "\n".join(lines)

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def number(port: str) -> int:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CommandError(f"PORT is {port!r}; it must be a number from 1 to 65535.")
    return int(port)


def refuse_a_taken_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host} port {port}: {error.strerror}. Try: make run PORT=8001"
            ) from error


def first_account() -> str:
    """Make the superuser `admin` where there is no account; returns the password, or "" if there is one."""
    people = get_user_model().objects
    if settings.PRODUCTION or people.exists():
        return ""
    password = secrets.token_urlsafe(12)
    people.create_superuser("admin", "admin@localhost", password)
    return password


def make_encryption_key() -> None:
    """In development, leave a first encryption key under var/; never where something is sealed already."""
    if settings.ENVIRONMENT != "development" or settings.ENCRYPTION_KEYS:
        return
    if any(keyring.sealed_rows()) or any(seed.key_id for seed in second_factor.seeds()):
        return
    path = settings.ENCRYPTION_KEYS_FILE
    path.parent.mkdir(exist_ok=True)
    with (
        contextlib.suppress(FileExistsError),
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
    ):
        file.write(crypto.new_key() + "\n")


def web_server(host: str, port: int) -> list[str]:
    settings_file = ["-c", str(settings.BASE_DIR / "vidgenie" / "web_server.py")]
    place = ["--chdir", str(settings.BASE_DIR), "--bind", f"{in_url(host)}:{port}"]
    return [sys.executable, "-m", "gunicorn", "vidgenie.wsgi", *settings_file, *place]


def worker() -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"]


def simulator() -> list[str]:
    """It listens where settings.PROVIDER_URLS point in this mode."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulate_providers"]


def answers(host: str, port: int) -> bool:
    """Whether the web server answers anything at all; gunicorn listens before the application is loaded."""
    connection = http.client.HTTPConnection(reachable(host), port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except OSError:
        return False
    finally:
        connection.close()


def reachable(host: str) -> str:
    """The address by which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
