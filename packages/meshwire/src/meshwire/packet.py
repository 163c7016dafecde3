"""From the bytes of a frame to a Packet.

Owns the order of things and the JSON form; frame and payloads know their own layouts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from meshwire.crypto import packet_hash, verify_signature
from meshwire.enums import PayloadType, Route
from meshwire.errors import DecodeError
from meshwire.header import Path, path_len_of, path_of, read_header
from meshwire.keys import EMPTY_KEYS, KeyRing
from meshwire.payloads import (
    ack,
    advert,
    anon_request,
    control,
    direct_text,
    group_data,
    group_text,
    multipart,
    opaque,
    path_return,
    raw_custom,
    request,
    response,
    trace,
)
from meshwire.quick import quick
from meshwire.reader import ByteMap, Span, split

Payload = (
    request.Request
    | response.Response
    | direct_text.DirectText
    | ack.Ack
    | advert.Advert
    | group_text.GroupText
    | group_data.GroupData
    | anon_request.AnonRequest
    | path_return.PathReturn
    | trace.Trace
    | multipart.Multipart
    | control.DiscoverRequest
    | control.DiscoverResponse
    | control.Control
    | raw_custom.RawCustom
    | opaque.Opaque
)


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame, understood.

    frame: the bytes. route, payload_type: from the header. transport_codes: two uint16 on TRANSPORT routes, else None;
    region: name of the known region whose scope the first one is. payload_at: where the payload starts in the frame;
    payload_raw: its bytes; payload: its meaning. hash: the firmware's packet hash, 8 bytes, the same for every copy.
    spans: the byte map in the order of the bytes, empty unless asked for.
    """

    frame: bytes
    route: Route
    payload_type: PayloadType
    transport_codes: tuple[int, int] | None
    payload_raw: bytes
    payload_at: int
    hash: bytes
    payload: Payload
    region: str | None
    spans: tuple[Span, ...]

    @property
    def version(self) -> int:
        """Payload version; 0 is the only one there is."""
        return self.frame[0] >> 6

    @property
    def path_len_byte(self) -> int:
        """The path length as sent: hops in bits 0-5, hash size minus 1 in bits 6-7."""
        return path_len_of(self.frame)

    @property
    def path(self) -> Path:
        """The path, split into hops. Worked out when asked for: keep it if you need it more than once."""
        return path_of(self.frame)

    def to_dict(self, *, channel_keys: bool = True) -> dict[str, object]:
        """The JSON form that `meshwire decode --json` prints.

        Never holds a private key. It does hold the key that opened a channel message; channel_keys=False leaves it
        out, for whatever is shown to others.
        """
        path = self.path
        size, raw = path.hash_size, path.raw
        found: dict[str, object] = {
            "route": self.route.name,
            "payload_type": self.payload_type.name,
            "version": self.version,
            "path_len_byte": self.path_len_byte,
            "path_hash_size": size,
            "hop_count": len(raw) // size,
            "path": [hop.hex().upper() for hop in split(raw, size)],
            "payload_len": len(self.payload_raw),
            "packet_hash": self.hash.hex().upper(),
        }
        if self.transport_codes is not None:
            found["transport_codes"] = list(self.transport_codes)
        if self.region is not None:
            found["region"] = self.region
        found |= self.payload.to_dict()
        group = found.get("group")
        if not channel_keys and isinstance(group, dict):
            group.pop("key", None)
        return found


def decode(frame: bytes, *, keys: KeyRing = EMPTY_KEYS, spans: bool = False, verify: bool = True) -> Packet:
    """Decode one frame as it was on the air.

    keys: what is known to decrypt channel and direct messages and to name region scopes. spans: also record the byte
    map. verify: check an advert's signature (the most expensive step, about 0.1 ms).
    Raises DecodeError, and nothing else, for bytes that the firmware would not accept. (Not bytes at all: TypeError.)
    """
    data = frame if type(frame) is bytes else bytes(memoryview(frame))
    byte_map = ByteMap() if spans else None
    route, kind, codes, at = read_header(data, byte_map)
    raw = data[at:]
    if byte_map is not None:
        byte_map.base = at
    try:
        payload = _READERS[kind](raw, byte_map, data, keys, verify_signature if verify else None)
    except DecodeError as short:
        raise DecodeError(short.problem, at=at + short.at) from None
    region = keys.match_region(codes[0], kind, raw) if codes is not None and keys.regions else None
    digest = packet_hash(kind, raw, path_len_of(data) if kind is _TRACE else 0)
    found = () if byte_map is None else tuple(byte_map.spans)
    return _packet(data, route, kind, codes, raw, at, digest, payload, region, found)


_TRACE = PayloadType.TRACE
_packet = quick(Packet)
# What a payload reader may look at: the payload, the byte map, the frame around it, the keys, how to verify (or not).
Verify = Callable[[bytes, bytes, bytes], bool]
Reader = Callable[[bytes, ByteMap | None, bytes, KeyRing, Verify | None], Payload]
_READERS: dict[PayloadType, Reader] = {
    PayloadType.REQ: request.read,
    PayloadType.RESPONSE: response.read,
    PayloadType.TXT_MSG: direct_text.read,
    PayloadType.ACK: ack.read,
    PayloadType.ADVERT: advert.read,
    PayloadType.GRP_TXT: group_text.read,
    PayloadType.GRP_DATA: group_data.read,
    PayloadType.ANON_REQ: anon_request.read,
    PayloadType.PATH: path_return.read,
    PayloadType.TRACE: trace.read,
    PayloadType.MULTIPART: multipart.read,
    PayloadType.CONTROL: control.read,
    PayloadType.RESERVED_12: opaque.read,
    PayloadType.RESERVED_13: opaque.read,
    PayloadType.RESERVED_14: opaque.read,
    PayloadType.RAW_CUSTOM: raw_custom.read,
}
