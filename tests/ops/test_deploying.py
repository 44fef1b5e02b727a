"""What `deploy/` and docs/deploying.md say is so: paths, commands, variables, times. No container is started."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from tests.ops.test_env_example import PROJECT, variables_listed, variables_read

DEPLOY = PROJECT / "deploy"
GUIDE = (PROJECT / "docs" / "deploying.md").read_text()
UNITS = sorted((DEPLOY / "systemd").iterdir())
PLACE = "/srv/vidgenie"
STOPPING = settings.QUEUE_TIMEOUT + 60  # seconds: what is in hand, and some more
OTHERS = {"AWS_REQUEST_CHECKSUM_CALCULATION", "GUNICORN_CMD_ARGS", "DATABASE_PASSWORD"}


def known() -> set[str]:
    """Every variable that the settings read, also as a file."""
    read = variables_read((PROJECT / "vidgenie" / "settings.py").read_text())
    return read | {f"{name}_FILE" for name in read}


def option(unit: Path, name: str) -> str:
    return next(line.split("=", 1)[1] for line in unit.read_text().splitlines() if line.startswith(f"{name}="))


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def commands(text: str) -> set[str]:
    return set(re.findall(r"manage\.py[\"', ]+([a-z_]+)", text))


def everything() -> str:
    return "\n".join([GUIDE, *(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    for one in UNITS:  # a timer is looked at together with what it starts
        text = one.read_text().replace(f"{PLACE}/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / one.name).write_text(text)
    done = subprocess.run([program, "verify", str(tmp_path / unit.name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_worker_has_the_time_to_wait_for_what_is_paid_for() -> None:
    unit = DEPLOY / "systemd" / "vidgenie-worker.service"
    assert (option(unit, "KillMode"), int(option(unit, "TimeoutStopSec"))) == ("mixed", STOPPING)
    assert compose()["services"]["worker"]["stop_grace_period"] == f"{STOPPING}s"
    assert f"TimeoutStopSec={STOPPING}" in GUIDE
    assert f"terminationGracePeriodSeconds: {STOPPING}" in GUIDE


def test_every_command_that_is_named_exists() -> None:
    found = commands(everything())
    assert {"worker", "migrate", "collectstatic", "deploy_migration", "createsuperuser"} <= found
    assert found - set(get_commands()) == set()


def test_every_variable_that_is_named_is_read() -> None:
    named = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|(?<=`)[A-Z]{5,}(?=`)", GUIDE)) - {"CREATEDB"}
    assert named - known() - OTHERS == set()
    assert named >= set(variables_listed((DEPLOY / "site.env.example").read_text())) - {"VIDGENIE_ENVIRONMENT"}
    assert set(variables_listed((DEPLOY / "site.env.example").read_text())) <= known()
    assert set(compose()["x-vidgenie"]["environment"]) <= known()


def test_every_setting_of_a_bucket_is_explained() -> None:
    assert {name for name in known() if name.startswith("S3_") and not name.endswith("_FILE")} <= set(
        re.findall(r"`(S3_[A-Z_]+)`", GUIDE)
    )


def test_every_file_that_is_named_is_there() -> None:
    linked = re.findall(r"\]\(([\w./-]+)\)", GUIDE)
    assert [name for name in linked if not (PROJECT / "docs" / name).exists()] == []
    named = re.findall(r"`(deploy/[\w./-]+|vidgenie/[\w./]+|[\w./]+\.lock)`", GUIDE)
    assert "deploy/compose.yaml" in named
    assert [name for name in named if not (PROJECT / name).exists()] == []


def test_what_starts_the_web_is_there() -> None:
    for text in (option(DEPLOY / "systemd" / "vidgenie-web.service", "ExecStart"), containerfile("CMD")):
        assert (PROJECT / "vidgenie" / "web_server.py").exists()
        assert {"vidgenie/web_server.py", "vidgenie.wsgi"} <= set(re.findall(r"[\w./]+", text))
    assert importlib.util.find_spec("vidgenie.wsgi")


def containerfile(step: str) -> str:
    """All lines of this instruction."""
    lines = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    return "\n".join(line for line in lines if line.startswith(f"{step} "))


def test_the_image_is_made_of_what_is_here() -> None:
    assert re.match(r"FROM python:3\.(1[1-9])-slim$", containerfile("FROM"))
    assert (PROJECT / "requirements.lock").exists()
    assert {"--require-hashes", "--only-binary", "ca-certificates"} <= set(containerfile("RUN").split())
    assert containerfile("USER") == "USER 10001"
    kept_out = (PROJECT / ".dockerignore").read_text().split()
    assert {".git", ".env", ".venv", "var"} <= set(kept_out)


def test_the_images_static_files_can_be_collected_without_a_site() -> None:
    step = re.search(r"SECRET_KEY=.*?collectstatic --no-input", containerfile("RUN"))
    assert step
    given = dict(re.findall(r"(ALLOWED_HOSTS|DATABASE_URL)=(\S+)", step[0]))
    environment = {**given, "SECRET_KEY": "k" * 60, "VIDGENIE_ENVIRONMENT": "production"}
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--dry-run", "-v0"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_containers_fit_together() -> None:
    found = compose()
    for service in found["services"].values():
        assert set(service.get("depends_on", {})) <= set(found["services"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in found["volumes"] or (DEPLOY / source).exists()
    build = found["services"]["migrate"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Containerfile"
    assert "var/media" in containerfile("RUN")


def test_the_proxies_say_who_asks_and_let_uploads_through() -> None:
    nginx, caddy = (DEPLOY / "nginx.conf").read_text(), (DEPLOY / "Caddyfile").read_text()
    assert "X-Forwarded-Proto $scheme;" in nginx
    assert "X-Forwarded-For $remote_addr;" in nginx
    largest = [
        int(re.search(pattern, text)[1]) for pattern, text in ((r"size (\d+)m;", nginx), (r"size (\d+)MB", caddy))
    ]  # type: ignore[index]
    assert min(largest) * 1_000_000 > settings.UPLOAD_MAX_BYTES
