"""A generated mesh is stored exactly as its truth says, in whatever batches and order it arrives."""

import itertools
import random
from pathlib import Path

import pytest
from truth_check import differences

from hopscope.generate.pace import Pace
from hopscope.generate.stream import Simulation
from hopscope.generate.truth import Truth
from hopscope.ingest.decoding import Decoder
from hopscope.model import Message
from hopscope.store import connection, schema
from hopscope.store.writing import Writer
from meshwire import KeyRing

T0 = 1_790_000_000_000
COUNT = 3_000


@pytest.fixture(scope="module")
def generated() -> tuple[list[Message], Truth]:
    truth = Truth()
    messages = []
    for record in itertools.islice(Simulation(5, Pace(T0, 1000.0)), COUNT):
        truth.add(record.fate)
        messages.append(Message(f"broker {record.broker}", record.topic, record.payload, record.at_ms))
    return messages, truth


def store(path: Path, messages: list[Message], *, rows: int) -> None:
    db = connection.open_writer(str(path))
    schema.prepare(db)
    writer, decoder = Writer(db), Decoder({}, KeyRing.of(channels=["Public"]))
    for name in sorted({message.source for message in messages}):
        writer.register_source(name, kind="mqtt", address=None)
    for at in range(0, len(messages), rows):
        writer.record([decoder.record_of(message) for message in messages[at : at + rows]])
    db.close()


@pytest.mark.parametrize("rows", [1, 7, 500])
def test_what_is_generated_is_what_is_stored(tmp_path: Path, generated: tuple[list[Message], Truth], rows: int) -> None:
    messages, truth = generated
    store(tmp_path / "mesh.db", messages, rows=rows)
    assert differences(str(tmp_path / "mesh.db"), truth.to_json()) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_arrival_does_not_matter(
    tmp_path: Path, generated: tuple[list[Message], Truth], seed: int
) -> None:
    messages, truth = generated
    shuffled = list(messages)
    random.Random(seed).shuffle(shuffled)
    store(tmp_path / "mesh.db", shuffled, rows=100)
    assert differences(str(tmp_path / "mesh.db"), truth.to_json()) == []


def test_a_difference_is_found(tmp_path: Path, generated: tuple[list[Message], Truth]) -> None:
    messages, truth = generated
    store(tmp_path / "mesh.db", messages[:-200], rows=500)
    assert differences(str(tmp_path / "mesh.db"), truth.to_json())
