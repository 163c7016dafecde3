"""The encoder refuses what no node can send."""

import pytest

from meshwire import PayloadType, Route, encode


@pytest.mark.parametrize(
    ("problem", "route", "rest"),
    [
        ("transport codes", Route.FLOOD, {"transport_codes": (1, 0)}),
        ("transport codes", Route.TRANSPORT_FLOOD, {}),
        ("hash_size bytes", Route.FLOOD, {"path": [b"ab"]}),
        ("hash_size bytes", Route.FLOOD, {"path": [b"abcd"], "hash_size": 4}),
        ("at most 63 hops", Route.FLOOD, {"path": [b"a"] * 64}),
        ("at most 63 hops", Route.FLOOD, {"path": [b"abc"] * 22, "hash_size": 3}),
    ],
)
def test_an_impossible_frame_is_refused(problem: str, route: Route, rest: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=problem):
        encode.frame(route, PayloadType.ACK, b"abcd", **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 185])
def test_an_impossible_payload_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 184 bytes"):
        encode.frame(Route.FLOOD, PayloadType.RAW_CUSTOM, bytes(size))


def test_a_low_order_receiver_is_refused() -> None:
    with pytest.raises(ValueError, match="low-order"):
        encode.direct_text(encode.key_pair(bytes(32)), b"\x01" + bytes(31), 0, "x")


def test_a_seed_gives_the_expanded_key_of_the_firmware() -> None:
    pair = encode.key_pair(bytes(32))
    assert pair.public.hex() == "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
    assert (pair.private[0] & 7, pair.private[31] >> 6) == (0, 1)
