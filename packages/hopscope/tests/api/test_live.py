"""/api/live and /ws over a real server: what is committed arrives, in the shapes that clients know."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from meshes import ADVERT, FLOOD, NORTH, SOUTH, T0, Mesh, pubkey, seed
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from hopscope.app import reader
from hopscope.app.exit_codes import REFUSED
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
from meshwire import encode

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")

WAIT_S = 10


class Running:
    """A reader process's server, in a thread."""

    def __init__(self, settings: Settings) -> None:
        self.port = free_port()
        self.stop = StopToken()
        self.exit: list[int] = []
        settings = replace(settings, port=self.port)
        self.thread = threading.Thread(target=lambda: self.exit.append(reader.run(settings, stop=self.stop)))
        self.thread.start()
        until(lambda: self.answers("/livez"))

    def answers(self, path: str) -> int | None:
        """Status of a GET, or None while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except ConnectionError:
            return None
        finally:
            connection.close()

    def end(self) -> None:
        self.stop.set("test is over")
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that will come; the deadline only keeps a broken test from hanging."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


Serve = Callable[..., Running]


@pytest.fixture
def serve(database: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def begin(**changes: Any) -> Running:
            running = Running(replace(Settings(database=str(database)), **changes))
            stack.callback(running.end)
            return running

        yield begin


class Events:
    """A client of the event stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def next(self) -> dict[str, str]:
        """The next event that has data, or the next that has only an id."""
        fields: dict[str, str] = {}
        while True:
            line = self._response.readline().decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif not line and ("data" in fields or "id" in fields):
                return fields

    def packets(self) -> list[dict[str, Any]]:
        event = self.next()
        assert event["event"] == "packets", event
        found: list[dict[str, Any]] = json.loads(event["data"])["packets"]
        return found


@contextmanager
def listening(running: Running, query: str = "", headers: dict[str, str] | None = None) -> Iterator[Events]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=WAIT_S)
    connection.request("GET", f"/api/live{query}", headers=headers or {})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    try:
        yield Events(response)
    finally:
        response.close()
        connection.close()


def hub(running: Running, clients: int) -> None:
    """Wait until so many clients have joined, and the feed knows where it stands."""
    until(lambda: health(running)["websocket"]["clients"] == clients)


def health(running: Running) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=WAIT_S)
    connection.request("GET", "/api/health")
    found: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return found


def test_a_committed_reception_reaches_a_listener(mesh: Mesh, serve: Serve) -> None:
    running = serve()
    with listening(running) as events:
        events.next()
        wanted = mesh.say("hello", by=SOUTH)
        packet = events.packets()[0]
    assert (packet["hash"], packet["observer_id"], packet["snr"]) == (wanted, SOUTH, 7.25)
    assert packet["decoded"]["payload"]["text"] == "Ann: hello"


def test_event_ids_name_the_database_and_the_reception(mesh: Mesh, serve: Serve) -> None:
    identity = mesh.db.execute("select value from meta where key = 'database_id'").get
    with listening(serve()) as events:
        assert events.next()["id"] == f"{identity}-0"
        mesh.ack(1)
        assert events.next()["id"] == f"{identity}-1"


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_client_that_comes_back_is_told_what_it_missed(mesh: Mesh, serve: Serve, way: str) -> None:
    running = serve()
    with listening(running) as events:
        events.next()
        mesh.ack(1)
        seen = events.next()["id"]
    missed = mesh.ack(2)
    until(lambda: tail_is_at(running, mesh))
    query, headers = ("", {"Last-Event-ID": seen}) if way == "header" else (f"?after={seen}", {})
    with listening(running, query, headers) as events:
        assert [packet["hash"] for packet in events.packets()] == [missed]


def tail_is_at(running: Running, mesh: Mesh) -> bool:
    """Whether the feed has seen everything that is stored."""
    with listening(running) as events:
        newest = mesh.db.execute("select max(id) from observations").get
        return events.next()["id"].endswith(f"-{newest}")


@pytest.mark.parametrize("seen", ["beef-1", "what?", "beef-99999999999999999999"])
def test_an_id_of_another_database_means_load_the_list_anew(mesh: Mesh, serve: Serve, seen: str) -> None:
    running = serve()
    until(lambda: tail_is_at(running, mesh) if mesh.ack(1) else False)
    with listening(running, headers={"Last-Event-ID": seen}) as events:
        assert events.next()["event"] == "resync"


def test_a_broken_position_in_the_query_is_refused(mesh: Mesh, start: Callable[..., Any]) -> None:
    answer = start().get("/api/live?after=nonsense")
    assert (answer.status_code, answer.json()["error"]) == (400, "after: not an event id of this feed")


def test_filters_hold_for_the_live_feed(mesh: Mesh, serve: Serve) -> None:
    mesh.advert(7)
    running = serve()
    with listening(running, "?type=GRP_TXT&region=pdx") as events:
        events.next()
        mesh.say("not from this region", by=NORTH)
        mesh.ack(1, by=SOUTH)
        wanted = mesh.say("yes", by=SOUTH)
        assert [packet["hash"] for packet in events.packets()] == [wanted]


