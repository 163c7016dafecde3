"""Records that must be refused: one maker per reason, each as it has been seen on real feeds or easily could be."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from hopscope.generate import publishers
from hopscope.generate.mesh import Node
from hopscope.generate.radio import Heard

GOOD_FRAME = bytes.fromhex("1500" + "11" + "ab" * 18)  # a flooded GRP_TXT of one block


@dataclass(frozen=True, slots=True)
class Bad:
    """A record without use; `reason` is a key of truth.REASONS."""

    reason: str
    topic: str
    payload: bytes


def make(rng: random.Random, observer: Node, at_ms: int) -> Bad:
    """A record of a random kind, published by this observer."""
    reason, write = rng.choice(MAKERS)
    return Bad(reason, publishers.topic(observer, "packets"), write(rng, observer, at_ms))


def _not_json(rng: random.Random, observer: Node, at_ms: int) -> bytes:
    if rng.random() < 0.5:
        return b"\xff\xfe" + rng.randbytes(40)
    return _written(observer, GOOD_FRAME, at_ms)[:-20]


def _not_a_record(rng: random.Random, _observer: Node, _at_ms: int) -> bytes:
    return rng.choice((b"[1, 2, 3]", b'"hello"', b"null", b"42"))


def _too_large(_rng: random.Random, observer: Node, at_ms: int) -> bytes:
    return _changed(observer, at_ms, {"origin": "A" * 70_000})


def _no_frame(rng: random.Random, observer: Node, at_ms: int) -> bytes:
    return _changed(observer, at_ms, {"raw": rng.choice((None, 7))})


def _not_hex(rng: random.Random, observer: Node, at_ms: int) -> bytes:
    return _changed(observer, at_ms, {"raw": rng.choice(("15ZZ00", "150", "", "15 00 <script>"))})


def _bad_frame(rng: random.Random, observer: Node, at_ms: int) -> bytes:
    """Cut inside the path, a path size that does not exist, or a payload version of the future."""
    frame = rng.choice(("1505AABB", "15", "15C1AABBCCDD0011", "550011" + "AB" * 18, "FF00112233"))
    return _changed(observer, at_ms, {"raw": frame})


def _wrong_origin(rng: random.Random, observer: Node, at_ms: int) -> bytes:
    return _changed(observer, at_ms, {"origin_id": rng.randbytes(32).hex().upper()})


def _changed(observer: Node, at_ms: int, change: dict[str, Any]) -> bytes:
    record: dict[str, Any] = msgspec.json.decode(_written(observer, GOOD_FRAME, at_ms))
    return msgspec.json.encode(record | change)


def _written(observer: Node, frame: bytes, at_ms: int) -> bytes:
    heard = Heard(0.0, observer.index, 0, b"", 3.5, -101)
    return publishers.packet_record(observer, frame, bytes(8), heard, at_ms).payload


MAKERS: tuple[tuple[str, Callable[[random.Random, Node, int], bytes]], ...] = (
    ("bad_json", _not_json),
    ("bad_json", _not_a_record),
    ("too_large", _too_large),
    ("no_frame", _no_frame),
    ("not_hex", _not_hex),
    ("bad_frame", _bad_frame),
    ("origin_mismatch", _wrong_origin),
)
