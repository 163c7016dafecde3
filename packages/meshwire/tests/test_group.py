"""GRP_TXT and GRP_DATA: which key opens, and what is believed after the two MAC bytes fitted."""

import pytest

from meshwire import GroupText, KeyRing, Packet, PayloadType, Route, decode, encode, hashtag_key
from meshwire.crypto import channel_hash, seal

KEY = hashtag_key("#here")
KEYS = KeyRing.of(channels=["#here"])


def text_packet(plain: bytes, keys: KeyRing = KEYS) -> Packet:
    payload = bytes((channel_hash(KEY),)) + seal(KEY, plain)
    return decode(encode.frame(Route.FLOOD, PayloadType.GRP_TXT, payload), keys=keys)


def group(plain: bytes) -> dict[str, object]:
    found = text_packet(plain).to_dict()["group"]
    assert isinstance(found, dict)
    return found


def test_a_sender_is_split_off_at_the_first_colon() -> None:
    found = group(bytes(5) + b"Anna: at 8: here")
    assert (found["sender"], found["message"]) == ("Anna", "at 8: here")


def test_a_text_without_a_sender_has_none() -> None:
    found = group(bytes(5) + b"no colon here")
    assert (found["sender"], found["message"], found["text"]) == (None, "no colon here", "no colon here")


def test_a_text_ends_at_its_first_nul() -> None:
    assert group(bytes(5) + b"Anna: hi\0\0junk")["text"] == "Anna: hi"


def test_a_text_cut_inside_a_character_is_still_a_text() -> None:
    assert group(bytes(5) + "A: 🦆".encode()[:-1])["text"] == "A: \ufffd"


def test_a_sender_whose_name_was_cut_inside_a_character_is_still_a_sender() -> None:
    found = group(bytes(5) + "Entenhausen 🦆".encode()[:-2] + b": good morning")
    assert (found["sender"], found["message"]) == ("Entenhausen \ufffd", "good morning")


@pytest.mark.parametrize("plain", [bytes(5) + b"A: \xff\xfe", bytes(4) + b"\xfc" + b"A: hi"])
def test_a_plaintext_that_is_no_text_is_a_chance_hit_and_stays_closed(plain: bytes) -> None:
    assert "channel" not in group(plain)


def test_a_control_character_does_not_hide_a_message() -> None:
    assert group(bytes(5) + b"Anna: \x1b[31mred")["text"] == "Anna: [31mred"


def test_a_message_stays_closed_without_its_key() -> None:
    packet = text_packet(bytes(5) + b"Anna: hi", KeyRing.of(channels=["#elsewhere", "Public"]))
    assert isinstance(packet.payload, GroupText)
    assert packet.payload.message is None


def test_the_channel_key_can_be_left_out_of_the_json() -> None:
    packet = text_packet(bytes(5) + b"Anna: hi")
    assert packet.to_dict()["group"]["key"] == KEY.hex()  # type: ignore[index]
    shown = packet.to_dict(channel_keys=False)["group"]
    assert isinstance(shown, dict)
    assert "key" not in shown
    assert shown["text"] == "Anna: hi"


def test_data_longer_than_its_plaintext_stays_closed() -> None:
    payload = bytes((channel_hash(KEY),)) + seal(KEY, b"\x01\xff\x0e" + bytes(13))
    frame = encode.frame(Route.FLOOD, PayloadType.GRP_DATA, payload)
    assert "data_type" not in decode(frame, keys=KEYS).to_dict()["group"]  # type: ignore[operator]
