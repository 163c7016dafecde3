"""CONTROL: unencrypted, unsigned housekeeping between neighbours; today the discovery of nodes."""

from dataclasses import dataclass
from typing import ClassVar

from meshwire.enums import Role
from meshwire.keys import KeyRing
from meshwire.reader import ByteReader

DISCOVER_REQ, DISCOVER_RESP = 8, 9
_HEAD = 6  # bytes up to and with the tag; firmware ignores a shorter discovery


@dataclass(frozen=True, slots=True)
class DiscoverRequest:
    """Who is there? prefix_only: answers may carry 8 key bytes. type_filter: bit n asks for nodes of role n.

    since: Unix seconds, only nodes changed after it should answer; 0 when not given.
    """

    sub: ClassVar[int] = DISCOVER_REQ

    prefix_only: bool
    type_filter: int
    tag: int
    since: int

    def to_dict(self) -> dict[str, object]:
        return {
            "control": {
                "sub": self.sub,
                "prefix_only": int(self.prefix_only),
                "filter": self.type_filter,
                "tag": self.tag,
                "since": self.since,
            }
        }


@dataclass(frozen=True, slots=True)
class DiscoverResponse:
    """Here I am. snr_db: how well the responder heard the request, in dB. tag: the request's.

    pubkey: 32 bytes, or its first 8 when the request asked for prefixes; kept as sent.
    """

    sub: ClassVar[int] = DISCOVER_RESP

    role: Role
    snr_db: float
    tag: int
    pubkey: bytes

    def to_dict(self) -> dict[str, object]:
        return {
            "control": {
                "sub": self.sub,
                "node_type": int(self.role),
                "snr": self.snr_db,
                "tag": self.tag,
                "pubkey": self.pubkey.hex().upper(),
            }
        }


@dataclass(frozen=True, slots=True)
class Control:
    """A subtype that is not known, or a discovery too short to be one. sub: upper nibble; data: the whole payload."""

    sub: int
    data: bytes

    def to_dict(self) -> dict[str, object]:
        return {"control": {"sub": self.sub}}


def read(r: ByteReader, keys: KeyRing, *, verify: bool) -> DiscoverRequest | DiscoverResponse | Control:
    sub = r.data[r.at] >> 4
    parse = _SUBTYPES.get(sub)
    if parse is None or r.left < _HEAD:
        data = r.rest("data")
        return Control(sub, data)
    return parse(r)


def _discover_request(r: ByteReader) -> DiscoverRequest:
    first, type_filter, tag = r.u8("discover request"), r.u8("type filter"), r.u32("tag")
    since = r.u32("since") if r.left >= 4 else 0
    r.rest("ignored")
    return DiscoverRequest(bool(first & 1), type_filter, tag, since)


def _discover_response(r: ByteReader) -> DiscoverResponse:
    role = Role(r.u8("discover response") & 15)
    if r.recording:
        r.note(role.name)
    return DiscoverResponse(role, r.quarter_db("SNR"), r.u32("tag"), r.rest("public key"))


_SUBTYPES = {DISCOVER_REQ: _discover_request, DISCOVER_RESP: _discover_response}
