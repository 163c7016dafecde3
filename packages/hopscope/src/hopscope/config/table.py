"""The table of settings: name, default, meaning and check of each. Everything about settings is generated from it.

Reads nothing. `load` fills it, `sample` documents it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hopscope.config import kinds
from hopscope.config.settings import MqttSource, Settings


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `key` is its place in the TOML file, `check` makes the value used of the value written."""

    key: str
    default: Any  # as written in TOML; None: unset
    meaning: str
    check: kinds.Check
    from_text: Callable[[str], Any] = str  # reads an environment variable
    sample: Any = None  # shown in the sample where the default is empty
    secret: bool = False  # its value is never shown

    @property
    def env(self) -> str:
        """The environment variable that overrides it."""
        return "HOPSCOPE_" + self.key.replace(".", "_").upper()

    @property
    def field(self) -> str:
        """Its name within its table."""
        return self.key.rpartition(".")[2]


_D = Settings()
_S = MqttSource(name="", url="")

SETTINGS = (
    Setting("database", _D.database, "path of the SQLite file; its directory is made when missing", kinds.database),
    Setting(
        "listen",
        f"{_D.host}:{_D.port}",
        "host:port of the web page and the API; 0.0.0.0:8080 listens on every interface",
        kinds.listen,
    ),
    Setting(
        "api_key",
        None,
        "what an operator sends as X-API-Key to pause, resume, retry or import; unset: nobody may",
        kinds.api_key,
        sample="make one with: openssl rand -hex 24",
        secret=True,
    ),
    Setting("title", _D.title, "name of the installation, shown on every page", kinds.string(longest=60)),
    Setting(
        "log_level", _D.log_level, "debug, info, warning or error", kinds.one_of(("debug", "info", "warning", "error"))
    ),
    Setting(
        "retention_days",
        _D.retention_days,
        "packets not heard for so many days are dropped; 0 keeps them for ever",
        kinds.integer(0, 36500),
        kinds.text_integer,
    ),
    Setting(
        "stall_budget_ms",
        _D.stall_budget_ms,
        "longest that a migration may keep live ingest waiting, in ms",
        kinds.integer(5, 10_000),
        kinds.text_integer,
    ),
    Setting(
        "import_dir",
        None,
        "directory whose CoreScope databases the System page may import; unset: none",
        kinds.string(),
        sample="/var/lib/hopscope/import",
    ),
    Setting(
        "allowed_origins",
        [],
        "web origins beside the page's own that may use the API and /ws from a browser",
        kinds.strings(kinds.origin),
        kinds.text_list,
        sample=["https://mesh.example.org"],
    ),
    Setting(
        "blocked_observers",
        [],
        "observers (public keys) whose records are refused",
        kinds.strings(kinds.observer),
        kinds.text_list,
        sample=["A3" * 32],
    ),
    Setting(
        "hashtags",
        [],
        "hashtag channels to decrypt; their keys follow from their names",
        kinds.strings(kinds.hashtag),
        kinds.text_list,
        sample=["#test", "#bot"],
    ),
    Setting(
        "regions",
        [],
        "region scopes to recognise on scoped floods",
        kinds.strings(kinds.hashtag),
        kinds.text_list,
        sample=["#tirol"],
    ),
    Setting(
        "channels",
        {},
        "private channels to decrypt: name and key (hex or base64); whoever sees the page reads them",
        kinds.channels,
        kinds.text_table,
        sample={"Stammtisch": "00112233445566778899aabbccddeeff"},
        secret=True,
    ),
    Setting(
        "region_labels",
        {},
        "names of the regions (IATA codes of the topics) offered as filters, in this order",
        kinds.region_labels,
        kinds.text_table,
        sample={"INN": "Innsbruck", "MUC": "München"},
    ),
    Setting(
        "privacy.hidden_markers",
        list(_D.privacy.hidden_markers),
        "nodes whose name contains one of these are not shown",
        kinds.strings(kinds.string(longest=30)),
        kinds.text_list,
    ),
    Setting(
        "privacy.hidden_keys",
        [],
        "public keys of nodes that are not shown",
        kinds.strings(kinds.public_key),
        kinds.text_list,
        sample=["B4" * 32],
    ),
    Setting(
        "privacy.companion_decimals",
        _D.privacy.companion_decimals,
        'decimals of the positions of companions, which people carry (2 is about 1 km); "exact" rounds nothing',
        kinds.decimals,
        kinds.text_decimals,
    ),
    Setting(
        "privacy.request_senders",
        _D.privacy.request_senders,
        "true shows who sends anonymous requests: who logs into which repeater or room",
        kinds.boolean,
        kinds.text_boolean,
    ),
    Setting(
        "map.tiles_url",
        None,
        "street map behind the built-in outline map; visitors' browsers will ask that host for tiles",
        kinds.tiles_url,
        sample="https://tile.example.org/{z}/{x}/{y}.png",
    ),
    Setting(
        "map.tiles_attribution",
        None,
        "whose map it is; needed with tiles_url",
        kinds.string(),
        sample="© OpenStreetMap contributors",
    ),
)

# One broker: a [[sources]] table in the file, or HOPSCOPE_MQTT_… for a single one.
SOURCE_SETTINGS = (
    Setting("mqtt.name", "mqtt", "name of the source, shown on the System page", kinds.string(longest=60)),
    Setting(
        "mqtt.url",
        None,
        "mqtt://, mqtts://, ws:// or wss:// address of the broker; user:password@ may stand in it",
        kinds.broker_url,
        sample="mqtt://127.0.0.1:1883",
        secret=True,
    ),
    Setting("mqtt.username", None, "user of the broker", kinds.string(), sample="hopscope"),
    Setting("mqtt.password", None, "password of the broker", kinds.string(), sample="…", secret=True),
    Setting(
        "mqtt.topics",
        list(_S.topics),
        "topic filters to subscribe",
        kinds.strings(kinds.topic_filter),
        kinds.text_list,
    ),
    Setting(
        "mqtt.qos",
        _S.qos,
        "0 or 1; at 1 nothing that the broker has is lost",
        kinds.integer(0, 1),
        kinds.text_integer,
    ),
    Setting("mqtt.protocol", _S.protocol, "MQTT version, 5 or 3.1.1", kinds.one_of(("5", "3.1.1"))),
    Setting(
        "mqtt.client_id",
        None,
        "client id at the broker; unset: derived from the database, the same after every restart",
        kinds.string(longest=100),
        sample="hopscope-1",
    ),
    Setting("mqtt.ca_file", None, "CA certificates to trust instead of the system's", kinds.string(), sample="ca.pem"),
    Setting(
        "mqtt.verify_tls",
        _S.verify_tls,
        "false trusts any certificate, so anybody between can read the password",
        kinds.boolean,
        kinds.text_boolean,
    ),
    Setting(
        "mqtt.iata",
        [],
        "regions (IATA codes) to keep; empty: all",
        kinds.strings(kinds.iata),
        kinds.text_list,
        sample=["INN"],
    ),
    Setting("mqtt.region", None, "region of a feed whose topics have none", kinds.iata, sample="INN"),
    Setting(
        "mqtt.keepalive_s",
        _S.keepalive_s,
        "seconds between two signs of life",
        kinds.integer(5, 3600),
        kinds.text_integer,
    ),
    Setting(
        "mqtt.receive_maximum",
        _S.receive_maximum,
        "unacknowledged messages that an MQTT 5 broker may have under way to us",
        kinds.integer(1, 65535),
        kinds.text_integer,
    ),
)
