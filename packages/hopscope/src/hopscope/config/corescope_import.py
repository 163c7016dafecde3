"""Turn a CoreScope config.json into a hopscope.toml, and name what has no counterpart. Reads no file, writes none.

The meaning of CoreScope's keys is taken from its documentation and its example configuration.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hopscope.config import kinds, toml
from hopscope.config.settings import MqttSource

WHOLE_TREE = "meshcore/#"  # includes brokers' private data; our own topics replace it
TOPICS = MqttSource(name="", url="").topics


class NotCoreScope(Exception):
    """The text is not a CoreScope configuration; str() says why."""


@dataclass(slots=True)
class Draft:
    """What was found so far."""

    settings: dict[str, Any] = field(default_factory=dict)  # by key of the table of settings
    sources: list[dict[str, Any]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # (CoreScope key, what became of it)

    def note(self, key: str, text: str) -> None:
        self.notes.append((key, text))

    def take(self, key: str, setting: str, given: Any, check: kinds.Check) -> None:
        """Use a value when our own check accepts it; else say what is wrong with it."""
        if given in (None, "", [], {}):
            return
        try:
            check(given)
        except ValueError as exc:
            self.note(key, f"left out: {exc}")
        else:
            self.settings[setting] = given


def convert(text: str) -> Draft:
    """Read a config.json. Raises NotCoreScope."""
    try:
        config = json.loads(text)
    except ValueError as exc:
        raise NotCoreScope(f"is not JSON: {exc}") from exc
    if not isinstance(config, dict):
        raise NotCoreScope("holds no JSON object")
    if not set(config) & (set(TAKEN) | set(WITHOUT_COUNTERPART)):
        raise NotCoreScope("has no key of a CoreScope configuration")
    draft = Draft()
    for key, given in config.items():
        if key in TAKEN:
            try:
                TAKEN[key](draft, given)
            except (TypeError, AttributeError, ValueError, KeyError):
                draft.note(key, "left out: it does not have the form that CoreScope documents")
        elif not key.startswith(("_", "//")):  # comments of its example
            draft.note(key, WITHOUT_COUNTERPART.get(key, "no counterpart"))
    _apply_region_list(draft, config.get("observerIATAWhitelist") or [])
    return draft


def render(draft: Draft, origin: str) -> str:
    """The hopscope.toml of a draft. What was left out stands at its end, as comments."""
    lines = [f"# Made by hopscope config import from {origin}.", ""]
    top = {key: given for key, given in draft.settings.items() if "." not in key}
    lines += [toml.assignment(key, given) for key, given in top.items() if not isinstance(given, Mapping)]
    for key, given in top.items():
        if isinstance(given, Mapping):
            lines += ["", f"[{key}]", *(toml.assignment(name, inner) for name, inner in given.items())]
    for group in ("privacy", "map"):
        inner = {key.partition(".")[2]: v for key, v in draft.settings.items() if key.startswith(group + ".")}
        if inner:
            lines += ["", f"[{group}]", *(toml.assignment(name, given) for name, given in inner.items())]
    for source in draft.sources:
        lines += ["", "[[sources]]", *(toml.assignment(name, given) for name, given in source.items())]
    if draft.notes:
        lines += ["", "# Not taken over as it was:", *(f"# {key}: {_one_line(text)}" for key, text in draft.notes)]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _port(draft: Draft, given: Any) -> None:
    draft.take("port", "listen", f"127.0.0.1:{given}", kinds.listen)
    draft.note("port", "listens on 127.0.0.1 only; set listen to 0.0.0.0 to be reached without a reverse proxy")


def _legacy_broker(draft: Draft, given: Any) -> None:
    _add_source(draft, "mqtt", {"name": "mqtt", "broker": given["broker"], "topics": [given.get("topic", WHOLE_TREE)]})


def _brokers(draft: Draft, given: Any) -> None:
    for number, entry in enumerate(given, start=1):
        _add_source(draft, f"mqttSources[{number}]", {"name": f"mqtt-{number}", **entry})


def _add_source(draft: Draft, place: str, entry: Mapping[str, Any]) -> None:
    address = str(entry["broker"])
    if "://" not in address:
        address = "mqtt://" + address
    for theirs, ours in (("tcp://", "mqtt://"), ("ssl://", "mqtts://"), ("tls://", "mqtts://")):
        address = address.replace(theirs, ours, 1) if address.startswith(theirs) else address
    try:
        url, user, password = kinds.broker_url(address)
    except ValueError as exc:
        draft.note(place, f"left out: the broker's address {exc}")
        return
    source: dict[str, Any] = {"name": _free_name(draft, str(entry["name"])), "url": url}
    source |= _given("username", entry.get("username") or user) | _given("password", entry.get("password") or password)
    if entry.get("rejectUnauthorized") is False:
        source["verify_tls"] = False
    topics = [str(topic) for topic in entry.get("topics") or []]
    if WHOLE_TREE in topics:
        topics = [*(topic for topic in topics if topic != WHOLE_TREE), *TOPICS]
        draft.note(
            place, f"topic {WHOLE_TREE} became {' and '.join(TOPICS)}: the rest of the tree is not for analyzers"
        )
    source |= _given("topics", topics) | _given("iata", [str(code).upper() for code in entry.get("iataFilter") or []])
    source |= _given("region", str(entry.get("region") or "").upper())
    for key in sorted(set(entry) - SOURCE_KEYS):
        draft.note(f"{place}.{key}", SOURCE_NOTES.get(key, "no counterpart"))
    draft.sources.append(source)


def _given(name: str, given: Any) -> dict[str, Any]:
    return {name: given} if given else {}


def _free_name(draft: Draft, name: str) -> str:
    taken = {source["name"] for source in draft.sources}
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _retention(draft: Draft, given: Any) -> None:
    draft.take("retention.packetDays", "retention_days", given.get("packetDays"), kinds.integer(0, 36500))
    for key in given:
        if key != "packetDays":
            draft.note(f"retention.{key}", "no counterpart: only packets are dropped by age")


def _channel_keys(draft: Draft, given: Any) -> None:
    keys: dict[str, str] = {}
    for name, key in given.items():
        try:
            if name.lstrip("#").lower() == "public":
                continue  # always known
            kinds.channel_key(key)
            keys[name] = key
        except ValueError as exc:
            draft.note(f"channelKeys.{name}", f"left out: {exc}")
    draft.take("channelKeys", "channels", keys, kinds.channels)


def _labels(draft: Draft, given: Any) -> None:
    labels = {}
    for code, label in given.items():
        if kinds.IATA.fullmatch(str(code).upper()):
            labels[str(code).upper()] = str(label)
        else:
            draft.note(f"regions.{code}", "left out: not a region code of three letters")
    draft.take("regions", "region_labels", labels, kinds.region_labels)


def _hidden_prefixes(draft: Draft, given: Any) -> None:
    draft.take("hiddenNamePrefixes", "privacy.hidden_markers", given, kinds.strings(kinds.string(longest=30)))
    draft.note("hiddenNamePrefixes", "hides a node whose name contains the mark anywhere, not only at its start")


def _map(draft: Draft, given: Any) -> None:
    tiles = given.get("tiles")
    address = tiles.get("url") if isinstance(tiles, dict) else tiles
    said = tiles.get("attribution") if isinstance(tiles, dict) else None
    if address:
        draft.take("map.tiles", "map.tiles_url", address, kinds.tiles_url)
        if "map.tiles_url" in draft.settings:
            draft.settings["map.tiles_attribution"] = said or "© OpenStreetMap contributors"
            if not said:
                draft.note("map.tiles", "the attribution was missing; check the one that was filled in")
    for key in given:
        if key != "tiles":
            draft.note(f"map.{key}", "no counterpart")


def _branding(draft: Draft, given: Any) -> None:
    draft.take("branding.siteName", "title", given.get("siteName"), kinds.string(longest=60))
    for key in given:
        if key != "siteName":
            draft.note(f"branding.{key}", "no counterpart")


def _apply_region_list(draft: Draft, codes: Any) -> None:
    """CoreScope's list holds for all brokers; ours is per source."""
    for source in draft.sources if isinstance(codes, list) else []:
        if codes and "iata" not in source:
            source["iata"] = [str(code).upper() for code in codes]


