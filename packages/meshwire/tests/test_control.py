"""CONTROL: what firmware ignores is kept without a guess."""

import pytest

from meshwire import Control, DiscoverRequest, DiscoverResponse, Role, decode

HEAD = bytes.fromhex("2E00")


def payload(text: str) -> object:
    return decode(HEAD + bytes.fromhex(text)).payload


@pytest.mark.parametrize("text", ["80", "8004010203", "9204010203", "A00401020304", "00", "7F010203"])
def test_a_short_discovery_or_another_subtype_is_kept_as_it_is(text: str) -> None:
    raw = bytes.fromhex(text)
    assert payload(text) == Control(raw[0] >> 4, raw)


def test_since_counts_only_when_it_is_whole() -> None:
    assert payload("800401020304 010203") == DiscoverRequest(prefix_only=False, type_filter=4, tag=0x04030201, since=0)
    assert payload("800401020304 01000000 ff") == DiscoverRequest(
        prefix_only=False, type_filter=4, tag=0x04030201, since=1
    )


def test_a_response_keeps_the_key_as_sent() -> None:
    assert payload("9380 01020304 AABB") == DiscoverResponse(Role.ROOM, -32.0, 0x04030201, b"\xaa\xbb")
