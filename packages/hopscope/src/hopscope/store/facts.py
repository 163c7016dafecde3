"""What is stored of a decoded packet. Pure; ingest and migrations derive the same facts the same way."""

from hopscope.model import AdvertFacts, ChannelFacts, PacketFacts
from meshwire import Advert, GroupText, Packet, PayloadType


def facts_of(packet: Packet, *, verified: bool = False) -> PacketFacts:
    """The facts of a packet. An advert counts only when its signature is valid.

    verified: it is known to be, although this packet was decoded without checking it.
    """
    is_trace = packet.payload_type is PayloadType.TRACE
    path = packet.path
    payload = packet.payload
    head_size = 1 if packet.transport_codes is None else 5
    return PacketFacts(
        hash=packet.hash,
        type=int(packet.payload_type),
        route=int(packet.route),
        version=packet.version,
        frame=packet.frame,
        head=packet.frame[:head_size],
        path_len=packet.path_len_byte,
        path=path.raw,
        payload_at=packet.payload_at,
        hop_count=len(path.raw) if is_trace else len(path.hops),
        hash_size=None if is_trace else path.hash_size,
        region=None if packet.transport_codes is None else packet.region or "",
        advert=_advert(payload) if isinstance(payload, Advert) and (verified or payload.signature_valid) else None,
        channel=_channel(payload) if isinstance(payload, GroupText) else None,
    )


def closed_channel(hash_byte: int) -> str:
    """The name of a channel that no configured key opens."""
    return f"enc_{hash_byte:02X}"


def _advert(advert: Advert) -> AdvertFacts:
    located = advert.location is not None
    return AdvertFacts(
        pubkey=advert.pubkey,
        advert_at=advert.timestamp * 1000,
        name=(advert.name or "").strip() or None,
        role=int(advert.role),
        lat_e6=advert.lat_e6 if located else None,
        lon_e6=advert.lon_e6 if located else None,
    )


def _channel(text: GroupText) -> ChannelFacts:
    if text.message is None:
        return ChannelFacts(closed_channel(text.channel_hash), text.channel_hash, encrypted=True)
    return ChannelFacts(text.message.channel, text.channel_hash, encrypted=False)
