"""The small tables that nearly every answer needs, read at most once in two seconds: observers, channels, the veil."""

from collections.abc import Set
from dataclasses import dataclass

from hopscope.api.memo import Memo
from hopscope.api.veil import Veil, veil_of
from hopscope.config.settings import Privacy
from hopscope.store import channels, nodes, observers
from hopscope.store.channels import ChannelRow
from hopscope.store.observers import ObserverRow
from hopscope.store.pool import ReadPool, Snapshot

EVERY_S = 2.0


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
    """Keeps the newest facts."""

    def __init__(self, pool: ReadPool, privacy: Privacy, *, every_s: float = EVERY_S) -> None:
        self._pool = pool
        self._privacy = privacy
        self._veil = Veil(decimals=privacy.companion_decimals)
        self._memo = Memo(lambda: pool.read(self._read), every_s=every_s)

    def current(self, *, knowing: Set[int] = frozenset()) -> Facts:
        """The facts, not older than two seconds; read anew when they lack one of the observers `knowing`.

        Raises CannotRead.
        """
        facts = self._memo.get()
        if not knowing <= facts.observers.keys():
            self._memo.forget()
            facts = self._memo.get()
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
