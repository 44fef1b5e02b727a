"""Plain HTTP to the outside, with what libraries leave open: deadlines, size caps, hosts, and errors in our words.

`requests` waits per read and not in all, follows redirects with our keys in hand, and accepts any amount of data. Here
every call has a connect and a read time-out, a deadline, a cap, and an origin that its key belongs to; every call
leaves a ProviderCall row. Nothing raised or kept here holds an address, a header or a body.
"""

import email.utils
import ipaddress
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests_hardened.config import Config
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.manager import Manager

from providers.base import ProviderError, Reason
from providers.models import ProviderCall

CONNECT = 10.0  # seconds
READ = 60.0  # seconds
DEADLINE = 120.0  # seconds for a whole answer
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; inline videos come as base64 in JSON
FILE_LIMIT = 512 * 1024 * 1024  # bytes
FILE_DEADLINE = 300.0  # seconds
HOPS = 5  # redirects of a download

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


@dataclass(frozen=True)
class Purpose:
    """Who calls whom for what; goes into the row that the call leaves."""

    provider: str
    operation: str
    model: str = ""


@dataclass
class Answer:
    """What came back, in full. `cost` may be set by the adapter, in US cents."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

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
    **body: Any,
) -> Answer:
    """One request to a provider's API, whatever its status; `body` is requests' own (json, data, files, params).

    `origin` is the API's own address, from a setting: a URL elsewhere is refused, so that `headers` with a key go
    nowhere else, and redirects are not followed. Raises ProviderError: `sent` is False only when the request surely
    did not arrive.
    """
    require_origin(url, origin)
    with _noted(purpose) as row, _translated(), requests.Session() as session:
        session.trust_env = False
        response = session.request(
            method, url, headers=headers, timeout=timeout, allow_redirects=False, stream=True, **body
        )
        row.status = response.status_code
        content = b"".join(_blocks(response, deadline, limit))
        row.size = len(content)
        return Answer(response.status_code, response.headers, content)


def refuse(answer: Answer, detail: str = "", *, reason: Reason | None = None) -> ProviderError:
    """The error for an answer that isn't 2xx: by the adapter's own table, else by its status.

    4xx and 429 say that nothing was accepted; an unlabelled 5xx may follow an accepted job, so `sent` stays True.
    """
    found = reason or _BY_STATUS.get(answer.status)
    if found is None:
        found = Reason.UNAVAILABLE if answer.status >= 500 or answer.status < 400 else Reason.INVALID_INPUT
    text = f"{answer.status} {detail}".strip()[:500]
    return ProviderError(found, text, sent=answer.status >= 500, retry_after=retry_after(answer.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the headers ask, None where they don't or where it makes no sense."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isdigit():
        return int(milliseconds) / 1000
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value) or None
    try:
        seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def require_origin(url: str, origin: str) -> None:
    """Raise ProviderError(UNAVAILABLE) unless the URL lives at this origin, by https (plain http on loopback only)."""
    place, home = _place(url), _place(origin)
    if place is None or place != home:
        raise ProviderError(Reason.UNAVAILABLE, "an address outside the provider's own API was refused", sent=False)


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
) -> IO[bytes]:
    """A provider's file as a temporary file. Redirects are followed by hand: `headers` go to `origin` only.

    Addresses that lead into our own network are refused, unless the API itself is on loopback. Raises ProviderError.
    """
    guard = Manager(
        Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=is_loopback(origin),
            never_redirect=True,
            default_timeout=(CONNECT, READ),
        )
    )
    with _noted(purpose) as row, _translated(), guard.get_session() as session:  # type: ignore[no-untyped-call]
        session.trust_env = False
        response = _follow(session, url, origin, headers)
        row.status = response.status_code
        if not 200 <= response.status_code < 300:
            answer = Answer(response.status_code, response.headers, b"")
            reason = Reason.LOST if response.status_code in (401, 403, 404, 410) else None
            raise refuse(answer, "for the file", reason=reason)
        target = _to_disk(response, limit)
        row.size = target.tell()
        target.seek(0)
        return target


def _follow(session: requests.Session, url: str, origin: str, headers: Mapping[str, str] | None) -> requests.Response:
    for _ in range(HOPS + 1):
        if _place(url) is None or (url.startswith("http://") and not is_loopback(origin)):
            raise ProviderError(Reason.BAD_OUTPUT, "the file's address was refused")
        ours = headers if _place(url) == _place(origin) else None
        response = session.get(url, headers=ours, stream=True, timeout=(CONNECT, READ), allow_redirects=False)
        if response.status_code not in (301, 302, 303, 307, 308):
            return response
        url = urljoin(url, response.headers.get("location", ""))
        response.close()
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


def _blocks(response: requests.Response, deadline: float, limit: int) -> Iterator[bytes]:
    end, size = time.monotonic() + deadline, 0
    for block in response.iter_content(64 * 1024):
        size += len(block)
        if size > limit:
            raise ProviderError(Reason.UNAVAILABLE, f"the answer is larger than {limit} bytes")
        if time.monotonic() > end:
            raise ProviderError(Reason.TIMED_OUT, f"the answer took longer than {deadline:.0f} s")
        yield block


def _to_disk(response: requests.Response, limit: int) -> IO[bytes]:
    target = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        for block in _blocks(response, FILE_DEADLINE, limit):
            target.write(block)
        expected = response.headers.get("content-length", "")
        if expected.isdigit() and "content-encoding" not in response.headers and target.tell() != int(expected):
            raise ProviderError(Reason.UNAVAILABLE, "the file was cut short")
    except BaseException:
        target.close()
        raise
    return target


@contextmanager
def _noted(purpose: Purpose) -> Iterator[ProviderCall]:
    """Leave a row for the call, however it ends."""
    row = ProviderCall(provider=purpose.provider, model=purpose.model, operation=purpose.operation)
    start = time.monotonic()
    try:
        yield row
    except ProviderError as error:
        row.reason = error.reason
        raise
    finally:
        row.milliseconds = round((time.monotonic() - start) * 1000)
        row.save(force_insert=True)


@contextmanager
def _translated() -> Iterator[None]:
    """requests' exceptions hold whole addresses; ours say what happened and whether the request may have arrived."""
    try:
        yield
    except InvalidIPAddress as error:
        raise ProviderError(Reason.BAD_OUTPUT, "an address inside a private network was refused", sent=False) from error
    except requests.Timeout as error:
        arrived = not isinstance(error, requests.ConnectTimeout)
        raise ProviderError(Reason.TIMED_OUT, type(error).__name__, sent=arrived) from None
    except requests.ConnectionError as error:
        raise ProviderError(Reason.UNAVAILABLE, type(error).__name__, sent=not _never_connected(error)) from None
    except requests.RequestException as error:
        raise ProviderError(Reason.UNAVAILABLE, type(error).__name__) from None


def _never_connected(error: requests.ConnectionError) -> bool:
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return True
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else None
    return isinstance(cause, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError)
