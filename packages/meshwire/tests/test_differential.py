"""Against two decoders that others wrote: every difference is one we know, with the reason why ours is right.

pymc_core is compared by frame and packet hash, meshcoredecoder by the fields of the payload.
"""

import contextlib
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshwire import (
    Ack,
    Advert,
    AnonRequest,
    Control,
    DecodeError,
    DirectText,
    DiscoverRequest,
    DiscoverResponse,
    GroupData,
    GroupText,
    KeyRing,
    Packet,
    PathReturn,
    PayloadType,
    Request,
    Response,
    Trace,
    decode,
    encode,
)
from meshwire.crypto import seal, shared_secret

pymc_packet = pytest.importorskip("pymc_core.protocol.packet", reason="pymc_core is not installed")
mcd = pytest.importorskip("meshcoredecoder.decoder.packet_decoder", reason="meshcoredecoder is not installed")
mcd_keys = pytest.importorskip("meshcoredecoder.crypto.key_manager")
mcd_types = pytest.importorskip("meshcoredecoder.types.crypto")

HERE = Path(__file__).parent
ROWS = [json.loads(line) for line in (HERE / "data" / "packets.jsonl").read_text().splitlines()]
CORPUS = [line for line in (HERE.parent / "fuzz" / "corpus.txt").read_text().splitlines() if line[:1] != "#"]
KEYS = KeyRing.from_jsonl((HERE / "data" / "keys.jsonl").read_text().splitlines())
MCD_OPTIONS = mcd_types.DecryptionOptions(
    key_store=mcd_keys.MeshCoreKeyStore({"channel_secrets": [channel.key.hex() for channel in KEYS.channels]})
)


def frames() -> list[bytes]:
    """The packet file, the fuzzing corpus, every prefix of one packet per type, and some thousand damaged copies."""
    known = [bytes.fromhex(text) for text in (*(row["hex"] for row in ROWS), *CORPUS)]
    prefixes = [frame[:size] for frame in {frame[:1]: frame for frame in known}.values() for size in range(len(frame))]
    rng = random.Random(3)
    damaged = []
    for frame in (f for f in known if f):
        for _ in range(30):
            copy = bytearray(frame)
            copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
            damaged.append(bytes(copy))
    return list(dict.fromkeys([*known, *prefixes, *damaged]))


