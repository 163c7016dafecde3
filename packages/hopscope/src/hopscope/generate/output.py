"""Write records and truth to files: one JSON object per record, one JSON document for the truth."""

from pathlib import Path
from typing import BinaryIO

import msgspec

from hopscope.generate.stream import Record
from hopscope.generate.truth import Truth


def write_record(file: BinaryIO, record: Record) -> None:
    """One line: at (ms UTC), broker, topic, and payload as text, or as payload_hex when it is not UTF-8."""
    line: dict[str, object] = {"at": record.at_ms, "broker": record.broker, "topic": record.topic}
    try:
        line["payload"] = record.payload.decode()
    except UnicodeDecodeError:
        line["payload_hex"] = record.payload.hex()
    file.write(msgspec.json.encode(line) + b"\n")


def write_truth(path: Path, truth: Truth) -> None:
    """Write the truth file whole or not at all."""
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(truth.to_json()), indent=1))
    draft.replace(path)
