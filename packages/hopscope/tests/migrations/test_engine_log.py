"""The engine's events reach the log as ours do: an event and fields, on one line, forged by nobody."""

import logging

import pytest

from hopscope import log
from inchworm import events


def test_an_event_of_the_engine_is_a_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    loggers = [logging.getLogger(name) for name in ("hopscope", "inchworm")]
    before = [(one, one.handlers[:], one.propagate, one.level) for one in loggers]
    try:
        log.setup("info")
        events.warning("inchworm.fault", migration="import_1_nodes", error="no\nroom")
        events.debug("inchworm.slice", migration="import_1_nodes")
    finally:
        for one, handlers, propagate, level in before:
            one.handlers[:], one.propagate = handlers, propagate
            one.setLevel(level)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.endswith('WARNING inchworm.fault migration="import_1_nodes" error="no\\nroom"')
