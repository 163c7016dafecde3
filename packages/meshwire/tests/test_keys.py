"""The key ring: names to keys, both directions of a direct message, and no secret in any text."""

import json

import pytest

from meshwire import PUBLIC_KEY, KeyPair, KeyRing, PayloadType, Route, decode, encode, hashtag_key
from meshwire.keys import Channel

ANNA, BERT, CARL = (encode.key_pair(bytes((n,)) * 32) for n in (1, 2, 3))


def dm_frame(text: str = "see you at 8") -> bytes:
    return encode.frame(Route.FLOOD, PayloadType.TXT_MSG, encode.direct_text(ANNA, BERT.public, 1_700_000_000, text))


DM = {"sender_pubkey": ANNA.public.hex(), "receiver_pubkey": BERT.public.hex(), "text": "see you at 8"}


def test_channels_are_known_by_name_or_by_key() -> None:
    assert KeyRing.of(channels=["Public", "test"]).channels == (
        Channel("Public", PUBLIC_KEY),
        Channel("#test", hashtag_key("#test")),
    )
    assert KeyRing.of(channels={"ours": bytes(32)}).channels == (Channel("ours", bytes(32)),)


@pytest.mark.parametrize("size", [0, 15, 17, 31, 33])
def test_a_channel_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="16 or 32 bytes"):
        KeyRing.of(channels={"x": bytes(size)})


def test_a_key_pair_whose_halves_do_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        KeyPair(ANNA.public, BERT.private)


@pytest.mark.parametrize(
    "ring",
    [
        KeyRing.of(key_pairs=[BERT], contacts=[ANNA.public]),
        KeyRing.of(key_pairs=[ANNA], contacts=[BERT.public]),
        KeyRing.of(key_pairs=[ANNA, BERT]),
        KeyRing.of(key_pairs=[(BERT.public, BERT.private)], contacts=[CARL.public, ANNA.public]),
    ],
    ids=["receiver's key", "sender's key", "both keys", "among other contacts"],
)
def test_a_direct_message_opens_from_either_end(ring: KeyRing) -> None:
    assert decode(dm_frame(), keys=ring).to_dict()["dm"] == DM


@pytest.mark.parametrize(
    "ring",
    [KeyRing(), KeyRing.of(key_pairs=[BERT]), KeyRing.of(key_pairs=[CARL], contacts=[ANNA.public, BERT.public])],
    ids=["no keys", "peer unknown", "somebody else's key"],
)
def test_a_direct_message_stays_closed_without_both_ends(ring: KeyRing) -> None:
    found = decode(dm_frame(), keys=ring).to_dict()
    assert "dm" not in found
    assert found["encrypted"] == {
        "dst": f"{BERT.public[0]:02X}",
        "src": f"{ANNA.public[0]:02X}",
        "mac": dm_frame()[4:6].hex().upper(),
        "ciphertext_len": 32,
    }


def test_keys_come_from_json_lines() -> None:
    ring = KeyRing.from_jsonl(
        [
            json.dumps({"type": "channel_key", "name": "Public", "key": PUBLIC_KEY.hex(), "hash": "11"}),
            json.dumps({"type": "channel_key", "name": "#test"}),
            "",
            json.dumps({"type": "flood_scope_key", "name": "#here", "key": "00" * 16}),
            json.dumps({"type": "flood_scope_key", "name": "there"}),
            json.dumps({"type": "ed25519_keypair", "prv64": BERT.private.hex(), "pub": BERT.public.hex()}),
            json.dumps({"type": "contact", "pub": ANNA.public.hex(), "name": "Anna"}),
        ]
    )
    assert [channel.name for channel in ring.channels] == ["Public", "#test"]
    assert [region.name for region in ring.regions] == ["#here", "#there"]
    assert decode(dm_frame(), keys=ring).to_dict()["dm"] == DM


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "line 2: not a JSON object"),
        ("[1]", "line 2: not an object of strings"),
        ('{"type": "magic"}', "line 2: unknown type 'magic'"),
        ('{"name": "x"}', "line 2: 'type' is missing"),
        ('{"type": "contact", "pub": "00"}', "line 2: a contact's public key has 32 bytes, not 1"),
        ('{"type": "contact", "pub": 7}', "line 2: not an object of strings"),
    ],
)
def test_a_wrong_key_line_is_named(line: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        KeyRing.from_jsonl(['{"type": "channel_key", "name": "#a"}', line])
    assert str(caught.value) == problem


def test_a_wrong_private_key_is_not_repeated_in_the_message() -> None:
    line = json.dumps({"type": "ed25519_keypair", "prv64": "ab" * 63, "pub": BERT.public.hex()})
    with pytest.raises(ValueError) as caught:
        KeyRing.from_jsonl([line])
    assert "abab" not in str(caught.value)


def test_no_secret_is_in_the_repr_of_a_ring_or_a_packet() -> None:
    ring = KeyRing.of(channels={"ours": b"\xab" * 16}, regions={"$r": b"\xab" * 16}, key_pairs=[BERT])
    payload = encode.group_text(b"\xab" * 16, 1, "Anna", "hi")
    packet = decode(encode.frame(Route.FLOOD, PayloadType.GRP_TXT, payload), keys=ring)
    for text in (repr(ring), repr(packet)):
        assert "abab" not in text
        assert repr(b"\xab" * 16) not in text
        assert repr(BERT.private) not in text


def test_rings_add_up_without_doubles() -> None:
    ring = KeyRing.of(channels=["#a"]) + KeyRing.of(channels=["#b", "#a"], regions=["r"])
    assert [channel.name for channel in ring.channels] == ["#a", "#b"]
    assert ring == KeyRing.of(channels=["#a", "#b"], regions=["r"])


def test_a_region_is_found_by_its_transport_code() -> None:
    payload = encode.ack(b"abcd")
    code = encode.transport_code(KeyRing.of(regions=["ottawa"]).regions[0].key, PayloadType.ACK, payload)
    frame = encode.frame(Route.TRANSPORT_FLOOD, PayloadType.ACK, payload, transport_codes=(code, 0))
    assert decode(frame, keys=KeyRing.of(regions=["snoco", "Ottawa", "ottawa"])).region == "#ottawa"
    assert decode(frame, keys=KeyRing.of(regions=["snoco"])).region is None


def test_two_channels_with_the_same_hash_byte_are_told_apart_by_their_mac() -> None:
    names = {}
    for n in range(5000):
        key = hashtag_key(f"#c{n}")
        other = names.setdefault(Channel("", key).hash, f"#c{n}")
        if other != f"#c{n}":
            break
    payload = encode.group_text(key, 1, "Anna", "hi")
    packet = decode(encode.frame(1, 5, payload), keys=KeyRing.of(channels=[other, f"#c{n}"]))
    assert packet.to_dict()["group"]["channel"] == f"#c{n}"  # type: ignore[index]
