"""From the bytes of a frame to a Packet.

Owns the order of things and the JSON form; frame and payloads know their own layouts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from meshwire.crypto import packet_hash, verify_signature
from meshwire.enums import PayloadType, Route
from meshwire.header import Path, read_header
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
from meshwire.reader import ByteReader, Span, SpanReader

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

    frame: the bytes. route, payload_type, version: from the header. transport_codes: two uint16 on TRANSPORT routes,
    else None; region: name of the known region whose scope the first one is. path_len_byte, path: as sent.
    payload_at: where the payload starts in the frame; payload_raw: its bytes; payload: its meaning.
    hash: the firmware's packet hash, 8 bytes, the same for every copy. spans: the byte map, empty unless asked for.
    """

    frame: bytes
    route: Route
    payload_type: PayloadType
    version: int
    transport_codes: tuple[int, int] | None
    path_len_byte: int
    path: Path
    payload_raw: bytes
    payload_at: int
    hash: bytes
    payload: Payload
    region: str | None
    spans: tuple[Span, ...]

    def to_dict(self) -> dict[str, object]:
        """The JSON form that `meshwire decode --json` prints. Holds channel keys, never private keys."""
        size, raw = self.path.hash_size, self.path.raw
        found: dict[str, object] = {
            "route": self.route.name,
            "payload_type": self.payload_type.name,
            "version": self.version,
            "path_len_byte": self.path_len_byte,
            "path_hash_size": size,
            "hop_count": len(raw) // size,
            "path": [raw[n : n + size].hex().upper() for n in range(0, len(raw), size)],
            "payload_len": len(self.payload_raw),
            "packet_hash": self.hash.hex().upper(),
        }
        if self.transport_codes is not None:
            found["transport_codes"] = list(self.transport_codes)
        if self.region is not None:
            found["region"] = self.region
        return found | self.payload.to_dict()


def decode(frame: bytes, *, keys: KeyRing = EMPTY_KEYS, spans: bool = False, verify: bool = True) -> Packet:
    """Decode one frame as it was on the air.

    keys: what is known to decrypt channel and direct messages and to name region scopes. spans: also record the byte
    map. verify: check an advert's signature (the most expensive step, about 0.1 ms).
    Raises DecodeError, and nothing else, for bytes that the firmware would not accept.
    """
    data = frame if type(frame) is bytes else bytes(frame)
    r = SpanReader(data) if spans else ByteReader(data)
    route, kind, codes, path_len_byte, path = read_header(r)
    at = r.at
    raw = data[at:]
    payload = _READERS[kind](r, path.raw, keys, verify_signature if verify else None)
    region = keys.match_region(codes[0], kind, raw) if codes is not None and keys.regions else None
    digest = packet_hash(kind, raw, path_len_byte)
    return _packet(data, route, kind, 0, codes, path_len_byte, path, raw, at, digest, payload, region, r.spans)


_packet = quick(Packet)
# What a payload reader may look at: the reader, the path's bytes, the keys, and how to verify a signature (or not).
Reader = Callable[[ByteReader, bytes, KeyRing, Callable[[bytes, bytes, bytes], bool] | None], Payload]
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
