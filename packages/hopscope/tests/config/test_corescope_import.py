"""A CoreScope configuration becomes a hopscope.toml that loads, and what has no counterpart is named."""

import json
import tomllib

import pytest

from hopscope.config.corescope_import import NotCoreScope, convert, render
from hopscope.config.load import build
from hopscope.config.settings import Settings

CONFIG = {
    "_comment": "an installation with most of what can be set",
    "port": 3000,
    "apiKey": "b81f02c77d9e4a53b6aa",
    "dbPath": "data/meshcore.db",
    "mqtt": {"broker": "mqtt://localhost:1883", "topic": "meshcore/#"},
    "mqttSources": [
        {
            "name": "regional",
            "broker": "mqtts://mqtt.example.org:8883",
            "username": "viewer",
            "password": 'a "quoted" päss\\word',
            "rejectUnauthorized": False,
            "topics": ["meshcore/INN/#"],
            "iataFilter": ["inn", "muc"],
            "connectTimeoutSec": 30,
        },
        {"name": "regional", "broker": "wss://ws.example.org/mqtt", "topics": ["meshcore/#"], "region": "vie"},
        {"name": "broken", "broker": "amqp://x"},
    ],
    "channelKeys": {"public": "8b3387e9c5cdea6ac9e5edbaa115cd72", "Hut": "00" * 16, "bad": "xyz"},
    "hashChannels": ["#test", "bot"],
    "hashRegions": ["tirol"],
    "retention": {"nodeDays": 7, "packetDays": 30},
    "observerIATAWhitelist": ["INN"],
    "observerBlacklist": ["ab" * 32],
    "nodeBlacklist": ["cd" * 32],
    "hiddenNamePrefixes": ["🚫"],
    "regions": {"INN": "Innsbruck", "MUC": "München"},
    "corsAllowedOrigins": ["https://mesh.example.org"],
    "branding": {"siteName": "Tirol Mesh", "logoUrl": "x.png"},
    "map": {"tiles": {"url": "https://t.example/{z}/{x}/{y}.png", "attribution": "© OSM"}},
    "packetStore": {"maxMemoryMB": 1024},
    "somethingNew": True,
}


def imported(config: object) -> tuple[Settings, dict[str, str]]:
    draft = convert(json.dumps(config))
    return build(tomllib.loads(render(draft, "config.json")), {}), dict(draft.notes)


def test_what_has_a_counterpart_is_taken_over() -> None:
    settings, _ = imported(CONFIG)
    assert (settings.host, settings.port, settings.api_key) == ("127.0.0.1", 3000, CONFIG["apiKey"])
    assert (settings.title, settings.retention_days) == ("Tirol Mesh", 30)
    assert [channel.name for channel in settings.channels] == ["#test", "#bot", "Hut"]
    assert settings.regions == ("#tirol",)
    assert settings.region_labels == (("INN", "Innsbruck"), ("MUC", "München"))
    assert settings.blocked_observers == frozenset({"AB" * 32})
    assert settings.privacy.hidden_keys == frozenset({b"\xcd" * 32})
    assert settings.allowed_origins == ("https://mesh.example.org",)
    assert settings.tiles is not None
    assert settings.tiles.attribution == "© OSM"


def test_brokers_keep_their_credentials_filters_and_tls() -> None:
    legacy, first, second = imported(CONFIG)[0].sources
    assert legacy.url == "mqtt://localhost:1883"
    assert (first.username, first.password, first.verify_tls) == ("viewer", 'a "quoted" päss\\word', False)
    assert (first.iata, first.topics) == (("INN", "MUC"), ("meshcore/INN/#",))
    assert (second.name, second.url, second.region) == ("regional-2", "wss://ws.example.org:443/mqtt", "VIE")
    assert second.iata == ("INN",), "the list for all brokers"


def test_the_whole_tree_is_narrowed_to_what_is_used() -> None:
    settings, notes = imported(CONFIG)
    assert settings.sources[2].topics == ("meshcore/+/+/packets", "meshcore/+/+/status")
    assert "meshcore/#" in notes["mqttSources[2]"]


def test_everything_left_out_is_named() -> None:
    _, notes = imported(CONFIG)
    assert {
        "dbPath", "retention.nodeDays", "channelKeys.bad", "mqttSources[3]", "branding.logoUrl", "packetStore",
        "somethingNew", "mqttSources[1].connectTimeoutSec", "port",
    } <= set(notes)  # fmt: skip
    assert not any(key.startswith("_") for key in notes)


def test_a_weak_api_key_is_left_out_and_said() -> None:
    settings, notes = imported({"port": 3000, "apiKey": "your-secret-api-key-here"})
    assert settings.api_key is None
    assert "well-known" in notes["apiKey"]


def test_the_notes_stand_in_the_file() -> None:
    text = render(convert(json.dumps(CONFIG)), "config.json")
    assert "# packetStore: not needed" in text


def test_a_value_of_an_unexpected_form_is_said_not_a_crash() -> None:
    odd = {"port": 1, "mqttSources": "x", "retention": 3, "regions": [], "map": 5, "channelKeys": [1], "mqtt": None}
    _, notes = imported(odd)
    assert {"mqttSources", "retention", "regions", "map", "channelKeys", "mqtt"} <= set(notes)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}'])
def test_another_programs_file_is_refused(text: str) -> None:
    with pytest.raises(NotCoreScope):
        convert(text)
