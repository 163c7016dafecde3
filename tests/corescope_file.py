"""Small CoreScope databases for tests, row by row, in the shapes that its versions had. Writes what it is told.

Columns are facts about that program's files; a column that an age does not have is left out of the insert.
"""

import json
from pathlib import Path
from typing import Any

import apsw

OBSERVERS = (
    "id TEXT PRIMARY KEY, name TEXT, iata TEXT, last_seen TEXT, first_seen TEXT, packet_count INTEGER DEFAULT 0, "
    "model TEXT, firmware TEXT, client_version TEXT, radio TEXT, battery_mv INTEGER, uptime_secs INTEGER, "
    "noise_floor REAL"
)
NODES = (
    "public_key TEXT PRIMARY KEY, name TEXT, role TEXT, lat REAL, lon REAL, last_seen TEXT, first_seen TEXT, "
    "advert_count INTEGER DEFAULT 0, battery_mv INTEGER, temperature_c REAL"
)
TRANSMISSIONS = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, raw_hex TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, first_seen TEXT NOT NULL, "
    "route_type INTEGER, payload_type INTEGER, payload_version INTEGER, decoded_json TEXT"
)
OBSERVATIONS = "id INTEGER PRIMARY KEY AUTOINCREMENT, transmission_id INTEGER NOT NULL"
EDGES = (
    "node_a TEXT NOT NULL, node_b TEXT NOT NULL, count INTEGER DEFAULT 1, last_seen TEXT, PRIMARY KEY (node_a, node_b)"
)
METRICS = (
    "observer_id TEXT NOT NULL, timestamp TEXT NOT NULL, noise_floor REAL, tx_air_secs INTEGER, rx_air_secs INTEGER, "
    "recv_errors INTEGER, battery_mv INTEGER, packets_sent INTEGER, packets_recv INTEGER, "
    "PRIMARY KEY (observer_id, timestamp)"
)
AGES: dict[str, dict[str, str]] = {
    # observers were named in each observation, nothing was indexed
    "ancient": {
        "observers": OBSERVERS,
        "nodes": NODES,
        "transmissions": TRANSMISSIONS,
        "observations": OBSERVATIONS + ", observer_id TEXT, snr REAL, rssi REAL, path_json TEXT, timestamp TEXT",
    },
    # before last_seen, raw_hex per observation and scope_name
    "legacy": {
        "observers": OBSERVERS + ", inactive INTEGER DEFAULT 0, last_packet_at TEXT",
        "nodes": NODES + ", foreign_advert INTEGER DEFAULT 0",
        "transmissions": TRANSMISSIONS + ", created_at TEXT DEFAULT (datetime('now')), channel_hash TEXT, "
        "from_pubkey TEXT",
        "observations": OBSERVATIONS + ", observer_idx INTEGER, direction TEXT, snr REAL, rssi REAL, score INTEGER, "
        "path_json TEXT, timestamp INTEGER NOT NULL, resolved_path TEXT",
        "neighbor_edges": EDGES,
    },
    "current": {
        "observers": OBSERVERS + ", inactive INTEGER DEFAULT 0, last_packet_at TEXT, clock_skew_seconds INTEGER, "
        "clock_skew_count_24h INTEGER, clock_last_naive_at TEXT, can_relay INTEGER DEFAULT 1, "
        "can_relay_seen INTEGER DEFAULT 0",
        "nodes": NODES + ", foreign_advert INTEGER DEFAULT 0, default_scope TEXT, "
        "multibyte_sup INTEGER NOT NULL DEFAULT 0, multibyte_evidence TEXT",
        "inactive_nodes": NODES + ", foreign_advert INTEGER DEFAULT 0, default_scope TEXT, "
        "multibyte_sup INTEGER NOT NULL DEFAULT 0, multibyte_evidence TEXT",
        "transmissions": TRANSMISSIONS + ", created_at TEXT DEFAULT (datetime('now')), channel_hash TEXT, "
        "from_pubkey TEXT, scope_name TEXT, last_seen INTEGER NOT NULL DEFAULT 0",
        "observations": OBSERVATIONS + ", observer_idx INTEGER, direction TEXT, snr REAL, rssi REAL, score INTEGER, "
        "path_json TEXT, timestamp INTEGER NOT NULL, raw_hex TEXT, resolved_path TEXT",
        "observer_metrics": METRICS,
        "neighbor_edges": EDGES,
        "dropped_packets": "id INTEGER PRIMARY KEY, hash TEXT, raw_hex TEXT, reason TEXT NOT NULL",
        "client_receptions": "id INTEGER PRIMARY KEY, rx_pubkey TEXT, heard_key TEXT",
        "_migrations": "name TEXT PRIMARY KEY",
    },
}
INDEXES = {
    "ancient": (),
    "legacy": ("CREATE INDEX idx_observations_transmission_id ON observations (transmission_id)",),
    "current": (
        "CREATE INDEX idx_observations_tx_ts ON observations (transmission_id, timestamp)",
        "CREATE UNIQUE INDEX idx_dedup ON observations (transmission_id, observer_idx, COALESCE(path_json, ''))",
    ),
}


class CoreScopeFile:
    """A database under construction, left open like a running CoreScope until `close`."""

    def __init__(self, path: Path, age: str = "current") -> None:
        self.path = path
        self.db = apsw.Connection(str(path))
        self.db.pragma("journal_mode", "wal")
        for name, columns in AGES[age].items():
            self.db.execute(f"CREATE TABLE {name} ({columns})")
        for statement in INDEXES[age]:
            self.db.execute(statement)
        self._columns = {
            name: {row[0] for row in self.db.execute("select name from pragma_table_info(?)", (name,))}
            for name in AGES[age]
        }
        self._hashes = 0

    def add(self, table: str, **values: Any) -> int:
        """Insert one row of the columns that this age has; its rowid."""
        kept = {name: value for name, value in values.items() if name in self._columns[table]}
        marks = ", ".join("?" for _ in kept)
        self.db.execute(f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({marks})", tuple(kept.values()))
        return self.db.last_insert_rowid()

    def observer(self, ident: str, **values: Any) -> int:
        """An observer; its rowid is what observations call observer_idx."""
        times = {"first_seen": "2026-03-01T00:00:00Z", "last_seen": "2026-05-01T00:00:00Z"}
        return self.add("observers", **{"id": ident, "name": ident[:8], "iata": "SJC", **times, **values})

    def transmission(self, frame: bytes | str | None, first_seen: object, **values: Any) -> int:
        """A packet under a hash of its own, as old algorithms gave."""
        self._hashes += 1
        raw = frame.hex() if isinstance(frame, bytes) else frame
        stored = {"raw_hex": "" if raw is None else raw, "hash": f"{self._hashes:016x}", "first_seen": first_seen}
        return self.add("transmissions", **stored | values)

    def observation(self, transmission: int, observer: object, at: object, path: object = "[]", **values: Any) -> int:
        """A reception; `observer` is a rowid, or an id in the age that stored ids. `path` is text or a list of hops."""
        stored = {
            "transmission_id": transmission,
            "observer_idx": observer,
            "observer_id": observer,
            "timestamp": at,
            "path_json": json.dumps(path) if isinstance(path, list) else path,
        }
        return self.add("observations", **stored | values)

    def close(self) -> None:
        """As an orderly stop does: the log is written back."""
        self.db.close()
