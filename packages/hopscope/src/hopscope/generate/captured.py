"""Frames that were captured off the air, from the test data of public MeshCore projects (`repo` says which)."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from hopscope.generate.truth import Advert, Damage


@dataclass(frozen=True, slots=True)
class Captured:
    """One frame. The fields but `frame` and `valid` mean nothing when it is not valid."""

    frame: bytes
    valid: bool  # False: must be refused
    hash: bytes
    head: bytes
    path_len: int
    path: bytes
    advert: Advert | None
    damage: Damage | None


@cache
def load() -> tuple[Captured, ...]:
    """All captured frames, in a fixed order."""
    text = (resources.files(__package__) / "captured.jsonl").read_text(encoding="utf-8")
    return tuple(_parse(msgspec.json.decode(line)) for line in text.splitlines())


def _parse(row: dict[str, Any]) -> Captured:
    frame = bytes.fromhex(row["hex"])
    if not row["valid"]:
        return Captured(frame, False, b"", b"", 0, b"", None, None)
    at = 5 if frame[0] & 3 in (0, 3) else 1
    length = (frame[at] & 63) * ((frame[at] >> 6) + 1)
    path = frame[at + 1 : at + 1 + length]
    said = row.get("advert")
    advert = _advert(said) if said and said["genuine"] else None
    damage = Damage("forged", None) if said and not said["genuine"] else None
    return Captured(frame, True, bytes.fromhex(row["hash"]), frame[:at], frame[at], path, advert, damage)


def _advert(said: dict[str, Any]) -> Advert:
    located = said["lat"] is not None and (said["lat"], said["lon"]) != (0, 0)
    position = (round(said["lat"] * 1e6), round(said["lon"] * 1e6)) if located else None
    return Advert(said["pubkey"], said["timestamp"], said["role"], said["name"] or "", position)
