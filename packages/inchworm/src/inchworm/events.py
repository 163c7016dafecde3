"""What the engine logs: an event's name and its facts, readable in the message and whole in the record's fields.

Owns the form of the line, so that no value can forge or flood one. Refuses nothing: logging must not stop a migration.
"""

import logging
import re

LONGEST_VALUE = 500  # characters of a value in the message; the field has all of it

_BARE = re.compile(r"[\w./:@+-]+", re.ASCII)
_NAMED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}

_log = logging.getLogger("inchworm")


def debug(event: str, *, trace: bool = False, **facts: object) -> None:
    """One per unit of work; `trace`: with the traceback of the exception being handled."""
    _write(logging.DEBUG, event, facts, trace=trace)


def info(event: str, **facts: object) -> None:
    """The engine at work: changes of state, and what it mends by itself."""
    _write(logging.INFO, event, facts)


def warning(event: str, **facts: object) -> None:
    """Something an operator should know; the work goes on."""
    _write(logging.WARNING, event, facts)


def error(event: str, *, trace: bool = False, **facts: object) -> None:
    """A migration has failed; `trace`: it is a defect, with the traceback of the exception being handled."""
    _write(logging.ERROR, event, facts, trace=trace)


def shown(value: object) -> str:
    """A value as it stands in a message: one line, quoted unless it is one plain word, at most LONGEST_VALUE of it.

    What cannot be printed (line breaks, escape sequences, direction marks) is escaped as in a Python string.
    """
    text = str(value)
    text = text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
    return text if _BARE.fullmatch(text) else f'"{"".join(map(_printable, text))}"'


def _printable(char: str) -> str:
    named = _NAMED.get(char)
    return named or (char if char.isprintable() else char.encode("unicode_escape").decode("ascii"))


def _write(level: int, event: str, facts: dict[str, object], *, trace: bool = False) -> None:
    """The template is the same for all records of a kind, because collectors group by it. None is not said."""
    if not _log.isEnabledFor(level):
        return
    said = {name: shown(value) for name, value in facts.items() if value is not None}
    template = " ".join([event, *(f"{name}=%s" for name in said)])
    _log.log(level, template, *said.values(), exc_info=trace, stacklevel=3, extra={"event": event, **facts})
