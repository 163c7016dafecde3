"""Read observers and their samples. There are at most some hundreds of observers, so they are read all at once."""

from dataclasses import dataclass

import apsw

from hopscope.store.connection import sql


@dataclass(frozen=True, slots=True)
class ObserverRow:
    """An observer as stored; times in ms, None: never said or never happened."""

    id: int
    ident: str
    name: str | None
    iata: str | None
    first_seen: int
    last_seen: int
    last_packet_at: int | None
    observation_count: int
    status: str | None
    model: str | None
    firmware: str | None
    client_version: str | None
    radio: str | None
    battery_mv: int | None
    uptime_s: int | None
    noise_floor: float | None
    status_at: int | None
    clock_skew_ms: int | None
    clock_naive_at: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What an observer reported about itself at a time (ms); counters are cumulative since its boot."""

    at: int
    noise_floor: float | None
    battery_mv: int | None
    tx_air_s: int | None
    rx_air_s: int | None
    recv_errors: int | None
    packets_sent: int | None
    packets_received: int | None


def all_observers(db: apsw.Connection) -> tuple[ObserverRow, ...]:
    """Every observer, newest heard first."""
    return tuple(ObserverRow(*row) for row in db.execute(sql("observers")["all"]))


def samples(db: apsw.Connection, observer_id: int, *, since: int, until: int, limit: int) -> tuple[Sample, ...]:
    """At most `limit` samples of the time span, the newest ones, oldest first."""
    bounds = {"observer": observer_id, "since": since, "until": until, "limit": limit}
    newest = [Sample(*row) for row in db.execute(sql("observers")["metrics"], bounds)]
    return tuple(reversed(newest))