def _simple(key: str, setting: str, check: kinds.Check) -> Callable[[Draft, Any], None]:
    return lambda draft, given: draft.take(key, setting, given, check)


def _ignored(_draft: Draft, _given: Any) -> None:
    """Taken into account elsewhere."""


TAKEN: dict[str, Callable[[Draft, Any], None]] = {
    "port": _port,
    "apiKey": _simple("apiKey", "api_key", kinds.api_key),
    "mqtt": _legacy_broker,
    "mqttSources": _brokers,
    "channelKeys": _channel_keys,
    "hashChannels": _simple("hashChannels", "hashtags", kinds.strings(kinds.hashtag)),
    "hashRegions": _simple("hashRegions", "regions", kinds.strings(kinds.hashtag)),
    "retention": _retention,
    "regions": _labels,
    "nodeBlacklist": _simple("nodeBlacklist", "privacy.hidden_keys", kinds.strings(kinds.public_key)),
    "hiddenNamePrefixes": _hidden_prefixes,
    "observerBlacklist": _simple("observerBlacklist", "blocked_observers", kinds.strings(kinds.observer)),
    "observerIATAWhitelist": _ignored,
    "corsAllowedOrigins": _simple("corsAllowedOrigins", "allowed_origins", kinds.strings(kinds.origin)),
    "branding": _branding,
    "map": _map,
}

WITHOUT_COUNTERPART = {
    "dbPath": "the history is taken over by: hopscope import FILE (while CoreScope may go on running)",
    "channelKeysPath": "put the keys of that file under [channels], or into channelKeys before importing",
    "validateSignatures": "not needed: nodes are made by verified adverts only",
    "geo_filter": "no counterpart yet",
    "areas": "no counterpart yet",
    "defaultRegion": "no counterpart: the page remembers each visitor's choice",
    "packetStore": "not needed: history is read from the database, not kept in memory",
    "cacheTTL": "not needed: pages are read from the database",
    "db": "not needed",
    "runtime": "not needed",
    "ingestBufferSize": "not needed: the queue is bounded, and brokers keep what is not yet stored",
    "listLimits": "no counterpart: page sizes are fixed",
    "theme": "no counterpart: light, dark and system are built in",
    "themeDark": "no counterpart: light, dark and system are built in",
    "healthThresholds": "no counterpart yet",
    "neighborGraph": "no counterpart yet",
    "logLevel": "set log_level; CoreScope itself does not use this key",
    "compression": "no counterpart: a reverse proxy compresses better",
    "clientRxCoverage": "no counterpart: positions of phones are not collected",
    "foreignAdverts": "no counterpart yet",
    "metrics": "not needed: samples are kept every five minutes",
}

SOURCE_KEYS = {"name", "broker", "username", "password", "rejectUnauthorized", "topics", "iataFilter", "region"}
SOURCE_NOTES = {"connectTimeoutSec": "not needed: connecting never delays anything, and is tried again for ever"}
