"""CONTROL: unencrypted, unsigned housekeeping between neighbours; today the discovery of nodes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from meshwire.enums import Role
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout

DISCOVER_REQ, DISCOVER_RESP = 8, 9


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


def read(raw: bytes, byte_map: ByteMap | None, *_: object) -> DiscoverRequest | DiscoverResponse | Control:
    sub = raw[0] >> 4
    parse = _SUBTYPES.get(sub)
    if parse is not None and len(raw) >= _REQUEST.size:
        return parse(raw, byte_map)
    if byte_map is not None:
        byte_map.mark("data", 0, len(raw), raw)
    return _control(sub, raw)


def _discover_request(raw: bytes, byte_map: ByteMap | None) -> DiscoverRequest:
    since = 0
    if len(raw) >= _REQUEST_SINCE.size:
        first, type_filter, tag, since, _ = _REQUEST_SINCE.read(raw, byte_map)
    else:
        first, type_filter, tag, _ = _REQUEST.read(raw, byte_map)
    return _request(bool(first & 1), type_filter, tag, since)


def _discover_response(raw: bytes, byte_map: ByteMap | None) -> DiscoverResponse:
    first, snr, tag, pubkey = _RESPONSE.read(raw, byte_map)
    role, snr_db = _ROLES[first & 15], snr / 4
    if byte_map is not None:
        byte_map.note("discover response", role.name)
        byte_map.note("SNR", snr_db)
    return _response(role, snr_db, tag, pubkey)


_ROLES = tuple(Role(n) for n in range(16))
_request = quick(DiscoverRequest)
_response = quick(DiscoverResponse)
_control = quick(Control)
# Six bytes up to and with the tag, in both forms; firmware ignores a shorter discovery.
_HEAD = (("discover request", "B"), ("type filter", "B"), ("tag", "I"))
_REQUEST = Layout(*_HEAD, tail="ignored")
_REQUEST_SINCE = Layout(*_HEAD, ("since", "I"), tail="ignored")
_RESPONSE = Layout(("discover response", "B"), ("SNR", "b"), ("tag", "I"), tail="public key")
_SUBTYPES: dict[int, Callable[[bytes, ByteMap | None], DiscoverRequest | DiscoverResponse]] = {
    DISCOVER_REQ: _discover_request,
    DISCOVER_RESP: _discover_response,
}
