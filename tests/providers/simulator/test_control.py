"""Steering the simulator, its books, and the command that runs it."""

import asyncio
import copy
import io
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import av
import pytest
import requests
from django.core.management import CommandError, call_command

from providers.simulator.books import Books, Entry
from providers.simulator.clock import Clock, Renders
from providers.simulator.jobs import Job, Jobs
from providers.simulator.media import Media, read_picture
from tests.providers.simulator.talk import PATHS, VIDEO, body, submit
from tests.simulator import KEYS, PROJECT, Simulator


def test_books_tell_accepted_and_billed_apart(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 1})
    submit(simulator, "runway", "a fox #tag:one")
    books = simulator.books()
    assert books["providers"] == {"runway": {"accepted": 1, "billed": 0, "cents": 0}}
    assert (books["entries"][0]["tag"], books["entries"][0]["model"]) == ("one", "gen4.5")
    simulator.advance(61)
    assert simulator.books()["providers"] == {"runway": {"accepted": 1, "billed": 1, "cents": 60}}


def test_books_name_no_key_and_no_prompt(simulator: Simulator) -> None:
    submit(simulator, "runway", "a secret fox")
    text = requests.get(f"{simulator.base}/_control/books", timeout=30).text
    assert KEYS["runway"] not in text
    assert "secret" not in text


def test_the_same_prompt_by_another_key_is_no_double() -> None:
    books = Books()
    for key in ("a", "b", "a"):
        books.write(Entry("fal", "fal.submit", "m", key, "p", "", "", 0.0, ""), lambda: 1.0)
    assert [double["times"] for double in books.report()["doubles"]] == [2]


def test_a_revoked_key_is_refused(simulator: Simulator) -> None:
    simulator.control("keys", {KEYS["fal"]: "revoked", KEYS["google"]: "exhausted"})
    assert submit(simulator, "fal").status_code == 401
    assert submit(simulator, "google").status_code == 402
    simulator.reset()
    assert submit(simulator, "fal").status_code == 200


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("faults", {"rates": {"nonsense": 1}}),
        ("faults", {"script": [{"fault": "nonsense"}]}),
        ("faults", {"script": [{"falt": "slow"}]}),
        ("keys", {"sk-1": "stolen"}),
        ("clock", {"speed": "fast"}),
        ("clock", {"speed": -1}),
        ("renders", {"median": 0}),
        ("renders", {"median": 60, "sigma": -1}),
        ("clock", [1]),
    ],
)
def test_nonsense_is_refused(simulator: Simulator, name: str, given: Any) -> None:
    answer = requests.put(f"{simulator.base}/_control/{name}", json=given, timeout=30)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_jobs_take_as_long_as_renders_are_said_to(simulator: Simulator) -> None:
    simulator.control("clock", {"speed": 2})
    simulator.control("renders", {"median": 600})
    job = submit(simulator, "runway", "a fox").json()["id"]
    [[provider, name, accepted, end, polls]] = simulator.control("jobs")
    assert (provider, name, round(end - accepted, 3), polls) == ("runway", job, 300, 0)
    simulator.ask("runway", "GET", f"/runway/v1/tasks/{job}")
    assert simulator.control("jobs")[0][4] == 1


def test_renders_spread_around_their_median() -> None:
    chance = random.Random(7)
    drawn = sorted(Renders.parse("600:0.1").draw(chance) for _ in range(1001))
    assert abs(drawn[500] - 600) < 10
    assert 400 < drawn[0] < 500
    assert 700 < drawn[-1] < 900


def test_tiny_media_keep_their_shape_and_length() -> None:
    media = Media(tiny=36)
    picture, clip = asyncio.run(media.picture((1280, 720))), asyncio.run(media.film((720, 1280), 2))
    assert read_picture(picture) == (64, 36)
    with av.open(io.BytesIO(clip)) as opened:
        assert (opened.streams.video[0].width, opened.streams.video[0].height) == (36, 64)
        assert opened.duration == 2_000_000


def test_jobs_of_one_key_do_not_wait_for_anothers() -> None:
    jobs = Jobs(Clock(), {"fal": 1})
    first, second, third = (
        jobs.add(Job("fal", "m", key, (16, 16), 5, accepted=0, latency=60)) for key in ("a", "b", "a")
    )
    assert (second.start - first.start) < 1
    assert third.start == first.end
    assert jobs.in_flight() == 3


@pytest.mark.parametrize("provider", ["openai", *VIDEO])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000])
def test_bodies_that_are_no_object_are_refused(simulator: Simulator, provider: str, content: bytes) -> None:
    answer = simulator.ask(provider, "POST", PATHS[provider], data=content)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/json"
    assert simulator.books()["providers"] == {}


@pytest.mark.parametrize("provider", ["openai", *VIDEO])
def test_every_field_of_a_wrong_type_is_refused(simulator: Simulator, provider: str) -> None:
    for name in body(provider):
        for wrong in (7.5, [], {"a": 1}):
            answer = submit(simulator, provider, **{name: wrong})
            if provider == "fal":
                answer = simulator.ask("fal", "GET", answer.json()["response_url"])
            assert 400 <= answer.status_code < 500, (name, wrong)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield (*path, name)
        yield from places(one, (*path, name))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    found = place = copy.deepcopy(document)
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return found


@pytest.mark.parametrize("provider", ["openai", *VIDEO])
def test_nonsense_anywhere_is_answered_with_sense(simulator: Simulator, provider: str) -> None:
    good = body(provider)
    for path in places(good):
        for wrong in (None, -1, "\ud800", "http://[::1", [[]], {"type": "text"}):
            answer = simulator.ask(provider, "POST", PATHS[provider], changed(good, path, wrong))
            assert answer.status_code < 500, (path, wrong)


@pytest.mark.parametrize("interruption", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_is_and_ends_cleanly(interruption: signal.Signals) -> None:
    command = [sys.executable, str(PROJECT / "manage.py"), "simulate_providers", "--port", "0", "--faults", "slow=0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(interruption)
        said, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert said.endswith("The simulator has stopped.\n")


def test_the_command_refuses_a_port_in_use(simulator: Simulator) -> None:
    port = simulator.base.rpartition(":")[2]
    with pytest.raises(CommandError, match="Cannot listen"):
        call_command("simulate_providers", port=int(port), stdout=io.StringIO())


@pytest.mark.parametrize(
    "wrong",
    [
        ["--faults", "nonsense=1"],
        ["--faults", "slow=2"],
        ["--concurrency", "fal"],
        ["--speed", "-1"],
        ["--renders", "1m"],
    ],
)
def test_the_command_refuses_nonsense(wrong: list[str]) -> None:
    with pytest.raises(CommandError, match="argument"):
        call_command("simulate_providers", *wrong)


def test_the_command_measures_what_it_carries() -> None:
    command = [sys.executable, str(PROJECT / "manage.py"), "simulate_providers", "--measure", "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    found = re.fullmatch(r"2000 jobs accepted at (\d+) a second; .* (\d+) looks a second .*\n", done.stdout)
    assert found
    assert min(map(int, found.groups())) > 0


def test_a_look_at_a_long_line_is_quick() -> None:
    jobs = Jobs(Clock(), {"fal": 2})
    line = [jobs.add(Job("fal", "m", "key", (16, 16), 5, accepted=0, latency=60)) for _ in range(2_000)]
    assert [jobs.position(line[n]) for n in (0, 1, 2, 3, 1_999)] == [0, 0, 0, 1, 1_997]
    assert jobs.in_flight() == 2_000
    jobs.cancel(line[2])
    assert jobs.position(line[1_999]) == 1_996
