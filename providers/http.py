"""Plain HTTP to the outside, with what libraries leave open: deadlines, size caps, hosts, and errors in our words.

`requests` waits per read and not in all, follows redirects with our keys in hand, and accepts any amount of data. Here
every call has a connect and a read time-out, a deadline, a cap, and an origin that its key belongs to; every call
leaves a ProviderCall row. Nothing raised or kept here holds an address, a header or a body.
"""

import email.utils
import ipaddress
import json
import math
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from crashpoint import crashpoint
from providers import journal, pool, wire
from providers.base import ProviderError, Reason
from providers.models import ProviderCall

CONNECT = 10.0  # seconds
READ = 60.0  # seconds
DEADLINE = 120.0  # seconds for a whole answer
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; inline videos come as base64 in JSON
FILE_LIMIT = 512 * 1024 * 1024  # bytes
FILE_DEADLINE = 300.0  # seconds
HOPS = 5  # redirects of a download
LONGEST_WAIT = 86_400.0  # seconds; nobody means more
QUOTED = 300  # characters of a provider's own words

_BY_STATUS = {
    400: Reason.INVALID_INPUT,
    401: Reason.UNAUTHORIZED,
    402: Reason.OUT_OF_QUOTA,
    403: Reason.UNAUTHORIZED,
    404: Reason.RETIRED,
    408: Reason.TIMED_OUT,
    413: Reason.INVALID_INPUT,
    415: Reason.INVALID_INPUT,
    422: Reason.INVALID_INPUT,
    429: Reason.RATE_LIMITED,
    504: Reason.TIMED_OUT,
}


_over: ContextVar[float] = ContextVar("over", default=math.inf)  # by the monotonic clock

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+|data:\S+", re.IGNORECASE)
# Keys as our providers write them, whole or half hidden, and anything long that looks like nothing else.
_KEY = re.compile(r"\b(?:sk|key|pk|rk)[-_][\w*.-]{6,}|\bAIza[\w-]{10,}|\bya29\.\S+|\beyJ[\w.-]{20,}|[\w+/=]{64,}")


@dataclass(frozen=True)
class Purpose:
    """Who calls whom for what; goes into the row that the call leaves."""

    provider: str
    operation: str
    model: str = ""


@dataclass
class Answer:
    """What came back, in full."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    row: ProviderCall | None = field(default=None, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; raises ProviderError(UNAVAILABLE) when it is none, or nested beyond sense."""
        try:
            return json.loads(self.body.decode())
        except (ValueError, RecursionError) as error:
            raise ProviderError(Reason.UNAVAILABLE, f"answered {self.status} without usable JSON") from error

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; raises ProviderError(UNAVAILABLE) otherwise."""
        found = self.json()
        if not isinstance(found, dict):
            raise ProviderError(Reason.UNAVAILABLE, f"answered {self.status} with JSON that is no object")
        return found

    def quote(self, text: object) -> str:
        """The provider's words, fit to be kept: cut short, on one line, without our keys and without addresses."""
        clean = str(text).replace("\0", " ").encode(errors="replace").decode()  # PostgreSQL keeps nothing else
        said = " ".join(clean.split())
        for secret in sorted(self.secrets, key=len, reverse=True):
            said = said.replace(secret, "[key]")
        return _KEY.sub("[key]", _ADDRESS.sub("[address]", said))[:QUOTED]

    def costs(self, cents: float | None) -> None:
        """Note on the call's row what it took, in US cents."""
        if self.row is not None and cents is not None:
            journal.costs(self.row, cents)


