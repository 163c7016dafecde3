"""The states of a migration, every allowed move with its reason, and what an operator's verb does in each state.

The only module that knows which status may follow which; pure data and look-ups.
"""

from enum import StrEnum

from inchworm.errors import RequestRefused


class Status(StrEnum):
    """A migration's state as the ledger stores it. `unknown` and `parked` are readings, never stored."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    VERIFYING = "verifying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARKED = "parked"
    UNKNOWN = "unknown"


class Verb(StrEnum):
    """What an operator may ask of a migration."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    ACKNOWLEDGE = "acknowledge"


P, R, A, I, V, D, F, C = (  # noqa: E741
    Status.PENDING,
    Status.RUNNING,
    Status.PAUSED,
    Status.INTERRUPTED,
    Status.VERIFYING,
    Status.DONE,
    Status.FAILED,
    Status.CANCELLED,
)

MOVES: dict[tuple[Status, Status], str] = {
    (P, R): "a runner took the lease",
    (P, A): "an operator asked to pause before a runner took it",
    (P, F): "the definition cannot run, or is not the one it began with",
    (P, C): "an operator cancelled it before a runner took it",
    (R, R): "the holder died; another runner took over and continues after the cursor",
    (R, A): "an operator asked, or slices suddenly cost many times more; the current turn was finished first",
    (R, I): "the runner was told to stop; the current turn was finished first and the cause is kept",
    (R, V): "no key is left below the bound; `verify` is being checked in slices",
    (R, D): "no key is left below the bound, there is nothing to verify, and the accounts agree",
    (R, F): "a slice could not be written, quarantined rows may not remain, or the accounts differ",
    (R, C): "an operator cancelled; what was committed stays",
    (V, R): "the holder died while verifying; another runner took over",
    (V, A): "an operator asked to pause while verifying; verification starts over on resume",
    (V, I): "the runner was told to stop while verifying; verification starts over",
    (V, D): "`verify` selected nothing and the accounts agree",
    (V, F): "`verify` selected rows, quarantined rows may not remain, or the check itself failed",
    (V, C): "an operator cancelled while verifying; what was committed stays",
    (A, P): "an operator resumed; a runner continues after the cursor",
    (A, C): "an operator cancelled a paused migration; what was committed stays",
    (I, R): "a runner came back and continues after the cursor",
    (I, A): "an operator asked to pause an interrupted migration",
    (I, F): "the definition is not the one it began with",
    (I, C): "an operator cancelled an interrupted migration; what was committed stays",
    (F, P): "an operator retried; the error is cleared and quarantined rows are tried again",
    (F, F): "the definition is still not the one it began with",
    (F, C): "an operator gave a failed migration up",
    (C, P): "an operator retried a cancelled migration; it continues after the cursor",
}

ACTIVE = frozenset({R, V})
STARTABLE = frozenset({P, I, R, V})
ENDED = frozenset({D, F, C})
STARTED = frozenset({R, V, A, I, F, C})

_REQUESTS: dict[Verb, tuple[frozenset[Status], Status | None]] = {
    Verb.PAUSE: (frozenset({P, R, V, I}), A),
    Verb.RESUME: (frozenset({A}), P),
    Verb.CANCEL: (frozenset({P, R, V, A, I, F}), C),
    Verb.RETRY: (frozenset({F, C}), P),
    Verb.ACKNOWLEDGE: (frozenset({F}), None),
}


def move(old: Status, new: Status) -> Status:
    """`new` when the table allows it; ValueError with both names otherwise."""
    if (old, new) not in MOVES:
        raise ValueError(f"a {old} migration cannot become {new}")
    return new


def asked(verb: Verb, status: Status) -> Status | None:
    """The status that a verb leads to, None when it only marks the row; RequestRefused says which verbs would fit."""
    allowed, target = _REQUESTS[verb]
    if status in allowed:
        return target
    fitting = ", ".join(v for v, (states, _) in _REQUESTS.items() if status in states) or "none"
    raise RequestRefused(f"a {status} migration cannot be asked to {verb} (verbs that fit: {fitting})")


def read_status_name(text: str) -> Status:
    """A stored status; CoreScope's `pending_async` reads as interrupted, anything unheard of as unknown."""
    if text == "pending_async":
        return Status.INTERRUPTED
    try:
        return Status(text)
    except ValueError:
        return Status.UNKNOWN


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation. A label of Mermaid ends at a semicolon."""
    lines = [f"    {old} --> {new}: {why.replace(';', ',')}" for (old, new), why in MOVES.items() if old is not new]
    return "\n".join(["stateDiagram-v2", "    [*] --> pending", *lines, "    done --> [*]"]) + "\n"
