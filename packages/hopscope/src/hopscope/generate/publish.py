"""Publish a simulation's records over MQTT and know that the brokers have them. The generator's only network edge."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from hopscope.config.kinds import MQTT_PORTS
from hopscope.generate.stream import Record

CONNECT_TIMEOUT_S = 10.0
ACK_TIMEOUT_S = 60.0
MAX_UNACKNOWLEDGED = 2000  # per broker; publishing waits for acknowledgements beyond it


class PublishError(Exception):
    """A broker could not be reached, refused us, or did not acknowledge in time; str() is one line."""


class Broker:
    """One connection, open between `with` and its end.

    At QoS 1 every record is acknowledged before `drain` returns. A record that the broker refuses ends the publishing.
    """

    def __init__(self, url: str, *, qos: int = 1) -> None:
        parts = urlsplit(url)
        if parts.scheme not in MQTT_PORTS or not parts.hostname:
            raise PublishError(f"{_shown(url)} is no broker address; one looks like mqtt://127.0.0.1:1883")
        self.shown = _shown(url)
        self._host, self._port, self._qos = parts.hostname, parts.port or MQTT_PORTS[parts.scheme], qos
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            protocol=mqtt.MQTTv5,
            transport="websockets" if parts.scheme in ("ws", "wss") else "tcp",
        )
        if parts.scheme in ("mqtts", "wss"):
            self._client.tls_set()
        if self._client.transport == "websockets":
            self._client.ws_set_options(path=parts.path or "/")
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        self._changed = threading.Condition()
        self._unacknowledged = 0
        self._refusal: str | None = None
        self._client.max_inflight_messages_set(200)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    def __enter__(self) -> "Broker":
        """Connect. Raises PublishError when the broker is not there or refuses."""
        try:
            self._client.connect(self._host, self._port)
        except OSError as exc:
            raise PublishError(f"{self.shown}: {exc.strerror or exc}") from exc
        self._client.loop_start()
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        with self._changed:
            while not self._client.is_connected() and self._refusal is None:
                if not self._changed.wait(deadline - time.monotonic()):
                    self._refusal = "no answer"
        if self._refusal is not None:
            self._client.loop_stop()
            raise PublishError(f"{self.shown}: {self._refusal}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, record: Record) -> None:
        """Hand the record over; waits while too many are unacknowledged, at last raises PublishError.

        Raises it also when the broker has refused a record since.
        """
        self._wait_below(MAX_UNACKNOWLEDGED)
        with self._changed:
            self._unacknowledged += 1
        self._client.publish(record.topic, record.payload, qos=self._qos)

    def drain(self) -> None:
        """Wait until the broker has everything. Raises PublishError when it refuses a record, or is silent for long."""
        self._wait_below(1)

    def _wait_below(self, limit: int) -> None:
        deadline = time.monotonic() + ACK_TIMEOUT_S
        with self._changed:
            while self._unacknowledged >= limit and self._refusal is None:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise PublishError(f"{self.shown}: {self._unacknowledged} records were not acknowledged")
            if self._refusal is not None:
                raise PublishError(f"{self.shown}: {self._refusal}")

    def _on_connect(
        self, _client: mqtt.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            if code.is_failure:
                self._refusal = str(code)
            self._changed.notify_all()

    def _on_publish(
        self, _client: mqtt.Client, _data: object, _mid: int, code: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            self._unacknowledged -= 1
            if code.is_failure:
                self._refusal = f"refused a record: {code}"
            self._changed.notify_all()


def publish(
    records: Iterable[Record],
    brokers: Sequence[Broker],
    *,
    wait_until: Callable[[int], None],
    published: Callable[[Record], None],
) -> None:
    """Publish each record at its time (`wait_until` waits for a moment in ms UTC), then wait for the acknowledgements.

    `published` is called for each one handed over, so that a truth counts no other. Raises PublishError.
    """
    for record in records:
        wait_until(record.at_ms)
        brokers[record.broker % len(brokers)].publish(record)
        published(record)
    for broker in brokers:
        broker.drain()


def _shown(url: str) -> str:
    """The address without user and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else url
