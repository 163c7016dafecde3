"""Key derivation and the numbers that protocol documents and other implementations publish."""

import pytest

from meshwire import PUBLIC_KEY, channel_hash, hashtag_key, packet_hash, region_key
from meshwire.crypto import montgomery, open_sealed, seal, shared_secret, transport_code, verify_signature


@pytest.mark.parametrize(
    ("name", "key", "hash_byte"),
    [
        ("#test", "9cd8fcf22a47333b591d96a2b848b73f", 0xD9),
        ("#bot", "eb50a1bcb3e4e5d7bf69a57c9dada211", 0xCA),
        ("#wardriving", "e3c26491e9cd321e3a6be50d57d54acf", 0x81),
    ],
)
def test_a_hashtag_gives_its_key_and_hash_byte(name: str, key: str, hash_byte: int) -> None:
    assert hashtag_key(name).hex() == key
    assert hashtag_key(name.removeprefix("#")).hex() == key
    assert channel_hash(hashtag_key(name)) == hash_byte


def test_the_public_channel_has_hash_11() -> None:
    assert channel_hash(PUBLIC_KEY) == 0x11


def test_a_hashtag_is_case_sensitive() -> None:
    assert hashtag_key("#Test") != hashtag_key("#test")


def test_a_region_key_is_derived_like_a_hashtag() -> None:
    assert region_key("MyRegion").hex() == "03dce792b80979a6e2c600a19f16e766"


def test_a_private_region_has_no_derived_key() -> None:
    with pytest.raises(ValueError, match="private"):
        region_key("$secret")


def test_the_packet_hash_takes_the_path_length_in_for_trace_only() -> None:
    assert packet_hash(3, b"abcd", 0) == packet_hash(3, b"abcd", 5)
    assert packet_hash(9, b"abcd", 0) != packet_hash(9, b"abcd", 5)


def test_a_transport_code_is_never_0_or_ffff() -> None:
    codes = {transport_code(region_key("here"), 5, n.to_bytes(3, "big")) for n in range(200_000)}
    assert min(codes) >= 1
    assert max(codes) <= 0xFFFE


@pytest.mark.parametrize("size", [16, 32])
def test_what_was_sealed_can_be_opened_with_the_same_key_only(size: int) -> None:
    key = bytes(range(size))
    sealed = seal(key, b"hello")
    assert open_sealed(key, sealed[:2], sealed[2:]) == b"hello" + bytes(11)
    assert open_sealed(bytes(size), sealed[:2], sealed[2:]) is None


@pytest.mark.parametrize("size", [0, 1, 15, 17, 31])
def test_a_ciphertext_that_is_not_whole_blocks_stays_closed(size: int) -> None:
    key = bytes(16)
    assert open_sealed(key, seal(key, b"x")[:2], bytes(size)) is None


@pytest.mark.parametrize("peer", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_a_low_order_peer_key_gives_no_secret_and_no_exception(peer: bytes) -> None:
    secret = shared_secret(bytes(range(64)), peer)
    assert secret is None or len(secret) == 32
    assert len(montgomery(peer)) == 32


def test_a_public_key_that_is_no_point_verifies_nothing() -> None:
    assert not verify_signature(b"\xff" * 32, bytes(64), b"")