def call(
    purpose: Purpose,
    method: str,
    url: str,
    *,
    origin: str,
    headers: Mapping[str, str] | None = None,
    timeout: tuple[float, float] = (CONNECT, READ),
    deadline: float = DEADLINE,
    limit: int = ANSWER_LIMIT,
    given_by: str = "",
    **body: Any,
) -> Answer:
    """One request to a provider's API, whatever its status; `body` is requests' own (json, data, files, params).

    `origin` is the API's own address, from a setting: a URL elsewhere is refused, so that `headers` with a key go
    nowhere else, and redirects are not followed. An address that an API gave us instead is its own origin; `given_by`
    is that API then, and the address may not lead into our own network. Raises ProviderError: `sent` is False only
    when the request surely did not arrive.
    """
    require_origin(url, origin)
    deadline = max(min(deadline, _over.get() - time.monotonic()), 0.001)
    patience = min(timeout[0], deadline), min(timeout[1], deadline)
    line = wire.Line(deadline, guarded=bool(given_by), loopback=is_loopback(given_by))
    with _noted(purpose) as row, line, _translated(line), _session(line) as session:
        with session.request(
            method, url, headers=headers, timeout=patience, allow_redirects=False, stream=True, **body
        ) as response:
            row.status = response.status_code
            content = b"".join(_blocks(response, limit))
        _require_in_time(line)
        row.size = len(content)
    return Answer(row.status, response.headers, content, row, _secrets(headers))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All calls that are made in here take at most so long together; what comes later is TIMED_OUT."""
    before = _over.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _over.reset(before)


def refuse(answer: Answer, detail: str = "", *, reason: Reason | None = None) -> ProviderError:
    """The error for an answer that isn't 2xx: by the adapter's own table, else by its status.

    4xx and 429 say that nothing was accepted; an unlabelled 5xx may follow an accepted job, so `sent` stays True.
    """
    found = reason or _BY_STATUS.get(answer.status)
    if found is None:
        found = Reason.UNAVAILABLE if answer.status >= 500 or answer.status < 400 else Reason.INVALID_INPUT
    text = f"{answer.status} {answer.quote(detail)}".strip()
    return ProviderError(found, text, sent=answer.status >= 500, retry_after=retry_after(answer.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the headers ask, None where they don't or where it makes no sense."""
    value = headers.get("retry-after", "").strip()
    seconds = (
        _number(headers.get("retry-after-ms", ""), 1000) or _number(value) or _until(value, headers.get("date", ""))
    )
    return min(seconds, LONGEST_WAIT) if seconds and seconds > 0 else None


def _number(value: str, parts: int = 1) -> float | None:
    try:
        number = float(value) / parts
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _until(value: str, date: str) -> float | None:
    """Seconds to a time of the provider's clock, by that clock where it tells its time: it may be hours off."""
    moment, now = _timestamp(value), _timestamp(date)
    return None if moment is None else moment - (time.time() if now is None else now)


def _timestamp(value: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def require_origin(url: str, origin: str) -> None:
    """Raise ProviderError(UNAVAILABLE) unless the URL lives at this origin, by https (plain http on loopback only)."""
    place, home = _place(url), _place(origin)
    if place is None or place != home:
        raise ProviderError(Reason.UNAVAILABLE, "an address outside the provider's own API was refused", sent=False)


def require_sendable(headers: Mapping[str, str]) -> None:
    """Raise ProviderError(UNAUTHORIZED) for a key that was copied with a line end or the like.

    The libraries would refuse it too, with errors of their own that quote it.
    """
    if not all(value.strip() and value.isascii() and value.isprintable() for value in headers.values()):
        raise ProviderError(Reason.UNAUTHORIZED, "the key holds characters that no key has", sent=False)


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine literally; such are the simulator and gateways beside us."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def download(
    purpose: Purpose,
    url: str,
    *,
    origin: str,
    headers: Mapping[str, str] | None = None,
    limit: int = FILE_LIMIT,
    deadline: float | None = None,
) -> IO[bytes]:
    """A provider's file as a temporary file. Redirects are followed by hand: `headers` go to `origin` only.

    Addresses that lead into our own network are refused, unless the API itself is on loopback. Raises ProviderError.
    """
    line = wire.Line(deadline or FILE_DEADLINE, guarded=True, loopback=is_loopback(origin))
    with _noted(purpose) as row, line, _translated(line), _session(line) as session:
        with _follow(session, url, origin, headers) as response:
            row.status = response.status_code
            if not 200 <= response.status_code < 300:
                reason = Reason.LOST if response.status_code in (401, 403, 404, 410) else None
                raise refuse(Answer(response.status_code, response.headers, b""), "for the file", reason=reason)
            target = _to_disk(response, line, limit)
        row.size = target.tell()
        target.seek(0)
        return target


