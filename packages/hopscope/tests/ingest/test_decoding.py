"""A message becomes a record, whatever is in it."""

import json
from typing import Any

import pytest

from hopscope.ingest import decoding, envelope
from hopscope.ingest.decoding import Decoder
from hopscope.model import Heard, Message, Reason, Rejected
from meshwire import KeyRing, encode

KEY = "A3" * 32
T0 = 1_790_000_000_000


def record(payload: object, decoder: Decoder | None = None) -> Any:
    message = Message("home", f"meshcore/SEA/{KEY}/packets", json.dumps(payload).encode(), T0)
    return (decoder or Decoder({}, KeyRing())).record_of(message)


def frame(seconds: int = 1_700_000_000, *, flip: bool = False) -> str:
    payload = encode.advert(bytes(32), seconds, 2, name="n")
    if flip:
        payload = payload[:-1] + bytes([payload[-1] ^ 1])
    return (b"\x11\x00" + payload).hex()


@pytest.mark.parametrize("raw", ["1505AABB", "15", "15C1AABBCCDD0011", "550011" + "AB" * 18, "FF00112233", "00" * 255])
def test_a_frame_that_breaks_a_rule_is_refused_with_the_rule(raw: str) -> None:
    found = record({"raw": raw})
    assert isinstance(found, Rejected)
    assert found.reason is Reason.BAD_FRAME
    assert "byte" in found.detail


def test_a_signature_is_checked_once_and_its_verdict_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[bool] = []
    real = decoding.decode

    def counting(data: bytes, **options: Any) -> Any:
        checks.append(options["verify"])
        return real(data, **options)

    monkeypatch.setattr(decoding, "decode", counting)
    decoder = Decoder({}, KeyRing())
    for raw in (frame(), frame(flip=True)) * 3:
        found = record({"raw": raw}, decoder)
        assert isinstance(found, Heard)
        assert (found.packet.advert is not None) is (raw == frame())
    assert checks.count(True) == 2


def test_kept_verdicts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "VERDICTS_KEPT", 2)
    decoder = Decoder({}, KeyRing())
    for seconds in (1, 2, 3, 1):
        assert record({"raw": frame(seconds)}, decoder).packet.advert is not None


def test_a_defect_costs_one_record_only(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(envelope, "read", broken)
    found = record({"raw": "00"})
    assert (found.reason, found.detail) == (Reason.UNEXPECTED, "a defect of hopscope: ZeroDivisionError")
    assert "ingest.defect" in caplog.text
