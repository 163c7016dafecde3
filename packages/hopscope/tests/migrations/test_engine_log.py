"""The engine's events reach the log as ours do: an event and fields, on one line, forged by nobody."""

import logging

import pytest

from hopscope import log


def test_an_event_of_the_engine_is_a_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    loggers = [logging.getLogger(name) for name in ("hopscope", "inchworm")]
    before = [(one, one.handlers[:], one.propagate, one.level) for one in loggers]
    try:
        log.setup("info")
        extra = {"migration": "import_1_nodes", "error": "no\nroom"}
        logging.getLogger("inchworm").warning("inchworm.fault", extra=extra)
        logging.getLogger("inchworm").debug("inchworm.slice", extra=extra)
    finally:
        for one, handlers, propagate, level in before:
            one.handlers[:], one.propagate = handlers, propagate
            one.setLevel(level)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith('WARNING inchworm.fault migration="import_1_nodes" error="no\\nroom"')
