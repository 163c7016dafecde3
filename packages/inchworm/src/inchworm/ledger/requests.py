"""What operators ask: a row that any process inserts and a runner answers. Carries nothing out."""

from dataclasses import dataclass

from inchworm.ledger.rows import numeric
from inchworm.ports import Reads, Turn
from inchworm.queries import load
from inchworm.states import Verb

SQL = load("ledger")


@dataclass(frozen=True, slots=True)
class Request:
    """An operator's request that no runner has answered yet. `verb` is None for a word that nobody knows."""

    id: int
    name: str
    verb: Verb | None
    text: str
    by: str | None
    requested_at: str


def request(turn: Turn, name: str, verb: Verb, by: str | None, now: str) -> None:
    """Leave a request for whichever runner holds the migration."""
    turn.execute(SQL["request"], {"name": name, "verb": str(verb), "by": by, "now": now})


def open_requests(reads: Reads) -> tuple[Request, ...]:
    """Requests that nobody has answered, oldest first."""
    found = []
    for number, name, text, by, at in reads.select(SQL["open_requests"], {}).rows:
        verb = Verb(str(text)) if str(text) in set(Verb) else None
        whom = None if by is None else str(by)
        found.append(Request(int(numeric(number)), str(name), verb, str(text), whom, str(at)))
    return tuple(found)


def answer(turn: Turn, asked: Request, text: str, now: str) -> None:
    """Close a request with what was done about it."""
    turn.execute(SQL["answer"], {"id": asked.id, "answer": text, "now": now})
