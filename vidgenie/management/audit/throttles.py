"""Limits, tried out: whoever asks too often is turned away, whatever they say of where they come from.

All counting happens in a transaction that is taken back, for people and addresses that nobody has.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.test import Client

from vidgenie import tokens
from vidgenie.management.audit.check import Seen, Unknown, check
from vidgenie.management.audit.scratch import STRANGER, person, undone, visitor
from vidgenie.models import RequestCount

FASTEST = 50  # requests a second that a limit may allow
TRIES = 3
ELSEWHERE = "198.51.100."  # of TEST-NET-2: more addresses that nobody has
GUESSES = 12  # wrong passwords
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def rate_of(kind: str) -> tuple[int, int]:
    """Requests, and the seconds in which they are allowed."""
    most, period = str(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"][kind]).split("/")  # type: ignore[index]
    return int(most), SECONDS[period[0]]


@check("throttles.api-users", "Whoever asks the API too often is turned away", "high", "Restore API_RATE_USER.")
def users() -> Iterator[str]:
    """Somebody's program asks once, is noted to have asked as often as it may, and asks again."""
    yield from _too_fast("user")
    with undone():
        user = person()
        program = visitor(tokens.create(user, "audit")[1])
        yield from _limited(lambda n: program.get("/api/credits", secure=True).status_code, f"user:{user.pk}")


@check("throttles.api-strangers", "Strangers who ask too often are turned away", "high", "Restore API_RATE_ANONYMOUS.")
def strangers() -> Iterator[str]:
    """A stranger asks once, is noted to have asked as often as they may, and asks again."""
    yield from _too_fast("anon")
    with undone():
        yield from _limited(lambda n: visitor().get("/api/docs", secure=True).status_code, f"anon:{STRANGER}")


@check(
    "throttles.forwarded",
    "A limit is not escaped by a header",
    "high",
    "Set NUM_PROXIES to the number of proxies in front; never leave it out of REST_FRAMEWORK.",
)
def forwarded() -> Iterator[str]:
    """The same, by a stranger who names another address in X-Forwarded-For with every request."""
    with undone():
        yield from _limited(lambda n: _claiming(n).get("/api/docs", secure=True).status_code, f"anon:{STRANGER}")


def _claiming(number: int) -> Client:
    """Who says that they come from elsewhere; the proxies in front add what they really see."""
    proxies: Any = settings.REST_FRAMEWORK.get("NUM_PROXIES") or 0
    chain = [f"{ELSEWHERE}{number}", *[STRANGER] * proxies]
    return visitor(HTTP_X_FORWARDED_FOR=", ".join(chain))


def _limited(ask: Callable[[int], int], caller: str) -> Iterator[str]:
    """What is wrong with a limit. A window may end between two requests: then it is tried again."""
    most, _ = rate_of(caller.partition(":")[0])
    ours = RequestCount.objects.filter(Q(caller=caller) | Q(caller__contains=STRANGER) | Q(caller__contains=ELSEWHERE))
    for number in range(1, 2 * TRIES, 2):
        ours.delete()
        if (first := ask(number)) != 200:
            raise Unknown(f"the first request was answered {first}")
        if not ours.update(count=most):
            yield "requests are not counted"
            return
        if ask(number + 1) == 429:
            yield Seen(f"turned away after {most} requests")
            return
    yield f"more than {most} requests were answered"


def _too_fast(kind: str) -> Iterator[str]:
    most, seconds = rate_of(kind)
    if most / seconds > FASTEST:
        yield f"{most} requests in {seconds} s are allowed"


@check("throttles.sign-in", "Passwords cannot be tried without end", "high", "Restore ACCOUNT_RATE_LIMITS.")
def sign_in() -> Iterator[str]:
    """Wrong passwords of one person are sent, each from another address, until they are not looked at any more."""
    with undone():
        user = person(password="the right one, which is never sent")  # noqa: S106
        for tries in range(1, GUESSES + 1):
            browser = visitor()
            browser.defaults["REMOTE_ADDR"] = f"{ELSEWHERE}{tries}"
            response = browser.post("/accounts/login/", {"login": user.username, "password": "wrong"}, secure=True)
            if response.status_code == 429 or b"Too many failed" in response.content:
                yield Seen(f"turned away at try {tries}")
                return
    yield f"{GUESSES} wrong passwords were looked at"
