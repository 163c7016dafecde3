"""What is shown of a stored packet: decoded when it is read, behind the veil, and kept for a while by its hash.

The veil is applied here once, to decoded fields and bytes alike, so that no list, message or live event can forget it.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import msgspec

from hopscope.api import corescope_json
from hopscope.api.veil import ADDRESSEE, E6, Veil, blank, round_advert
from hopscope.config.settings import Settings
from hopscope.store.packets import PacketRow
from meshwire import (
    PUBLIC_KEY,
    Advert,
    AnonRequest,
    DecodeError,
    DiscoverResponse,
    GroupText,
    KeyRing,
    Packet,
    Span,
    Trace,
    decode,
)

KEPT = 4096  # decoded packets kept: many pages of every list, about 5 MB


@dataclass(frozen=True, slots=True)
class Shown:
    """What strangers may see of a packet's payload."""

    payload_json: str  # in the keys of CoreScope
    payload_hex: str
    trace_hops: tuple[str, ...] | None  # of a TRACE, whose path field holds no hops
    sender: str | None  # of a readable channel message
    text: str | None
    sent_at: int | None  # by the sender's clock, Unix seconds
    hidden_from: int | None  # where in the payload the bytes begin that are not shown; None: all are shown

    @property
    def hidden(self) -> bool:
        """Whether nothing of the payload is shown."""
        return self.hidden_from == 0

    @property
    def payload(self) -> msgspec.Raw:
        """The payload as an object of a larger answer."""
        return msgspec.Raw(self.payload_json.encode())


def key_ring(settings: Settings) -> KeyRing:
    """Every channel whose messages may be shown: Public, and the configured ones."""
    return KeyRing.of(channels={"Public": PUBLIC_KEY} | {channel.name: channel.key for channel in settings.channels})


class Decoder:
    """Decodes stored packets and keeps the newest answers. Used by several threads."""

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys
        self._kept: OrderedDict[tuple[bytes, int], Shown] = OrderedDict()
        self._lock = Lock()

    def show(self, row: PacketRow, veil: Veil) -> Shown:
        """What may be seen of this packet."""
        key = (row.hash, veil.epoch)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        found = self._make(row, veil)
        with self._lock:
            self._kept[key] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _make(self, row: PacketRow, veil: Veil) -> Shown:
        try:
            # A node id means that the signature was found valid when the packet was stored.
            packet = decode(row.frame, keys=self.keys, verify=row.node_id is None)
        except DecodeError as error:
            payload = {"type": corescope_json.type_name(row.type), "error": str(error)}
            return plain(payload, row.frame[row.payload_at :])
        if row.node_id is not None and isinstance(packet.payload, Advert):
            packet = replace(packet, payload=replace(packet.payload, signature_valid=True))
        return show_packet(packet, veil, self.keys)


def show_packet(packet: Packet, veil: Veil, keys: KeyRing) -> Shown:
    """What may be seen of a decoded packet. Pure."""
    payload = packet.payload
    if hides(packet, veil):
        kind = {"type": corescope_json.type_name(packet.payload_type), "hidden": True}
        return plain(kind, blank(packet.payload_raw), hidden_from=0)
    fields = corescope_json.payload_json(packet)
    raw = packet.payload_raw
    if isinstance(payload, AnonRequest) and not veil.senders:
        addressed = {"type": fields["type"], "destHash": fields["destHash"], "senderHidden": True}
        return plain(addressed, blank(raw, after=ADDRESSEE), hidden_from=ADDRESSEE)
    if isinstance(payload, Advert) and veil.rounds(payload.role, payload.lat_e6):
        position = veil.position(payload.role, payload.lat_e6, payload.lon_e6)
        if position is not None:
            raw = round_advert(raw, position)
            fields |= {"lat": position[0] / 10**E6, "lon": position[1] / 10**E6, "positionRounded": True}
            del fields["signature"]
    if isinstance(payload, GroupText) and payload.message is None and has_key(keys, payload.channel_hash):
        fields["decryptionStatus"] = "decryption_failed"
    shown = plain(fields, raw)
    if isinstance(payload, Trace):
        return replace(shown, trace_hops=tuple(hop.hex().upper() for hop in payload.route))
    if isinstance(payload, GroupText) and payload.message is not None:
        message = payload.message
        return replace(shown, sender=message.sender, text=message.message, sent_at=message.timestamp)
    return shown


def hides(packet: Packet, veil: Veil) -> bool:
    """Whether the packet's payload would show a hidden node's key or name."""
    payload = packet.payload
    match payload:
        case Advert():
            return veil.hides_key(payload.pubkey) or veil.hides_name(payload.name)
        case AnonRequest():
            return veil.hides_key(payload.sender)
        case DiscoverResponse():
            return veil.hides_key(payload.pubkey)
        case GroupText(message=message) if message is not None:
            return veil.hides_name(message.sender)
        case _:
            return False


def has_key(keys: KeyRing, channel_hash: int) -> bool:
    """Whether some known key has this channel hash, though it did not open the message."""
    return any(channel.hash == channel_hash for channel in keys.channels)


def plain(payload: dict[str, Any], raw: bytes, *, hidden_from: int | None = None) -> Shown:
    """A payload as it is."""
    text = msgspec.json.encode(payload).decode()
    return Shown(text, raw.hex().upper(), None, None, None, None, hidden_from)


def frame_hex(row: PacketRow, shown: Shown) -> str:
    """The packet's frame as it may be seen: the first reception's header and path, and the payload behind the veil."""
    return row.frame[: row.payload_at].hex().upper() + shown.payload_hex


def byte_map(frame: bytes, keys: KeyRing, *, hidden_from: int | None) -> list[Span]:
    """The fields of a frame; what of its payload is not shown is one field."""
    packet = decode(frame, keys=keys, spans=True, verify=False)
    if hidden_from is None:
        return list(packet.spans)
    begin = packet.payload_at + hidden_from
    hidden = Span("hidden", begin, len(frame), "not shown, to protect who sent it")
    return [*(span for span in packet.spans if span.end <= begin), hidden]
