"""Compare a hopscope database with a generator's truth file: what is missing, what is too much, what is wrong."""

from collections import Counter
from typing import Any

import apsw

from hopscope.store.connection import open_reader

RECEPTIONS = """
select hex(t.hash), o.ident, hex(x.head), x.path_len, hex(x.path), x.published_at, x.direction, t.type, x.snr, x.rssi
  from observations x join transmissions t on t.id = x.transmission_id join observers o on o.id = x.observer_id
"""
NODES = "select lower(hex(pubkey)), advert_at / 1000, role, lat_e6, lon_e6, advert_count from nodes where verified"


def differences(database: str, truth: dict[str, Any]) -> list[str]:
    """One line per difference, at most a few of each kind; empty when the database holds exactly the truth."""
    db = open_reader(database)
    try:
        return [
            *_compare("receptions", Counter(db.execute(RECEPTIONS)), Counter(_expected_receptions(truth))),
            *_compare("nodes", Counter(db.execute(NODES)), Counter(_expected_nodes(truth))),
            *_compare(
                "observers",
                Counter(row[0] for row in db.execute("select ident from observers")),
                Counter(truth["observers"]),
            ),
            *_compare("refused", _refused(db, truth), Counter(truth["refused_by_reason"])),
            *_compare("totals", _totals(db), _expected_totals(truth)),
        ]
    finally:
        db.close()


def _expected_receptions(truth: dict[str, Any]) -> list[tuple[Any, ...]]:
    keys = ("hash", "observer", "head", "path_len", "path", "published_ms")
    return [
        (*(row[key] for key in keys), int(row["direction"] == "tx"), row["type"], row["snr"], row["rssi"])
        for row in truth["receptions"]
    ]


def _expected_nodes(truth: dict[str, Any]) -> list[tuple[Any, ...]]:
    keys = ("pubkey", "advert_at_s", "role", "lat_e6", "lon_e6", "adverts")
    return [tuple(node[key] for key in keys) for node in truth["nodes"]]


def _refused(db: apsw.Connection, truth: dict[str, Any]) -> Counter[str]:
    counts = db.execute("select reason, sum(count) from reject_counts group by reason")
    return Counter(dict(counts))


def _totals(db: apsw.Connection) -> Counter[str]:
    """The counters that pages show, which must agree with the rows."""
    found = Counter(dict(db.execute("select name, value from counters")))
    found["rollup"] = db.execute("select sum(observations) from traffic_hourly").get or 0
    found["rollup transmissions"] = db.execute("select sum(transmissions) from traffic_hourly").get or 0
    found["per observer"] = db.execute("select sum(observation_count) from observers").get or 0
    found["per transmission"] = db.execute("select sum(observation_count) from transmissions").get or 0
    return found


def _expected_totals(truth: dict[str, Any]) -> Counter[str]:
    receptions, transmissions = truth["totals"]["receptions"], truth["totals"]["transmissions"]
    return Counter(
        {
            "observations": receptions,
            "transmissions": transmissions,
            "rollup": receptions,
            "rollup transmissions": transmissions,
            "per observer": receptions,
            "per transmission": receptions,
        }
    )


def _compare(what: str, found: Counter[Any], expected: Counter[Any]) -> list[str]:
    missing, extra = expected - found, found - expected
    lines = [f"{what}: {missing.total()} missing, as {key}" for key in list(missing)[:3]]
    return lines + [f"{what}: {extra.total()} too many, as {key}" for key in list(extra)[:3]]
