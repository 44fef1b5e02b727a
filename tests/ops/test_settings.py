"""The settings are loud on nonsense, and production refuses what is only good enough for a laptop."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
GOOD = {
    "VIDGENIE_ENVIRONMENT": "production",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "video.example.org",
    "DATABASE_URL": "postgresql://vidgenie@localhost/vidgenie",
}


def loading(**environment: str) -> str:
    """What loading the settings says: "" when they are taken, else the last line of the complaint."""
    base = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", "import vidgenie.settings"],
        cwd=PROJECT,
        env=base | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def test_good_production_settings_are_taken() -> None:
    assert loading(**GOOD) == ""


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set: production does not run on the embedded database."),
        ({"DATABASE_URL": "sqlite:///db.sqlite3"}, "DATABASE_URL must point to PostgreSQL"),
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is too short for production"),
        ({"DEBUG": "true"}, "DEBUG is on in production"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is empty"),
        ({"VIDGENIE_ENVIRONMENT": "prod"}, "VIDGENIE_ENVIRONMENT is 'prod'; it must be one of"),
        ({"SIGNUP_CREDITS": "-1"}, "SIGNUP_CREDITS is negative"),
        ({"WORKFLOWS_PER_DAY_PER_USER": "-1"}, "WORKFLOWS_PER_DAY_PER_USER is negative"),
        ({"VIDGENIE_CRASH": "claimed"}, "VIDGENIE_CRASH and VIDGENIE_CRASH_ALLOWED are for tests"),
        ({"VIDGENIE_CRASH_ALLOWED": "true"}, "VIDGENIE_CRASH and VIDGENIE_CRASH_ALLOWED are for tests"),
        ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN is too short"),
        ({"METRICS_ALLOW": "10.0.0.1/8"}, "METRICS_ALLOW: 10.0.0.1/8 has host bits set"),
        ({"SENTRY_DSN_FILE": "/nowhere/dsn"}, "SENTRY_DSN_FILE cannot be read"),
        ({"LOOK_THREADS": "0"}, "LOOK_THREADS is 0; it must be above 0"),
        ({"CLOCK_CONNECTIONS": "3"}, "CLOCK_CONNECTIONS is 3; two are always in use"),
        ({"OPENAI_BASE_URL": "http://api.example.org"}, "OPENAI_BASE_URL must be an https address"),
        ({"SECRET_KEY": "", "SECRET_KEY_FILE": "/nowhere/key"}, "SECRET_KEY_FILE cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_nonsense_is_refused_in_words(wrong: dict[str, str], complaint: str) -> None:
    assert complaint in loading(**GOOD | wrong)


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 60 + "\n")
    assert loading(**GOOD | {"SECRET_KEY": "", "SECRET_KEY_FILE": str(file)}) == ""
