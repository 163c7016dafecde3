"""What live sources committed since the last look, in the order of commits. Polls; keeps no history."""

from dataclasses import dataclass

from hopscope.store import live
from hopscope.store.live import News
from hopscope.store.pool import Snapshot
from hopscope.store.watch import Watch

BURST = 1000  # receptions between two looks that are still worth sending one by one


@dataclass(frozen=True, slots=True)
class Position:
    """Where a feed stands: which database, and the highest observation id seen."""

    database: str
    observation: int

    def __str__(self) -> str:
        return f"{self.database}-{self.observation}"


@dataclass(frozen=True, slots=True)
class Step:
    """From one look to the next. `news` None: begin anew at `position` (another database, or too much to tell)."""

    position: Position
    news: News | None


class Tail:
    """Follows one database file, whatever database it holds. Used by one thread."""

    def __init__(self, path: str) -> None:
        self._watch = Watch(path)
        self._position: Position | None = None

    def poll(self) -> Step | None:
        """What is new; None: nothing. Raises CannotRead while there is no database to follow."""
        step = self._watch.look(self._read)
        if step is not None:
            self._position = step.position
        return step

    def close(self) -> None:
        """Stop following."""
        self._watch.close()

    def _read(self, db: Snapshot) -> Step:
        database, known = live.database_id(db), self._position
        if known is None or known.database != database:
            return Step(Position(database, live.newest_id(db)), None)
        news = live.after(db, known.observation, limit=BURST)
        return Step(Position(database, max(news.last, known.observation)), news if news.complete else None)
