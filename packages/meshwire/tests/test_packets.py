"""Every known packet decodes to exactly what is expected of it."""

import json
from pathlib import Path

import pytest

import meshwire
from meshwire import KeyRing

DATA = Path(__file__).parent / "data"
PACKETS = [json.loads(line) for line in (DATA / "packets.jsonl").read_text().splitlines()]
KEYS = KeyRing.from_jsonl((DATA / "keys.jsonl").read_text().splitlines()) + KeyRing.of(regions=["snoco", "ottawa"])
VALID = [row for row in PACKETS if row["valid"]]
INVALID = [row for row in PACKETS if not row["valid"]]


def same_names(found: dict[str, object]) -> dict[str, object]:
    """Channel and region names compare without regard to case."""
    group = found.get("group")
    if isinstance(group, dict) and "channel" in group:
        found = {**found, "group": {**group, "channel": group["channel"].casefold()}}
    return found


@pytest.mark.parametrize("row", VALID, ids=[row["id"] for row in VALID])
def test_a_known_packet_decodes_as_expected(row: dict[str, object]) -> None:
    packet = meshwire.decode(bytes.fromhex(str(row["hex"])), keys=KEYS)
    expected = row["expected"]
    assert isinstance(expected, dict)
    assert same_names(packet.to_dict()) == same_names(expected)


@pytest.mark.parametrize("row", INVALID, ids=[row["id"] for row in INVALID])
def test_a_frame_that_firmware_rejects_is_a_decode_error(row: dict[str, object]) -> None:
    with pytest.raises(meshwire.DecodeError):
        meshwire.decode(bytes.fromhex(str(row["hex"])), keys=KEYS)
