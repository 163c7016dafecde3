"""The keys that CoreScope's clients read, per endpoint. Ours may be added; theirs may not go, nor change their kind."""

from collections.abc import Callable
from typing import Any

import pytest
from meshes import MINUTE, NORTH, REPEATER, SOUTH, T0, Mesh, pubkey

Start = Callable[..., Any]

NUMBER, TEXT, YES_NO, LIST, MAP = (int, float), str, bool, list, dict
NULLABLE_NUMBER = (int, float, type(None))
NULLABLE_TEXT = (str, type(None))

PACKET = {
    "id": NUMBER, "raw_hex": TEXT, "hash": TEXT, "first_seen": TEXT, "timestamp": TEXT, "route_type": NUMBER,
    "payload_type": NUMBER, "decoded_json": TEXT, "observation_count": NUMBER, "observer_id": NULLABLE_TEXT,
    "observer_name": NULLABLE_TEXT, "observer_iata": NULLABLE_TEXT, "snr": NULLABLE_NUMBER, "rssi": NULLABLE_NUMBER,
    "path_json": TEXT, "direction": NULLABLE_TEXT,
}  # fmt: skip
GROUP = {
    "hash": TEXT, "first_seen": TEXT, "count": NUMBER, "observer_count": NUMBER, "latest": TEXT,
    "observer_id": NULLABLE_TEXT, "observer_name": NULLABLE_TEXT, "observer_iata": NULLABLE_TEXT, "path_json": TEXT,
    "payload_type": NUMBER, "route_type": NUMBER, "raw_hex": TEXT, "decoded_json": TEXT, "observation_count": NUMBER,
    "snr": NULLABLE_NUMBER, "rssi": NULLABLE_NUMBER,
}  # fmt: skip
OBSERVATION = {
    "id": NUMBER, "transmission_id": NUMBER, "hash": TEXT, "observer_id": NULLABLE_TEXT,
    "observer_name": NULLABLE_TEXT, "observer_iata": NULLABLE_TEXT, "snr": NULLABLE_NUMBER, "rssi": NULLABLE_NUMBER,
    "path_json": TEXT, "direction": TEXT, "raw_hex": TEXT, "timestamp": TEXT,
}  # fmt: skip
NODE = {
    "public_key": TEXT, "name": NULLABLE_TEXT, "role": TEXT, "lat": NULLABLE_NUMBER, "lon": NULLABLE_NUMBER,
    "last_seen": TEXT, "first_seen": TEXT, "advert_count": NUMBER, "battery_mv": NULLABLE_NUMBER,
    "temperature_c": NULLABLE_NUMBER, "foreign": YES_NO, "default_scope": NULLABLE_TEXT, "hash_size": NULLABLE_NUMBER,
    "hash_size_inconsistent": YES_NO, "last_heard": TEXT,
}  # fmt: skip
OBSERVER = {
    "id": TEXT, "name": NULLABLE_TEXT, "iata": NULLABLE_TEXT, "last_seen": TEXT, "first_seen": TEXT,
    "packet_count": NUMBER, "model": NULLABLE_TEXT, "firmware": NULLABLE_TEXT, "client_version": NULLABLE_TEXT,
    "radio": NULLABLE_TEXT, "battery_mv": NULLABLE_NUMBER, "uptime_secs": NULLABLE_NUMBER,
    "noise_floor": NULLABLE_NUMBER, "last_packet_at": NULLABLE_TEXT, "packetsLastHour": NUMBER,
    "lat": NULLABLE_NUMBER, "lon": NULLABLE_NUMBER, "nodeRole": NULLABLE_TEXT, "clock_naive": YES_NO,
    "clock_skew_seconds": NULLABLE_NUMBER, "clock_skew_count_24h": NUMBER, "clock_last_naive_at": NULLABLE_TEXT,
}  # fmt: skip
COUNTS = {"repeaters": NUMBER, "rooms": NUMBER, "companions": NUMBER, "sensors": NUMBER}

