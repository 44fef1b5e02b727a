"""Plain HTTP as providers.http does it: where it refuses to go, when it gives up, and what it never tells."""

import datetime
import email.utils
import gzip
import ipaddress
import json
import logging
import socket
import ssl
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from providers import gateway, http, pool, wire
from providers.base import ProviderError, Reason
from providers.http import Purpose
from providers.models import ProviderCall

PURPOSE = Purpose("acme", "submit", "model-1")
KEY = "sk-planted-0123456789abcdef"
QUERY = "?sig=planted"
HEADERS = {"Authorization": f"Bearer {KEY}"}
FAR = "https://api.acme.example"

pytestmark = pytest.mark.django_db


class Server:
    """A server on loopback that hands each connection to `answer` and remembers what it was sent."""

    def __init__(self, answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.answer, self.tls, self.heard = answer, tls, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.listening.getsockname()[1]}"

    def close(self) -> None:
        self.stopping.set()
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(5)

    def _serve(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self._hear(self.tls.wrap_socket(connection, server_side=True) if self.tls else connection)
                except OSError:
                    continue

    def _hear(self, connection: socket.socket) -> None:
        with connection:
            self.heard.append(self._request(connection))
            self.answer(connection)

    def _request(self, connection: socket.socket) -> str:
        heard = b""
        while b"\r\n\r\n" not in heard and not heard.startswith(b"\x16") and (more := connection.recv(65536)):
            heard += more
        return heard.decode("latin-1")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers that live as long as the test; given bytes, they answer with those."""
    servers: list[Server] = []

    def start(answer: bytes | Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(answer if callable(answer) else lambda connection: connection.sendall(answer), tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def plain(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer of HTTP with its right length."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def redirect(url: str) -> bytes:
    return plain(b"", f"Location: {url}", status="302 Found")


def call(server: Server, **options):
    return http.call(PURPOSE, "GET", f"{server.url}/x{QUERY}", origin=server.url, headers=HEADERS, **options)


def failure(make: Callable[[], object]) -> ProviderError:
    """The error that a call ends with; it and all it came from tell no key and no address."""
    with pytest.raises(ProviderError) as caught:
        make()
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in told
    assert QUERY not in told
    assert len(caught.value.detail) <= 310
    return caught.value


# --- Where it does not go ------------------------------------------------------------------------------------

# As text in the address, by https, which is all that a far provider may send.
PRIVATE = [
    "127.0.0.1", "127.1", "127.255.255.254", "0", "0.0.0.0",  # noqa: S104
    "2130706433", "017700000001", "0x7f000001",
    "0x7f.1", "0177.0.0.1", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "3232235777",
    "169.254.169.254", "0xa9fea9fe", "2852039166", "100.64.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]", "[::ffff:10.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]",
    "[2001::7f00:1]", "[fec0::1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[5f00::1]",
    "[2001:db8::1]", "[3fff::1]", "[100::1]", "localhost", "LOCALHOST",
]  # fmt: skip
CROOKED = [
    "http://example.com/", "ftp://example.com/x", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "data:,x", "",
    "//127.0.0.1/x", "/x", "https://", "https:///x", "https://user@example.com/", "https://user:key@example.com/",
    "https://127.0.0.1\\@example.com/", "https://example.com\\@127.0.0.1/", "https://@127.0.0.1/",
    "https://example.com:99999/", "https://example.com:x/", "https://[::1/", "https://exa mple.com/",
    "http://127.0.0.1/", "HTTP://127.0.0.1/", "http://[::1]/", "http://localhost/", "javascript:x",
    "https://[::ffff:127.0.0.1%25lo]/", "https://\u2025/x", "https://example.com\r\nHost: x/",
]  # fmt: skip


@pytest.fixture
def no_connection(monkeypatch):
    """Whoever connects has failed; the list says where to."""
    tried: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: tried.append(address))
    return tried


@pytest.mark.parametrize("host", PRIVATE)
def test_a_file_in_a_private_network_is_not_asked_for(host, no_connection):
    error = failure(lambda: http.download(PURPOSE, f"https://{host}/x{QUERY}", origin=FAR))
    assert (error.reason, error.sent) == (Reason.BAD_OUTPUT, False)
    assert no_connection == []


@pytest.mark.parametrize("host", ["127.0.0.1.", "localhost."])
def test_a_dot_at_the_end_is_no_way_round(host, no_connection):
    error = failure(lambda: http.download(PURPOSE, f"https://{host}/x{QUERY}", origin=FAR))
    assert error.reason in (Reason.BAD_OUTPUT, Reason.UNAVAILABLE)  # it depends on the system whether it means anything
    assert no_connection == []


@pytest.mark.parametrize("url", CROOKED, ids=ascii)
def test_an_address_that_no_provider_would_send_is_refused(url, no_connection):
    error = failure(lambda: http.download(PURPOSE, url, origin=FAR))
    assert (error.reason, error.sent) == (Reason.BAD_OUTPUT, False)
    assert no_connection == []


def resolving_to(monkeypatch, *addresses):
    """Let every name mean these addresses."""
    entries = [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
        for address in addresses
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: entries)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["fec0::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["93.184.215.14", "10.0.0.1"],
        ["2606:4700::1111", "::1"],
        ["fe80::1%eth0"],
    ],
)
def test_a_name_of_a_private_network_is_not_asked(monkeypatch, no_connection, addresses):
    resolving_to(monkeypatch, *addresses)
    error = failure(lambda: http.download(PURPOSE, f"https://cdn.example/x{QUERY}", origin=FAR))
    assert (error.reason, error.sent) == (Reason.BAD_OUTPUT, False)
    assert no_connection == []


def test_it_connects_to_the_address_that_was_looked_at(monkeypatch):
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    connected: list[tuple[str, int]] = []

    def resolve(host, port, *args, **kwargs):
        addresses = [host] if host[0].isdigit() else next(answers)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def connect(self, address):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    error = failure(lambda: http.download(PURPOSE, f"https://cdn.example/x{QUERY}", origin=FAR))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, False)
    assert connected == [("93.184.215.14", 443)]


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_the_internet_is_open(address):
    assert wire.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("target", ["https://10.0.0.1/x", "https://169.254.169.254/latest", "https://[fec0::1]/x"])
def test_a_redirect_into_a_private_network_is_not_followed(serve, target):
    server = serve(redirect(target))
    error = failure(lambda: http.download(PURPOSE, f"{server.url}/x", origin=server.url))
    assert (error.reason, len(server.heard)) == (Reason.BAD_OUTPUT, 1)


@pytest.mark.parametrize(
    "target", ["http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "https://a\\@b/"]
)
def test_a_redirect_to_another_scheme_is_not_followed(serve, no_elsewhere, target):
    server = serve(redirect(target))
    error = failure(lambda: http.download(PURPOSE, f"{server.url}/x", origin=server.url))
    assert (error.reason, len(server.heard)) == (Reason.BAD_OUTPUT, 1)


@pytest.fixture
def no_elsewhere(monkeypatch):
    """No name may be resolved but this machine's."""
    real = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        assert host == "127.0.0.1"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_redirect_of_a_file_carries_the_key_to_the_origin_only(serve):
    media = serve(plain(b"video"))
    again = serve(redirect(f"{media.url}/b"))
    first = serve(redirect(f"{again.url}/a"))
    with http.download(PURPOSE, f"{first.url}/x", origin=first.url, headers=HEADERS) as file:
        assert file.read() == b"video"
    assert [KEY in server.heard[0] for server in (first, again, media)] == [True, False, False]
    assert "authorization" not in (again.heard[0] + media.heard[0]).lower()


def test_a_call_follows_no_redirect(serve):
    other = serve(plain(b"{}"))
    server = serve(redirect(f"{other.url}/x"))
    assert call(server).status == 302
    assert other.heard == []


def test_a_file_that_redirects_without_end_is_given_up(serve):
    server = serve(redirect("/again"))
    assert failure(lambda: http.download(PURPOSE, f"{server.url}/x", origin=server.url)).reason == Reason.UNAVAILABLE
    assert len(server.heard) == http.HOPS + 1


@pytest.mark.parametrize(
    "url",
    [
        "https://api.acme.example.evil.example/x",
        "https://evil.example/x",
        "https://api.acme.example:8443/x",
        "http://api.acme.example/x",
        "https://api.acme.example@evil.example/x",
        "https://evil.example\\@api.acme.example/x",
        "https://key@api.acme.example/x",
    ],
)
def test_a_call_outside_its_origin_is_refused_before_anything_is_sent(no_connection, url):
    error = failure(lambda: http.call(PURPOSE, "POST", url, origin=FAR, headers=HEADERS))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, False)
    assert no_connection == []
    assert not ProviderCall.objects.exists()


