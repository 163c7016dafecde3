"""Keep SQLite's write-ahead log short and its disk from filling, between the turns of a migration.

Owns the checkpoints and the reasons to pause that log and disk give. Never runs inside a transaction.
"""

import os
import shutil
from pathlib import Path

from inchworm.checkpoint import CHECKPOINT_EVERY_S, CHECKPOINT_PAGES, RESTART_PAGES, is_due, wants_restart
from inchworm.clock import Clock
from inchworm.errors import Busy, DiskFull
from inchworm.ports import Limits, Upkeep
from inchworm.sqlite.driver import Driver
from inchworm.sqlite.transaction import translated
from inchworm.sqlite.versions import parse_version

NOOP = (3, 51)  # the first version that has `wal_checkpoint(noop)`
DISK_LOOK_S = 1.0

WAL_TOO_LONG = "WAL too long (pinned reader)"
DISK_FLOOR = "disk floor"
DISK_FULL = "disk full"  # the log could still be written, the database could not


class Governor:
    """One database file in WAL mode or not. `may_checkpoint`: False on versions with the WAL-reset bug.

    A log is used again from its beginning only when a checkpoint has moved all of it and nobody reads from it. Beside
    strangers who commit all the time something is appended during each checkpoint, unseen by it, and the log grows
    (measured: 33 MB beside three strangers). So a log of RESTART_PAGES that a checkpoint has just emptied but for what
    was appended meanwhile is finished with `restart`, which holds the write lock for those few pages; it gives up at
    once, and is repeated after the next turn, when somebody else holds the lock or still reads.
    """

    def __init__(self, driver: Driver, clock: Clock, path: str, page_size: int, *, wal: bool, may_checkpoint: bool):
        self._driver, self._clock, self._path, self._page_size = driver, clock, path, page_size
        self._wal, self._may_checkpoint = wal, may_checkpoint
        self._can_ask = parse_version(driver.version) >= NOOP
        self._looked_at_disk = self._checkpointed = float("-inf")
        self._disk_hold: str | None = None
        self._wal_hold: str | None = None
        self._wal_seen = self._waiting = 0
        if may_checkpoint:
            driver.run("pragma wal_autocheckpoint = 0")

    def upkeep(self, limits: Limits) -> Upkeep:
        """See `inchworm.ports.Database.upkeep`."""
        hold = self._disk(limits)
        if not self._wal:
            return Upkeep(hold)
        if not self._may_checkpoint:
            return self._watch_file(hold, limits)
        # past the cap always: a cap of less than CHECKPOINT_PAGES would otherwise hold for ever
        due = self._is_due() or self._waiting * self._page_size > limits.wal_cap_bytes
        try:
            waiting_bytes = self._page_size * (self._checkpoint() if due else self._waiting)
        except DiskFull:
            return Upkeep(hold or DISK_FULL, self._page_size * self._waiting)
        self._wal_hold = WAL_TOO_LONG if waiting_bytes > limits.wal_cap_bytes else None
        return Upkeep(hold or self._wal_hold, waiting_bytes)

    def _is_due(self) -> bool:
        if self._can_ask:
            log, moved = self._run("noop")
            self._waiting = log - moved
            return is_due(log, self._waiting)
        now = self._clock.monotonic()
        long = self._file_bytes() >= CHECKPOINT_PAGES * self._page_size
        return long and now - self._checkpointed >= CHECKPOINT_EVERY_S

    def _checkpoint(self) -> int:
        """Move pages; how many are left, because a reader pins them or a stranger has just added them."""
        log, moved = self._run("passive")
        if self._can_ask and log >= RESTART_PAGES:
            log, moved = self._run("noop")
            if wants_restart(log, log - moved):
                log, moved = self._run("restart")
        self._checkpointed = self._clock.monotonic()
        self._waiting = max(0, log - moved)
        return self._waiting

    def _run(self, how: str) -> tuple[int, int]:
        """Pages in the log and of them in the file; what was known before when another checkpoint is at work."""
        try:
            with translated(self._driver):
                row = self._driver.run(f"pragma wal_checkpoint({how})").one()
        except Busy:
            row = None
        log, moved = (int(str(row[1])), int(str(row[2]))) if row else (-1, -1)
        return (log, moved) if log >= 0 else (self._waiting, 0)

    def _watch_file(self, hold: str | None, limits: Limits) -> Upkeep:
        """Without checkpoints of our own only the file tells: one that still grows past the cap is not being reset."""
        size = self._file_bytes()
        grew, self._wal_seen = size > self._wal_seen, max(size, self._wal_seen)
        return Upkeep(hold or (WAL_TOO_LONG if grew and size > limits.wal_cap_bytes else None), size)

    def _file_bytes(self) -> int:
        try:
            return Path(self._path + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _disk(self, limits: Limits) -> str | None:
        now = self._clock.monotonic()
        if self._path and now - self._looked_at_disk >= DISK_LOOK_S:
            self._looked_at_disk = now
            free = shutil.disk_usage(os.path.dirname(self._path) or ".").free
            self._disk_hold = DISK_FLOOR if free < limits.disk_floor_bytes else None
        return self._disk_hold