GOLDEN: dict[str, dict[str, Any]] = {
    "/api/stats": {
        "totalPackets": NUMBER, "totalTransmissions": NUMBER, "totalObservations": NUMBER, "totalNodes": NUMBER,
        "totalNodesAllTime": NUMBER, "totalObservers": NUMBER, "packetsLastHour": NUMBER, "packetsLast24h": NUMBER,
        "engine": TEXT, "version": TEXT, "commit": TEXT, "buildTime": TEXT, "counts": COUNTS,
        "hashMigrationComplete": YES_NO, "trackedMB": NUMBER, "storeDataMB": NUMBER, "processRSSMB": NUMBER,
        "goHeapInuseMB": NUMBER, "goSysMB": NUMBER, "neighborGraphCacheRebuildFailures": NUMBER,
    },
    "/api/healthz": {
        "ready": YES_NO, "loadedTx": NUMBER, "loadedObs": NUMBER,
        "from_pubkey_backfill": {"total": NUMBER, "processed": NUMBER, "done": YES_NO},
        "ingest_liveness": {"demo": {"lastReceiptUnix": NUMBER, "lastMessageUnix": NUMBER}},
        "async_migrations": LIST, "async_migrations_running": YES_NO, "async_migrations_failed": YES_NO,
        "writer": {"state": TEXT, "stoppedAt": NULLABLE_TEXT, "lastReportAt": NULLABLE_TEXT},
    },
    "/api/health": {
        "status": TEXT, "engine": TEXT, "version": TEXT, "commit": TEXT, "buildTime": TEXT, "uptime": NUMBER,
        "uptimeHuman": TEXT,
        "memory": {"rss": NUMBER, "heapUsed": NUMBER, "heapTotal": NUMBER, "external": NUMBER},
        "eventLoop": {"currentLagMs": NUMBER, "maxLagMs": NUMBER, "p50Ms": NUMBER, "p95Ms": NUMBER, "p99Ms": NUMBER},
        "cache": {
            "entries": NUMBER, "hits": NUMBER, "misses": NUMBER, "staleHits": NUMBER, "recomputes": NUMBER,
            "hitRate": NUMBER,
        },
        "websocket": {"clients": NUMBER},
        "packetStore": {"packets": NUMBER, "estimatedMB": NUMBER, "trackedMB": NUMBER},
        "perf": {"totalRequests": NUMBER, "avgMs": NUMBER, "slowQueries": NUMBER, "recentSlow": LIST},
    },
    "/api/perf": {
        "uptime": NUMBER, "totalRequests": NUMBER, "avgMs": NUMBER,
        "endpoints": {
            "/api/stats": {"count": NUMBER, "avgMs": NUMBER, "p50Ms": NUMBER, "p95Ms": NUMBER, "maxMs": NUMBER}
        },
        "slowQueries": LIST,
        "cache": {
            "size": NUMBER, "hits": NUMBER, "misses": NUMBER, "staleHits": NUMBER, "recomputes": NUMBER,
            "hitRate": NUMBER,
        },
        "packetStore": {
            "totalLoaded": NUMBER, "totalObservations": NUMBER, "evicted": NUMBER, "inserts": NUMBER,
            "queries": NUMBER, "inMemory": NUMBER, "sqliteOnly": YES_NO, "maxPackets": NUMBER, "estimatedMB": NUMBER,
            "trackedMB": NUMBER, "maxMB": NUMBER,
            "indexes": {"byHash": NUMBER, "byObserver": NUMBER, "byNode": NUMBER, "advertByObserver": NUMBER},
        },
        "sqlite": {
            "dbSizeMB": NUMBER, "walSizeMB": NUMBER, "freelistMB": NUMBER, "walPages": type(None),
            "rows": {"transmissions": NUMBER, "observations": NUMBER, "nodes": NUMBER, "observers": NUMBER},
        },
        "asyncMigrations": LIST,
    },
    "/api/packets": {"packets": [PACKET], "total": NUMBER, "limit": NUMBER, "offset": NUMBER},
    "/api/packets?groupByHash=true": {"packets": [GROUP], "total": NUMBER},
    "/api/packets?expand=observations": {"packets": [PACKET | {"observations": [OBSERVATION]}]},
    "/api/packets/1": {
        "packet": PACKET, "path": LIST, "observation_count": NUMBER, "observations": [OBSERVATION],
        "byte_map": [{"name": TEXT, "start": NUMBER, "end": NUMBER, "value": (str, int, float)}],
        "decoded": {
            "header": {
                "routeType": NUMBER, "routeTypeName": TEXT, "payloadType": NUMBER, "payloadTypeName": TEXT,
                "payloadVersion": NUMBER,
            },
            "path": {"hashSize": NUMBER, "hashCount": NUMBER, "hops": LIST},
            "payload": MAP, "raw": TEXT, "transportCodes": (dict, type(None)),
        },
    },
    "/api/nodes": {"nodes": [NODE], "total": NUMBER, "counts": COUNTS},
    "/api/nodes/search?q=hill": {"nodes": [NODE]},
    f"/api/nodes/{pubkey(7).hex()}": {"node": NODE, "recentAdverts": [PACKET]},
    f"/api/nodes/{pubkey(7).hex()}/health": {
        "node": NODE,
        "observers": [
            {
                "observer_id": NULLABLE_TEXT, "observer_name": NULLABLE_TEXT, "packetCount": NUMBER,
                "avgSnr": NULLABLE_NUMBER, "avgRssi": NULLABLE_NUMBER, "iata": NULLABLE_TEXT,
            }
        ],
        "stats": {
            "totalTransmissions": NUMBER, "totalObservations": NUMBER, "totalPackets": NUMBER,
            "packetsToday": NUMBER, "avgSnr": NULLABLE_NUMBER, "avgHops": NUMBER, "lastHeard": NULLABLE_TEXT,
        },
        "recentPackets": [PACKET],
    },
    "/api/observers": {"observers": [OBSERVER], "server_time": TEXT},
    f"/api/observers/{NORTH}": OBSERVER,
    f"/api/observers/{NORTH}/metrics?since=2026-09-21&until=2026-09-22": {
        "metrics": [
            {
                "timestamp": TEXT, "noise_floor": NULLABLE_NUMBER, "tx_air_secs": NULLABLE_NUMBER,
                "rx_air_secs": NULLABLE_NUMBER, "recv_errors": NULLABLE_NUMBER, "battery_mv": NULLABLE_NUMBER,
                "packets_sent": NULLABLE_NUMBER, "packets_recv": NULLABLE_NUMBER,
            }
        ],
    },
    "/api/channels": {
        "channels": [
            {
                "hash": TEXT, "name": TEXT, "lastMessage": NULLABLE_TEXT, "lastSender": NULLABLE_TEXT,
                "messageCount": NUMBER, "lastActivity": NULLABLE_TEXT,
            }
        ]
    },
    "/api/channels/Public/messages": {
        "messages": [
            {
                "sender": TEXT, "text": TEXT, "timestamp": TEXT, "sender_timestamp": NULLABLE_NUMBER,
                "packetId": NUMBER, "packetHash": TEXT, "repeats": NUMBER, "observers": LIST, "hops": NUMBER,
                "snr": NULLABLE_NUMBER,
            }
        ],
        "total": NUMBER,
    },
    "/api/analytics/hash-sizes": {
        "total": NUMBER, "distribution": {"1": NUMBER, "2": NUMBER, "3": NUMBER}, "hourly": LIST,
        "topHops": [
            {"hex": TEXT, "size": NUMBER, "count": NUMBER, "name": NULLABLE_TEXT, "pubkey": NULLABLE_TEXT}
        ],
        "multiByteNodes": [
            {"name": NULLABLE_TEXT, "hashSize": NUMBER, "packets": NUMBER, "lastSeen": TEXT, "pubkey": NULLABLE_TEXT}
        ],
    },
    "/api/mqtt/status": {
        "sources": [
            {
                "name": TEXT, "broker": TEXT, "connected": YES_NO, "lastConnectUnix": NUMBER,
                "lastDisconnectUnix": NUMBER, "lastPacketUnix": NUMBER, "connectCount": NUMBER,
                "disconnectCount": NUMBER, "packetsTotal": NUMBER, "packetsLast5m": NULLABLE_NUMBER,
                "lastError": TEXT,
            }
        ],
        "sampleAt": NUMBER, "watchdogLastTickUnix": NUMBER, "watchdogPanicCount": NUMBER,
    },
    "/api/config/client": {
        "title": TEXT, "version": TEXT, "tiles": (dict, type(None)), "regions": [{"code": TEXT, "label": TEXT}],
        "hasSources": YES_NO, "operator": YES_NO, "payloadTypes": MAP, "routes": MAP, "roles": LIST,
        "propagationBufferMs": NUMBER,
    },
    "/api/config/regions": {"SEA": TEXT, "PDX": TEXT},
    "/api/config/map": {"center": (list, type(None)), "zoom": NUMBER},
    "/api/config/theme": {
        "branding": {"siteName": TEXT}, "theme": MAP, "themeDark": MAP, "nodeColors": MAP, "typeColors": MAP,
    },
    "/api/ingest/quarantine": {
        "counts": [{"source": TEXT, "reason": TEXT, "count": NUMBER, "lastAt": TEXT}],
        "records": LIST,
    },
}  # fmt: skip


