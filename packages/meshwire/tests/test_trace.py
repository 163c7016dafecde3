"""TRACE: hash widths, the SNR path, and a route that does not come out even."""

import pytest

from meshwire import Trace, decode

HEAD = "01000000 02000000"


def trace(path: str, flags: str, route: str) -> Trace:
    raw = bytes.fromhex(path)
    found = decode(b"\x26" + bytes((len(raw),)) + raw + bytes.fromhex(HEAD + flags + route)).payload
    assert isinstance(found, Trace)
    return found


@pytest.mark.parametrize(("flags", "size"), [("00", 1), ("01", 2), ("02", 4), ("03", 8), ("FC", 1), ("07", 8)])
def test_the_low_two_bits_of_flags_give_the_hash_width(flags: str, size: int) -> None:
    route = bytes(range(16))
    found = trace("", flags, route.hex())
    assert found.hash_size == size
    assert found.route == tuple(route[n : n + size] for n in range(0, 16, size))


def test_the_path_holds_one_snr_per_hop_done() -> None:
    found = trace("31F0", "00", "AABBCC")
    assert found.snr_db == (12.25, -4.0)
    assert not found.complete
    assert trace("31F004", "00", "AABBCC").complete


def test_a_cut_route_keeps_its_rest() -> None:
    assert trace("", "01", "AABBCC").route == (b"\xaa\xbb", b"\xcc")


def test_a_trace_without_a_route_is_complete() -> None:
    assert trace("", "00", "") == Trace(1, 2, 0, 1, (), ())


def test_the_json_path_shows_the_snr_bytes_as_sent() -> None:
    found = decode(bytes.fromhex("260231F0" + HEAD + "00" + "AABB")).to_dict()
    assert (found["path"], found["hop_count"], found["path_hash_size"]) == (["31", "F0"], 2, 1)
