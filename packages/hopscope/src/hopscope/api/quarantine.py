"""/api/ingest/quarantine: how often records could not be used, and for an operator the records themselves."""

# ruff: noqa: N815 - as the other keys

from typing import Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter
from msgspec import Struct

from hopscope.api import query
from hopscope.api.access import KEY_HEADER, OPEN, matches
from hopscope.api.context import Given
from hopscope.api.times import iso
from hopscope.store import quarantine
from hopscope.store.pool import Snapshot
from hopscope.store.quarantine import RejectCount

LIMIT_MAX = 200


class Count(Struct):
    """How often a source's records were refused for one reason."""

    source: str
    reason: str
    count: int
    lastAt: str


class Record(Struct):
    """A record as it was received, cut at 4096 bytes; bytes that are no UTF-8 are replaced."""

    at: str
    source: str
    reason: str
    detail: str
    topic: str
    record: str


class Quarantine(Struct):
    """Counts for everyone; records only with the operator's key, because they may hold anything."""

    counts: list[Count]
    records: list[Record]


@get("/api/ingest/quarantine", opt=OPEN, sync_to_thread=True, tags=["operator"])
def get_quarantine(
    request: Request[Any, Any, Any],
    context: Given,
    reason: Annotated[str | None, QueryParameter(max_length=60)] = None,
    limit: query.Limit = 50,
) -> Quarantine:
    """Records that could not be used."""
    operator = matches(context.settings.api_key, request.headers.get(KEY_HEADER))

    def read(db: Snapshot) -> tuple[tuple[RejectCount, ...], tuple[quarantine.Rejected, ...]]:
        counts = quarantine.counts(db)
        if not operator:
            return counts, ()
        return counts, quarantine.newest(db, reason=reason or None, limit=min(limit, LIMIT_MAX))

    counts, records = context.pool.read(read)
    return Quarantine(
        [Count(row.source, row.reason, row.count, iso(row.last_at)) for row in counts],
        [
            Record(iso(row.at), row.source, row.reason, row.detail, row.topic, row.record.decode(errors="replace"))
            for row in records
        ],
    )


ROUTES = (get_quarantine,)
