"""Addresses that users and providers give: whether the guard keeps us out of our own network and away from tricks.

Nothing of the outside is asked: what should be refused is refused before anything is sent, and a listener on this
machine counts what is not.
"""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from providers import gateway, http, wire
from providers.base import ProviderError
from vidgenie.management.audit.check import Seen, check
from vidgenie.management.audit.scratch import undone

PRIVATE = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 127.0.0.1 127.1.2.3 169.254.1.1 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
    ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::
    2002:a00:1:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1
""".split()  # noqa: SIM905 (a list of words would take a page)
PUBLIC = ("1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
# {} is the port of a listener on this machine.
TRICKS = (
    "https://127.0.0.1:{}/",
    "https://localhost:{}/",
    "https://localhost.:{}/",
    "https://[::1]:{}/",
    "https://[::ffff:127.0.0.1]:{}/",
    "https://0.0.0.0:{}/",
    "https://2130706433:{}/",
    "https://0x7f000001:{}/",
    "https://0x7f.1:{}/",
    "https://017700000001:{}/",
    "https://127.1:{}/",
    "https://①②⑦.⓪.⓪.①:{}/",
    "https://127.0.0.1:{}\\@example.com/",
    "https://example.com@127.0.0.1:{}/",
    "https://user:password@127.0.0.1:{}/",
    "https://example.com:{}@localhost/",
    "https://127.0.0.1%00.example.com:{}/",
    "https://127.0.0.1\t:{}/",
    "http://127.0.0.1:{}/",
    "http://example.com:{}/",
    "//127.0.0.1:{}/",
    "file:///etc/hostname?{}",
    "gopher://127.0.0.1:{}/",
    "ftp://127.0.0.1:{}/",
    "data:image/png;base64,{}",
    "https://:{}/",
    "https://",
)
HOME = "https://api.example.com/v1"
ELSEWHERE = (
    "https://evil.invalid/",
    "https://api.example.com.evil.invalid/",
    "https://api.example.com@evil.invalid/",
    "https://evil.invalid\\@api.example.com/",
    "https://api.example.com:8443/",
    "http://api.example.com/",
    "//api.example.com/",
    "https://127.0.0.1/",
)
RESTORE = "Restore providers/wire.py and providers/http.py."


@check("addresses.private", "Private addresses are known as such", "critical", RESTORE)
def private() -> Iterator[str]:
    """A table of addresses of every special kind, and of some that are public."""
    yield from (f"{text} is let through" for text in PRIVATE if wire.is_public(ipaddress.ip_address(text)))
    yield from (f"{text} is refused" for text in PUBLIC if not wire.is_public(ipaddress.ip_address(text)))
    yield Seen(f"{len(PRIVATE)} refused, {len(PUBLIC)} let through")


@check("addresses.given", "An address that a user gives does not lead back to us", "critical", RESTORE)
def given() -> Iterator[str]:
    """Pictures are fetched from every spelling of this machine; a listener counts who comes."""
    with listener() as visits, undone():
        for trick in TRICKS:
            before = visits.number
            if _fetched(trick.format(visits.port)):
                yield f"{trick.format('PORT')} was fetched"
            if visits.number != before:
                yield f"{trick.format('PORT')} was connected to"
    yield Seen(f"{len(TRICKS)} addresses, none of them connected to")


def _fetched(url: str) -> bool:
    try:
        gateway.at_address(url, limit=1000).close()
    except ProviderError:
        return False
    return True


@check("addresses.keys", "Keys are sent to their provider and nowhere else", "critical", RESTORE)
def keys_stay_home() -> Iterator[str]:
    """Addresses that look like those of an API are put to the guard that stands before every call with a key."""
    for url in ELSEWHERE:
        try:
            http.require_origin(url, HOME)
        except ProviderError:
            continue
        yield f"{url} is taken for {HOME}"
    yield Seen(f"{len(ELSEWHERE)} refused")


@dataclass
class Visits:
    """Who came to the listener."""

    port: int
    number: int = 0
    sockets: list[socket.socket] = field(default_factory=list)


@contextmanager
def listener() -> Iterator[Visits]:
    """A port of this machine, by both of its addresses, that counts connections and answers none."""
    with (
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        if _has_ipv6()
        else (socket.create_server(("127.0.0.1", 0))) as server
    ):
        visits = Visits(server.getsockname()[1])
        thread = threading.Thread(target=_count, args=(server, visits), daemon=True)
        thread.start()
        try:
            yield visits
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _has_ipv6() -> bool:
    return socket.has_dualstack_ipv6()


def _count(server: socket.socket, visits: Visits) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        visits.number += 1
        connection.close()
