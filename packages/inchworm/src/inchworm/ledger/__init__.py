"""The ledger `_async_migrations` and its sisters: every statement on them, written only through an open Turn.

`rows` as values; `moves`, fenced by the lease's epoch, with their `transitions`; operators' `requests`; rows put
`aside`; the `schema`. Writes commit with the work they describe. Decides nothing.
"""

from inchworm.ledger.aside import QuarantinedRow, quarantine, quarantined, release
from inchworm.ledger.moves import (
    NO_RUNNER,
    acknowledge,
    advance,
    begin,
    claim,
    clear_acknowledged,
    heartbeat,
    idle,
    move,
    move_unheld,
    register,
    rewind,
    set_forecast,
)
from inchworm.ledger.requests import Request, answer, open_requests, request
from inchworm.ledger.rows import SQL, Entry, entries, entry
from inchworm.ledger.schema import VERSION, ensure, exists, is_ours
from inchworm.ledger.transitions import HistoryLine, history, remember

__all__ = [
    "NO_RUNNER",
    "SQL",
    "VERSION",
    "Entry",
    "HistoryLine",
    "QuarantinedRow",
    "Request",
    "acknowledge",
    "advance",
    "answer",
    "begin",
    "claim",
    "clear_acknowledged",
    "ensure",
    "entries",
    "entry",
    "exists",
    "heartbeat",
    "history",
    "idle",
    "is_ours",
    "move",
    "move_unheld",
    "open_requests",
    "quarantine",
    "quarantined",
    "register",
    "release",
    "remember",
    "request",
    "rewind",
    "set_forecast",
]
