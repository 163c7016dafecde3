"""Whatever the bytes: a Packet or a DecodeError that says where, and the byte map agrees with the values."""

import json
import random
from pathlib import Path

import pytest

from meshwire import DecodeError, KeyRing, Packet, decode

DATA = Path(__file__).parent / "data"
ROWS = [json.loads(line) for line in (DATA / "packets.jsonl").read_text().splitlines()]
FRAMES = {row["id"]: bytes.fromhex(row["hex"]) for row in ROWS if row["valid"]}
KEYS = KeyRing.from_jsonl((DATA / "keys.jsonl").read_text().splitlines()) + KeyRing.of(regions=["snoco"])


def outcome(frame: bytes, *, spans: bool = False) -> Packet | DecodeError:
    """Decoding's answer; any other exception fails the test."""
    try:
        return decode(frame, keys=KEYS, verify=False, spans=spans)
    except DecodeError as error:
        found = error
    assert 0 <= found.at <= len(frame)
    assert "\n" not in str(found)
    return found


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_every_prefix_of_a_packet_is_a_packet_or_a_decode_error(frame: bytes) -> None:
    assert isinstance(outcome(frame[:1]), DecodeError)
    for size in range(len(frame)):
        found = outcome(frame[:size])
        assert isinstance(found, DecodeError) or found.frame == frame[:size]


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_every_bit_flip_of_a_packet_is_a_packet_or_a_decode_error(frame: bytes) -> None:
    for bit in range(8 * len(frame)):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        found = outcome(bytes(damaged))
        if isinstance(found, Packet):
            json.dumps(found.to_dict())


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_the_byte_map_covers_every_byte_once_and_changes_no_value(frame: bytes) -> None:
    plain, mapped = outcome(frame), outcome(frame, spans=True)
    assert isinstance(plain, Packet)
    assert isinstance(mapped, Packet)
    assert mapped.to_dict() == plain.to_dict()
    assert mapped.payload == plain.payload
    assert plain.spans == ()
    at = 0
    for span in mapped.spans:
        assert span.start == at, span
        assert span.end > span.start
        at = span.end
    assert at == len(frame)


def test_noise_is_a_packet_or_a_decode_error_and_its_byte_map_is_whole() -> None:
    noise = random.Random(1)
    for _ in range(4000):
        frame = noise.randbytes(noise.choice((0, 1, 2, 5, 6, 20, 60, 120, 200, 255, 300)))
        if frame and noise.random() < 0.8:
            frame = bytes((frame[0] & 0x3F,)) + frame[1:]
        plain, mapped = outcome(frame), outcome(frame, spans=True)
        if isinstance(plain, DecodeError):
            assert isinstance(mapped, DecodeError)
            assert (plain.problem, plain.at) == (mapped.problem, mapped.at)
        else:
            assert isinstance(mapped, Packet)
            assert mapped.payload == plain.payload
            assert sum(span.end - span.start for span in mapped.spans) == len(frame)


@pytest.mark.parametrize("wrong", ["1500", 5, None])
def test_what_is_not_bytes_is_a_mistake_of_the_caller(wrong: object) -> None:
    with pytest.raises(TypeError):
        decode(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_kinds_of_bytes_are_taken_too(kind: type) -> None:
    frame = FRAMES["v002"]
    assert decode(kind(frame)) == decode(frame)
