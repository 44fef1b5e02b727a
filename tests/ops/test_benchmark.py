"""What is measured is the real code; that a measurement says something, not what it says, is tested here."""

import pytest
from django.core.management import CommandError, call_command

from providers import overhead
from providers.adapters import ADAPTERS, vertex
from providers.models import ProviderCall
from vidgenie.management.benchmarks import encryption


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "ROUNDS", 1)
    monkeypatch.setattr(overhead, "CALLS", 1)
    monkeypatch.setattr(overhead, "WARM_UP", 1)
    monkeypatch.setattr(encryption, "ROUNDS", 1)


def test_every_adapter_is_measured_and_leaves_nothing_behind(db: None) -> None:
    tokens = dict(vertex._TOKENS)
    *lines, method, verdict = overhead.report()
    assert {line.split()[0] for line in lines} == ADAPTERS.keys() - {"sandbox"}
    assert [line.split()[1] for line in lines].count("fetch") == 5
    assert "median of" in method
    assert verdict.startswith("slowest ")
    assert ProviderCall.objects.count() == 0
    assert tokens == vertex._TOKENS


def test_a_bar_that_is_missed_is_called_so(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "BAR", 0.0)
    assert list(overhead.report())[-1].endswith("bar 0 ms: MISSED")


def test_sealing_and_opening_are_measured_with_rings_of_one_and_five() -> None:
    lines = list(encryption.report())
    assert [line.strip().partition("  ")[0] for line in lines[:2]] == ["seal", "open, ring of 1"]
    assert lines[2].startswith("  open, ring of 5 (the last opens) ")
    assert lines[-1].startswith("slowest opening ")


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("benchmark", "--suite", "nonsense")
