"""Relate imported adverts to their nodes, with the rules that ingest has for adverts from the air."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import apsw

from hopscope.model import PacketFacts
from hopscope.store.connection import sql
from hopscope.store.faults import as_faults
from hopscope.store.rows import Nodes
from hopscope.store.upserts import advertised
from inchworm.ports import SqlValue, Turn


def relate_adverts(turn: Turn, rows: Sequence[Mapping[str, SqlValue]], facts: Callable[[bytes], PacketFacts]) -> int:
    """Adverts whose signature was found valid: make or complete their nodes. Returns the transmissions related.

    rows: id, frame, first_heard, last_heard. facts: of a frame whose signature need not be checked again.
    """
    db: Any = turn.connection
    statement = sql("derived")["node_relations_apply"]
    with as_faults():
        nodes = Nodes(db, sql("writing"))
        related = 0
        for row in rows:
            related += _relate(db, nodes, row, facts, statement)
        nodes.write()
    return related


def _relate(
    db: apsw.Connection,
    nodes: Nodes,
    row: Mapping[str, SqlValue],
    facts: Callable[[bytes], PacketFacts],
    statement: str,
) -> int:
    frame, first_heard, last_heard = row["frame"], row["first_heard"], row["last_heard"]
    assert isinstance(frame, bytes)
    assert isinstance(first_heard, int)
    assert isinstance(last_heard, int)
    packet = facts(frame)
    if packet.advert is None:
        raise ValueError("only an advert is related to a node")
    node = nodes.get(packet.advert.pubkey, first_heard)
    db.execute(statement, {"id": row["id"], "node_id": node.id})
    new = db.changes()
    advertised(node, packet, first_heard, first=bool(new))
    advertised(node, packet, last_heard, first=False)
    return new
