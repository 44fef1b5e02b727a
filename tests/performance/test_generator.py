"""The generator: it sends when it is time to, whatever comes back, and counts from when it should have."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest

from vidgenie.management.load import phases, rows
from vidgenie.management.load.generator import BROKEN, NEVER, Plan, Sent
from vidgenie.management.load.mix import EXECUTE, ROUTES, Person
from vidgenie.management.load.phases import Phase
from vidgenie.management.load.sending import Outcome, failed, refused, send, sending, wrong

SIGN_IN = "GET /accounts/login/"


def person(**more):
    return Person(**{"name": "alice", "password": "x", "address": "127.1.0.1", "session": "s", "token": "t"} | more)


ALICE = person(runs=["6a8f6d24-0000-4000-8000-000000000001"], assets=["6a8f6d24-0000-4000-8000-000000000002"])


class Answers(BaseHTTPRequestHandler):
    """Answers everything with what the test says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.gate.wait()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = self.server.answer
        self.server.asked.append((self.client_address[0], dict(self.headers)))
        self.wfile.write(f"HTTP/1.1 {status} x\r\n".encode())
        for name, value in headers.items():
            self.wfile.write(f"{name}: {value}\r\n".encode())
        self.wfile.write(b"\r\n" + body)
        self.close_connection = True

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 500
    daemon_threads = True


@contextmanager
def serving(status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"ok") -> Iterator[Server]:
    """A server of this process; `gate` closed, it stands still."""
    server = Server(("127.0.0.1", 0), Answers)
    server.answer = (status, {"Content-Length": str(len(body))} if headers is None else headers, body)
    server.asked, server.gate = [], threading.Event()
    server.gate.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def plan(server: Server, stages: list[tuple[float, float]], **more) -> Plan:
    return Plan(server.server_address[1], stages, [ALICE], **{"routes": [SIGN_IN]} | more)


def outcome(*sent: Sent, stages=((50.0, 1.0),), dropped=0, cpu=0.0) -> Outcome:
    return Outcome(Plan(1, list(stages), [ALICE]), list(sent), dropped, cpu, 1.0, {}, [])


def sent(latency=0.01, *, at=0.0, status=200, retry_after=False, late=0.0) -> Sent:
    return Sent(0, at, at + late, latency, status, retry_after, right=status == 200)


# --- When it sends -----------------------------------------------------------------------------------------


def test_times_are_drawn_beforehand_by_the_rate_and_the_same_each_time():
    asked = Plan(1, [(50, 100), (500, 10)], [ALICE], seed=3)
    assert asked.times == Plan(1, [(50, 100), (500, 10)], [ALICE], seed=3).times
    assert asked.times == sorted(asked.times)
    assert asked.times[-1] < 110
    usual, tenfold = (sum(a <= at < b for at in asked.times) for a, b in ((0, 100), (100, 110)))
    assert 4700 < usual < 5300
    assert 4700 < tenfold < 5300


def test_what_is_planned_survives_the_way_to_the_generator():
    asked = Plan(1, [(50.0, 2.0)], [ALICE], seed=3, routes=[SIGN_IN])
    assert Plan.read(asked.as_json()) == asked


def test_each_request_is_sent_once_from_the_address_of_its_person():
    with serving() as server:
        found = send(plan(server, [(40, 1)]))
    assert Counter(one.status for one in found.sent) == {200: len(found.plan.times)}
    assert [(one.right, one.retry_after) for one in found.sent] == [(True, False)] * len(found.sent)
    assert {address for address, _ in server.asked} == {"127.1.0.1"}
    assert len(server.asked) == len(found.sent)


