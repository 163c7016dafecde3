"""Log lines that no value can forge."""

import logging

import pytest

from hopscope import log

HOSTILE = [
    ('x\n2026-01-01 INFO writer.started "forged"', r'name="x\n2026-01-01 INFO writer.started \"forged\""'),
    ("\x1b[31mred\u202e", r'name="\u001b[31mred\u202e"'),
    ("naïve", r'name="na\u00efve"'),
]


@pytest.mark.parametrize(("value", "shown"), HOSTILE)
def test_a_value_cannot_forge_a_line(value: str, shown: str) -> None:
    assert log.line("source.trouble", {"name": value}) == "source.trouble " + shown


def test_values_keep_their_kind_and_are_cut() -> None:
    fields = {"n": 3, "share": 0.5, "on": True, "none": None, "long": "x" * 999}
    assert log.line("e", fields) == 'e n=3 share=0.5 on=true none=null long="' + "x" * 300 + r"\u2026" + '"'


def test_a_trace_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("hopscope")
    before = logger.handlers[:], logger.propagate, logger.level
    try:
        log.setup("warning")
        log.info("not.shown")
        try:
            raise ValueError("bad\n2026 INFO forged \x1b[0m")
        except ValueError:
            log.exception("ingest.defect", topic="a\nb")
    finally:
        logger.handlers[:], logger.propagate, logger.level = before
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith(r' ERROR ingest.defect topic="a\nb"')
    assert all(line.startswith("  | ") for line in lines[1:])
    assert r"  | 2026 INFO forged \x1b[0m" in lines
