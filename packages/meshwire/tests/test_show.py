"""A packet as text: every kind can be shown, hostile names cannot move the cursor, the map lines up with the bytes."""

import json
import re
from pathlib import Path

import pytest

from meshwire import KeyRing, PayloadType, Role, Route, decode, encode
from meshwire.show import show

DATA = Path(__file__).parent / "data"
ROWS = [json.loads(line) for line in (DATA / "packets.jsonl").read_text().splitlines()]
KEYS = KeyRing.from_jsonl((DATA / "keys.jsonl").read_text().splitlines())


@pytest.mark.parametrize("row", [row for row in ROWS if row["valid"]], ids=lambda row: row["id"])
def test_the_byte_map_shows_every_byte_in_order(row: dict[str, str]) -> None:
    packet = decode(bytes.fromhex(row["hex"]), keys=KEYS, spans=True)
    text = show(packet, colour=False)
    shown = "".join(re.findall(r"^ *\d+  ((?:[0-9a-f]{2} ?)+)", text.partition("\n\n")[2], re.MULTILINE))
    assert bytes.fromhex(shown) == packet.frame
    assert packet.hash.hex().upper() in text


def test_colours_wrap_the_parts_and_change_nothing_else() -> None:
    packet = decode(bytes.fromhex("0D04B891647EBB40BA70"), spans=True)
    plain, coloured = (show(packet, colour=on) for on in (False, True))
    assert [line.split() for line in re.sub(r"\x1b\[\d+m", "", coloured).splitlines()] == [
        line.split() for line in plain.splitlines()
    ]


def test_a_hostile_name_cannot_move_the_cursor() -> None:
    payload = encode.advert(bytes(32), 1, Role.CHAT, name="\x1b[2J\nfake line\r")
    text = show(decode(encode.frame(Route.FLOOD, PayloadType.ADVERT, payload), spans=True), colour=False)
    assert "\x1b" not in text
    assert "\r" not in text
    assert not [line for line in text.splitlines() if line.startswith("fake")]


def test_a_message_with_line_feeds_stays_on_its_line() -> None:
    payload = encode.group_text(bytes(16), 1, "Anna", "one\ntwo")
    packet = decode(
        encode.frame(Route.FLOOD, PayloadType.GRP_TXT, payload),
        keys=KeyRing.of(channels={"ours": bytes(16)}),
        spans=True,
    )
    assert "    text: Anna: onetwo" in show(packet, colour=False).splitlines()


def test_channel_keys_are_not_shown() -> None:
    payload = encode.group_text(b"\xab" * 16, 1, "Anna", "hi")
    packet = decode(
        encode.frame(Route.FLOOD, PayloadType.GRP_TXT, payload),
        keys=KeyRing.of(channels={"x": b"\xab" * 16}),
        spans=True,
    )
    assert "abab" not in show(packet, colour=False).replace(" ", "")
