"""/api/channels: the channels seen on the air, and the messages of those that a known key opens."""

# ruff: noqa: N815 - the keys are those that clients know

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import get
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from hopscope.api import query
from hopscope.api.access import OPEN, PURE
from hopscope.api.context import Given
from hopscope.api.errors import NotFound
from hopscope.api.facts import Facts
from hopscope.api.presenter import Presenter
from hopscope.api.shown import Shown
from hopscope.api.times import iso, iso_or_none
from hopscope.store import channels, packets
from hopscope.store.channels import ChannelRow
from hopscope.store.packets import PacketPage, PacketQuery, PacketRow
from hopscope.store.pool import Snapshot

LIMIT_MAX = 500


class ChannelOut(Struct):
    """A channel. lastMessage and lastSender are null where no key opens it, or nothing is stored any more."""

    hash: str
    name: str
    lastMessage: str | None
    lastSender: str | None
    messageCount: int
    lastActivity: str | None
    encrypted: bool
    channelHash: int


class ChannelList(Struct):
    """Channels, newest message first."""

    channels: list[ChannelOut]


class Message(Struct):
    """A channel message. The sender's name is a claim that anybody can make; sender_timestamp is their clock."""

    sender: str
    text: str
    timestamp: str
    sender_timestamp: int | None
    packetId: int
    packetHash: str
    repeats: int
    observers: list[str]
    hops: int
    snr: float | None
    hidden: bool


class MessageList(Struct):
    """The newest messages, oldest of them first. next_cursor leads to older ones."""

    messages: list[Message]
    total: int
    total_exact: bool
    next_cursor: str | None


@get("/api/channels", opt=OPEN | PURE, sync_to_thread=True, tags=["channels"])
def list_channels(
    context: Given,
    region: Annotated[str | None, QueryParameter(max_length=500, description="IATA codes, with commas.")] = None,
    include_encrypted: Annotated[str | None, QueryParameter(name="includeEncrypted")] = None,
) -> ChannelList:
    """Channels with a readable message; with includeEncrypted=true also those that no known key opens."""
    encrypted = query.flag("includeEncrypted", include_encrypted)
    facts = context.facts.current()
    codes = frozenset(code.upper() for code in query.comma_list(region))

    def read(db: Snapshot) -> tuple[list[ChannelRow], dict[int, PacketRow]]:
        rows = [row for row in channels.all_channels(db) if encrypted or not row.encrypted]
        if codes:
            heard = channels.heard_in(db, facts.observers_in(codes))
            rows = [row for row in rows if row.id in heard]
        last = [row.last_message_id for row in rows if row.last_message_id is not None and not row.encrypted]
        return rows, {row.id: row for row in packets.by_ids(db, last)}

    rows, last = context.pool.read(read)
    show = Presenter(context.decoder, facts)
    return ChannelList([channel_out(row, last.get(row.last_message_id or 0), show) for row in rows])


def channel_out(row: ChannelRow, last: PacketRow | None, show: Presenter) -> ChannelOut:
    """The wire form of a channel."""
    shown = None if last is None else show.shown(last)
    return ChannelOut(
        hash=row.name,
        name=row.name,
        lastMessage=None if shown is None else shown.text,
        lastSender=None if shown is None else shown.sender,
        messageCount=row.message_count,
        lastActivity=iso_or_none(row.last_seen or None),
        encrypted=bool(row.encrypted),
        channelHash=row.hash,
    )


@dataclass(frozen=True, slots=True)
class Said:
    """A page of a channel's packets, and who heard each."""

    page: PacketPage
    heard: dict[int, list[int]]


@get("/api/channels/{name:str}/messages", opt=OPEN | PURE, sync_to_thread=True, tags=["channels"])
def list_messages(
    context: Given,
    name: Annotated[str, PathParameter(max_length=100, description="The channel's name; `#` may be left out.")],
    *,
    limit: query.Limit = 100,
    offset: query.Offset = 0,
    cursor: query.Cursor = None,
    region: Annotated[str | None, QueryParameter(max_length=500, description="IATA codes, with commas.")] = None,
) -> MessageList:
    """A channel's messages: the newest `limit` before `offset` or the cursor, in the order they were heard."""
    facts = context.facts.current()
    channel = facts.channel_named(name)
    if channel is None:
        raise NotFound("Not found")
    after = query.cursor("m", cursor)
    codes = frozenset(code.upper() for code in query.comma_list(region))
    asked = PacketQuery(
        limit=min(limit, LIMIT_MAX),
        offset=0 if after else offset,
        after=after,
        channel=channel.id,
        observers=facts.observers_in(codes) if codes else None,
    )

    def read(db: Snapshot) -> Said:
        page = packets.page(db, asked)
        return Said(page, packets.heard_by(db, [row.id for row in page.rows]))

    said = context.pool.read(read)
    show = Presenter(context.decoder, facts)
    messages = [message(row, show.shown(row), said.heard[row.id], facts) for row in reversed(said.page.rows)]
    whole = channel.message_count if not codes else said.page.total
    exact = not codes or said.page.total_exact
    return MessageList(messages, whole, exact, query.write_cursor("m", said.page.next))


def message(row: PacketRow, shown: Shown, heard: list[int], facts: Facts) -> Message:
    """The wire form of a message; one that may not be read, or may not be shown, has no text."""
    names = [observer.name or observer.ident for one in heard if (observer := facts.observer(one)) is not None]
    return Message(
        sender=shown.sender or "",
        text=shown.text or "",
        timestamp=iso(row.first_seen),
        sender_timestamp=shown.sent_at,
        packetId=row.id,
        packetHash=row.hash.hex(),
        repeats=row.observation_count,
        observers=names,
        hops=(row.path_len or 0) & 63,
        snr=row.snr,
        hidden=shown.hidden,
    )


@get("/api/known-channels", opt=OPEN, sync_to_thread=False, tags=["channels"])
def known_channels() -> dict[str, list[Any]]:
    """No list of well-known channels is configured; clients ask for one."""
    return {"channels": []}


ROUTES = (list_channels, list_messages, known_channels)