# --- How much and how long -----------------------------------------------------------------------------------


def dripping(connection: socket.socket) -> None:
    """A body of which a byte comes now and then, for longer than anybody waits."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def dripping_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        connection.sendall(b"X-%d: 1\r\n" % number)
        time.sleep(0.05)


def dripping_without_length(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"id": "1"}')
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize("drip", [dripping, dripping_head, dripping_without_length])
def test_a_slow_drip_ends_at_the_deadline(serve, drip):
    server, start = serve(drip), time.monotonic()
    error = failure(lambda: call(server, deadline=0.4))
    assert (error.reason, error.sent) == (Reason.TIMED_OUT, True)
    assert time.monotonic() - start < 60  # the server would go on for ever


def test_all_calls_of_a_hurry_are_over_in_its_time(serve):
    server, start = serve(dripping), time.monotonic()
    with http.within(0.4):
        errors = [failure(lambda: call(server)) for _ in range(3)]
    assert [error.reason for error in errors] == [Reason.TIMED_OUT] * 3
    assert time.monotonic() - start < 60  # they would take minutes


def test_whoever_waits_for_a_check_waits_ten_seconds_at_most(serve, settings, monkeypatch):
    assert gateway.CHECK == 10
    monkeypatch.setattr(gateway, "CHECK", 0.4)
    settings.PROVIDER_URLS = settings.PROVIDER_URLS | {"runway": serve(dripping).url}
    settings.PROVIDER_KEYS = settings.PROVIDER_KEYS | {"runway": KEY}
    with pytest.raises(ProviderError) as raised:
        gateway.check("runway")
    assert raised.value.reason == Reason.TIMED_OUT


def test_a_slow_file_ends_at_the_deadline(serve, monkeypatch):
    monkeypatch.setattr(http, "FILE_DEADLINE", 0.4)
    server = serve(dripping_without_length)
    error = failure(lambda: http.download(PURPOSE, f"{server.url}/x", origin=server.url))
    assert error.reason == Reason.TIMED_OUT


def test_a_silent_server_ends_the_read(serve):
    server = serve(lambda connection: time.sleep(0.5))
    error = failure(lambda: call(server, timeout=(1, 0.1)))
    assert (error.reason, error.sent) == (Reason.TIMED_OUT, True)


def test_a_connection_that_is_refused_has_sent_nothing():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    error = failure(lambda: http.call(PURPOSE, "POST", f"{url}/x{QUERY}", origin=url))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, False)


def test_a_name_that_is_not_found_has_sent_nothing(monkeypatch):
    def resolve(*args, **kwargs):
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for make in (
        lambda: http.call(PURPOSE, "POST", f"{FAR}/x{QUERY}", origin=FAR, headers=HEADERS),
        lambda: http.download(PURPOSE, f"{FAR}/x{QUERY}", origin=FAR, headers=HEADERS),
    ):
        error = failure(make)
        assert (error.reason, error.sent) == (Reason.UNAVAILABLE, False)


def test_a_reset_after_the_request_leaves_it_in_doubt(serve):
    def reset(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    error = failure(lambda: call(serve(reset)))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, True)


def test_a_tls_error_before_the_request_has_sent_nothing(serve):
    server = serve(b"this is no TLS")
    url = server.url.replace("http:", "https:")
    error = failure(lambda: http.call(PURPOSE, "POST", f"{url}/x{QUERY}", origin=url, headers=HEADERS))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, False)
    assert KEY not in "".join(server.heard)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> dict[str, Path]:
    """Two files, each a certificate that vouches for itself and its key: for this machine, and for somebody else."""
    folder = tmp_path_factory.mktemp("tls")
    return {name: certificate(folder / f"{name}.pem", address) for name, address in
            [("ours", "127.0.0.1"), ("others", "192.0.2.1")]}  # fmt: skip


def certificate(path: Path, address: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(built.public_bytes(Encoding.PEM) + private)
    return path


@pytest.fixture
def tls(certificates, monkeypatch):
    """A server's TLS with one of the certificates, after we have come to trust one of them."""

    def context(shown: str, trusted: str) -> ssl.SSLContext:
        monkeypatch.setattr(wire, "_tls", lambda: ssl.create_default_context(cafile=certificates[trusted]))
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(certificates[shown])
        return made

    return context


