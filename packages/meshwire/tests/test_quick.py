"""Values made fast are the same values: equal, frozen, of the same class."""

import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from meshwire import Ack, Packet, decode
from meshwire.quick import quick


def test_a_quickly_made_value_is_the_ordinary_value() -> None:
    made = quick(Ack)(b"abcd", b"")
    assert made == Ack(b"abcd", b"")
    assert type(made) is Ack
    assert hash(made) == hash(Ack(b"abcd", b""))
    assert repr(made) == repr(Ack(b"abcd", b""))


def test_a_quickly_made_value_is_frozen() -> None:
    made = quick(Ack)(b"abcd", b"")
    with pytest.raises(FrozenInstanceError):
        made.crc = b"efgh"  # type: ignore[misc]


def test_a_packet_can_be_replaced_in_part_and_pickled() -> None:
    packet = decode(bytes.fromhex("0D04B891647EBB40BA70"))
    assert replace(packet, region="#here").region == "#here"
    assert pickle.loads(pickle.dumps(packet)) == packet
    assert type(packet) is Packet
    assert all(hasattr(packet, field.name) for field in fields(packet))
