"""Log lines as a constant event name and fields. Owns their format, so that no value can forge a line.

Values are written as JSON in ASCII: line breaks, escape sequences and direction marks from the air stay harmless.
"""

import json
import logging
import sys
from typing import Any

LONGEST_VALUE = 300  # characters; a hostile name must not flood the log

_logger = logging.getLogger("hopscope")


def setup(level: str) -> None:
    """Log events of `level` and above to standard error. Called once, by a process that owns its standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
    _logger.handlers[:] = [handler]
    _logger.propagate = False
    _logger.setLevel(level.upper())
    engine = logging.getLogger("inchworm")
    fields = logging.StreamHandler(sys.stderr)
    fields.setFormatter(_EngineFormatter("%(asctime)s %(levelname)s %(message)s"))
    engine.handlers[:] = [fields]
    engine.propagate = False
    engine.setLevel(level.upper())


class _Formatter(logging.Formatter):
    """Marks every line of a trace, because an exception's text may hold what a stranger sent."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  (the name is logging's)
        lines = super().formatException(ei).splitlines()
        return "\n".join("  | " + line.encode("unicode_escape").decode("ascii") for line in lines)


class _EngineFormatter(_Formatter):
    """The migration engine gives its event and its fields as `extra`; its message says the same in its own form."""

    def format(self, record: logging.LogRecord) -> str:
        """As ours: the event, then key=value."""
        fields = {key: value for key, value in vars(record).items() if key not in _OF_EVERY_RECORD}
        record.msg, record.args = line(fields.pop("event", record.msg), fields), ()
        return super().format(record)


_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def debug(event: str, **fields: object) -> None:
    """One per unit of work."""
    _write(logging.DEBUG, event, fields)


def info(event: str, **fields: object) -> None:
    """One per change of state."""
    _write(logging.INFO, event, fields)


def warning(event: str, **fields: object) -> None:
    """Something an operator should know; the work goes on."""
    _write(logging.WARNING, event, fields)


def error(event: str, **fields: object) -> None:
    """Something an operator must act on."""
    _write(logging.ERROR, event, fields)


def exception(event: str, **fields: object) -> None:
    """A defect: the event with the trace of the exception being handled."""
    _logger.error(line(event, fields), exc_info=True)


def line(event: str, fields: dict[str, object]) -> str:
    """`event key=value …`; values are JSON, cut at LONGEST_VALUE characters."""
    return " ".join([event, *(f"{key}={_value(value)}" for key, value in fields.items())])


def _write(level: int, event: str, fields: dict[str, object]) -> None:
    if _logger.isEnabledFor(level):
        _logger.log(level, "%s", line(event, fields))


def _value(value: object) -> str:
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    text = str(value)
    return json.dumps(text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…")