def differences(golden: Any, found: Any, place: str) -> list[str]:
    """Where the found value lacks a key of the golden one, or has another kind of value."""
    if isinstance(golden, dict):
        if not isinstance(found, dict):
            return [f"{place}: {found!r} is not an object"]
        missing = [f"{place}.{key} is missing" for key in golden.keys() - found.keys()]
        known = golden.keys() & found.keys()
        return missing + [line for key in known for line in differences(golden[key], found[key], f"{place}.{key}")]
    if isinstance(golden, list):
        if not isinstance(found, list) or not found:
            return [f"{place}: {found!r} is not a list with an element"]
        return [line for one in found for line in differences(golden[0], one, f"{place}[]")]
    return [] if isinstance(found, golden) else [f"{place}: {found!r} is none of {golden}"]


@pytest.fixture
def client(mesh: Mesh, start: Start) -> Any:
    """A mesh in which every list has an element."""
    mesh.advert(7, name="hill", role=REPEATER, lat=47.5, lon=-122.25, path=[b"\xaa"])
    mesh.advert(7, name="hill", role=REPEATER, at=T0 + MINUTE, by=SOUTH)
    mesh.db.execute("update nodes set hash_sizes = 6")
    mesh.say("hello")
    mesh.status()
    mesh.refuse(b"{")
    client = start()
    client.get("/api/stats")
    return client