def test_tls_works_with_a_certificate_that_we_trust(serve, tls):
    server = serve(plain(b"{}"), tls("ours", trusted="ours"))
    assert call(server).body == b"{}"
    with http.download(PURPOSE, f"{server.url}/x", origin="http://127.0.0.1:1") as file:
        assert file.read() == b"{}"


@pytest.mark.parametrize(("shown", "trusted"), [("ours", "others"), ("others", "others")], ids=["unknown", "misnamed"])
def test_a_certificate_that_proves_nothing_is_refused_before_the_key_is_sent(serve, tls, shown, trusted):
    server = serve(plain(b"{}"), tls(shown, trusted=trusted))
    error = failure(lambda: call(server))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, False)
    assert server.heard == []


def test_the_certificates_of_the_world_are_the_ones_we_trust(serve, certificates):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificates["ours"])
    server = serve(plain(b"{}"), made)
    assert (failure(lambda: call(server)).sent, server.heard) == (False, [])
    assert len(wire._tls().get_ca_certs()) > 100


def test_a_tls_connection_that_ends_after_the_request_leaves_it_in_doubt(serve, tls):
    def hang_up(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server = serve(hang_up, tls("ours", trusted="ours"))
    error = failure(lambda: call(server))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, True)
    assert KEY in server.heard[0]


