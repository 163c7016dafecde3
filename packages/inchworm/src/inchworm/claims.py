"""A migration's ledger row while no attempt holds it: registration, a changed definition, the claim itself.

Refuses a migration that a living runner holds, and one whose definition is not the one it began with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from inchworm import events, ledger
from inchworm.clock import Clock, rfc3339
from inchworm.errors import DefinitionChanged, LeaseLost
from inchworm.lease import Holder
from inchworm.ledger import Entry
from inchworm.model import Backfill, Guard, IndexBuild, IndexTable, Migration
from inchworm.patience import Patience
from inchworm.ports import Database
from inchworm.requests import is_held
from inchworm.states import ACTIVE, STARTABLE, Status
from inchworm.turns import BOOKKEEPING_S


class Claims:
    """What a runner reads and writes about migrations that it does not hold. Leases last `lease_s` seconds."""

    def __init__(self, db: Database, clock: Clock, patience: Patience, *, lease_s: float) -> None:
        self._db, self._clock, self._patience, self._lease_s = db, clock, patience, lease_s

    def register(self, migrations: Sequence[Migration]) -> None:
        """Make the ledger if need be, and write down the names that it lacks. Raises LedgerTooNew, LockNeverFree."""
        self._patience.write(lambda: ledger.ensure(self._db, self._now()))

        def work() -> None:
            with self._db.snapshot() as reads:
                known = {entry.name for entry in ledger.entries(reads)}
            missing = [m for m in migrations if m.name not in known]
            if not missing:
                return
            with self._db.turn(limit_s=BOOKKEEPING_S) as turn:
                for migration in missing:
                    if ledger.entry(turn, migration.name) is None:  # another runner may have been faster
                        ledger.register(turn, migration.name, _kind(migration), migration.fingerprint, self._now())

        self._patience.write(work)

    def entries(self) -> Mapping[str, Entry]:
        """By name; none before there is a ledger. Raises Busy when readers are kept out, see `Patience.read`."""
        return self._patience.read(self.entries_now)

    def entries_now(self) -> Mapping[str, Entry]:
        """By name, in one look. Raises Busy at once when readers are kept out."""
        with self._db.snapshot() as reads:
            found = ledger.entries(reads) if ledger.exists(reads, self._db) else ()
            return {entry.name: entry for entry in found}

    def is_held(self, entry: Entry) -> bool:
        """Whether a living runner holds it at this moment."""
        return is_held(entry, self._clock.wall(), self._db)

    def refuses(self, migration: Migration, entry: Entry) -> bool:
        """Fail a migration whose definition is not the one it began with, unless an operator asked for a retry."""
        begun = entry.attempts > 0 and entry.stage not in ("retry", "restart")
        if not begun or entry.fingerprint in (None, migration.fingerprint):
            return False
        self._fail_unheld(entry, str(DefinitionChanged(migration.name)))
        return True

    def _fail_unheld(self, entry: Entry, error: str) -> None:
        def work() -> None:
            with self._db.turn(limit_s=BOOKKEEPING_S) as turn:
                now, failed = self._now(), Status.FAILED
                ledger.move_unheld(turn, entry, failed, reason=None, error=error, stage=entry.stage, by=None, now=now)

        try:
            self._patience.write(work)
        except LeaseLost:
            events.info("inchworm.lease", migration=entry.name, why="another runner moved it first")

    def claim(self, migration: Migration, holder: Holder) -> Entry | None:
        """Take the lease; None when the stop token was set first. Raises LeaseLost when another was faster."""
        claimed: list[Entry] = []

        def work() -> None:
            with self._db.turn(limit_s=BOOKKEEPING_S) as turn:
                was = ledger.entry(turn, migration.name)
                if was is None or was.status not in STARTABLE or self.is_held(was):
                    raise LeaseLost(migration.name)
                if _starts_over(migration, was):
                    was = ledger.rewind(turn, was, migration.fingerprint)
                held = self._held(migration, was, holder)
                ledger.claim(turn, was, held, _claim_reason(was), self._now())
                claimed[:] = [held]

        self._patience.write(work)
        return claimed[0] if claimed else None

    def _held(self, migration: Migration, was: Entry, holder: Holder) -> Entry:
        return replace(
            was,
            status_text=str(Status.RUNNING),
            holder=str(holder),
            epoch=was.epoch + 1,
            lease_until=self._clock.wall() + self._lease_s,
            fingerprint=migration.fingerprint,
            throttled=ledger.idle(was, self._now()),
            attempts=was.attempts + 1,
            attempt_rows=0,
            attempt_active_s=0.0,
            stage="retry" if was.stage == "restart" else was.stage,
            reason=None,
            error=None,
            ended_at=None,
        )

    def _now(self) -> str:
        return rfc3339(self._clock.wall())


def _starts_over(migration: Migration, was: Entry) -> bool:
    """A retry goes on after the cursor, but a new definition or a failed verification needs a new walk.

    Not so where apply relies on exactly-once: a second walk would add to what the first one has added.
    """
    if isinstance(migration, Backfill) and migration.guard is Guard.FROZEN:
        return False
    return was.stage == "restart" or was.fingerprint not in (None, migration.fingerprint)


def _claim_reason(was: Entry) -> str:
    if was.status in ACTIVE:
        return f"the holder {was.holder or 'unknown'} died (crashed); taken over after the cursor"
    return "taken by a runner"


def _kind(migration: Migration) -> str:
    return {IndexBuild: "index", IndexTable: "index table"}.get(type(migration), "backfill")
