"""Whether a series grows: a leak is found, a clean one is not blamed, and nobody is called anything by chance."""

import random
import time

import pytest

from tests.performance.test_generator import outcome, sent
from vidgenie.management.load import leaks, one_worker
from vidgenie.management.load.rows import leak
from vidgenie.management.load.slope import Growth, Slope, slope, theil_sen

AT = [leaks.REQUESTS * number for number in range(leaks.BLOCKS)]


def memory(per_request, noise, seed, at=AT):
    """Bytes after each block, with so much noise."""
    chance = random.Random(seed)
    return [90e6 + per_request * answered + chance.gauss(0, noise) for answered in at]


def test_a_slope_is_the_median_of_all_pairs_which_one_stray_does_not_bend():
    assert theil_sen([1, 3, 5, 7], range(4)) == 2
    assert theil_sen([1, 3, 500, 7, 9], range(5)) == 2
    assert slope([5, 5, 5, 5], range(4)) == Slope(0, 0, 0)


def test_a_slope_is_over_where_the_values_were_taken():
    assert theil_sen([0, 1, 3, 7], [0, 10, 30, 70]) == pytest.approx(0.1)
    assert slope([0, 1, 3, 7], [0, 10, 30, 70]).high == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(8))
def test_half_a_kilobyte_a_request_is_a_leak(seed):
    assert slope(memory(512, 0.2e6, seed), AT).growth == Growth.LEAK


@pytest.mark.parametrize("seed", range(8))
def test_noise_alone_is_none(seed):
    found = slope(memory(0, 0.1e6, seed), AT)
    assert found.growth == Growth.CLEAN
    assert found.low <= found.value <= found.high


def test_a_step_in_the_middle_and_a_stray_are_no_leak():
    stepped = [value + (0.1e6 if n > 4 else 0) + (8e6 if n == 9 else 0) for n, value in enumerate(memory(0, 2e4, 1))]
    assert slope(stepped, AT).growth == Growth.CLEAN


def test_what_lies_between_is_called_neither():
    assert Slope(75, 45, 105).growth == Growth.UNSURE
    assert [Slope(75, 51, 105).growth, Slope(25, 0, 99).growth] == [Growth.LEAK, Growth.CLEAN]
    assert slope(memory(75, 1e6, 2), AT).growth == Growth.UNSURE


def test_the_same_values_give_the_same_answer_soon():
    values, begin = memory(40, 0.4e6, 3), time.process_time()
    assert slope(values, AT) == slope(values, AT)
    assert time.process_time() - begin < 10
    with pytest.raises(ValueError, match="three"):
        slope([1, 2], [1, 2])


def look(per_request, *, files=40, answered=1.0, warm=3, statuses=(200,)):
    """Of a server that answers such a share of what it is asked, and fills its caches at first."""
    at = [int(leaks.REQUESTS * answered * (number + 1)) for number in range(warm + leaks.BLOCKS)]
    values = [int(value) for value in memory(per_request, 0.5e5, 4, at)]
    values[:warm] = [20_000_000] * warm
    some = [sent(status=status, retry_after=status == 503) for status in statuses]
    counts = [40] * (len(at) - 8) + [files] * 8
    return leaks.Look(warm, values, counts, [4] * len(at), at, [outcome(*some)])


@pytest.mark.parametrize(
    ("site", "control", "verdicts"),
    [
        (look(0), look(1024), ["pass", "pass", "pass"]),
        (look(512), look(1024), ["pass", "fail", "pass"]),
        (look(0), look(0), ["fail", "unknown", "pass"]),
        (look(0, files=60), look(1024), ["pass", "pass", "fail"]),
    ],
)
def test_a_clean_record_counts_only_beside_a_control_that_was_caught(site, control, verdicts):
    assert [row.verdict for row in leak(site, control)] == verdicts


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((200, 200, 200, 503, 503), "pass"),
        ((200, 200, 503, 503, 503), "unknown"),
        ((200, 200, 200, 403), "unknown"),
        ((200, 200, 200, 500), "unknown"),
    ],
)
def test_refusals_do_not_count_but_it_takes_answers_that_are_right(statuses, verdict):
    site = look(0, statuses=statuses, answered=0.6)
    rows = {row.id: row for row in leak(site, look(1024))}
    assert (rows["leak"].verdict, rows["leak-files"].verdict) == (verdict, verdict)


def test_growth_is_for_each_request_that_was_answered():
    assert look(1000, answered=0.6).slope.value == pytest.approx(1000, rel=0.05)


def test_the_report_tells_of_growth_and_of_what_was_answered():
    rows = {row.id: row for row in leak(look(0, files=60), look(1024))}
    assert (rows["leak-files"].measured, rows["leak-files"].evidence) == (20, "60 files, +20; 4 connections, +0")
    told = look(0, statuses=(200, 503)).document()
    assert (told["warm_blocks"], told["answers"], len(told["bytes"])) == (3, {"200": 1, "503": 1}, 3 + leaks.BLOCKS)


def test_the_control_keeps_what_it_says_of_each_request():
    asked = []
    application = one_worker.leaking(lambda environ, start: asked.append(environ) or [b"x"], 1024)
    assert [application("e", None) for _ in range(3)] == [[b"x"]] * 3
    kept = application.__closure__[1].cell_contents
    assert ([len(one) for one in kept], asked) == ([1024] * 3, ["e"] * 3)


def test_a_process_tells_its_memory_and_files_line_by_line(tmp_path):
    one_worker.tell(tmp_path / "told")
    kept = bytearray(b"x" * 8_000_000)
    one_worker.tell(tmp_path / "told")
    first, second = leaks._told(tmp_path / "told")
    assert first["pid"] == second["pid"]
    assert second["bytes"] - first["bytes"] == pytest.approx(len(kept), rel=0.2)
    assert first["files"] > 2
