"""How many requests a caller may make is counted for all processes together."""

import threading

import pytest
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client

from tests.factories import UserFactory
from tests.problems import assert_problem
from vidgenie import throttle, tokens
from vidgenie.models import RequestCount
from vidgenie.settings import rate


@pytest.fixture
def three(settings):
    """Three requests a minute for everybody."""
    rates = {"anon": "3/min", "user": "3/min"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}


def statuses(caller, number, path="/api/models"):
    return [caller.get(path).status_code for _ in range(number)]


@time_machine.travel("2026-11-22T10:00:20Z", tick=False)
def test_one_request_too_many_is_refused_with_the_time_to_wait(api, three):
    assert statuses(api, 3) == [200, 200, 200]
    response = api.get("/api/models")
    assert_problem(response, 429, "throttled")
    assert response.headers["Retry-After"] == "40"


def test_the_next_minute_is_counted_from_zero(api, three):
    with time_machine.travel("2026-11-22T10:00:59Z", tick=False) as now:
        assert statuses(api, 4) == [200, 200, 200, 429]
        now.shift(1)
        assert statuses(api, 4) == [200, 200, 200, 429]


@time_machine.travel("2026-11-22T10:00:20Z", tick=False)
def test_another_user_has_their_own_count(api, bobs_api, three):
    assert statuses(api, 4)[-1] == 429
    assert statuses(bobs_api, 1) == [200]


@time_machine.travel("2026-11-22T10:00:20Z", tick=False)
def test_strangers_are_counted_by_address(db, three):
    assert statuses(Client(), 4, "/api/schema") == [200, 200, 200, 429]
    assert statuses(Client(REMOTE_ADDR="192.0.2.7"), 1, "/api/schema") == [200]


@time_machine.travel("2026-11-22T10:00:20Z", tick=False)
def test_a_header_does_not_make_another_stranger(db, three):
    callers = [Client(headers={"X-Forwarded-For": f"192.0.2.{number}"}) for number in range(4)]
    assert [caller.get("/api/schema").status_code for caller in callers] == [200, 200, 200, 429]


@time_machine.travel("2026-11-22T10:00:20Z", tick=False)
def test_files_are_not_counted(api, image, three):
    for _ in range(5):
        response = api.get(image.thumbnail_url)
        assert (response.status_code, b"".join(response)[:4]) == (200, b"RIFF")


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_are_counted_to_the_last(three):
    headers = {"Authorization": f"Bearer {tokens.create(UserFactory(), 'a program')[1]}"}
    found = []

    def ask():
        found.append(Client(headers=headers).get("/api/models").status_code)
        connection.close()

    with time_machine.travel("2026-11-22T10:00:20Z", tick=False):
        threads = [threading.Thread(target=ask) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [200] * 3 + [429] * 7


def test_counting_waits_for_no_disk(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'vidgenie_requestcount'")
        assert cursor.fetchone() == ("u",)


@pytest.mark.parametrize("value", ["", "600", "0/min", "-1/min", "600/fortnight", "600 / min", "many/min", "600/min "])
def test_a_rate_that_is_none_stops_the_start(monkeypatch, value):
    monkeypatch.setenv("API_RATE_USER", value)
    with pytest.raises(ImproperlyConfigured, match="API_RATE_USER"):
        rate("API_RATE_USER", "600/min")


@pytest.mark.parametrize("value", ["1/s", "600/min", "100000/day"])
def test_a_rate_is_taken_as_it_is(monkeypatch, value):
    monkeypatch.setenv("API_RATE_USER", value)
    assert rate("API_RATE_USER", "600/min") == value


def test_old_counts_are_forgotten(api):
    with time_machine.travel("2026-11-19T10:00:00Z", tick=False):
        RequestCount.objects.create(caller="user:0", since=1, count=1)
        api.get("/api/models")
    with time_machine.travel("2026-11-22T10:00:00Z", tick=False):
        RequestCount.objects.create(caller="user:1", since=1795341600, count=1)
        throttle.forget_old()
    assert [count.caller for count in RequestCount.objects.all()] == ["user:1"]