def test_it_goes_on_sending_while_the_server_stands_still_and_its_own_percentiles_show_it():
    with serving() as server, sending(plan(server, [(50, 4)])) as at_work:
        time.sleep(max(0, at_work.start + 1 - time.monotonic()))
        server.gate.clear()
        time.sleep(2)
        server.gate.set()
        found = at_work.outcome()
    during = found.between(1.2, 2.8)
    assert len(during) > 50
    assert min(one.latency for one in during) > 0.1
    row = rows.proof(Phase("proof", found, None, 0, 4))
    assert (row.verdict, row.measured > 1) == ("pass", True)


def test_a_proof_that_shows_nothing_fails_as_with_a_generator_that_waits_for_answers():
    steady = [sent(0.02, at=n / 50) for n in range(200)]
    one_waited = [*steady, sent(2.0, at=4.1)]
    assert rows.proof(Phase("proof", outcome(*steady), None, 0, 5)).verdict == "fail"
    assert rows.proof(Phase("proof", outcome(*one_waited), None, 0, 5)).verdict == "fail"


def test_latency_counts_from_when_it_was_to_be_sent():
    with serving() as server:
        found = send(plan(server, [(2000, 0.2)]))  # more than it can send in time
    late = max(found.sent, key=lambda one: one.sent - one.at)
    assert late.latency >= late.sent - late.at


# --- What it makes of answers ------------------------------------------------------------------------------


def test_no_answer_in_time_counts_with_the_time_that_was_waited():
    with serving() as server:
        server.gate.clear()
        found = send(plan(server, [(20, 0.5)], patience=1.0))
    assert {one.status for one in found.sent} == {NEVER}
    assert min(one.latency for one in found.sent) >= 0.99
    assert failed(found.sent) == found.sent


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Length": "10"}, b"short", BROKEN),
        ({}, b"to the end", 200),
        ({"Content-Length": "0"}, b"", 200),
        ({"Content-Length": "4"}, b"more", 200),
    ],
)
def test_an_answer_counts_when_it_is_whole(headers, body, status):
    with serving(200, headers, body) as server:
        found = send(plan(server, [(20, 0.3)]))
    assert {one.status for one in found.sent} == {status}


def test_nobody_there_is_a_failure_and_no_end_of_the_generator():
    with serving() as server:
        port = server.server_address[1]
    found = send(Plan(port, [(20, 0.3)], [ALICE], routes=[SIGN_IN]))
    assert {one.status for one in found.sent} == {BROKEN}


def test_what_would_be_over_the_most_is_dropped_counted_and_the_run_is_void():
    with serving() as server:
        server.gate.clear()
        found = send(plan(server, [(50, 1)], most=5, patience=2.0))
    assert (len(found.sent), found.dropped) == (5, len(found.plan.times) - 5)
    assert not found.is_sound


def test_a_started_run_is_remembered_by_its_key_and_looked_at_later():
    with serving(202, {"Location": "/api/workflow/status/abc", "Content-Length": "0"}, b"") as server:
        found = send(plan(server, [(20, 0.3)], routes=[EXECUTE]))
    assert set(found.accepted.values()) == {"/api/workflow/status/abc"}
    assert len(found.accepted) == len(found.sent) == len({h["Idempotency-Key"] for _, h in server.asked})
    assert found.uncertain == []


def test_a_start_without_an_answer_may_have_been_one():
    with serving(202, {"Content-Length": "10"}, b"") as server:
        found = send(plan(server, [(20, 0.3)], routes=[EXECUTE]))
    assert (found.accepted, len(found.uncertain)) == ({}, len(found.sent))


def test_refused_failed_and_wrong_are_three_things():
    some = [sent(status=503, retry_after=True), sent(status=503), sent(status=403), sent(status=NEVER), sent()]
    assert [some.index(one) for one in refused(some)] == [0]
    assert [some.index(one) for one in failed(some)] == [1, 3]
    assert [some.index(one) for one in wrong(some)] == [2]


