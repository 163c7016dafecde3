"""A broker as a source of records, through paho-mqtt. The only module that knows the MQTT library.

One thread and one paho client per connection: a client's unsent acknowledgements and message ids die with it, so that
nothing of an old connection reaches the next one. Every message is acknowledged after it was stored.
"""

import hashlib
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from hopscope import log
from hopscope.config.kinds import MQTT_PORTS
from hopscope.config.settings import MqttSource as Broker
from hopscope.ingest.sources import Connection, Deliver
from hopscope.model import Message, SourceState

SESSION_EXPIRY_S = 7 * 86_400  # the broker keeps our queue over a long weekend's outage
LARGEST_PACKET = 2 * 1024 * 1024  # what MQTT 5 brokers may send; anything above 10 kB is refused and counted anyway
CONNECT_TIMEOUT_S = 10.0
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
STABLE_S = 30.0  # a connection that lasted so long was a good one: back-off starts afresh
FLUSH_S = 2.0  # for the last acknowledgements when stopping
SILENT_S, LONGEST_SILENT_S = 300.0, 3600.0
BURST = 200  # packets read before paho looks after its keepalive again

_SCHEMES = {  # transport, TLS
    "mqtt": ("tcp", False),
    "mqtts": ("tcp", True),
    "ws": ("websockets", False),
    "wss": ("websockets", True),
}
_PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker listens. `path` is for WebSockets."""

    host: str
    port: int
    transport: str
    tls: bool
    path: str


def endpoint(url: str) -> Endpoint:
    """The parts of mqtt://, mqtts://, ws:// or wss://. Raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError(f"{parts.scheme}://…: a broker's address is mqtt://, mqtts://, ws:// or wss:// and a host")
    transport, tls = _SCHEMES[parts.scheme]
    path = parts.path if parts.path not in {"", "/"} else "/mqtt"  # the path that brokers use by convention
    return Endpoint(parts.hostname, parts.port or MQTT_PORTS[parts.scheme], transport, tls, path)


def client_id(database_id: str, source: str) -> str:
    """The id under which a broker keeps our session: stable over restarts, 23 characters as MQTT 3.1.1 allows."""
    return f"hopscope-{database_id[:8]}-{hashlib.sha256(source.encode()).hexdigest()[:5]}"


@dataclass(slots=True)
class Watchdog:
    """Tells a connection that lives but brings nothing: a subscription that the broker lost looks just like it."""

    patience_s: float = SILENT_S

    def heard(self) -> None:
        """Something came."""
        self.patience_s = SILENT_S

    def barks(self, silent_s: float) -> bool:
        """True when it is time to connect afresh; asks for it less and less often while the feed stays silent."""
        if silent_s < self.patience_s:
            return False
        self.patience_s = min(self.patience_s * 2, LONGEST_SILENT_S)
        return True


