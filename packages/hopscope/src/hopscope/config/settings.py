"""What can be configured, as frozen values. Reads no file and no environment; `config.load` does."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MqttSource:
    """One broker. `url` is mqtt://, mqtts://, ws:// or wss:// with host and port, never with credentials."""

    name: str
    url: str
    username: str | None = None
    password: str | None = None  # never logged, never shown
    topics: tuple[str, ...] = ("meshcore/+/+/packets", "meshcore/+/+/status")
    qos: int = 1
    protocol: str = "5"  # "5" or "3.1.1"
    client_id: str | None = None  # None: derived from the database, stable over restarts
    ca_file: str | None = None
    verify_tls: bool = True
    iata: tuple[str, ...] = ()  # empty: every region; else upper-case codes that are kept
    region: str | None = None  # IATA for feeds whose topics have none
    keepalive_s: int = 30
    receive_maximum: int = 1000  # unacknowledged QoS 1 messages the broker may have under way (MQTT 5)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel whose messages may be shown. `key` is 16 or 32 bytes."""

    name: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is kept out of every answer. Stored data is not changed by it."""

    hidden_markers: tuple[str, ...] = ("🚫",)  # a node whose name contains one is not shown
    hidden_keys: frozenset[bytes] = frozenset()  # node public keys, 32 bytes each
    companion_decimals: int | None = 2  # positions of companions are rounded to this many decimals; None: exact
    request_senders: bool = False  # whether senders of anonymous requests (logins) are shown


@dataclass(frozen=True, slots=True)
class MapTiles:
    """A street map behind the outline; its host joins the Content-Security-Policy."""

    url: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of one installation."""

    database: str = "data/hopscope.db"
    host: str = "127.0.0.1"
    port: int = 8080
    api_key: str | None = None  # None: operator verbs answer 403
    sources: tuple[MqttSource, ...] = ()
    channels: tuple[Channel, ...] = ()  # "Public" is always known besides
    regions: tuple[str, ...] = ()  # scope names, "#" included
    region_labels: tuple[tuple[str, str], ...] = ()  # (IATA, label) in the order shown
    blocked_observers: frozenset[str] = frozenset()  # idents whose records are refused
    privacy: Privacy = field(default_factory=Privacy)
    tiles: MapTiles | None = None
    allowed_origins: tuple[str, ...] = ()  # beside the page's own, for /ws and cross-origin reads
    retention_days: int = 0  # transmissions not heard for so long are dropped; 0: kept for ever
    stall_budget_ms: int = 50
    import_dir: str | None = None  # the System page may import files of this directory only; None: no import there
    title: str = "hopscope"
    log_level: str = "info"