@pytest.mark.parametrize(
    ("found", "sound"),
    [
        (outcome(sent(), stages=((1.0, 0.0001),)), False),  # one more than was planned
        (outcome(stages=((0.0001, 1.0),)), True),
        (outcome(stages=((0.0001, 1.0),), cpu=0.31), False),
        (outcome(stages=((0.0001, 1.0),), dropped=1), False),
    ],
)
def test_a_generator_that_did_not_keep_up_measured_itself(found, sound):
    assert found.is_sound is sound


# --- The mix -----------------------------------------------------------------------------------------------


def test_four_requests_in_five_read():
    assert sum(route.weight for route in ROUTES) == 100
    assert sum(route.weight for route in ROUTES if route.writes) == pytest.approx(20, abs=1)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_request_goes_where_its_route_says(route):
    asked = route.build(ALICE, Random(1), "load-1-1")
    method, _, path = route.name.partition(" ")
    assert (asked.method, len(asked.path.split("/"))) == (method, len(path.split("/")))
    head, _, body = asked.wire("127.0.0.1:80").partition(b"\r\n\r\n")
    assert head.startswith(f"{method} {asked.path} HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: close\r\n".encode())
    assert body == asked.body
    assert asked.starts == bool(asked.key)


def test_a_person_looks_at_what_they_started_and_says_what_they_have_seen():
    alice = person(runs=["old"], assets=[])
    status = next(route for route in ROUTES if route.name == "GET /api/workflow/status/{id}")
    start = next(route for route in ROUTES if route.name == EXECUTE).build(alice, Random(1), "k")
    alice.learn(start, "/api/workflow/status/new", "")
    paths = {status.build(alice, Random(n), "k").path for n in range(20)}
    assert paths == {"/api/workflow/status/new", "/api/workflow/status/old"}
    alice.learn(status.build(alice, Random(1), "k"), "", '"tag"')
    known = [dict(status.build(alice, Random(n), "k").headers).get("If-None-Match") for n in range(20)]
    assert Counter(known).keys() == {'"tag"', None}


# --- Figures -----------------------------------------------------------------------------------------------


def test_percentiles_are_exact_and_of_what_was_sent():
    told = phases.summary([sent(n / 1000) for n in range(1, 1001)])
    assert {name: told[name] for name in ("p50", "p95", "p99", "p999", "max")} == {
        "p50": 500, "p95": 950, "p99": 990, "p999": 999, "max": 1000,
    }  # fmt: skip
    assert sum(told["histogram"].values()) == 1000


def test_a_bucket_holds_what_is_at_most_its_upper_end():
    assert phases.histogram([sent(0.001), sent(0.0010001), sent(0.008), sent(0)]) == {
        "0.25": 1, "1": 1, "1.19": 1, "8": 1,
    }  # fmt: skip
    assert json.dumps(phases.summary([]), allow_nan=True)


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ([], 0),
        ([sent(at=12.5, status=503, retry_after=True)], 3),
        ([sent(9.0, at=11.5 + n / 100) for n in range(40)], 2),
        ([sent(at=at, status=500) for at in range(10, 31)], float("inf")),
    ],
)
def test_recovered_is_when_for_a_while_nothing_is_refused_fails_or_is_slow(after, seconds):
    usual = [sent(at=10 + n / 20) for n in range(400)]
    assert phases.recovered_after([*usual, *after], 10, bearable=0.12) == seconds


def test_what_the_generator_cannot_vouch_for_is_unknown():
    steady = [sent(at=n / 10) for n in range(50)]
    phase = Phase("load", outcome(*steady, dropped=1), None, 0, 5)
    row = rows._none("load-errors", "No error", 0, 50, "")
    assert [one.verdict for one in rows.believed([row], phase, seen=True)] == ["unknown"]
    sound = Phase("load", outcome(stages=((0.0001, 1.0),)), None, 0, 5)
    assert [one.verdict for one in rows.believed([row], sound, seen=True)] == ["pass"]
    assert [one.verdict for one in rows.believed([row], sound, seen=False)] == ["unknown"]
