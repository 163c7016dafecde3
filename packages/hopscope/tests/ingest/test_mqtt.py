"""A real broker as a source: every transport, acknowledgement after storing, reconnecting, and trouble that is told."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from brokers import Mosquitto, free_port
from paho.mqtt.enums import CallbackAPIVersion

from hopscope.config.settings import MqttSource as Config
from hopscope.ingest.mqtt import Endpoint, MqttSource, Watchdog, client_id, endpoint
from hopscope.model import Message

TOPIC = "meshcore/SEA/" + "A3" * 32 + "/packets"
PATIENCE_S = 20.0


class Inbox:
    """Takes what a source delivers; keeps it until the test looks."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._changed = threading.Condition()

    def deliver(self, message: Message) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Message]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, PATIENCE_S), self.messages
            return list(self.messages)

    def acknowledge(self) -> None:
        for message in self.messages:
            if message.ack is not None:
                message.ack()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def source(url: str, **settings: object) -> MqttSource:
    return MqttSource(Config(name="home", url=url, **settings), client_id="hopscope-test")  # type: ignore[arg-type]


@pytest.fixture
def sources() -> Iterator[list[MqttSource]]:
    """Whatever a test starts is stopped."""
    started: list[MqttSource] = []
    yield started
    for each in started:
        each.stop()
        each.close()


def started(each: MqttSource, sources: list[MqttSource]) -> Inbox:
    inbox = Inbox()
    sources.append(each)
    each.start(inbox.deliver)
    return inbox


def connected(each: MqttSource, sources: list[MqttSource]) -> Inbox:
    """Started, connected and subscribed: its subscription is answered before a ping of a second client would be."""
    inbox = started(each, sources)
    until(lambda: each.state().connected)
    return inbox


def publish(broker: Mosquitto, *payloads: bytes, qos: int = 1, retain: bool = False) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for payload in payloads:
        client.publish(TOPIC, payload, qos=qos, retain=retain).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


@pytest.mark.mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "ws", "wss"])
def test_every_transport_and_protocol_delivers(
    tmp_path: Path, sources: list[MqttSource], scheme: str, protocol: str
) -> None:
    ports = {"mqtt": free_port(), "mqtts": free_port(), "ws": free_port(), "wss": free_port()}
    broker = Mosquitto(
        tmp_path, port=ports["mqtt"], tls_port=ports["mqtts"], ws_port=ports["ws"], wss_port=ports["wss"]
    )
    with broker:
        url = f"{scheme}://127.0.0.1:{ports[scheme]}"
        ca_file = str(broker.ca_file) if scheme in {"mqtts", "wss"} else None
        home = source(url, protocol=protocol, ca_file=ca_file)
        publish(broker, b"for a new subscriber", retain=True)
        inbox = connected(home, sources)
        [message] = inbox.wait(1)
        assert (message.source, message.topic, message.payload) == ("home", TOPIC, b"for a new subscriber")
        assert message.retained
        publish(broker, b"hello")
        message = inbox.wait(2)[1]
        assert (message.payload, message.retained, message.redelivered) == (b"hello", False, False)
        assert home.address == url


# paho drops the socket of a failed handshake without closing it; it is closed when it is collected, with a warning
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.mosquitto
def test_a_certificate_of_a_stranger_is_refused_and_told(tmp_path: Path, sources: list[MqttSource]) -> None:
    with Mosquitto(tmp_path, tls_port=free_port()) as broker:
        url = f"mqtts://127.0.0.1:{broker.tls_port}"
        home = source(url)
        started(home, sources)
        until(lambda: "CERTIFICATE_VERIFY_FAILED" in (home.state().last_error or ""))
        connected(source(url, verify_tls=False, client_id="careless"), sources)


@pytest.mark.mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_was_not_acknowledged_comes_again_and_says_so(
    tmp_path: Path, sources: list[MqttSource], protocol: str
) -> None:
    with Mosquitto(tmp_path) as broker:
        first = source(broker.url, protocol=protocol)
        inbox = connected(first, sources)
        publish(broker, b"0")
        inbox.wait(1)
        publish(broker, b"1", b"2", b"3")
        messages = inbox.wait(4)
        for message in messages[:2]:
            assert message.ack is not None
            message.ack()
        first.stop()
        first.close()
        again = connected(source(broker.url, protocol=protocol), sources)
        assert [(m.payload, m.redelivered) for m in again.wait(2)] == [(b"2", True), (b"3", True)]
        publish(broker, b"4")
        assert [(m.payload, m.redelivered) for m in again.wait(3)[2:]] == [(b"4", False)]


@pytest.mark.mosquitto
def test_an_acknowledgement_of_an_old_connection_goes_nowhere(tmp_path: Path, sources: list[MqttSource]) -> None:
    with Mosquitto(tmp_path) as broker:
        home = source(broker.url)
        inbox = connected(home, sources)
        publish(broker, b"0")
        inbox.wait(1)
        publish(broker, b"1", b"2")
        stale = inbox.wait(3)
        other = source(broker.url)  # the same client id: the broker ends the first connection
        others = connected(other, sources)
        others.wait(3)
        for message in stale:
            assert message.ack is not None
            message.ack()
        home.stop()
        home.close()
        other.stop()
        other.close()
        third = connected(source(broker.url), sources)
        assert [m.payload for m in third.wait(3)] == [b"0", b"1", b"2"]


