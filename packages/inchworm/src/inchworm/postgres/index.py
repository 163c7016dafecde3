"""Build an index without blocking writers: CREATE INDEX CONCURRENTLY, and what an interrupted build left behind.

Runs outside any transaction on a connection of its own. An index that is there and valid is never touched.
"""

from contextlib import nullcontext
from dataclasses import dataclass

from inchworm.clock import StopLike
from inchworm.errors import Busy, DatabaseFault, DeadlineExceeded, StatementRefused, Stopped
from inchworm.ports import Rows
from inchworm.postgres.session import Connect, Session, Watch
from inchworm.queries import load, quoted
from inchworm.statement import tokens

SQL = load("postgres")


@dataclass(frozen=True, slots=True)
class Build:
    """A CREATE INDEX as it will be sent, the index's name, and its table as the server reads it."""

    statement: str
    name: str
    table: str


def read_build(create: str) -> Build:
    """Add CONCURRENTLY and find the names. Raises StatementRefused when the index has none."""
    pieces = [t for t in tokens(create) if t.raw != ";"]
    words = [t.text if t.kind == "word" else t.raw for t in pieces]
    at = words.index("index") + 1
    if words[at : at + 1] == ["concurrently"]:
        del pieces[at], words[at]
    rest = at + 3 if words[at : at + 3] == ["if", "not", "exists"] else at
    if words[rest : rest + 1] in (["on"], []) or words[rest + 1 : rest + 2] != ["on"]:
        raise StatementRefused(f"an index that is built as a migration needs a name: {create[:120]}")
    start = rest + (3 if words[rest + 2 : rest + 3] == ["only"] else 2)
    end = start + 1
    while words[end : end + 1] == ["."]:
        end += 2
    raw = [t.raw for t in pieces]
    statement = " ".join([*raw[:at], "concurrently", *raw[at:]])
    return Build(statement, _folded(raw[rest]), "".join(raw[start:end]))


def _folded(raw: str) -> str:
    return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw.lower()


def build(connect: Connect, create: str, watch: Watch, stop: StopLike | None = None) -> None:
    """Build it, dropping first what an interrupted build left. Raises Busy while another session builds it.

    When the token is set the server's statement is cancelled, what it left is dropped, and Stopped is raised. A build
    whose process was killed may go on in the server until it is done; the next one waits for it as Busy.
    """
    wanted = read_build(create)
    session = Session(connect)
    try:
        session.script(SQL["unlimited"])
        _clean(session, wanted)
        try:
            with watch.over(session, stop) if stop is not None else nullcontext():
                session.script(wanted.statement)
        except DatabaseFault as fault:
            if not session.is_lost():
                _clean(session, wanted)
            if isinstance(fault, DeadlineExceeded) and stop is not None and stop.is_set():
                raise Stopped(f"stopped while building {wanted.name}") from fault
            raise
    finally:
        session.close()


def _clean(session: Session, wanted: Build) -> None:
    for schema, valid, building in _state(session, wanted).rows:
        if building:
            raise Busy(f"another session is building the index {wanted.name}")
        if not valid:
            session.script(SQL["drop_index"].format(schema=quoted(str(schema)), name=quoted(wanted.name)))


def _state(session: Session, wanted: Build) -> Rows:
    return session.run(SQL["index_state"], {"name": wanted.name, "relation": wanted.table})[0]
