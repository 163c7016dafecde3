"""Gather the facts that `server_diagnosis` judges, from a PostgreSQL server's own views. One look, judges nothing.

Reads only. What this role may not see is missing from the facts; `sees_all` says so.
"""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from inchworm.clock import Clock, StopLike
from inchworm.diagnosis import Process
from inchworm.errors import DatabaseFault
from inchworm.ports import Reads, SqlValue
from inchworm.postgres.catalog import spelled
from inchworm.postgres.database import Target, connect_reader
from inchworm.queries import load
from inchworm.server_diagnosis import (
    Blocked,
    Prepared,
    Replica,
    ServerFacts,
    ServerSession,
    Slot,
    TableHealth,
    TableLock,
)

LOOK_LIMIT_S = 10.0

SQL = load("postgres_probe")


def examine_server(
    target: Target, tables: Sequence[str] = (), *, clock: Clock, stop: StopLike | None = None
) -> ServerFacts:
    """The facts of one database and of these tables of it; without any, of those with most dead rows.

    Nothing is raised for a server that cannot be reached or asked; Stopped when the token is set.
    """
    facts = ServerFacts()
    try:
        with closing(connect_reader(target, clock=clock)) as db, db.snapshot(limit_s=LOOK_LIMIT_S, stop=stop) as reads:
            return _looked(reads, [spelled(table) for table in tables])
    except DatabaseFault as fault:
        return replace(facts, problem=str(fault))


def _looked(reads: Reads, tables: Sequence[str]) -> ServerFacts:
    number, version, standby, most, used, age, sees_all = reads.select(SQL["server"], {}).rows[0]
    names = tables or [str(row[0]) for row in reads.select(SQL["busiest"], {}).rows]
    return ServerFacts(
        version_number=_whole(number),
        version=str(version),
        standby=bool(standby),
        most_connections=_whole(most),
        connections=_whole(used),
        frozen_age=_whole(age),
        sees_all=bool(sees_all),
        settings={str(name): str(value) for name, value in reads.select(SQL["settings"], {}).rows},
        sessions=tuple(_session(row) for row in reads.select(SQL["sessions"], {}).rows),
        blocked=tuple(
            Blocked(_process(pid, name), _seconds(for_s), _process(by, by_name))
            for pid, name, for_s, by, by_name in reads.select(SQL["waits"], {}).rows
        ),
        locks=tuple(lock for name in names for lock in _locks(reads, name)),
        prepared=tuple(
            Prepared(str(gid), _seconds(for_s), _whole(age))
            for gid, for_s, age in reads.select(SQL["prepared"], {}).rows
        ),
        slots=tuple(
            Slot(str(name), bool(active), str(status), _whole(kept), _whole(age))
            for name, active, status, kept, age in reads.select(SQL["slots"], {}).rows
        ),
        replicas=tuple(Replica(str(name), _whole(behind)) for name, behind in reads.select(SQL["replicas"], {}).rows),
        tables=tuple(health for name in names for health in _health(reads, name)),
    )


def _session(row: Sequence[SqlValue]) -> ServerSession:
    pid, name, user, state, open_s, since_s, age = row
    return ServerSession(
        _process(pid, name, user),
        str(state),
        _seconds(open_s),
        _seconds(since_s),
        None if age is None else _whole(age),
    )


def _process(pid: SqlValue, name: SqlValue, user: SqlValue = "") -> Process:
    return Process(_whole(pid), str(name), str(user))


def _locks(reads: Reads, table: str) -> list[TableLock]:
    found = reads.select(SQL["table_locks"], {"relation": table}).rows
    return [TableLock(table.replace('"', ""), _process(pid, name), str(mode)) for pid, name, mode in found]


def _health(reads: Reads, table: str) -> list[TableHealth]:
    return [
        TableHealth(
            str(name),
            analyzed=_seconds(estimate) >= 0,
            unlogged=bool(unlogged),
            autovacuum_off=bool(off),
            live=_whole(live),
            dead=_whole(dead),
            invalid_indexes=tuple(json.loads(str(invalid))),
        )
        for name, estimate, unlogged, off, live, dead, invalid in reads.select(SQL["health"], {"relation": table}).rows
    ]


def _whole(value: SqlValue) -> int:
    return 0 if value is None else int(str(value))


def _seconds(value: SqlValue) -> float:
    return 0.0 if value is None else float(str(value))
