"""Tell other machines that this process lives: a shared advisory lock per connection, gone when the connection is.

Says nothing about which migration it holds; a wrong answer costs a hand-over, never a row, because of the epoch.
"""

import hashlib

from inchworm.errors import DatabaseFault
from inchworm.lease import retire, this_holder
from inchworm.postgres.session import Session
from inchworm.queries import load

SQL = load("postgres")
SPACE = int.from_bytes(b"inch")  # first half of the lock's number; the second is the process


def process_number(holder: str) -> int:
    """31 bits from all of a holder but its token, which differs between the runners of one process."""
    process = holder.rpartition("|")[0]
    return int.from_bytes(hashlib.sha256(process.encode()).digest()[:4]) >> 1


def announce(session: Session) -> None:
    """Take the lock for the life of the connection. A server without room for locks is no reason not to work."""
    here = this_holder()
    retire(here)
    try:
        session.run(SQL["announce"], {"space": SPACE, "process": process_number(str(here))})
    except DatabaseFault:
        if session.is_lost():
            raise


def is_announced(session: Session, holder: str) -> bool:
    """Whether the process of this holder is connected to this database, or may be."""
    found = session.run(SQL["is_announced"], {"space": SPACE, "process": process_number(holder)})[0]
    return bool(found.rows[0][0])
