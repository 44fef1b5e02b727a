"""Tests cannot reach the network, so none of them can come to depend on it."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_another_host_is_out_of_reach() -> None:
    with pytest.raises(SocketConnectBlockedError), socket.socket() as connection:
        connection.connect(("192.0.2.1", 80))


def test_this_machine_is_within_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as connection:
        connection.connect(server.getsockname())
