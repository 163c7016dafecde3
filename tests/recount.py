"""Count what the records themselves say, without the generator's code: tests compare it with the truth."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refuse(Exception):
    """str() is the reason."""


def recount(records: Iterable[tuple[str, bytes]]) -> dict[str, Any]:
    """receptions {identity: [record numbers]}, refused {number: reason}, adverts {pubkey: {hash: timestamp}}."""
    receptions: dict[tuple[Any, ...], list[int]] = {}
    refused: dict[int, str] = {}
    adverts: dict[str, dict[str, int]] = {}
    statuses = 0
    for number, (topic, payload) in enumerate(records):
        try:
            if topic.endswith("/status"):
                json.loads(payload)
                statuses += 1
                continue
            identity, kind, body = _read(topic, payload)
        except Refuse as refusal:
            refused[number] = str(refusal)
            continue
        receptions.setdefault(identity, []).append(number)
        if kind == 4 and _genuine(body):
            adverts.setdefault(body[:32].hex(), {})[identity[0]] = int.from_bytes(body[32:36], "little")
    return {"receptions": receptions, "refused": refused, "adverts": adverts, "statuses": statuses}


def _read(topic: str, payload: bytes) -> tuple[tuple[Any, ...], int, bytes]:
    if len(payload) > 10_240:
        raise Refuse("too_large")
    try:
        fields = json.loads(payload)
    except ValueError:
        raise Refuse("bad_json") from None
    if not isinstance(fields, dict):
        raise Refuse("bad_json")
    observer = topic.split("/")[2]
    if fields["origin_id"] != observer:
        raise Refuse("origin_mismatch")
    if not isinstance(fields.get("raw"), str):
        raise Refuse("no_frame")
    try:
        frame = bytes.fromhex(fields["raw"].removeprefix("0x"))
    except ValueError:
        raise Refuse("not_hex") from None
    if " " in fields["raw"] or not frame:
        raise Refuse("not_hex")
    if fields["direction"] == "tx" and (int(fields["len"]), int(fields["packet_type"])) != (
        len(frame),
        frame[0] >> 2 & 15,
    ):
        raise Refuse("stale_tx")
    name, head, length, path, kind, body = _frame(frame)
    stamp = datetime.fromisoformat(fields["timestamp"])
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    return (name, observer, head, length, path, round(stamp.timestamp() * 1000)), kind, body


def _frame(frame: bytes) -> tuple[str, str, int, str, int, bytes]:
    at = 5 if frame[0] & 3 in (0, 3) else 1
    if frame[0] >> 6 or len(frame) < at + 2 or frame[at] >> 6 == 3:
        raise Refuse("bad_frame")
    length = frame[at]
    end = at + 1 + (length & 63) * ((length >> 6) + 1)
    if end - at - 1 > 64 or end >= len(frame):
        raise Refuse("bad_frame")
    kind, body = frame[0] >> 2 & 15, frame[end:]
    extra = bytes([length, 0]) if kind == 9 else b""
    name = hashlib.sha256(bytes([kind]) + extra + body).hexdigest()[:16].upper()
    return name, frame[:at].hex().upper(), length, frame[at + 1 : end].hex().upper(), kind, body


def _genuine(body: bytes) -> bool:
    key = Ed25519PublicKey.from_public_bytes(body[:32])
    try:
        key.verify(body[36:100], body[:36] + body[100:])
    except InvalidSignature:
        return False
    return True