def test_a_tls_error_in_the_middle_leaves_it_in_doubt():
    line = wire.Line(5)
    line.stood = True
    with pytest.raises(ProviderError) as caught, http._translated(line):
        raise requests.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    assert (caught.value.reason, caught.value.sent) == (Reason.UNAVAILABLE, True)


def test_a_slow_drip_by_tls_ends_at_the_deadline(serve, tls):
    server, start = serve(dripping, tls("ours", trusted="ours")), time.monotonic()
    error = failure(lambda: call(server, deadline=0.4))
    assert (error.reason, error.sent) == (Reason.TIMED_OUT, True)
    assert time.monotonic() - start < 60  # the server would go on for ever


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "deadlines"]


def test_one_thread_watches_all_deadlines():
    with wire.Line(3600) as far, wire.Line(3600):
        with wire.Line(0.05) as near:
            until(lambda: near.late)
        assert (len(threads()), far.late) == (1, False)
    with wire.Line(0.05) as again:
        until(lambda: again.late)
    assert len(threads()) == 1


def test_a_line_that_ended_in_time_is_never_late():
    with wire.Line(0.05) as ended:
        pass
    with wire.Line(0.2) as later:
        until(lambda: later.late)
    assert not ended.late


def test_a_process_that_was_forked_has_a_watch_of_its_own(monkeypatch):
    with wire.Line(3600):
        monkeypatch.setattr(wire.os, "getpid", lambda: -1)
        assert wire._watch().lines == {}


def until(happened):
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_answer_above_the_cap_is_refused(serve):
    server = serve(plain(b"x" * 200_000))
    error = failure(lambda: call(server, limit=100_000))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, True)
    assert call(server, limit=200_000).body == b"x" * 200_000