def test_a_websocket_message_has_the_keys_that_clients_know(mesh: Mesh, serve: Serve) -> None:
    running = serve()
    with connect(f"ws://127.0.0.1:{running.port}/ws") as client:
        hub(running, 1)
        payload = encode.advert(seed(7), T0 // 1000, 2, name="hill")
        mesh.hear(encode.frame(FLOOD, ADVERT, payload, path=[b"\xaa"]))
        message = json.loads(client.recv(timeout=WAIT_S))
    scalars = {
        "id", "raw_hex", "hash", "first_seen", "timestamp", "route_type", "payload_type", "decoded_json",
        "observer_id", "observer_name", "snr", "rssi", "path_json", "direction", "observation_count",
    }  # fmt: skip
    assert set(message) == {"type", "data"}
    assert message["type"] == "packet"
    assert set(message["data"]) == scalars | {"decoded", "packet"}
    assert set(message["data"]["packet"]) == scalars
    assert set(message["data"]["decoded"]) == {"header", "payload"}
    assert message["data"]["decoded"]["header"] == {"payloadTypeName": "ADVERT"}
    assert message["data"]["path_json"] == '["AA"]'


def test_each_observation_is_a_message_of_its_own(mesh: Mesh, serve: Serve) -> None:
    running = serve()
    with connect(f"ws://127.0.0.1:{running.port}/") as client:
        hub(running, 1)
        mesh.ack(1, by=NORTH)
        mesh.ack(1, by=SOUTH)
        heard = [json.loads(client.recv(timeout=WAIT_S))["data"] for _ in range(2)]
    assert [one["observer_id"] for one in heard] == [NORTH, SOUTH]
    assert heard[0]["id"] == heard[1]["id"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(None, True), ("own", True), ("https://mesh.example", True), ("https://evil.example", False), ("null", False)],
)
def test_pages_of_other_origins_may_not_open_a_websocket(
    mesh: Mesh, serve: Serve, origin: Any, *, allowed: bool
) -> None:
    running = serve(allowed_origins=("https://mesh.example",))
    sent = f"http://127.0.0.1:{running.port}" if origin == "own" else origin
    url = f"ws://127.0.0.1:{running.port}/ws"
    if allowed:
        with connect(url, origin=sent):
            return
    with pytest.raises(InvalidStatus) as refused, connect(url, origin=sent):
        pass
    assert refused.value.response.status_code == 403


def talk(client: ClientConnection) -> None:
    """Say more than anyone has to say."""
    for _ in range(100_000):
        client.send("hello")


def test_a_websocket_client_that_talks_is_shown_the_door(mesh: Mesh, serve: Serve) -> None:
    running = serve()
    with connect(f"ws://127.0.0.1:{running.port}/ws") as client:
        with pytest.raises(ConnectionClosed) as closed:
            talk(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_text_that_is_none_ends_a_websocket_and_leaves_no_trace(
    mesh: Mesh, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    running = serve()
    with connect(f"ws://127.0.0.1:{running.port}/ws") as client:
        client.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=WAIT_S)
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.name == "uvicorn.error"]


def test_an_orderly_stop_ends_open_streams(mesh: Mesh, serve: Serve) -> None:
    running = serve()
    with listening(running) as events, connect(f"ws://127.0.0.1:{running.port}/ws") as client:
        events.next()
        hub(running, 2)
        began = time.monotonic()
        running.end()
        assert time.monotonic() - began < reader.DRAIN_S, "it waited for the drain limit"
        assert running.exit == [0]
        client.close()


def test_a_client_that_goes_away_is_forgotten(mesh: Mesh, serve: Serve) -> None:
    running = serve()
    with listening(running) as events:
        events.next()
        hub(running, 1)
    hub(running, 0)


def test_a_reader_started_first_begins_when_the_database_appears(database: Path, serve: Serve) -> None:
    running = serve()
    assert running.answers("/readyz") == 503
    with listening(running) as events:
        mesh = Mesh(database)
        until(lambda: running.answers("/readyz") == 200)
        assert events.next()["event"] == "resync"
        wanted = mesh.advert(7)
        assert events.packets()[0]["hash"] == wanted
        assert events_node(running) == pubkey(7).hex()
    mesh.close()


def events_node(running: Running) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=WAIT_S)
    connection.request("GET", "/api/nodes")
    found: str = json.loads(connection.getresponse().read())["nodes"][0]["public_key"]
    connection.close()
    return found


def test_an_address_in_use_is_refused_with_a_sentence_that_says_what_to_do(
    mesh: Mesh, database: Path, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    running = serve()
    assert reader.run(Settings(database=str(database), port=running.port), stop=StopToken()) == REFUSED
    assert f"choose another: HOPSCOPE_LISTEN=127.0.0.1:{running.port + 1}" in caplog.text


def test_head_needs_no_body_and_leaves_the_connection_open(mesh: Mesh, serve: Serve) -> None:
    running = serve()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=WAIT_S)
    for path in ("/", "/api/packets", "/api/live", "/static/css/base.css", "/nowhere", "/"):
        connection.request("HEAD", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (404 if path == "/nowhere" else 200, b"")
    connection.close()
    assert running.answers("/livez") == 200