class MqttSource:
    """One broker. Connects and reconnects in a thread of its own; an unreachable broker delays nobody."""

    kind = "mqtt"

    def __init__(
        self,
        broker: Broker,
        *,
        client_id: str,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Raises ValueError for an address that is none."""
        self.unwanted: tuple[str, ...] = ()  # topics that our session may hold from before; set before `start`
        self._broker, self._client_id, self._now_ms = broker, broker.client_id or client_id, now_ms
        self._endpoint = endpoint(broker.url)
        self._connection = Connection(broker.name, self.address)
        self._deliver: Deliver | None = None
        self._delivering = threading.Lock()
        self._stopped, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._watchdog = Watchdog()
        self._heard_at_s = self._opened_at_s = 0.0
        self._received = 0
        self._ended_because: str | None = None

    @property
    def name(self) -> str:
        """As configured."""
        return self._broker.name

    @property
    def session(self) -> str:
        """What a broker keeps for us is found by this name."""
        return f"{self._client_id}@{self.address}"

    @property
    def topics(self) -> tuple[str, ...]:
        """As configured."""
        return self._broker.topics

    @property
    def address(self) -> str:
        """scheme://host:port, without credentials."""
        host = f"[{self._endpoint.host}]" if ":" in self._endpoint.host else self._endpoint.host
        return f"{urlsplit(self._broker.url).scheme}://{host}:{self._endpoint.port}"

    def state(self) -> SourceState:
        """How the connection does."""
        return self._connection.state()

    def start(self, deliver: Deliver) -> None:
        """Begin to connect; returns at once."""
        self._deliver = deliver
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more. The connection stays, so that what is stored can be acknowledged; `close` ends it."""
        self._stopped.set()
        with self._delivering:  # whoever delivers now has finished when this is free
            pass

    def close(self) -> None:
        """Send the acknowledgements that are left, say goodbye, end the thread."""
        self._stopped.set()
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CONNECT_TIMEOUT_S + FLUSH_S + 1)

    def _run(self) -> None:
        wait_s = FIRST_RETRY_S
        while not self._closing.is_set():
            self._opened_at_s = 0.0
            problem = self._one_connection()
            if self._closing.is_set():
                self._connection.closed(self._now_ms(), None)
                return
            self._connection.closed(self._now_ms(), problem)
            self._connection.failed(problem)
            if self._opened_at_s and time.monotonic() - self._opened_at_s >= STABLE_S:
                wait_s = FIRST_RETRY_S
            self._closing.wait(wait_s)
            wait_s = min(wait_s * 2, LONGEST_RETRY_S)

    def _one_connection(self) -> str:
        """Connect and serve until it ends; why it ended."""
        self._ended_because = None
        try:
            client = self._new_client()
            self._connect(client)
            self._serve(client)
        except (OSError, ValueError) as exc:  # unreachable, refused, a wrong certificate, a name that cannot be one
            return f"{type(exc).__name__}: {exc}"
        except Exception as exc:  # noqa: BLE001  (whatever a broker sends must not end its source for good)
            log.exception("mqtt.defect", source=self.name)
            return f"a defect of hopscope: {type(exc).__name__}: {exc}"
        return self._ended_because or "connection lost"

    def _new_client(self) -> Client:
        protocol = _PROTOCOLS[self._broker.protocol]
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            # MQTT 5 says it when connecting
            clean_session=None if protocol is MQTTProtocolVersion.MQTTv5 else False,
            protocol=protocol,
            transport=self._endpoint.transport,  # type: ignore[arg-type]
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if self._endpoint.transport == "websockets":
            client.ws_set_options(path=self._endpoint.path)
        if self._endpoint.tls:
            client.tls_set_context(self._tls_context())
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_message = self._on_subscribe, self._on_message
        client.on_unsubscribe = self._on_unsubscribe
        # Without this, paho would write to the socket in whatever thread acknowledges, across our own writes.
        client.on_socket_register_write = _leave_writing_to_the_loop
        return client

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._broker.ca_file)
        if not self._broker.verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _connect(self, client: Client) -> None:
        where: dict[str, Any] = {
            "host": self._endpoint.host,
            "port": self._endpoint.port,
            "keepalive": self._broker.keepalive_s,
        }
        if self._broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            properties.ReceiveMaximum = self._broker.receive_maximum
            properties.MaximumPacketSize = LARGEST_PACKET
            where |= {"clean_start": False, "properties": properties}
        client.connect(**where)

    def _serve(self, client: Client) -> None:
        """Run the connection until it ends or we close."""
        asked_at_s = time.monotonic()
        while not self._closing.is_set():
            received = self._received
            if client.loop(timeout=0.25) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            self._read_on(client, received)
            now_s = time.monotonic()
            if not self._opened_at_s:
                if now_s - asked_at_s > CONNECT_TIMEOUT_S:
                    self._ended_because = "the broker accepted the connection and said nothing"
                    return
            elif self._watchdog.barks(now_s - self._heard_at_s):
                self._ended_because = f"connected, but silent for {now_s - self._heard_at_s:.0f} s: connecting afresh"
                self._heard_at_s = now_s
                break
        self._say_goodbye(client)

    def _read_on(self, client: Client, received: int) -> None:
        """Read what has already arrived; one round of paho's loop reads a single packet."""
        for _ in range(BURST):
            if self._received == received:
                return
            received = self._received
            if client.loop_read() is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                return

    def _say_goodbye(self, client: Client) -> None:
        until_s = time.monotonic() + FLUSH_S
        while client.want_write() and time.monotonic() < until_s:
            if client.loop(timeout=0.05) is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
        client.disconnect()
        client.loop(timeout=0.05)

    def _on_connect(self, client: Client, _: object, flags: Any, reason: Any, __: object) -> None:
        if reason.is_failure:
            self._ended_because = f"the broker refused the connection: {reason}"
            return
        self._heard_at_s = self._opened_at_s = time.monotonic()
        self._connection.opened(self._now_ms())
        log.debug("mqtt.session", source=self.name, present=flags.session_present)
        self._give_back(client, session_present=flags.session_present)
        qos = min(self._broker.qos, 1)  # QoS 2 costs a round trip more and adds nothing: copies are recognised anyway
        if self._broker.protocol == "5":
            options = SubscribeOptions(qos=qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            client.subscribe([(topic, options) for topic in self._broker.topics])
        else:
            client.subscribe([(topic, qos) for topic in self._broker.topics])

    def _give_back(self, client: Client, *, session_present: bool) -> None:
        """A topic that left the configuration stays in the session until we say that we do not want it."""
        if self.unwanted and session_present:
            log.info("mqtt.unsubscribing", source=self.name, topics=", ".join(self.unwanted))
            client.unsubscribe(list(self.unwanted))
        else:
            self.unwanted = ()

    def _on_unsubscribe(self, _: Client, __: object, ___: int, reasons: Any, ____: object) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]  # MQTT 3.1.1 gives no reasons
        if refused:
            self._connection.failed("the broker keeps a subscription that we gave back: " + ", ".join(refused))
        else:
            self.unwanted = ()

    def _on_subscribe(self, _: Client, __: object, ___: int, reasons: Any, ____: object) -> None:
        answers = zip(self._broker.topics, reasons, strict=False)
        refused = [f"{topic} ({reason})" for topic, reason in answers if reason.is_failure]
        if refused:
            self._connection.failed("the broker refused the subscription of " + ", ".join(refused))

    def _on_disconnect(self, _: Client, __: object, ___: object, reason: Any, ____: object) -> None:
        self._ended_because = self._ended_because or f"connection lost: {reason}"

    def _on_message(self, client: Client, _: object, message: MQTTMessage) -> None:
        self._received += 1
        self._heard_at_s = time.monotonic()
        self._watchdog.heard()
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        with self._delivering:
            if self._stopped.is_set() or self._deliver is None:
                return  # stays unacknowledged: the broker sends it again after the restart
            self._deliver(
                Message(
                    source=self.name,
                    topic=topic,
                    payload=bytes(message.payload),
                    received_at_ms=self._now_ms(),
                    ack=partial(self._acknowledge, client, message.mid) if message.qos else None,
                    redelivered=message.dup,
                    retained=message.retain,
                )
            )

    def _acknowledge(self, client: Client, message_id: int) -> None:
        """Called by the storing thread, maybe after `client` lost its connection: then it goes nowhere."""
        try:
            client.ack(message_id, 1)
        except OSError as exc:  # its wake-up pipe may be closed already
            log.debug("mqtt.late_ack", source=self.name, error=str(exc))


def _leave_writing_to_the_loop(*_: object) -> None:
    """Paho asks for its socket to be watched for writing; our loop does so anyway."""
