"""The line that one exchange of ours takes: it ends at a deadline, knows whether it ever stood, and keeps us outside.

`requests` waits per read: a server that sends a byte a minute is never late. It cannot say whether a request left the
house, on which money depends. And it connects to whatever a name resolves to, at the moment it does.
"""

import functools
import ipaddress
import math
import os
import socket
import ssl
import threading
import time
from typing import Any

import certifi
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError
from urllib3.util import connection

from crashpoint import crashpoint

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What `is_global` of some Python that we support takes for public, and what can be a way round to IPv4.
_CLOSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carriers' NAT
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "2001::/23",  # Teredo, ORCHID and other assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all there is of the public IPv6: no fec0::, ::127.0.0.1, 5f00::, ff02::


class Refused(Exception):
    """The name leads into a private network."""


def is_public(address: Address) -> bool:
    """Whether the address is out there in the internet, also behind the ways in which IPv6 writes IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or (ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else None)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST:
            return False
    closed = any(address in network for network in _CLOSED if network.version == address.version)
    return address.is_global and not address.is_multicast and not closed


class Line(HTTPAdapter):
    """requests' transport for one exchange of at most `deadline` seconds. Use it as a context.

    `guarded` means to connect to public addresses only, and to this machine where `loopback` says so.
    """

    def __init__(self, deadline: float, *, guarded: bool = False, loopback: bool = False) -> None:
        super().__init__(max_retries=0)
        self.guarded, self.loopback = guarded, loopback
        self.stood = False  # once a connection was up, anything may have been sent
        self.late = False
        self.deadline = deadline
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Line":
        _watch().begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        _watch().end(self)
        self.close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """One TLS context for the whole process: reading the certificates takes longer than all else we do."""
        super().init_poolmanager(*args, **kwargs, ssl_context=_tls())

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context has the certificates already."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool, making connections that report to this line."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = functools.partial(_Https if pool.scheme == "https" else _Http, line=self)
        return pool

    def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of them fit to be connected to; raises Refused when one is not."""
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not all(self._allows(ipaddress.ip_address(address)) for address in found):
            raise Refused("an address inside a private network was refused")
        return found

    def watch(self, sock: socket.socket) -> None:
        """Keep a connection in view, so that it can be cut."""
        self._socket = sock
        if self.late:
            self.cut()

    def _allows(self, address: Address) -> bool:
        return is_public(address) or (self.loopback and address.is_loopback)

    def cut(self) -> None:
        """End whatever connection there is, and those to come: it is late."""
        self.late = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._socket = None  # it ended by itself meanwhile


class _Watch:
    """Cuts lines at their deadlines, in one thread for all lines of a process."""

    def __init__(self) -> None:
        self.lines: dict[Line, float] = {}
        self.next = math.inf
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None

    def begin(self, line: Line) -> None:
        deadline = time.monotonic() + line.deadline
        with self.changed:
            self.lines[line] = deadline
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self.thread.start()
            elif deadline < self.next:
                self.changed.notify()

    def end(self, line: Line) -> None:
        with self.changed:
            self.lines.pop(line, None)

    def _run(self) -> None:
        while True:
            for line in self._late():
                line.cut()

    def _late(self) -> list[Line]:
        """The lines whose time is over, of which there may be none after a wait."""
        with self.changed:
            self.next = min(self.lines.values(), default=math.inf)
            if (wait := self.next - time.monotonic()) > 0:
                self.changed.wait(wait if self.lines else None)
            now = time.monotonic()
            late = [line for line, deadline in self.lines.items() if deadline <= now]
            for line in late:
                del self.lines[line]
            return late


_watches: dict[int, _Watch] = {}  # by process: threads are not inherited


def _watch() -> _Watch:
    return _watches.get(os.getpid()) or _watches.setdefault(os.getpid(), _Watch())


class _Reporting(HTTPConnection):
    """A connection of a line's."""

    def __init__(self, *args: Any, line: Line, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.line = line

    def connect(self) -> None:
        super().connect()
        self.line.stood = True
        self.line.watch(self.sock)

    def getresponse(self) -> Any:
        crashpoint("request.sent")
        return super().getresponse()

    def _new_conn(self) -> socket.socket:
        sock = self._guarded() if self.line.guarded else super()._new_conn()
        self.line.watch(sock)
        return sock

    def _guarded(self) -> socket.socket:
        """Connect to what was looked at: asking for the name twice could give two answers."""
        name = self._dns_host
        try:
            addresses = self.line.resolve(name, self.port)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        for address in addresses[:-1]:
            try:
                return connection.create_connection((address, self.port), self.timeout)
            except OSError:
                continue
        self._dns_host = addresses[-1]
        try:
            return super()._new_conn()
        finally:
            self._dns_host = name


class _Http(_Reporting):
    pass


class _Https(_Reporting, HTTPSConnection):
    pass


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
