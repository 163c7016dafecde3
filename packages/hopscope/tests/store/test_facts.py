"""What is kept of captured frames, one per kind that the store treats apart."""

import pytest

from hopscope.store.facts import facts_of
from meshwire import KeyRing, decode, encode

# An advert off the air, as published in the tests of michaelhart/meshcore-decoder (advert.test.ts).
ADVERT = bytes.fromhex(
    "11007E7662676F7F0850A8A355BAAFBFC1EB7B4174C340442D7D7161C9474A2C94006CE7CF682E58408DD8FCC51906ECA98EBF94A037886BDADE"
    "7ECD09FD92B839491DF3809C9454F5286D1D3370AC31A34593D569E9A042A3B41FD331DFFB7E18599CE1E60992A076D50238C5B8F8575737535"
    "4522F50756765744D65736820436F75676172"
)


def test_a_verified_advert_says_who_and_where() -> None:
    facts = facts_of(decode(ADVERT))
    assert facts.hash.hex().upper() == "75B10CB12C391078"
    assert (facts.type, facts.route, facts.head) == (4, 1, b"\x11")
    assert (facts.path_len, facts.hop_count, facts.hash_size) == (0, 0, 1)
    assert facts.frame[facts.payload_at :] == ADVERT[2:]
    assert facts.advert is not None
    assert facts.advert.pubkey.hex() == "7e7662676f7f0850a8a355baafbfc1eb7b4174c340442d7d7161c9474a2c9400"
    assert (facts.advert.name, facts.advert.role) == ("WW7STR/PugetMesh Cougar", 2)
    assert (facts.advert.lat_e6, facts.advert.lon_e6, facts.advert.advert_at) == (47543968, -122108616, 1758455660000)


def test_an_advert_counts_only_when_its_signature_is_valid() -> None:
    forged = ADVERT[:-1] + bytes([ADVERT[-1] ^ 1])
    assert facts_of(decode(forged)).advert is None
    assert facts_of(decode(ADVERT, verify=False)).advert is None
    assert facts_of(decode(ADVERT, verify=False), verified=True).advert == facts_of(decode(ADVERT)).advert


LOCATIONS = [((52_370_000, 4_895_000), True), ((0, 0), False), ((91_000_000, 0), False), ((0, -181_000_000), False)]


@pytest.mark.parametrize(("location", "kept"), LOCATIONS)
def test_a_location_that_cannot_be_is_none(location: tuple[int, int], kept: bool) -> None:
    lat, lon = location[0] / 1e6, location[1] / 1e6
    payload = encode.advert(bytes(32), 1_700_000_000, 2, name="n", lat=lat, lon=lon)
    facts = facts_of(decode(b"\x11\x00" + payload))
    assert facts.advert is not None
    assert (facts.advert.lat_e6, facts.advert.lon_e6) == (location if kept else (None, None))


def test_a_group_text_belongs_to_its_channel() -> None:
    keys = KeyRing.of(channels=["Public"])
    frame = b"\x15\x00" + encode.group_text(keys.channels[0].key, 1_700_000_000, "me", "hi")
    assert facts_of(decode(frame, keys=keys)).channel is not None
    opened, closed = facts_of(decode(frame, keys=keys)).channel, facts_of(decode(frame)).channel
    assert opened is not None
    assert (opened.name, opened.hash, opened.encrypted) == ("Public", 0x11, False)
    assert closed is not None
    assert (closed.name, closed.hash, closed.encrypted) == ("enc_11", 0x11, True)


def test_paths_have_hops_of_their_size() -> None:
    facts = facts_of(decode(bytes.fromhex("0D" + "43" + "AABBCCDDAABB" + "BB40BA70")))
    assert (facts.hash_size, facts.hop_count, facts.path) == (2, 3, bytes.fromhex("AABBCCDDAABB"))
    assert facts.hops == {b"\xaa\xbb", b"\xcc\xdd"}


def test_a_trace_has_no_hashes_in_its_path() -> None:
    frame = bytes.fromhex("26" + "02" + "2830" + "01020304" + "00000000" + "00" + "AABB")
    facts = facts_of(decode(frame))
    assert (facts.type, facts.hop_count, facts.hash_size, facts.hops) == (9, 2, None, frozenset())


def test_a_scoped_packet_names_its_region_or_says_that_it_is_unknown() -> None:
    payload = bytes.fromhex("BB40BA70")
    frame = bytes.fromhex("0C" + "12340000" + "00") + payload
    scoped = facts_of(decode(frame))
    assert (scoped.region, scoped.head, scoped.payload_at) == ("", frame[:5], 6)
    assert facts_of(decode(b"\x0d\x00" + payload)).region is None
