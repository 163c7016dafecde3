"""What each broker may have subscribed for us, so that a topic that is no longer wanted can be given back.

A session outlives the configuration. What is about to be subscribed is remembered before it is asked for, and what was
given back is forgotten after the broker said so; a crash in between gives it back once more, which harms nothing.
"""

import json
from collections.abc import Collection

import apsw

from hopscope.store.connection import sql, transaction
from hopscope.store.errors import translated


def wanting(db: apsw.Connection, session: str, topics: Collection[str]) -> tuple[str, ...]:
    """Remember that this session will have these topics; those it may have besides. Raises StoreUnavailable.

    `session` names a broker and our client id there.
    """
    with translated(), transaction(db):
        held = _held(db, session)
        if not held.issuperset(topics):
            _remember(db, session, held | set(topics))
    return tuple(sorted(held - set(topics)))


def settled(db: apsw.Connection, session: str, topics: Collection[str]) -> None:
    """Remember that this session has these topics and no others. Raises StoreUnavailable."""
    with translated(), transaction(db):
        _remember(db, session, set(topics))


def _held(db: apsw.Connection, session: str) -> set[str]:
    found = db.execute(sql("writing")["subscribed"], (_key(session),)).get
    return set(json.loads(found)) if found else set()


def _remember(db: apsw.Connection, session: str, topics: Collection[str]) -> None:
    db.execute(sql("writing")["save_subscribed"], (_key(session), json.dumps(sorted(topics))))


def _key(session: str) -> str:
    return f"subscribed:{session}"
