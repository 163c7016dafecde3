"""Gather the facts that `file_diagnosis` judges, from a SQLite file, its neighbours and the processes that use it.

Reads only, apart from opening a connection; watches the lock table for about a second. Judges nothing.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from inchworm.clock import Clock, Stop, StopLike
from inchworm.diagnosis import Process
from inchworm.errors import DatabaseFault
from inchworm.file_diagnosis import FileFacts, Log, Pin
from inchworm.ports import Reads
from inchworm.queries import load
from inchworm.sqlite import locks
from inchworm.sqlite.database import connect_reader
from inchworm.sqlite.driver import wrap
from inchworm.sqlite.versions import has_wal_reset_bug, parse_version

LOOKS, BETWEEN_S = 40, 0.025  # a writer of 50 turns of 2 ms a second is seen with 98 % probability

SQL = load("probe")

Target = str | os.PathLike[str] | Callable[[], Any]


def examine_file(target: Target, *, clock: Clock, stop: StopLike | None = None, driver: str | None = None) -> FileFacts:
    """The facts of one file. A factory is called up to three times; nothing is raised for a file that will not open."""
    facts = FileFacts(path="" if callable(target) else _path(os.fspath(target)))
    if callable(target):
        facts = _asked_factory(target, facts)
        if facts.shared_connection:
            return facts  # closing what the application uses would be worse than knowing less
    else:
        facts = replace(
            facts, shared_cache="cache=shared" in os.fspath(target), already_open_here=locks.open_here(facts.path)
        )
    try:
        facts = _inside(target, facts, clock, driver)
    except DatabaseFault as fault:
        facts = replace(facts, problem=str(fault))
    return _around(facts, clock, stop or Stop()) if facts.path else facts


def _path(text: str) -> str:
    return text.removeprefix("file:").partition("?")[0]


def _asked_factory(factory: Callable[[], Any], facts: FileFacts) -> FileFacts:
    first, second = factory(), factory()
    if first is second:
        return replace(facts, path="the factory's database", shared_connection=True)
    with closing(wrap(second)), closing(wrap(first)) as driver:
        row = driver.run(SQL["busy_timeout"]).one()
    return replace(facts, busy_timeout_ms=int(str(row[0])) if row else None)


def _inside(target: Target, facts: FileFacts, clock: Clock, driver: str | None) -> FileFacts:
    with closing(connect_reader(target, clock=clock, library=driver)) as db:
        started = clock.monotonic()
        with db.snapshot(limit_s=10.0) as reads:
            reads.select(SQL["has_statistics"], {})
            read_s = clock.monotonic() - started
            return replace(
                facts,
                path=facts.path or _text(reads, "main_file"),
                library=db.reader.library,
                version=db.reader.version,
                wal_reset_bug=has_wal_reset_bug(parse_version(db.reader.version)),
                journal_mode=_text(reads, "journal_mode"),
                page_bytes=_number(reads, "page_size"),
                pages=_number(reads, "page_count"),
                free_pages=_number(reads, "freelist_count"),
                mmap_bytes=_number(reads, "mmap_size"),
                read_s=read_s,
            )


def _text(reads: Reads, name: str) -> str:
    row = reads.select(SQL[name], {}).one()
    return str(row[0] or "") if row else ""


def _number(reads: Reads, name: str) -> int:
    text = _text(reads, name)
    return int(text) if text.isdigit() else 0


def _around(facts: FileFacts, clock: Clock, stop: StopLike) -> FileFacts:
    path, folder = facts.path, os.path.dirname(os.path.abspath(facts.path))
    shm = path + "-shm"
    facts = replace(
        facts,
        file_system=locks.file_system(path) if os.path.exists(path) else None,
        disk_free=shutil.disk_usage(folder).free if os.path.isdir(folder) else None,
        folder_writable=not os.path.isdir(folder) or os.access(folder, os.W_OK),
        shm_writable=not os.path.exists(shm) or os.access(shm, os.W_OK),
    )
    return _used(facts, clock, stop)


def _used(facts: FileFacts, clock: Clock, stop: StopLike) -> FileFacts:
    """Two looks at the log, and many at the write lock in between."""
    before, readers = locks.wal_index(facts.path), _readers(facts.path)
    writers: Counter[int] = Counter()
    for _ in range(LOOKS):
        writers.update(_writers(facts.path))
        clock.sleep(BETWEEN_S, stop)
    after = locks.wal_index(facts.path)
    users = {held.pid for held in (*locks.locks_on(facts.path + "-shm"), *locks.locks_on(facts.path))}
    return replace(
        facts,
        log=Log(after.frames, after.copied, _size(facts.path + "-wal")) if after else None,
        pins=_pins(before, after, readers & _readers(facts.path)) if before and after else (),
        writers=tuple((_process(pid), times) for pid, times in writers.most_common()),
        looks=LOOKS,
        copies=tuple(
            (_process(pid), names)
            for pid in sorted(users - {os.getpid()})
            if len(names := locks.sqlite_copies(locks.maps_of(pid))) > 1
        ),
    )


def _writers(path: str) -> set[int]:
    held = {h.pid for h in locks.locks_on(path + "-shm") if h.write and h.covers(locks.WRITE)}
    return held | {h.pid for h in locks.locks_on(path) if h.write and h.covers(locks.RESERVED)}


def _readers(path: str) -> set[tuple[int, int]]:
    """Pairs of process and slot: which read mark a process holds."""
    return {
        (held.pid, slot - locks.READ_0)
        for held in locks.locks_on(path + "-shm")
        for slot in range(locks.READ_0, locks.READ_4 + 1)
        if held.covers(slot) and not held.write
    }


def _pins(before: locks.WalIndex, after: locks.WalIndex, held: set[tuple[int, int]]) -> tuple[Pin, ...]:
    """Readers of both looks whose mark is the same old one. Slot 0 reads the database alone and stops all copying."""
    found: dict[int, int] = {}
    for pid, slot in held:
        mark = 0 if slot == 0 else after.marks[slot]
        old = 0 if slot == 0 else before.marks[slot]
        if mark == old and mark < before.frames:
            found[pid] = max(found.get(pid, 0), after.frames - mark)
    return tuple(Pin(_process(pid), behind) for pid, behind in sorted(found.items()))


def _process(pid: int) -> Process:
    return Process(pid, locks.name_of(pid))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
