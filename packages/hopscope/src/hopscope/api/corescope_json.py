"""A decoded packet in the keys that CoreScope's clients read: `decoded_json` and `decoded`. Pure.

A key that a payload has no value for is left out, as those clients expect.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from meshwire import (
    Ack,
    Advert,
    AnonRequest,
    Control,
    DirectText,
    DiscoverRequest,
    DiscoverResponse,
    GroupData,
    GroupText,
    Multipart,
    Opaque,
    Packet,
    PathReturn,
    PayloadType,
    RawCustom,
    Request,
    Response,
    Role,
    Trace,
)

Json = dict[str, Any]

ROUTES = {0: "TRANSPORT_FLOOD", 1: "FLOOD", 2: "DIRECT", 3: "TRANSPORT_DIRECT"}
TYPES = {kind.value: kind.name for kind in PayloadType if not kind.name.startswith("RESERVED")}
ROLES: dict[int, str] = {
    Role.NONE: "none",
    Role.CHAT: "companion",
    Role.REPEATER: "repeater",
    Role.ROOM: "room",
    Role.SENSOR: "sensor",
}


def type_name(number: int) -> str:
    """`ADVERT`; `UNKNOWN` for numbers that are reserved."""
    return TYPES.get(number, "UNKNOWN")


def role_name(number: int) -> str:
    """`repeater`; `type-7` for numbers that are reserved."""
    return ROLES.get(number, f"type-{number}")


def payload_json(packet: Packet) -> Json:
    """What `decoded_json` holds: the payload, its `type` first."""
    payload = packet.payload
    return {"type": type_name(packet.payload_type)} | _PAYLOADS[type(payload)](payload)


def decoded(packet: Packet) -> Json:
    """What `decoded` holds in answers about one packet: header, transport codes, path, payload, frame."""
    codes = packet.transport_codes
    return {
        "header": {
            "routeType": packet.route.value,
            "routeTypeName": ROUTES[packet.route.value],
            "payloadType": packet.payload_type.value,
            "payloadTypeName": type_name(packet.payload_type),
            "payloadVersion": packet.version,
        },
        "transportCodes": None if codes is None else {"code1": _wire_u16(codes[0]), "code2": _wire_u16(codes[1])},
        "path": path_json(packet),
        "payload": payload_json(packet),
        "raw": packet.frame.hex().upper(),
    }


def path_json(packet: Packet) -> Json:
    """Hash size, count and hops. Of a TRACE: its route, and how many hops of it are done."""
    if isinstance(packet.payload, Trace):
        trace = packet.payload
        return {
            "hashSize": trace.hash_size,
            "hashCount": len(trace.route),
            "hops": [hop.hex().upper() for hop in trace.route],
            "hopsCompleted": len(trace.snr_db),
        }
    hops = packet.path.hops
    return {"hashSize": packet.path.hash_size, "hashCount": len(hops), "hops": [hop.hex().upper() for hop in hops]}


def hops_json(path_len: int, path: bytes) -> list[str]:
    """The hops of a stored path (not of a TRACE), upper-case hex, in the order of travel."""
    size = (path_len >> 6) + 1
    text = path.hex().upper()
    return [text[at : at + 2 * size] for at in range(0, len(text), 2 * size)]


def _wire_u16(code: int) -> str:
    return code.to_bytes(2, "little").hex().upper()


def _byte(value: int) -> str:
    return f"{value:02x}"


def _between_peers(payload: Request | Response | DirectText) -> Json:
    return {"destHash": _byte(payload.dst), "srcHash": _byte(payload.src)} | _sealed(payload)


def _path_return(payload: PathReturn) -> Json:
    ends = {"destHash": _byte(payload.dst), "srcHash": _byte(payload.src)}
    return ends | {"mac": payload.mac.hex(), "pathData": payload.ciphertext.hex()}


def _anon_request(payload: AnonRequest) -> Json:
    return {"destHash": _byte(payload.dst), "ephemeralPubKey": payload.sender.hex()} | _sealed(payload)


def _sealed(payload: Request | Response | DirectText | AnonRequest | GroupText | GroupData) -> Json:
    return {"mac": payload.mac.hex(), "encryptedData": payload.ciphertext.hex()}


def _ack(payload: Ack) -> Json:
    return {"extraHash": _crc(payload.crc), "ackLen": 4 + len(payload.extra)} | _ack_extra("ack", payload.extra)


def _crc(crc: bytes) -> str:
    return f"{int.from_bytes(crc, 'little'):08x}"


def _ack_extra(prefix: str, extra: bytes) -> Json:
    found: Json = {}
    if len(extra) >= 1:
        found[f"{prefix}Attempt"] = extra[0]
    if len(extra) >= 2:
        found[f"{prefix}Rand"] = extra[1]
    return found


def _advert(payload: Advert) -> Json:
    flags = payload.flags
    found: Json = {
        "pubKey": payload.pubkey.hex(),
        "timestamp": payload.timestamp,
        "timestampISO": datetime.fromtimestamp(payload.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "signature": payload.signature.hex(),
        "flags": {
            "raw": flags,
            "type": flags & 15,
            "chat": payload.role is Role.CHAT,
            "repeater": payload.role is Role.REPEATER,
            "room": payload.role is Role.ROOM,
            "sensor": payload.role is Role.SENSOR,
            "hasLocation": bool(flags & 0x10),
            "hasFeat1": bool(flags & 0x20),
            "hasFeat2": bool(flags & 0x40),
            "hasName": bool(flags & 0x80),
        },
    }
    optional = {
        "signatureValid": payload.signature_valid,
        "lat": payload.lat,
        "lon": payload.lon,
        "feat1": payload.feat1,
        "feat2": payload.feat2,
        "name": payload.name,
    }
    return found | {key: value for key, value in optional.items() if value is not None and value != ""}


def _channel(payload: GroupText | GroupData) -> Json:
    return {"channelHash": payload.channel_hash, "channelHashHex": f"{payload.channel_hash:02X}"}


def _group_text(payload: GroupText) -> Json:
    message = payload.message
    if message is None:
        return _channel(payload) | {"decryptionStatus": "no_key"} | _sealed(payload)
    said = {"sender": message.sender} if message.sender else {}
    return {
        "type": "CHAN",
        "channel": message.channel,
        **_channel(payload),
        "decryptionStatus": "decrypted",
        **said,
        "text": message.text,
        "sender_timestamp": message.timestamp,
    }


def _group_data(payload: GroupData) -> Json:
    message = payload.message
    if message is None:
        return _channel(payload) | {"decryptionStatus": "no_key"} | _sealed(payload)
    return {
        **_channel(payload),
        "channel": message.channel,
        "decryptionStatus": "decrypted",
        "dataType": message.data_type,
        "dataLen": len(message.data),
        "decryptedBlob": message.data.hex(),
    }


def _trace(payload: Trace) -> Json:
    return {
        "tag": payload.tag,
        "authCode": payload.auth_code,
        "traceFlags": payload.flags,
        "pathData": b"".join(payload.route).hex(),
        "snrValues": list(payload.snr_db),
    }


def _multipart(payload: Multipart) -> Json:
    found: Json = {
        "remaining": payload.remaining,
        "innerType": payload.inner_type.value,
        "innerTypeName": type_name(payload.inner_type),
        "innerPayload": payload.data.hex(),
    }
    if payload.crc is not None:
        found |= {"innerAckCrc": _crc(payload.crc), "innerAckLen": 4 + len(payload.extra)}
        found |= _ack_extra("innerAck", payload.extra)
    return found


def _control(flags: int, length: int, subtype: str) -> Json:
    return {"ctrlFlags": f"{flags:02x}", "ctrlZeroHop": flags >= 0x80, "ctrlLength": length, "ctrlSubtype": subtype}


def _discover_request(payload: DiscoverRequest) -> Json:
    length = 10 if payload.since else 6
    found = _control(0x80 | payload.prefix_only, length, "DISCOVER_REQ")
    found |= {"ctrlFilter": payload.type_filter, "ctrlTag": payload.tag}
    return found | ({"ctrlSince": payload.since} if payload.since else {})


def _discover_response(payload: DiscoverResponse) -> Json:
    found = _control(0x90 | payload.role.value, 6 + len(payload.pubkey), "DISCOVER_RESP")
    return found | {
        "ctrlNodeType": payload.role.value,
        "ctrlSNR": payload.snr_db,
        "ctrlTag": payload.tag,
        "ctrlPubKey": payload.pubkey.hex(),
    }


def _other_control(payload: Control) -> Json:
    return _control(payload.data[0] if payload.data else 0, len(payload.data), "UNKNOWN")


def _raw_custom(payload: RawCustom) -> Json:
    found: Json = {"rawLength": len(payload.data), "raw": payload.data.hex()}
    return found | ({"firstByteTag": f"{payload.data[0]:02x}"} if payload.data else {})


def _opaque(payload: Opaque) -> Json:
    return {"raw": payload.data.hex()}


_PAYLOADS: dict[type[Any], Callable[[Any], Json]] = {
    Request: _between_peers,
    Response: _between_peers,
    DirectText: _between_peers,
    Ack: _ack,
    Advert: _advert,
    GroupText: _group_text,
    GroupData: _group_data,
    AnonRequest: _anon_request,
    PathReturn: _path_return,
    Trace: _trace,
    Multipart: _multipart,
    DiscoverRequest: _discover_request,
    DiscoverResponse: _discover_response,
    Control: _other_control,
    RawCustom: _raw_custom,
    Opaque: _opaque,
}
