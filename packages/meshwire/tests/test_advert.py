"""ADVERT: what firmware believes, what it ignores, and what a stranger may have put in."""

from dataclasses import replace

import pytest

from meshwire import Advert, PayloadType, Role, Route, decode, encode

SEED = bytes(range(32))


def decoded(payload: bytes) -> Advert:
    found = decode(encode.frame(Route.FLOOD, PayloadType.ADVERT, payload)).payload
    assert isinstance(found, Advert)
    return found


def signed(appdata: bytes, unsigned: bytes = b"") -> Advert:
    """An advert with any appdata, properly signed as firmware does it: over its first 32 bytes."""
    key = encode.Ed25519PrivateKey.from_private_bytes(SEED)
    head = key.public_key().public_bytes_raw() + (1).to_bytes(4, "little")
    return decoded(head + key.sign(head + appdata) + appdata + unsigned)


def test_an_advert_without_appdata_is_accepted() -> None:
    found = signed(b"")
    assert (found.role, found.flags, found.name, found.location) == (Role.NONE, 0, None, None)
    assert found.signature_valid is True


def test_only_32_bytes_of_appdata_are_signed_and_read() -> None:
    found = signed(b"\x82" + b"n" * 31, unsigned=b"not signed")
    assert found.signature_valid is True
    assert found.name == "n" * 31
    assert len(found.appdata) == 42


def test_a_changed_bit_breaks_the_signature_but_not_the_decoding() -> None:
    payload = encode.advert(SEED, 1, Role.CHAT, name="Anna")
    found = decoded(payload[:-1] + b"b")
    assert (found.signature_valid, found.name) == (False, "Annb")


def test_the_signature_is_left_alone_when_nobody_asks() -> None:
    frame = encode.frame(Route.FLOOD, PayloadType.ADVERT, encode.advert(SEED, 1, Role.CHAT, name="Anna"))
    found = decode(frame, verify=False)
    assert isinstance(found.payload, Advert)
    assert found.payload.signature_valid is None
    assert "signature_valid" not in found.to_dict()["advert"]  # type: ignore[operator]


@pytest.mark.parametrize("appdata", [b"\x90", b"\x90" + bytes(7), b"\xf0" + bytes(11), b"\x20\x01", b"\x70" + bytes(9)])
def test_when_a_promised_field_is_cut_off_none_is_believed(appdata: bytes) -> None:
    found = signed(appdata)
    assert found.signature_valid is True
    assert (found.lat, found.lon, found.feat1, found.feat2, found.name) == (None,) * 5
    assert found.flags == appdata[0]


def test_every_field_together() -> None:
    found = decoded(encode.advert(SEED, 7, Role.SENSOR, name="s", lat=-1.5, lon=2.25, feat1=0x1234, feat2=0xFFFF))
    assert found.flags == 0xF4
    assert (found.lat, found.lon, found.feat1, found.feat2, found.name) == (-1.5, 2.25, 0x1234, 0xFFFF, "s")


@pytest.mark.parametrize("flags", range(16))
def test_every_role_has_a_name(flags: int) -> None:
    assert signed(bytes((flags,))).role == flags


@pytest.mark.parametrize(
    ("lat_e6", "lon_e6", "location"),
    [
        (0, 0, None),
        (52_000_000, 5_000_000, (52.0, 5.0)),
        (0, 5_000_000, (0.0, 5.0)),
        (90_000_000, -180_000_000, (90.0, -180.0)),
        (90_000_001, 0, None),
        (1, 180_000_001, None),
        (-(2**31), 2**31 - 1, None),
    ],
)
def test_coordinates_that_are_no_place_give_no_location(
    lat_e6: int, lon_e6: int, location: tuple[float, float] | None
) -> None:
    place = lat_e6.to_bytes(4, "little", signed=True) + lon_e6.to_bytes(4, "little", signed=True)
    found = signed(b"\x92" + place + b"x")
    assert found.location == location
    assert (found.lat_e6, found.lon_e6) == (lat_e6, lon_e6)


def test_a_name_cut_inside_a_character_shows_the_cut() -> None:
    found = decoded(encode.advert(SEED, 1, Role.REPEATER, name="x" * 29 + "🦆"))
    assert found.name == "x" * 29 + "\ufffd"
    assert found.name_raw == b"x" * 29 + "🦆".encode()[:2]


def test_a_hostile_name_loses_its_controls_and_keeps_its_bytes() -> None:
    raw = b"<b>\x1b[2J\xe2\x80\xae\x00evil"
    found = signed(b"\x81" + raw)
    assert found.name == "<b>[2Jevil"
    assert found.name_raw == raw


def test_an_empty_name_is_a_name() -> None:
    assert signed(b"\x81").name == ""


def test_an_advert_is_a_value() -> None:
    found = decoded(encode.advert(SEED, 1, Role.CHAT, name="Anna"))
    assert replace(found, name="Anna") == found
    assert hash(found) == hash(replace(found, name="Anna"))
