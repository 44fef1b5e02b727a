"""No queue is started whose settings would kill a call that costs, or run a task twice."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management.base import SystemCheckError

from providers.adapters import ADAPTERS
from vidgenie import checks


def ids() -> list[str | None]:
    """What Django's own run of the checks says of the queue."""
    return [found.id for found in run_checks() if (found.id or "").startswith("vidgenie.")]


def test_the_settings_as_they_come_are_sound() -> None:
    assert ids() == []
    checks.require_a_sound_queue()


def test_no_task_is_killed_before_the_slowest_call_of_any_provider_can_end(settings: Any) -> None:
    slowest = max(adapter.longest_submit for adapter in ADAPTERS.values())
    assert slowest == 330
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"timeout": 719}
    assert ids() == ["vidgenie.E001"]


def test_a_provider_that_becomes_slower_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ADAPTERS["runway"]), "longest_submit", 400.0)
    assert ids() == ["vidgenie.E001"]


@pytest.mark.parametrize(("workers", "fetched", "shortest"), [(1, 2, 3030), (2, 2, 2280), (3, 2, 1530), (2, 4, 3030)])
def test_retry_leaves_room_for_all_that_was_fetched_ahead(
    settings: Any, workers: int, fetched: int, shortest: int
) -> None:
    """timeout * (1 + ceil((queue_limit + 1) / workers)) + 30, with a timeout of 750 s."""
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"workers": workers, "queue_limit": fetched, "retry": shortest}
    assert ids() == []
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"retry": shortest - 1}
    assert ids() == ["vidgenie.E002"]


@pytest.mark.parametrize("wrong", [{"max_attempts": 0}, {"max_attempts": 2}, {"ack_failures": False}])
def test_the_queue_tries_nothing_again_by_itself(settings: Any, wrong: dict[str, object]) -> None:
    settings.Q_CLUSTER = settings.Q_CLUSTER | wrong
    assert ids() == ["vidgenie.E003"]


def test_who_starts_without_djangos_checks_is_told_what_to_do(settings: Any) -> None:
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"retry": 60}
    with pytest.raises(SystemCheckError, match=r"may be in hand 2280 s\.\nretry >= timeout"):
        checks.require_a_sound_queue()
