"""The small tables that nearly every answer needs, read once per commit at most: observers, channels, the veil."""

import threading
from dataclasses import dataclass

from hopscope.api.veil import Veil, veil_of
from hopscope.config.settings import Privacy
from hopscope.store import channels, nodes, observers
from hopscope.store.channels import ChannelRow
from hopscope.store.observers import ObserverRow
from hopscope.store.pool import ReadPool, Snapshot
from hopscope.store.watch import Clock


@dataclass(frozen=True, slots=True)
class Facts:
    """Observers and channels by id, and who is hidden."""

    observers: dict[int, ObserverRow]
    hidden_observers: frozenset[int]
    channels: dict[int, ChannelRow]
    veil: Veil

    def observer(self, observer_id: int | None) -> ObserverRow | None:
        """The observer to show; None: there is none, or it is hidden."""
        if observer_id is None or observer_id in self.hidden_observers:
            return None
        return self.observers.get(observer_id)

    def visible_observers(self) -> tuple[ObserverRow, ...]:
        """Every observer that is not hidden, newest heard first."""
        return tuple(row for row in self.observers.values() if row.id not in self.hidden_observers)

    def observer_named(self, text: str) -> ObserverRow | None:
        """The observer with this ident (in any case of letters), or None."""
        wanted = text.upper()
        return next((row for row in self.visible_observers() if row.ident.upper() == wanted), None)

    def channel_named(self, text: str) -> ChannelRow | None:
        """The channel with this name; the `#` may be left out, and letters may differ in case if only one fits."""
        rows = self.channels.values()
        exact = [row for row in rows if row.name in (text, f"#{text}")]
        folded = [row for row in rows if row.name.casefold() in (text.casefold(), f"#{text}".casefold())]
        return exact[0] if exact else folded[0] if len(folded) == 1 else None

    def observers_in(self, iata: frozenset[str]) -> tuple[int, ...]:
        """Ids of the observers of some regions."""
        return tuple(sorted(row.id for row in self.visible_observers() if row.iata in iata))


class FactsReader:
    """Keeps the facts until something is committed."""

    def __init__(self, pool: ReadPool, clock: Clock, privacy: Privacy) -> None:
        self._pool = pool
        self._clock = clock
        self._privacy = privacy
        self._veil = Veil(decimals=privacy.companion_decimals)
        self._lock = threading.Lock()
        self._kept: tuple[tuple[int, int], Facts] | None = None

    def current(self) -> Facts:
        """The facts of this moment. Raises CannotRead."""
        reading = self._clock.read()
        kept = self._kept
        if kept is not None and kept[0] == reading:
            return kept[1]
        with self._lock:
            if self._kept is not None and self._kept[0] == reading:
                return self._kept[1]
            facts = self._pool.read(self._read)
            # The reading is older than the facts: a commit in between only means that they are read once more.
            self._kept = None if reading is None else (reading, facts)
            return facts

    def _read(self, db: Snapshot) -> Facts:
        hidden: dict[bytes, str | None] = dict(nodes.named(db, self._privacy.hidden_markers))
        hidden |= {key: row.name for key, row in nodes.by_pubkeys(db, self._privacy.hidden_keys).items()}
        self._veil = veil_of(self._privacy, hidden, previous=self._veil)
        veil = self._veil
        rows = observers.all_observers(db)
        return Facts(
            observers={row.id: row for row in rows},
            hidden_observers=frozenset(row.id for row in rows if veil.hides_ident(row.ident, row.name)),
            channels={row.id: row for row in channels.all_channels(db)},
            veil=veil,
        )
