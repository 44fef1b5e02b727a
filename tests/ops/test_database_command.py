"""`manage.py database` starts, stops and shows the embedded server, and works when it is down."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from vidgenie.embedded import Server


@pytest.fixture
def server(project: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server of another project, as if that were ours."""
    server = Server.of(project)
    monkeypatch.setattr(settings, "BASE_DIR", project)
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", str(server.socket))
    return server


def test_it_starts_and_stops_and_says_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("start", "start", "stop", "stop"):
        call_command("database", action)

    assert capsys.readouterr().out.splitlines() == ["Started.", "It runs already.", "Stopped.", "It was not running."]


def test_it_says_how_the_server_is_and_where(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("database", "start")
    call_command("database", "status")
    server.stop()

    said = capsys.readouterr().out
    assert "PostgreSQL 18.4: running" in said
    assert f"data:   {server.data}\n" in said


def test_a_script_can_tell_from_the_exit_code_that_it_is_down(server: Server) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("database", "status")

    assert ended.value.code == 3


def test_there_is_no_shell_into_a_server_that_is_down(server: Server) -> None:
    with pytest.raises(CommandError, match="It is not running"):
        call_command("database", "shell")


@pytest.mark.parametrize("action", ["start", "stop", "status", "shell"])
def test_it_does_not_touch_a_database_that_is_not_ours(server: Server, action: str) -> None:
    settings.DATABASES["default"]["HOST"] = "db.example"

    with pytest.raises(CommandError, match="DATABASE_URL names another database"):
        call_command("database", action)
    assert not server.home.exists() or not server.is_ready()