def test_an_answer_that_swells_when_unpacked_is_refused(serve):
    body = gzip.compress(b"\0" * 5_000_000)
    error = failure(lambda: call(serve(plain(body, "Content-Encoding: gzip")), limit=1_000_000))
    assert error.reason == Reason.UNAVAILABLE
    assert len(body) < 10_000


def test_a_file_above_the_cap_is_refused(serve):
    server = serve(plain(b"x" * 200_000))
    error = failure(lambda: http.download(PURPOSE, f"{server.url}/x", origin=server.url, limit=100_000))
    assert error.reason == Reason.UNAVAILABLE


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"


def test_a_file_that_was_cut_short_is_refused(serve):
    server = serve(CUT)
    error = failure(lambda: http.download(PURPOSE, f"{server.url}/x", origin=server.url))
    assert error.reason == Reason.UNAVAILABLE


def test_an_answer_that_was_cut_short_is_refused(serve):
    error = failure(lambda: call(serve(CUT)))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, True)


def test_a_chunked_answer_that_was_cut_short_is_refused(serve):
    error = failure(lambda: call(serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")))
    assert (error.reason, error.sent) == (Reason.UNAVAILABLE, True)


def test_json_that_was_cut_short_without_a_length_is_no_json(serve):
    answer = call(serve(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"id": "1", "sta'))
    assert failure(answer.json).reason == Reason.UNAVAILABLE


# --- What it makes of the answer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"<html></html>", b"{", b"[" * 10_000 + b"]" * 10_000, '{"a": "\xe9"}'.encode("latin-1"),
     '{"a": 1}'.encode("utf-16"), b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_what_is_no_json_is_said_to_be_none(serve, body):
    answer = call(serve(plain(body, "Content-Type: application/json; charset=klingon")))
    assert failure(answer.document).reason == Reason.UNAVAILABLE


@pytest.mark.parametrize("body", ["[]", "7", "null", '"x"', "true"])
def test_json_that_is_no_object_is_no_document(body):
    answer = http.Answer(200, {}, body.encode())
    assert answer.json() == json.loads(body)
    assert failure(answer.document).reason == Reason.UNAVAILABLE


NOW = 1_795_348_800.0  # 2026-11-22 12:00 UTC


def on(seconds: float) -> str:
    return email.utils.format_datetime(datetime.datetime.fromtimestamp(NOW + seconds, datetime.UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "86400"}, 86_400),
        ({"retry-after": "99999999"}, 86_400),
        ({"retry-after": "1e30"}, 86_400),
        ({"retry-after": "-1e30"}, None),
        ({"retry-after": "9" * 400}, 86_400),
        ({"retry-after": "1e400"}, 86_400),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "\u00b2"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": on(30)}, 30),
        ({"retry-after": on(-30)}, None),
        ({"retry-after": on(10_000_000)}, 86_400),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({"retry-after": "Thu, 99 Jan 9999 99:00:00 GMT"}, None),
        ({"retry-after": on(7230), "date": on(7200)}, 30),  # their clock is two hours ahead of ours
        ({"retry-after": on(-7170), "date": on(-7200)}, 30),
        ({"retry-after": on(7200), "date": on(7230)}, None),
        ({"retry-after": on(30), "date": "soon"}, 30),
        ({"retry-after": "7", "date": on(7200)}, 7),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
    ],
)
def test_how_long_to_wait(monkeypatch, headers, seconds):
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert http.retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("status", "reason", "sent"),
    [
        (302, Reason.UNAVAILABLE, False),
        (400, Reason.INVALID_INPUT, False),
        (401, Reason.UNAUTHORIZED, False),
        (402, Reason.OUT_OF_QUOTA, False),
        (403, Reason.UNAUTHORIZED, False),
        (404, Reason.RETIRED, False),
        (408, Reason.TIMED_OUT, False),
        (418, Reason.INVALID_INPUT, False),
        (422, Reason.INVALID_INPUT, False),
        (429, Reason.RATE_LIMITED, False),
        (500, Reason.UNAVAILABLE, True),
        (503, Reason.UNAVAILABLE, True),
        (504, Reason.TIMED_OUT, True),
    ],
)
def test_a_refusal_by_its_status(status, reason, sent):
    error = http.refuse(http.Answer(status, {}, b""), "why")
    assert (error.reason, error.sent, error.detail) == (reason, sent, f"{status} why")


@pytest.mark.parametrize(
    ("status", "reason"), [(403, Reason.LOST), (404, Reason.LOST), (410, Reason.LOST), (500, Reason.UNAVAILABLE)]
)
def test_a_file_that_is_gone_is_lost(serve, status, reason):
    server = serve(plain(b"gone", status=f"{status} No"))
    error = failure(lambda: http.download(PURPOSE, f"{server.url}/x{QUERY}", origin=server.url))
    assert error.reason == reason


def test_the_connection_to_the_database_is_given_back_before_anything_is_sent(serve, monkeypatch):
    server, given_back = serve(plain(b"{}")), []
    monkeypatch.setattr(pool, "release", lambda: given_back.append(len(server.heard)))
    call(server)
    http.download(PURPOSE, server.url, origin=server.url).close()
    assert (given_back, len(server.heard)) == ([0, 1], 2)


# --- What it keeps and what it tells -------------------------------------------------------------------------


def test_a_call_leaves_a_row(serve):
    answer = call(serve(plain(b"{}", status="201 Created")))
    answer.costs(1.5)
    row = ProviderCall.objects.get()
    assert (row.provider, row.model, row.operation, row.status) == ("acme", "model-1", "submit", 201)
    assert (row.reason, row.size, row.cost) == ("", 2, 1.5)


def test_a_failed_call_leaves_a_row_with_the_reason(serve):
    failure(lambda: call(serve(CUT)))
    row = ProviderCall.objects.get()
    assert (row.status, row.reason) == (200, Reason.UNAVAILABLE)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"Incorrect key {KEY}.", "Incorrect key [key]."),
        (f"Incorrect key: Bearer {KEY}", "Incorrect key: Bearer [key]"),
        ("Incorrect key sk-ab***yz89.", "Incorrect key [key]"),
        ("see https://cdn.example/x?X-Amz-Signature=1 now", "see [address] now"),
        ("bad image data:image/png;base64,AAAA", "bad image [address]"),
        (f"bad value {'A' * 100}", "bad value [key]"),
        ("two\nlines\t here", "two lines here"),
        ("zero\0byte, half \ud83d a sign", "zero byte, half ? a sign"),
        ("key_name is required, sk is not", "key_name is required, sk is not"),
        ("request 3f0c8d1e-1111-4222-8333-444455556666", "request 3f0c8d1e-1111-4222-8333-444455556666"),
        ("word " * 100, ("word " * 100)[:300]),
    ],
)
def test_what_a_provider_says_is_quoted_without_keys_and_addresses(serve, said, kept):
    answer = call(serve(plain(b"{}")))
    assert answer.quote(said) == kept


def test_no_half_of_a_key_is_quoted(serve):
    server = serve(plain(b"{}"))
    answer = http.call(
        PURPOSE, "GET", server.url, origin=server.url, headers={"Authorization": "Key id-123456:half-7890"}
    )
    assert answer.quote("unknown key id-123456, half-7890") == "unknown key [key], [key]"


def test_logs_tell_no_key_and_no_signature(serve, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    server = serve(plain(b"video"))
    call(server)
    http.download(PURPOSE, f"{server.url}/x{QUERY}", origin=server.url, headers=HEADERS).close()
    failure(lambda: http.download(PURPOSE, f"https://10.0.0.1/x{QUERY}", origin=FAR, headers=HEADERS))
    assert KEY not in caplog.text
    assert QUERY not in caplog.text


def test_a_proxy_of_the_environment_sees_nothing(serve, monkeypatch):
    proxy, server = serve(plain(b"proxy")), serve(plain(b"direct"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert call(server).body == b"direct"
    assert proxy.heard == []