def _follow(session: requests.Session, url: str, origin: str, headers: Mapping[str, str] | None) -> requests.Response:
    for _ in range(HOPS + 1):
        place = _place(url)
        if place is None or (place[0] == "http" and not is_loopback(origin)):
            raise ProviderError(Reason.BAD_OUTPUT, "the file's address was refused", sent=False)
        ours = headers if place == _place(origin) else None
        response = session.get(url, headers=ours, stream=True, timeout=(CONNECT, READ), allow_redirects=False)
        if response.status_code not in (301, 302, 303, 307, 308):
            return response
        url = urljoin(url, response.headers.get("location", ""))
        response.close()
        session.close()  # else the next hop may go down a connection that the server is ending at that moment
    raise ProviderError(Reason.UNAVAILABLE, "the file's address redirects without end")


def _place(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what no provider of ours would send."""
    try:
        ours, theirs = urlsplit(url), urllib3.util.parse_url(url)
        host, port = ours.hostname or "", ours.port or (443 if ours.scheme == "https" else 80)
    except (ValueError, urllib3.exceptions.LocationParseError):
        return None
    # Two parsers that disagree on the host are how a guard is walked around: \@ means one thing to each of them.
    if host != (theirs.host or "").strip("[]").lower() or ours.username is not None or not host:
        return None
    if ours.scheme != "https" and not (ours.scheme == "http" and is_loopback(url)):
        return None
    return ours.scheme, host, port


def _noted(purpose: Purpose) -> AbstractContextManager[ProviderCall]:
    pool.release()
    return journal.noted(purpose.provider, purpose.operation, purpose.model)


def _session(line: wire.Line) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", line)
    session.mount("http://", line)
    return session


def _secrets(headers: Mapping[str, str] | None) -> frozenset[str]:
    """All that may be a key in what we send, in whole and in parts: providers quote them in their errors."""
    words = re.split(r"[\s:]", " ".join((headers or {}).values()))
    return frozenset(word for word in words if len(word) >= 8 and "/" not in word)


def _blocks(response: requests.Response, limit: int) -> Iterator[bytes]:
    size = 0
    for block in response.iter_content(64 * 1024):
        size += len(block)
        if size > limit:
            raise ProviderError(Reason.UNAVAILABLE, f"the answer is larger than {limit} bytes")
        yield block


def _require_in_time(line: wire.Line) -> None:
    """A connection that was cut at the deadline can look like an answer that ended."""
    if line.late:
        raise ProviderError(Reason.TIMED_OUT, "the answer took too long")


def _to_disk(response: requests.Response, line: wire.Line, limit: int) -> IO[bytes]:
    target = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        for block in _blocks(response, limit):
            target.write(block)
            crashpoint("download.half")
        _require_in_time(line)
    except BaseException:
        target.close()
        raise
    return target


@contextmanager
def _translated(line: wire.Line) -> Iterator[None]:
    """requests' exceptions hold whole addresses; ours say what happened and whether the request may have arrived."""
    try:
        yield
    except wire.Refused as error:
        raise ProviderError(Reason.BAD_OUTPUT, str(error), sent=False) from None
    except requests.Timeout as error:
        arrived = not isinstance(error, requests.ConnectTimeout)
        raise ProviderError(Reason.TIMED_OUT, type(error).__name__, sent=arrived) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        reason = Reason.TIMED_OUT if line.late else Reason.UNAVAILABLE
        raise ProviderError(reason, type(error).__name__, sent=line.stood or not _never_left(error)) from None


def _never_left(error: Exception) -> bool:
    """Whether the request surely stayed here, given that no connection of ours ever stood."""
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError | ValueError):
        return True
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else None
    return isinstance(cause, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError)
