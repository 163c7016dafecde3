"""The values derived from an import's receptions, each a migration of its own with its guard.

Live ingest keeps them right for what it stores; each of these adds what one import brought, and nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hopscope.migrations.corescope_values import SqlValue
from hopscope.store.connection import sql
from hopscope.store.facts import facts_of
from hopscope.store.relations import relate_adverts
from inchworm.model import Backfill, Row
from inchworm.ports import Turn
from meshwire import GroupText, KeyRing, decode

FIRST_NAMES = {
    "last_seen": "tx_last_seen_backfill_v1",
    "observation_count": "tx_observation_count_v1",
    "shown": "tx_shown_observation_v1",
    "observer_totals": "observer_totals_v1",
    "traffic": "rollup_traffic_v1",
    "first_receptions": "rollup_first_receptions_v1",
    "hash_sizes": "rollup_hash_sizes_v1",
    "hops": "rollup_hops_v1",
    "channel_index": "channel_index_v1",
    "channel_last": "channel_last_message_v1",
    "node_relations": "node_relations_v1",
}


@dataclass(frozen=True, slots=True)
class Derivation:
    """Whose receptions: the import's number and its source; and the migration that must be done before, if any."""

    import_id: int
    source_id: int
    after: tuple[str, ...]

    def name(self, value: str) -> str:
        """The ledger's name: the plain one for the first import, with its number for later ones."""
        plain = FIRST_NAMES[value]
        return plain if self.import_id == 1 else f"{plain}.import_{self.import_id}"

    def text(self, statement: str) -> str:
        """A statement of derived.sql for this import."""
        return sql("derived")[statement].replace("{source}", str(self.source_id))


def derivations(of: Derivation, keys: KeyRing) -> list[Backfill]:
    """All of them, in the order they run: what the packet list shows first."""
    return [_last_seen(of), _shown(of), _observation_count(of), *_relations(of, keys), *_totals(of)]


def _last_seen(of: Derivation) -> Backfill:
    return Backfill(
        name=of.name("last_seen"),
        table="transmissions",
        compute=of.text("last_seen_compute"),
        apply=of.text("last_seen_apply"),
        guard="monotone",  # ingest may have moved it further meanwhile; it never moves backwards
        verify=of.text("last_seen_verify"),
        after=of.after,
    )


def _shown(of: Derivation) -> Backfill:
    return Backfill(
        name=of.name("shown"),
        table="transmissions",
        compute=of.text("shown_compute"),
        apply=of.text("shown_apply"),
        guard="monotone",  # only towards a longer path, and among equals towards an earlier reception
        verify=of.text("shown_verify"),
        after=of.after,
    )


def _observation_count(of: Derivation) -> Backfill:
    return Backfill(
        name=of.name("observation_count"),
        table="transmissions",
        compute=of.text("observation_count_compute"),
        apply=of.text("observation_count_apply"),
        guard="frozen",  # the import's own observations no longer change; ingest adds its own as it stores them
        verify=of.text("observation_count_verify"),
        after=of.after,
    )


def _totals(of: Derivation) -> Iterator[Backfill]:
    """Sums over the import's rows. Frozen: those rows no longer change, and each slice is applied exactly once."""
    tables = {
        "observer_totals": "observers",
        "traffic": "observations",
        "first_receptions": "transmissions",
        "hash_sizes": "observations",
        "hops": "observations",
    }
    for value, table in tables.items():
        yield Backfill(
            name=of.name(value),
            table=table,
            compute=of.text(f"{value}_compute"),
            apply=of.text(f"{value}_apply"),
            guard="frozen",
            after=of.after,
        )


def _relations(of: Derivation, keys: KeyRing) -> Iterator[Backfill]:
    """Channels and nodes of the packets that the import stored first; decoding and signatures outside the turn."""
    yield Backfill(
        name=of.name("channel_index"),
        table="transmissions",
        compute=of.text("channel_index_compute"),
        transform=_channels(keys),
        apply=(of.text("channel_index_make"), of.text("channel_index_count"), of.text("channel_index_apply")),
        guard="frozen",  # only the import relates its packets; ingest relates those it stores first
        verify=of.text("channel_index_verify"),
        after=of.after,
        version="1",
    )
    yield Backfill(
        name=of.name("channel_last"),
        table="channels",
        update=of.text("channel_last_update"),
        after=(of.name("channel_index"),),
    )
    yield Backfill(
        name=of.name("node_relations"),
        table="transmissions",
        compute=of.text("node_relations_compute"),
        transform=_verified,
        apply=_relate,
        guard="monotone",  # nodes change towards newer adverts only
        after=of.after,
        version="1",
    )


def _channels(keys: KeyRing) -> Callable[[Sequence[Row]], list[dict[str, SqlValue]]]:
    def channel_rows(rows: Sequence[Row]) -> list[dict[str, SqlValue]]:
        return [found for row in rows if (found := _channel(row, keys)) is not None]

    return channel_rows


def _channel(row: Row, keys: KeyRing) -> dict[str, SqlValue] | None:
    packet = decode(_frame(row), keys=keys, verify=False)
    channel = facts_of(packet).channel if isinstance(packet.payload, GroupText) else None
    if channel is None:
        return None
    return {
        "id": row["id"],
        "first_seen": row["first_seen"],
        "channel": channel.name,
        "hash": channel.hash,
        "encrypted": int(channel.encrypted),
    }


def _verified(rows: Sequence[Row]) -> list[Row]:
    """Only adverts whose signature is valid make nodes."""
    return [row for row in rows if facts_of(decode(_frame(row))).advert is not None]


def _relate(turn: Turn, rows: Sequence[Row]) -> int:
    return relate_adverts(turn, rows, lambda frame: facts_of(decode(frame, verify=False), verified=True))


def _frame(row: Row) -> bytes:
    frame = row["frame"]
    assert isinstance(frame, bytes)
    return frame
