"""The fuzzer itself: it runs, reaches every payload type from its corpus, and would notice a broken promise."""

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest

from meshwire import PayloadType

PATH = Path(__file__).parent.parent / "fuzz" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzzer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("meshwire_fuzz", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_corpus_reaches_every_payload_type(fuzzer: ModuleType) -> None:
    reached = {fuzzer.check(frame).partition(" ")[0] for frame in fuzzer.seeds()}
    assert reached >= {kind.name for kind in PayloadType}


def test_some_thousand_mutations_break_nothing(fuzzer: ModuleType) -> None:
    rounds, kinds = fuzzer.fuzz(random.Random(7), running=lambda done: done < 4000)
    assert rounds == 4000
    assert any("dm" in kind for kind in kinds)


def test_a_broken_promise_is_a_finding_with_its_frame(fuzzer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(frame: bytes, **_: object) -> None:
        raise IndexError("index out of range")

    monkeypatch.setattr(fuzzer, "decode", broken)
    with pytest.raises(IndexError) as found:
        fuzzer.guarded(b"\x15\x00")
    assert found.value.__notes__ == ["frame 1500"]