@pytest.mark.parametrize("path", GOLDEN)
def test_an_answer_has_the_keys_that_clients_read(client: Any, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert differences(GOLDEN[path], answer.json(), "") == []


def test_the_timeline_is_a_bare_list_of_times(client: Any) -> None:
    times = client.get("/api/packets/timestamps?since=2026-09-01").json()
    assert times == ["2026-09-21T14:13:20.000Z", "2026-09-21T14:13:20.000Z", "2026-09-21T14:14:20.000Z"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/packets", "/api/packets?groupByHash=true", "/api/nodes", "/api/observers", "/api/channels",
        "/api/analytics/hash-sizes", "/api/mqtt/status", "/api/ingest/quarantine", "/api/config/areas",
    ],
)  # fmt: skip
def test_an_empty_database_gives_empty_lists_and_never_null(mesh: Mesh, start: Start, path: str) -> None:
    answer = start().get(path).json()
    lists = [answer] if isinstance(answer, list) else [v for v in answer.values() if isinstance(v, list)]
    assert lists
    assert all(value == [] or path == "/api/mqtt/status" for value in lists)


def test_a_shape_that_loses_a_key_is_noticed() -> None:
    assert differences({"a": NUMBER, "b": [{"c": TEXT}]}, {"b": [{"c": 1}]}, "") == [
        ".a is missing",
        ".b[].c: 1 is none of <class 'str'>",
    ]
