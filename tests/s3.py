"""An S3 server for tests: moto's, behind a gate that refuses what the real one refuses and moto lets through.

moto looks at no signature and no expiry. The gate computes both by Amazon's description of Signature Version 4, and not
with botocore, which is what signs. It also goes wrong on demand. A conftest takes both fixtures:
`from tests.s3 import bucket, s3_server`.
"""

import datetime
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from uuid import uuid4

import pytest

KEY_ID, SECRET = "AKIATESTSONLY0000000", "only-for-tests/only-for-tests/only-for-te"
Answer = tuple[str, list[tuple[str, str]], Iterable[bytes]]


class Gate:
    """What stands before moto: checks signatures, counts requests, and goes wrong when it is told to."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.reset()

    def reset(self) -> None:
        """As new."""
        self.asked: list[str] = []  # "PUT /bucket/key" and so on
        self.line: list[str] = []  # what the next requests meet: an error's code, "" for nothing, or "cut"
        self.always = ""  # the error that every request meets
        self.ahead = 0.0  # seconds that its clock is ahead
        self.listed_for_all = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        fault = self.line.pop(0) if self.line else self.always
        refused = fault if fault not in ("", "cut") else self.refusal(environ)
        if refused:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return _refuse(start_response, refused)
        answer: Iterable[bytes] = self.inner(environ, start_response)
        return _half(answer) if fault == "cut" else answer

    def refusal(self, environ: dict[str, Any]) -> str:
        """The code of the error that S3 would answer with; "" for none."""
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        if "X-Amz-Signature" in query:
            return self._by_query(environ, query)
        if authorization := environ.get("HTTP_AUTHORIZATION"):
            return _by_header(environ, authorization)
        listing = environ["REQUEST_METHOD"] == "GET" and "/" not in environ["PATH_INFO"].strip("/")
        return "AccessDenied" if listing and not self.listed_for_all else ""

    def _by_query(self, environ: dict[str, Any], query: dict[str, str]) -> str:
        begin = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.ahead)
        if now > begin + datetime.timedelta(seconds=int(query["X-Amz-Expires"])):
            return "AccessDenied"
        given = query.pop("X-Amz-Signature")
        names = query["X-Amz-SignedHeaders"]
        expected = _signature(
            environ, names, query["X-Amz-Credential"], query["X-Amz-Date"], "UNSIGNED-PAYLOAD", query=query
        )
        return _verdict(query["X-Amz-Credential"], given, expected)


def _by_header(environ: dict[str, Any], authorization: str) -> str:
    parts = dict(part.strip().split("=", 1) for part in authorization.removeprefix("AWS4-HMAC-SHA256").split(","))
    date, payload = environ["HTTP_X_AMZ_DATE"], environ["HTTP_X_AMZ_CONTENT_SHA256"]
    expected = _signature(environ, parts["SignedHeaders"], parts["Credential"], date, payload)
    return _verdict(parts["Credential"], parts["Signature"], expected)


def _verdict(credential: str, given: str, expected: str) -> str:
    if credential.split("/", maxsplit=1)[0] != KEY_ID:
        return "InvalidAccessKeyId"
    return "" if hmac.compare_digest(given, expected) else "SignatureDoesNotMatch"


def _signature(
    environ: dict[str, Any],
    names: str,
    credential: str,
    date: str,
    payload: str,
    *,
    query: dict[str, str] | None = None,
) -> str:
    """Signature Version 4, as Amazon describes it."""
    address = urlsplit(environ["RAW_URI"])
    pairs = parse_qsl(address.query, keep_blank_values=True) if query is None else list(query.items())
    request = "\n".join(
        [
            environ["REQUEST_METHOD"],
            quote(unquote(address.path), safe="/-_.~"),
            "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)),
            *(f"{name}:{' '.join(_header(environ, name).split())}" for name in names.split(";")),
            "",
            names,
            payload,
        ]
    )
    _, *scope = credential.split("/")
    text = "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _header(environ: dict[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    return str(environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", ""))


def _refuse(start_response: Any, code: str) -> Iterable[bytes]:
    status = {"SlowDown": "503 Slow Down", "InternalError": "500 Internal Server Error"}.get(code, "403 Forbidden")
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>refused</Message></Error>".encode()
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _half(answer: Iterable[bytes]) -> Iterator[bytes]:
    whole = b"".join(answer)
    yield whole[: len(whole) // 2]


class S3Server:
    """The server: it can be stopped and started again on the same port, with what it holds."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self.gate = Gate(DomainDispatcherApplication(create_backend_app))
        self.port = 0
        self._connection: Any = None
        self.start()

    def start(self) -> None:
        """Answer."""
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Quiet(MotoRequestHandler):
            def log_request(self, *given: object) -> None:
                pass

        self._server = make_server("127.0.0.1", self.port, self.gate, threaded=True, request_handler=Quiet)
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.answers = True

    def stop(self) -> None:
        """Be gone."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.answers = False

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def connection(self, storage: Any) -> Any:
        """One for all tests: to make one takes 0.1 s."""
        self._connection = self._connection or storage._connected()
        return self._connection

    def options(self, name: str, **other: Any) -> dict[str, Any]:
        """What STORAGES has to say of a bucket here."""
        place = {"bucket_name": name, "region_name": "eu-central-1", "endpoint_url": self.url}
        key = {"access_key": KEY_ID, "secret_key": SECRET}
        return {**place, **key, "addressing_style": "path", "querystring_expire": 900, **other}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The server, for as long as the tests run."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3_server: S3Server, settings: Any) -> Iterator[Any]:
    """An empty bucket of the test's own, as our storage; what its gate does wrong ends with the test."""
    from django.core.files.storage import default_storage

    options = s3_server.options(f"test-{uuid4().hex}")
    settings.MEDIA_STORAGE = "s3"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "providers.bucket.Bucket", "OPTIONS": options}}
    default_storage._resource, default_storage._owner = s3_server.connection(default_storage), os.getpid()
    default_storage.make()
    s3_server.gate.reset()
    yield default_storage
    s3_server.gate.reset()
