"""/api/mqtt/status: how the connections to brokers do, as the writer last wrote it; none outlives the writer."""

# ruff: noqa: N815 - the keys are those that clients know

from litestar import get
from msgspec import Struct

from hopscope.api.access import OPEN
from hopscope.api.context import Given
from hopscope.store import sources
from hopscope.store.sources import SourceRow

LIVE_KINDS = frozenset({"mqtt", "demo"})


class SourceOut(Struct):
    """One broker. Times are Unix seconds, 0: never."""

    name: str
    broker: str
    connected: bool
    lastConnectUnix: int
    lastDisconnectUnix: int
    lastPacketUnix: int
    connectCount: int
    disconnectCount: int
    packetsTotal: int
    packetsLast5m: int | None
    lastError: str
    kind: str


class MqttStatus(Struct):
    """Every live source."""

    sources: list[SourceOut]
    sampleAt: int
    watchdogLastTickUnix: int
    watchdogPanicCount: int


@get("/api/mqtt/status", opt=OPEN, sync_to_thread=True, tags=["stats"])
def mqtt_status(context: Given) -> MqttStatus:
    """How the connections to brokers do. Without a writer none is connected, whatever it last wrote."""
    rows = context.pool.read(sources.all_sources)
    now, gone = context.now_ms() // 1000, context.writer.current().collects is False
    return MqttStatus([source_out(row, gone=gone) for row in rows if row.kind in LIVE_KINDS], now, now, 0)


def source_out(row: SourceRow, *, gone: bool) -> SourceOut:
    """The wire form of a source; `gone`: nobody holds its connection. The last five minutes are not kept: null."""
    return SourceOut(
        name=row.name,
        broker=row.address or "",
        connected=bool(row.connected) and not gone,
        lastConnectUnix=(row.connected_at or 0) // 1000,
        lastDisconnectUnix=(row.disconnected_at or 0) // 1000,
        lastPacketUnix=(row.last_record_at or 0) // 1000,
        connectCount=row.connects,
        disconnectCount=row.disconnects,
        packetsTotal=row.records,
        packetsLast5m=None,
        lastError=row.last_error or "",
        kind=row.kind,
    )


ROUTES = (mqtt_status,)
