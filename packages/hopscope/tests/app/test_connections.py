"""Clients that send too slowly, too much, or never read: each costs bounded time and memory, and nobody waits."""

import contextlib
import http.client
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from brokers import free_port
from meshes import Mesh

from hopscope.app import connections, reader
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings

PATIENCE_S = 20.0


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server whose patience is short."""
    monkeypatch.setattr(connections, "REQUEST_S", 0.4)
    monkeypatch.setattr(connections, "STALL_S", 0.4)
    mesh = Mesh(tmp_path / "mesh.db")
    for number in range(100):
        mesh.ack(number)
    settings, stop = Settings(str(mesh.path), port=free_port()), StopToken()
    thread = threading.Thread(target=reader.run, args=(settings,), kwargs={"stop": stop})
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not answers(settings.port):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield settings.port
    stop.set("test")
    thread.join()
    mesh.close()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except ConnectionError:
        return False
    finally:
        connection.close()


def ends(client: socket.socket) -> bytes:
    """What the server sends until it ends the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := client.recv(65536):
            received += data
    return received


def drip(client: socket.socket, data: bytes) -> None:
    """Send this again and again. Raises ConnectionError when the server has enough."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        client.sendall(data)
        time.sleep(0.02)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"\r\n",
        b"POST /api/decode HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "an empty line", "half a body"],
)
def test_a_request_that_does_not_arrive_ends_its_connection(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(sent)
        ends(client)
    assert answers(port)


def test_an_empty_line_between_two_requests_does_not_hold_the_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        client.sendall(b"\r\n")
        ends(client)


def test_a_drop_now_and_then_does_not_extend_the_deadline(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            drip(client, b"A: b\r\n")


def test_headers_without_end_are_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(20_000):
                client.sendall(b"Name: " + b"x" * 1000 + b"\r\n")
            pytest.fail("20 MB of headers were taken")
    assert answers(port)


def test_the_refusal_of_long_headers_is_an_error_as_any_other(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\nName: " + b"x" * (connections.HEAD_MAX + 1))
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.read()) == (431, b'{"error":"the request\'s headers are too long"}')


def test_an_answer_that_nobody_reads_ends_its_connection(port: int) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE_S)
        client.connect(("127.0.0.1", port))
        for _ in range(200):  # 20 MB, more than any buffer between
            client.sendall(b"GET /api/packets?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionError):
            drip(client, b"\r\n")
    assert answers(port)


def test_a_request_after_another_has_the_whole_time_again(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    began = time.monotonic()
    while time.monotonic() - began < 3 * connections.REQUEST_S:
        connection.request("POST", "/api/decode", body=b"{}", headers={"Content-Type": "application/json"})
        assert connection.getresponse().read()
    connection.close()


def test_a_live_stream_outlives_the_deadline_of_its_request(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /api/live HTTP/1.1\r\nHost: x\r\n\r\n")
        client.recv(65536)
        client.settimeout(3 * connections.REQUEST_S)
        with pytest.raises(TimeoutError):
            ends(client)


def test_the_limit_of_open_files_is_raised_as_far_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    for soft, hard, limit in ((1024, 4096, 1600), (1024, 1200, 1200), (1024, -1, 1600), (5000, 9000, 5000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=(soft, hard): limits)
        assert connections.allow_descriptors(1500) == limit
    assert given == [(1600, 4096), (1200, 1200), (1600, -1)]


def test_a_sandbox_that_forbids_more_files_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int, __: tuple[int, int]) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "setrlimit", forbidden)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert connections.allow_descriptors(1500) == 1024
