"""Whether a series grows: a leak is found, a clean one is not blamed, and nobody is called anything by chance."""

import random
import time

import pytest

from vidgenie.management.load import leaks, one_worker
from vidgenie.management.load.rows import leak
from vidgenie.management.load.slope import Growth, Slope, slope, theil_sen

REQUESTS = leaks.REQUESTS


def memory(per_request: float, noise: float, seed: int, blocks: int = leaks.BLOCKS) -> list[float]:
    """Bytes after each block, with so much noise."""
    chance = random.Random(seed)
    return [90e6 + per_request * REQUESTS * n + chance.gauss(0, noise) for n in range(blocks)]


def test_a_slope_is_the_median_of_all_pairs_which_one_stray_does_not_bend():
    assert theil_sen([1, 3, 5, 7]) == 2
    assert theil_sen([1, 3, 500, 7, 9]) == 2
    assert slope([5, 5, 5, 5]) == Slope(0, 0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_half_a_kilobyte_a_request_is_a_leak(seed):
    assert slope(memory(512, 0.5e6, seed)).per(REQUESTS).growth == Growth.LEAK


@pytest.mark.parametrize("seed", range(8))
def test_noise_alone_is_none(seed):
    found = slope(memory(0, 0.3e6, seed)).per(REQUESTS)
    assert found.growth == Growth.CLEAN
    assert found.low <= found.value <= found.high


def test_a_step_in_the_middle_and_a_stray_are_no_leak():
    stepped = [value + (0.5e6 if n > 4 else 0) + (8e6 if n == 9 else 0) for n, value in enumerate(memory(0, 1e5, 1))]
    assert slope(stepped).per(REQUESTS).growth == Growth.CLEAN


def test_what_lies_between_is_called_neither():
    assert Slope(150, 90, 210).growth == Growth.UNSURE
    assert [Slope(150, 101, 210).growth, Slope(50, 0, 199).growth] == [Growth.LEAK, Growth.CLEAN]
    assert slope(memory(150, 3e6, 2)).per(REQUESTS).growth == Growth.UNSURE


def test_the_same_values_give_the_same_answer_soon():
    values, begin = memory(40, 0.4e6, 3), time.process_time()
    assert slope(values) == slope(values)
    assert time.process_time() - begin < 10
    with pytest.raises(ValueError, match="three"):
        slope([1, 2])


def look(per_request, *, files=40, blocks=leaks.BLOCKS):
    values = [int(value) for value in memory(per_request, 1e5, 4, blocks)]
    return leaks.Look(values, [40] * (blocks - 8) + [files] * 8, [4] * blocks, [])


@pytest.mark.parametrize(
    ("site", "control", "verdicts"),
    [
        (look(0), look(1024), ["pass", "pass", "pass"]),
        (look(512), look(1024), ["pass", "fail", "pass"]),
        (look(0), look(0), ["fail", "unknown", "pass"]),
        (look(0, files=60), look(1024), ["pass", "pass", "fail"]),
    ],
)
def test_a_clean_record_counts_only_beside_a_control_that_was_caught(monkeypatch, site, control, verdicts):
    monkeypatch.setattr(leaks.Look, "is_sound", True)
    assert [row.verdict for row in leak(site, control)] == verdicts


def test_the_control_keeps_what_it_says_of_each_request():
    asked = []
    application = one_worker.leaking(lambda environ, start: asked.append(environ) or [b"x"], 1024)
    assert [application("e", None) for _ in range(3)] == [[b"x"]] * 3
    kept = application.__closure__[1].cell_contents
    assert ([len(one) for one in kept], asked) == ([1024] * 3, ["e"] * 3)


def test_a_process_tells_its_memory_and_files_line_by_line(tmp_path):
    one_worker.tell(tmp_path / "told")
    one_worker.tell(tmp_path / "told")
    first, second = leaks._told(tmp_path / "told")
    assert first["pid"] == second["pid"]
    assert first["bytes"] > 1_000_000
    assert first["files"] > 2