@pytest.mark.mosquitto
def test_a_source_that_stops_delivers_no_more_but_still_acknowledges(tmp_path: Path, sources: list[MqttSource]) -> None:
    with Mosquitto(tmp_path) as broker:
        home = source(broker.url)
        inbox = connected(home, sources)
        publish(broker, b"0")
        inbox.wait(1)
        home.stop()
        publish(broker, b"late")
        inbox.acknowledge()
        home.close()
        assert [m.payload for m in inbox.messages] == [b"0"]
        again = connected(source(broker.url), sources)
        assert [m.payload for m in again.wait(1)] == [b"late"]


@pytest.mark.mosquitto
def test_a_broker_that_restarts_is_found_again(tmp_path: Path, sources: list[MqttSource]) -> None:
    with Mosquitto(tmp_path) as broker:
        home = source(broker.url)
        inbox = connected(home, sources)
        publish(broker, b"before")
        inbox.wait(1)
        inbox.acknowledge()
        broker.stop()
        until(lambda: not home.state().connected)
        assert home.state().last_error
        broker.start()
        until(lambda: home.state().connected)
        publish(broker, b"after")
        assert inbox.wait(2)[1].payload == b"after"
        state = home.state()
        assert (state.connects, state.disconnects, state.last_error) == (2, 1, None)


@pytest.mark.mosquitto
def test_a_refused_password_is_told(tmp_path: Path, sources: list[MqttSource]) -> None:
    with Mosquitto(tmp_path, options=("allow_anonymous false",)) as broker:
        home = source(broker.url, username="me", password="s3cret")
        started(home, sources)
        until(lambda: "refused the connection" in (home.state().last_error or ""))
        assert "s3cret" not in str(home.state())
        assert not home.state().connected


@pytest.mark.mosquitto
def test_a_megabyte_is_delivered_like_anything_else(tmp_path: Path, sources: list[MqttSource]) -> None:
    with Mosquitto(tmp_path) as broker:
        inbox = connected(source(broker.url), sources)
        publish(broker, b"x" * 1_000_000, b"small")
        assert [len(m.payload) for m in inbox.wait(2)] == [1_000_000, 5]


def test_an_unreachable_broker_delays_nobody_and_is_told(sources: list[MqttSource]) -> None:
    home = source(f"mqtt://127.0.0.1:{free_port()}")
    started(home, sources)
    until(lambda: "refused" in (home.state().last_error or "").lower())
    assert (home.state().connected, home.state().connects) == (False, 0)


def test_a_name_that_no_host_can_have_is_told(sources: list[MqttSource]) -> None:
    home = source("mqtt://" + "x" * 70 + ".example")
    started(home, sources)
    until(lambda: home.state().last_error is not None)


def test_a_refused_subscription_is_told(sources: list[MqttSource]) -> None:
    answers = {0x10: b"\x20\x03\x00\x00\x00", 0x80: b"\x90\x05\x00\x01\x00\x87\x87"}  # CONNACK, SUBACK: not authorized
    with socket.create_server(("127.0.0.1", 0)) as server:

        def broker() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(4096):
                    if answer := answers.get(data[0] & 0xF0):
                        connection.sendall(answer)

        thread = threading.Thread(target=broker)
        thread.start()
        home = source(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        started(home, sources)
        until(lambda: "refused the subscription of meshcore/+/+/packets" in (home.state().last_error or ""))
        assert home.state().connected
        home.close()
        thread.join()


def test_a_silent_feed_is_connected_afresh_less_and_less_often() -> None:
    dog = Watchdog()
    assert not dog.barks(299)
    assert dog.barks(300)
    assert not dog.barks(300)
    assert dog.barks(600)
    dog.heard()
    assert dog.barks(300)
    for _ in range(9):
        dog.barks(10_000)
    assert dog.barks(3600)
    assert not dog.barks(3599)


ADDRESSES = [
    ("mqtt://h", Endpoint("h", 1883, "tcp", False, "/mqtt")),
    ("mqtts://h:1", Endpoint("h", 1, "tcp", True, "/mqtt")),
    ("ws://[::1]/", Endpoint("::1", 80, "websockets", False, "/mqtt")),
    ("wss://h.example/feed", Endpoint("h.example", 443, "websockets", True, "/feed")),
]


@pytest.mark.parametrize(("url", "expected"), ADDRESSES)
def test_an_address_has_its_parts(url: str, expected: Endpoint) -> None:
    assert endpoint(url) == expected


@pytest.mark.parametrize("url", ["http://h", "h:1883", "mqtt://", "", "mqtt://h:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        endpoint(url)


def test_the_client_id_is_stable_short_and_differs_by_source() -> None:
    ids = {client_id("0a1b2c3d", name) for name in ("home", "away")}
    assert ids == {client_id("0a1b2c3d", name) for name in ("home", "away")}
    assert len(ids) == 2
    assert all(len(each) <= 23 for each in ids)
