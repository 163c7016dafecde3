"""Write docs/inchworm-states.md from inchworm's table of states, so that the page and the code cannot differ.

`python tools/inchworm_states.py`; a test fails when the page is stale.
"""

from pathlib import Path

from inchworm.errors import RequestRefused
from inchworm.states import MOVES, Status, Verb, asked, diagram

PAGE = Path(__file__).parent.parent / "docs" / "inchworm-states.md"

MEANINGS = {
    Status.PENDING: "registered; no runner has taken it, or an operator resumed or retried it",
    Status.RUNNING: "a runner holds its lease and walks",
    Status.PAUSED: "stands still until an operator resumes it, also over restarts",
    Status.INTERRUPTED: "its runner ended in order and kept the cause; the next one continues after the cursor",
    Status.VERIFYING: "every row was visited; `verify` is being checked",
    Status.DONE: "every row below the bound was visited, the accounts agree, `verify` selected nothing",
    Status.FAILED: "needs an operator: the error says why; what was committed stays",
    Status.CANCELLED: "an operator gave it up; what was committed stays",
    Status.PARKED: "the ledger has a name that the running code does not define; read, never stored",
    Status.UNKNOWN: "the ledger holds a word that this version does not know; read, never stored",
}


def allowed(verb: Verb) -> list[str]:
    """The states in which an operator may ask for the verb, each with where it leads."""
    found = []
    for status in Status:
        try:
            leads_to = asked(verb, status)
        except RequestRefused:
            continue
        found.append(f"{status} → {leads_to or 'the same, marked as seen'}")
    return found


def page() -> str:
    """The whole page."""
    states = "\n".join(f"| `{status}` | {meaning} |" for status, meaning in MEANINGS.items())
    moves = "\n".join(f"| `{old}` | `{new}` | {why} |" for (old, new), why in MOVES.items())
    verbs = "\n".join(f"| `{verb}` | {', '.join(allowed(verb))} |" for verb in Verb)
    return f"""# The states of a migration

This page is written by `python tools/inchworm_states.py` from `inchworm.states`.

| state | meaning |
|---|---|
{states}

A migration whose holder died reads as `interrupted` at once, with the reason `crashed: …`; so does one whose holder has
let its lease end, because it died on another machine or cannot write. CoreScope's `pending_async` reads as
`interrupted` too.

```mermaid
{diagram()}```

## Every move and its reason

| from | to | when |
|---|---|---|
{moves}

## What an operator may ask

A request is a row that any process inserts in one short turn. It survives restarts, and a runner heeds it within a
second.

| verb | from → to |
|---|---|
{verbs}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
