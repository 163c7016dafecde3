"""MULTIPART: an ACK is opened, anything else is kept."""

from meshwire import Multipart, PayloadType, decode


def payload(text: str) -> object:
    return decode(bytes.fromhex("2A00" + text)).payload


def test_an_inner_ack_is_read() -> None:
    assert payload("13DEADBEEF") == Multipart(1, PayloadType.ACK, b"\xde\xad\xbe\xef", b"\xde\xad\xbe\xef", b"")


def test_a_six_byte_ack_inside_keeps_its_extra() -> None:
    found = payload("03DEADBEEF0155")
    assert isinstance(found, Multipart)
    assert (found.crc, found.extra) == (b"\xde\xad\xbe\xef", b"\x01\x55")


def test_a_short_ack_or_another_type_is_kept_as_data() -> None:
    assert payload("13DEAD") == Multipart(1, PayloadType.ACK, b"\xde\xad", None, b"")
    assert payload("F2AA") == Multipart(15, PayloadType.TXT_MSG, b"\xaa", None, b"")