def ours(frame: bytes) -> Packet | DecodeError:
    try:
        return decode(frame, keys=KEYS)
    except DecodeError as rejected:
        return rejected


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about which the two disagree. `what` names it; `REASONS` say why we are right."""

    what: str
    mine: object
    theirs: object


PYMC_REASONS = {
    "it accepts payload version 1": "The firmware's dispatcher drops every version above 0 (Mesh.cpp, onRecvPacket).",
    "it accepts an empty payload": "Packet::readFrom returns false when nothing follows the path.",
    "it accepts a payload over 184 bytes": "MAX_PACKET_PAYLOAD is 184; readFrom returns false above it.",
    "it does not look into payloads": "onRecvPacket drops a payload too short for its type; we say so when decoding.",
}

# By payload type and field: what meshcoredecoder says otherwise about a packet that both accept.
MCD_REASONS = {
    (
        "ADVERT",
        "appdata",
    ): "An advert may end after its signature; Mesh.cpp accepts and forwards it, so its fields count.",
    ("ADVERT", "name"): (
        "Firmware believes all promised fields of appdata or none, so a cut location leaves no name; and a name is not "
        "trimmed, since a space at its end is part of what the node calls itself."
    ),
    ("ADVERT", "role"): "Type 0 is NONE and 5 to 15 are reserved (AdvertDataHelpers.h); neither is a chat node.",
    ("CONTROL", "pubkey"): "A response carries all 32 bytes unless prefixes were asked for; bit 0 of it is node type.",
    (
        "CONTROL",
        "response",
    ): "Six bytes without a key are too few for it; firmware hands them on to the app as they are.",
    ("CONTROL", "tag"): "The tag of a request is its bytes 2 to 5, also when no `since` follows.",
    ("CONTROL", "since"): "A request without `since` asks for everything: 0, as simple_repeater takes it.",
    ("GRP_DATA", "data"): "The plaintext is data_type u16, length u8, data; it has no timestamp and no flags.",
    ("TRACE", "route"): "Since firmware 1.11 the low two bits of flags give hashes of 1, 2, 4 or 8 bytes.",
    (
        "TRACE",
        "snr",
    ): "Each byte of the path field is one SNR, also when the top bits of path_len make it look encoded.",
    ("MULTIPART", "decoded"): "The inner ACK is plain to read (Mesh.cpp).",
    ("RAW_CUSTOM", "decoded"): "Opaque is a result: the bytes, typed.",
    ("RESERVED_12", "decoded"): "Opaque is a result: the bytes, typed.",
    ("RESERVED_13", "decoded"): "Opaque is a result: the bytes, typed.",
    ("RESERVED_14", "decoded"): "Opaque is a result: the bytes, typed.",
}
# By what we say when we reject a frame that meshcoredecoder accepts, with a payload it calls valid.
MCD_ACCEPTS = {
    "payload version": "The firmware's dispatcher drops every version above 0.",
    "do-not-retransmit": "Header 0xFF marks a packet inside the firmware; on the air it is version 3.",
    "path of": "Packet::readFrom rejects a path over 64 bytes; a path and payload read otherwise were never sent.",
    "path needs": "readFrom rejects a path past the end; read as a plain length it gives a path that nobody sent.",
    "hash size 4": "Reserved; readFrom rejects it.",
    "no payload": "readFrom returns false when nothing follows the path.",
    "is over 184": "MAX_PACKET_PAYLOAD is 184; readFrom returns false above it.",
    "ciphertext needs": "onRecvPacket drops a sealed payload without a single byte of ciphertext.",
}


def pymc_frame(frame: bytes) -> tuple[object, ...] | None:
    packet = pymc_packet.Packet()
    try:
        packet.read_from(frame)
    except (ValueError, IndexError):
        return None
    return (
        packet.get_route_type(),
        packet.get_payload_type(),
        tuple(packet.transport_codes) if packet.has_transport_codes() else None,
        packet.path_len,
        bytes(packet.path),
        bytes(packet.payload),
        packet.calculate_packet_hash()[:8],
    )


def pymc_difference(frame: bytes) -> Difference | None:
    mine, theirs = ours(frame), pymc_frame(frame)
    if isinstance(mine, Packet):
        same = (
            mine.route,
            mine.payload_type,
            mine.transport_codes,
            mine.path_len_byte,
            mine.path.raw,
            mine.payload_raw,
            mine.hash,
        )
        return None if same == theirs else Difference("another frame or hash", same, theirs)
    if theirs is None:
        return None
    for words, what in (
        ("version", "it accepts payload version 1"),
        ("no payload", "it accepts an empty payload"),
        ("is over 184", "it accepts a payload over 184 bytes"),
        (" needs ", "it does not look into payloads"),
    ):
        if words in mine.problem:
            return Difference(what, str(mine), theirs)
    return Difference("it accepts what we reject", str(mine), theirs)


def test_pymc_core_differs_only_where_we_know_why() -> None:
    found = {difference.what: difference for frame in frames() if (difference := pymc_difference(frame))}
    assert found.keys() <= PYMC_REASONS.keys(), [found[what] for what in found.keys() - PYMC_REASONS.keys()]
    assert found.keys() == PYMC_REASONS.keys(), "a difference of the list has gone"


def mcd_decode(frame: bytes) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a line for every wrong signature
        return mcd.MeshCorePacketDecoder.decode_with_verification(frame.hex(), MCD_OPTIONS)


def upper(raw: bytes) -> str:
    return raw.hex().upper()


def my_fields(packet: Packet) -> dict[str, object]:
    found: dict[str, object] = {"transport codes": packet.transport_codes}
    if packet.payload_type is not PayloadType.TRACE:
        found["path"] = [upper(hop) for hop in packet.path.hops]
    match packet.payload:
        case Ack(crc):
            return found | {"crc": upper(crc)}
        case Advert() as a:
            place = None if a.lat is None else (a.lat, a.lon)
            fields = (upper(a.pubkey), a.timestamp, upper(a.signature), a.signature_valid, a.flags)
            return found | {"appdata": fields, "role": a.role, "location": place, "name": a.name}
        case Request(dst, src, mac, ciphertext) | Response(dst, src, mac, ciphertext):
            return found | {"sealed": (f"{dst:02X}", f"{src:02X}", upper(mac), upper(ciphertext))}
        case DirectText(dst, src, mac, ciphertext) | PathReturn(dst, src, mac, ciphertext):
            return found | {"sealed": (f"{dst:02X}", f"{src:02X}", upper(mac), upper(ciphertext))}
        case AnonRequest(dst, sender, mac, ciphertext):
            return found | {"sealed": (f"{dst:02X}", upper(sender), upper(mac), upper(ciphertext))}
        case GroupText(channel, mac, ciphertext, text):
            said = text and (text.timestamp, text.sender, text.message)
            return found | {"sealed": (f"{channel:02X}", upper(mac), upper(ciphertext)), "message": said}
        case GroupData(channel, mac, ciphertext, data):
            return found | {"sealed": (f"{channel:02X}", upper(mac), upper(ciphertext)), "data": data and data.data}
        case Trace() as t:
            route = [upper(node) for node in t.route]
            return found | {"trace": (t.tag, t.auth_code, t.flags), "route": route, "snr": list(t.snr_db)}
        case DiscoverRequest(prefix_only, wanted, tag, since):
            return found | {"request": (prefix_only, wanted), "tag": tag, "since": since}
        case DiscoverResponse(role, snr, tag, pubkey):
            return found | {"response": (role, snr, tag), "pubkey": upper(pubkey)}
        case Control(sub):
            return found | {"sub": sub}
    return found | {"decoded": True}


def mcd_fields(kind: PayloadType, theirs: Any) -> dict[str, object]:
    payload = theirs.payload["decoded"]
    found: dict[str, object] = {"transport codes": theirs.transport_codes}
    if kind is not PayloadType.TRACE:
        found["path"] = theirs.path or []
    return found | ({"decoded": False} if payload is None else MCD_READ[kind](payload))


def mcd_advert(p: Any) -> dict[str, object]:
    app = p.app_data or {}
    place, role = app.get("location"), app.get("device_role")
    return {
        "appdata": (p.public_key, p.timestamp, p.signature, p.signature_valid, app.get("flags")),
        "role": getattr(role, "value", role),
        "location": (place["latitude"], place["longitude"]) if place else None,
        "name": app.get("name"),
    }


def mcd_control(p: Any) -> dict[str, object]:
    parsed = p.parsed or {}
    if p.sub_type == 8 and "type_filter" in parsed:
        asked = (parsed["prefix_only"], parsed["type_filter"])
        return {"request": asked, "tag": parsed.get("tag"), "since": parsed.get("since")}
    if p.sub_type == 9 and parsed:
        known = (parsed.get("node_type"), parsed.get("snr_db"), parsed.get("tag"))
        return {"response": known, "pubkey": parsed.get("pubkey")}
    return {"sub": p.sub_type}


def mcd_sealed(p: Any) -> dict[str, object]:
    return {"sealed": (p.destination_hash, p.source_hash, p.cipher_mac, p.ciphertext)}


def mcd_group(p: Any) -> tuple[object, ...]:
    return (p.channel_hash, p.cipher_mac, p.ciphertext)


MCD_READ: dict[PayloadType, Callable[[Any], dict[str, object]]] = {
    **dict.fromkeys((PayloadType.REQ, PayloadType.RESPONSE, PayloadType.TXT_MSG, PayloadType.PATH), mcd_sealed),
    PayloadType.ACK: lambda p: {"crc": p.checksum},
    PayloadType.ADVERT: mcd_advert,
    PayloadType.ANON_REQ: lambda p: {"sealed": (p.destination_hash, p.sender_public_key, p.cipher_mac, p.ciphertext)},
    PayloadType.GRP_TXT: lambda p: {
        "sealed": mcd_group(p),
        "message": p.decrypted and (p.decrypted["timestamp"], p.decrypted["sender"], p.decrypted["message"]),
    },
    PayloadType.GRP_DATA: lambda p: {"sealed": mcd_group(p), "data": p.decrypted and p.decrypted["data"]},
    PayloadType.TRACE: lambda p: {
        "trace": (int(p.trace_tag, 16), p.auth_code, p.flags),
        "route": p.path_hashes,
        "snr": p.snr_values,
    },
    PayloadType.CONTROL: mcd_control,
}


def mcd_differences(frame: bytes) -> Iterator[tuple[tuple[str, str], Difference]]:
    """Field by field; a frame that we reject is compared by the next test."""
    mine = ours(frame)
    if isinstance(mine, Packet):
        a, b = my_fields(mine), mcd_fields(mine.payload_type, mcd_decode(frame))
        for field in a:
            if a[field] != b.get(field):
                yield (mine.payload_type.name, field), Difference(field, a[field], (b.get(field), frame.hex()))


def test_meshcoredecoder_differs_only_where_we_know_why() -> None:
    found = {place: difference for frame in frames() for place, difference in mcd_differences(frame)}
    assert found.keys() <= MCD_REASONS.keys(), [found[place] for place in found.keys() - MCD_REASONS.keys()]
    assert found.keys() == MCD_REASONS.keys(), "a difference of the list has gone"


def test_meshcoredecoder_accepts_only_what_we_know_to_be_wrong() -> None:
    seen = set()
    for frame in frames():
        mine = ours(frame)
        if isinstance(mine, Packet):
            continue
        theirs = mcd_decode(frame)
        payload = theirs.payload["decoded"] if theirs.is_valid else None
        if theirs.is_valid and (payload is None or payload.is_valid):
            known = [words for words in MCD_ACCEPTS if words in mine.problem]
            assert known, (str(mine), frame.hex())
            seen |= set(known)
    assert seen == MCD_ACCEPTS.keys(), "a difference of the list has gone"


def test_pymc_core_agrees_on_keys_secrets_and_seals() -> None:
    identity = pytest.importorskip("pymc_core.protocol.identity")
    crypto = pytest.importorskip("pymc_core.protocol.crypto").CryptoUtils
    for n in range(20):
        ours_pair, peer = encode.key_pair(bytes((n,)) * 32), encode.key_pair(bytes((n + 100,)) * 32)
        theirs = identity.LocalIdentity(bytes((n,)) * 32)
        assert theirs.get_public_key() == ours_pair.public
        assert crypto.ed25519_expand_seed_to_meshcore_64(bytes((n,)) * 32) == ours_pair.private
        secret = identity.Identity(peer.public).calc_shared_secret(theirs.get_private_key())
        assert shared_secret(ours_pair.private, peer.public) == secret
        assert seal(secret, b"hello") == crypto.encrypt_then_mac(secret[:16], secret, b"hello")
